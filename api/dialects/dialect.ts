/**
 * A dialect: how callers speak to the operations. It knows addresses, tokens, forms of bodies and of answers; an operation knows none of them. What is
 * the same for all (rights, rate limits, checks of parameters, time-outs, the exchange log) stays with the server, so that no dialect can leave it out.
 */
import type { IncomingHttpHeaders } from 'node:http';
import type { Steps } from '../../node/pace/index.ts';
import type { Language, RawParameters, Refusal, Reply, Route } from '../rest/index.ts';

/** All that is known of a request before its body is read. */
export interface Head {
  readonly requestId: string;
  /** Path and query as they came. */
  readonly url: string;
  /** Parts of the path that stand for `:name` in the url of the entry. */
  readonly path: Readonly<Record<string, string>>;
  readonly headers: IncomingHttpHeaders;
}

/** An address of a dialect and the operation behind it. */
export interface Entry {
  readonly method: 'GET' | 'POST';
  /** With `:name` for what changes. */
  readonly url: string;
  readonly operation: Route;
  /** Media types of a body, before readCall turns it into one that the operation takes. */
  readonly formats: readonly string[];
}

/** Parameters and body in the operation's own words. */
export interface CallText extends RawParameters {
  readonly body: Uint8Array | undefined;
}

export type Outcome = { readonly kind: 'reply'; readonly reply: Reply; readonly replayed?: boolean } | Refusal;

export interface WrittenAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  /** A short one as text: the head and it are one write to the socket then. */
  readonly body: Buffer | string;
}

export interface Dialect {
  /** Every path under it is this dialect's, unknown ones too. What lies under none is the first dialect's. */
  readonly prefix: string;
  entries(operations: readonly Route[]): readonly Entry[];
  /** Language of messages. Never throws: a refusal is written in it as well. */
  language(head: Head): Language;
  /** The token that the head holds. `operation` is missing where nothing answers. @throws ChainError for a head that cannot be served */
  admit(head: Head, operation: Route | undefined): string | undefined;
  /** In steps where the body is read for it, which may hold 16 MiB; at once by a dialect that hands it on. */
  readCall(head: Head, operation: Route, body: Uint8Array | undefined): CallText | Steps<CallText>;
  /** In steps: an answer may hold megabytes. */
  writeAnswer(outcome: Outcome, head: Head, language: Language): Steps<WrittenAnswer>;
}
