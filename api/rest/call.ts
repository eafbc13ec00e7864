/** A call as an operation sees it, and what an operation answers: values, whatever form they came in and go out by. */
import type { Caller } from '../../node/records/index.ts';
import type { Language, ParameterValue } from './schema.ts';
import type { Logged } from './self-written.ts';

/** Parameters that the server itself reads, of every operation that takes them. */
export interface CommonParameters {
  readonly chain?: string;
  readonly 'idempotency-key'?: string;
  readonly otp?: string;
}

/** @typeParam P values of the declared parameters, @typeParam B of the body */
export interface Call<P = unknown, B = unknown> {
  readonly requestId: string;
  readonly language: Language;
  /** Aborted when the route's time is over or the caller has gone. */
  readonly signal: AbortSignal;
  /** @throws ChainError TOKEN_MISSING on a public route, or before `identify`. */
  readonly caller: Caller;
  /** Of the head's token; undefined before `identify` where the body may carry it. */
  readonly known: Caller | undefined;
  /** Verifies a token that stood in the body; checks right and rate as for one in the head. @throws ChainError TOKEN_CONFLICT when that one differs. */
  identify(token: string | undefined): Caller;
  /** Says which account a login names, for the exchange log: refused or not. */
  tries(account: string): void;
  readonly body: B;
  readonly bytes: Uint8Array;
  /** Of the body, without parameters; empty when there was none. */
  readonly mediaType: string;
  /** Values of the declared parameters, defaults filled in. */
  readonly parameters: P & CommonParameters;
  /** Parameters as given, without defaults, for cursors and the exchange log. */
  readonly given: Readonly<Record<string, ParameterValue>>;
  readonly address: string;
}

export interface Reply {
  readonly data: unknown;
  /** Present while what was asked for is not final; names the transaction to ask after, where it is one and stays the same. */
  readonly pending?: { readonly transactionId?: string };
  /** Rows in the answer, for the exchange log; default: items of a list, else 1. */
  readonly rows?: number;
  /** What stands for parameters and answer in the exchange log, where the real ones hold sealed values (digests instead). */
  readonly logged?: { readonly parameters?: Logged; readonly answer?: Logged };
  /** What an Idempotency-Key keeps in place of `data`, where a part of it may not be stored; `restore` of the route puts that part back. */
  readonly kept?: unknown;
}

/** Outside the envelope: raw blocks, metrics, console files. */
export interface RawReply {
  readonly raw: Uint8Array | string;
  readonly mediaType: string;
  readonly headers?: Readonly<Record<string, string>>;
}

/** Outside the envelope: server-sent events. `stream` gets the socket side after the head was sent. */
export interface StreamReply {
  readonly stream: (sink: StreamSink) => void;
}

export type Answer = Reply | RawReply | StreamReply;

export interface StreamSink {
  /** False when the client is slow: wait for `onDrain`. */
  write(text: string): boolean;
  onDrain(run: () => void): void;
  onClose(run: () => void): void;
  close(): void;
}
