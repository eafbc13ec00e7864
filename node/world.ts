/**
 * The World: everything a node touches that is not pure. One real implementation (node/real/world.ts) and one simulated (test/simulation),
 * so that all of node/ but the adapters runs from a seed. Nothing in node/ but the adapters may read a clock, a timer or random elsewhere.
 */
import type { SignatureCheck } from '../consensus/index.ts';
import type { ByteText, SteppedCrypto } from './format/index.ts';

export type { SignatureCheck };

export interface World {
  readonly clock: Clock;
  readonly timers: Timers;
  readonly random: Random;
  readonly log: Log;
  readonly crypto: SteppedCrypto;
  readonly verifier: VerifyPool;
}

export interface Clock {
  /** Milliseconds since 1970, as the machine claims. */
  now(): number;
  /** Milliseconds since an arbitrary start; never goes back. */
  monotonic(): number;
}

export interface Timers {
  /** 0 ms: in the next turn of the event loop, after what came in meanwhile. Returns a function that cancels. */
  after(ms: number, run: () => void): () => void;
  every(ms: number, run: () => void): () => void;
}

export interface Random {
  bytes(count: number): Uint8Array;
}

export interface Log {
  debug(fields: Readonly<Record<string, unknown>>, event: string): void;
  info(fields: Readonly<Record<string, unknown>>, event: string): void;
  warn(fields: Readonly<Record<string, unknown>>, event: string): void;
  error(fields: Readonly<Record<string, unknown>>, event: string): void;
  child(fields: Readonly<Record<string, unknown>>): Log;
}

/** Signature checks off the main thread. Same verdict as Crypto.verify. */
export interface VerifyPool {
  verify(suite: number, publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array): Promise<boolean>;
  /** The verdicts on several that come together, in their order. */
  verifyAll(checks: readonly SignatureCheck[]): Promise<readonly boolean[]>;
  stop(): Promise<void>;
}

/** `value` undefined deletes. */
export interface StoreOperation {
  readonly key: ByteText;
  readonly value: Uint8Array | undefined;
}

/**
 * A sorted key-value store. Values are returned as they were put: the adapter appends a checksum bound to the key on write and checks it on
 * every read; a mismatch throws ChainError STORE_DAMAGED. A batch is written whole or not at all, and `sync` means it is on disk when the
 * promise resolves.
 */
export interface Store {
  get(key: ByteText): Uint8Array | undefined;
  batch(operations: readonly StoreOperation[], options: { readonly sync: boolean }): Promise<void>;
  /** Rows with from <= key < to in key order (or reversed), at most `limit`. */
  range(options: {
    readonly from: ByteText;
    readonly to: ByteText | undefined;
    readonly reverse?: boolean;
    readonly limit: number;
  }): Promise<{ key: ByteText; value: Uint8Array }[]>;
  close(): Promise<void>;
}

/** The store of the ledger. */
export interface LedgerStore extends Store {
  /** Resolves when all that was written before, from whichever thread, is on disk. After a rejection nobody knows what is. */
  sync(): Promise<void>;
}

/** Append-only log of records (votes). `append` resolves when the bytes are on disk. A torn last record is dropped on open and reported. */
export interface AppendLog {
  /** Records found on open, oldest first. */
  readonly records: readonly Uint8Array[];
  /** The log that was here before is gone: what it held is not known. */
  readonly lost?: LogLoss | undefined;
  append(records: readonly Uint8Array[]): Promise<void>;
  /** Replaces the whole content, atomically. */
  rewrite(records: readonly Uint8Array[]): Promise<void>;
  close(): Promise<void>;
}

export interface LogLoss {
  readonly cause: 'missing' | 'damaged' | 'unreadable';
  /** Name of the file it is kept under now, beside the log. */
  readonly setAside: string | undefined;
  /** First byte that is not what was written. */
  readonly offset: number | undefined;
}

/**
 * Files of one directory, for what writes its own form. All calls but `readNow` work beside the calling thread. They throw ChainError
 * STORE_FULL and STORE_IO.
 */
export interface FileDirectory {
  list(): Promise<readonly string[]>;
  /** Undefined when there is none of that name. */
  open(name: string): Promise<DataFile | undefined>;
  /**
   * Fills `into` with the bytes from `at` on, at once: for a thread that has nothing else to do meanwhile. False when there is no such
   * file.
   */
  readNow(name: string, at: number, into: Uint8Array): boolean;
  /**
   * A file of these bytes, in place of any old one: on disk when this resolves; after a crash before that there is the old one or the new
   * one, whole.
   */
  put(name: string, bytes: Uint8Array): Promise<void>;
  /** Rename and removal are on disk when they resolve. What is not there is removed already. */
  rename(from: string, to: string): Promise<void>;
  remove(name: string): Promise<void>;
}

export interface DataFile {
  size(): Promise<number>;
  /** Fills `into` with the bytes from `at` on; past the end of the file they are zero. */
  read(at: number, into: Uint8Array): Promise<void>;
  /**
   * Writes the parts one behind the other, from `at` on: on disk when this resolves. A crash before that may leave out any sectors of them; a
   * failure leaves any front of them.
   */
  write(at: number, parts: readonly Uint8Array[]): Promise<void>;
  truncate(bytes: number): Promise<void>;
  /** What was truncated, or written by a process before this one, is on disk when this resolves. */
  sync(): Promise<void>;
  close(): Promise<void>;
}

/** Votes and bulk travel on connections of their own, because streams of one connection block each other. */
export type Channel = 'votes' | 'bulk';

/** Longest frame on each channel, in bytes; longer ones close the link and count against the peer. */
export const FRAME_BYTES_MAX = { votes: 1_048_576, bulk: 33_554_432 } as const;
/** Bytes waiting for one peer on one channel before `send` answers false. */
export const SEND_QUEUE_BYTES_MAX = { votes: 16_777_216, bulk: 134_217_728 } as const;

export interface PeerStatus {
  readonly node: string;
  readonly connected: boolean;
  /** monotonic ms of the last frame. */
  readonly lastSeenMs: number;
  readonly address: string | undefined;
  /** Last final height the peer stated when it connected. */
  readonly height?: number;
  /** Code of the last rule it broke or of the last refusal, until it connects again. */
  readonly refusal?: string;
  /** Rules it broke since this node knows it. */
  readonly reports?: number;
  /** It is cut off for this much longer. */
  readonly cutOffMs?: number;
}

/** Frames between registered nodes. `from` and `to` are node ids that the transport has proven, never claims. */
export interface Network {
  readonly self: string;
  start(): Promise<void>;
  stop(): Promise<void>;
  /** False when the peer is not connected or its queue is full; the frame is then dropped. */
  send(to: string, channel: Channel, frame: Uint8Array): boolean;
  broadcast(channel: Channel, frame: Uint8Array): void;
  /** Bytes sent to a peer that it has not taken yet. */
  queuedBytes(to: string, channel: Channel): number;
  onFrame(handler: (from: string, channel: Channel, frame: Uint8Array) => void): void;
  onPeer(handler: (node: string, state: 'up' | 'down') => void): void;
  peers(): readonly PeerStatus[];
  /** Nodes registered in chain state; the gater admits no others, and cuts those that are no longer listed. */
  admit(nodes: readonly AdmittedNode[]): void;
  /** Nodes that were registered and are active no longer: they may visit, and nothing else. */
  visitors(nodes: readonly Omit<AdmittedNode, 'addresses'>[]): void;
  /** Answers what visitors ask; undefined answers nothing. */
  onVisit(handler: (from: string, question: Uint8Array) => Promise<Uint8Array | undefined>): void;
  /** Asks one question of a node that may hold this one to be expelled. @throws ChainError PEER_UNREACHABLE */
  visit(node: string, question: Uint8Array): Promise<Uint8Array>;
  /** While true no peer is dialled; those that dial are let in as before. */
  keepQuiet(quiet: boolean): void;
  /** Counts a broken rule against a peer; past a bound it is cut off for a while. */
  report(node: string, code: string): void;
  /** `node` is cut off for `forMs`; `code` is the last rule it broke. */
  onCutOff(handler: (node: string, code: string, forMs: number) => void): void;
}

export interface AdmittedNode {
  readonly node: string;
  /** libp2p node key, raw Ed25519, 32 bytes. */
  readonly transportKey: Uint8Array;
  /** Multiaddrs without /p2p. */
  readonly addresses: readonly string[];
}
