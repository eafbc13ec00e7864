/**
 * The plug every consensus engine fits: `step(input) -> effects`, pure and synchronous. Time is the `tick` input; saving, sending, building
 * and executing are effects whose results come back as inputs. An engine sees opaque digests, never transactions.
 *
 * Contract with the shell, per turn: step every waiting input; begin what no peer sees, `build` and `execute`; append all `persist` records
 * to the vote log in order, one fdatasync; only then carry out the other effects. A persisted record may therefore be assumed on disk
 * whenever a peer could have seen it.
 */
import type { Digest, Json, Validator } from '../node/format/index.ts';

/** Note of an engine that another node is entitled to the next block: `height` and fields of its own. */
export const PRODUCER_CHANGED = 'producer changed';

/** Where the chain stands when an engine is created or restarted. */
export interface EngineStart {
  readonly chainId: Digest;
  /** This replica's node id; not among the validators for an observer. */
  readonly self: string;
  /** Those that decide height + 1, as are the parameters. */
  readonly validators: readonly Validator[];
  /** Last final height, its header hash, and what proves it final (absent at genesis). */
  readonly height: number;
  readonly digest: Digest;
  readonly finality: Uint8Array | undefined;
  readonly parameters: EngineParameters;
  /** Vote log records, oldest first, as they were persisted. */
  readonly log: readonly Uint8Array[];
  /**
   * Highest height whose stored proof of finality holds a vote of this replica; a vote log that knows nothing of it is older than the
   * chain.
   */
  readonly signedHeight?: number;
  /** ENGINE_LIMITS unless given. */
  readonly limits?: EngineLimits;
}

/** How much a replica remembers. Its own affair: replicas need not agree on it, and safety rests on none of it. */
export interface EngineLimits {
  /**
   * Executions of one height, about one per view; past it the oldest is dropped, and its body is executed again when it is needed. The
   * shell keeps the bodies of more (node/chain).
   */
  readonly executionsMax: number;
  /** Votes of one validator and phase, the newest; an honest one has at most two heights and a view or two in play. */
  readonly votesPerSignerMax: number;
}

export const ENGINE_LIMITS: EngineLimits = { executionsMax: 32, votesPerSignerMax: 6 };

export interface EngineParameters {
  readonly viewTimeoutMs: number;
  readonly viewTimeoutMaxMs: number;
  readonly idleBlockIntervalMs: number;
  readonly checkpointIntervalBlocks: number;
}

export type Input =
  /** Monotonic milliseconds since the node started; at least every TICK_MS. */
  | { readonly kind: 'tick'; readonly nowMs: number }
  /** Bytes from a peer whose node id the transport has proven, and those of its `signatures` that the shell has found valid. */
  | { readonly kind: 'message'; readonly from: string; readonly bytes: Uint8Array; readonly valid?: readonly SignatureCheck[] }
  /** The shell has (or no longer has) transactions that a block with room would include. */
  | { readonly kind: 'work'; readonly waiting: boolean }
  /**
   * Answer to `build`: the shell holds the proposal under its digest. `proposal` is opaque; its body may still be on its way to the disk, so
   * its own vote waits for `executed` as that of any other. `more`: so much is left that a block on this one is worth building while this one
   * is voted on.
   */
  | {
      readonly kind: 'built';
      readonly height: number;
      readonly engineData: Uint8Array;
      readonly digest: Digest;
      readonly parent: Digest;
      readonly proposal: Uint8Array;
      readonly more: boolean;
    }
  /** Answer to `build` when no block could be built (nothing to include and not idle long enough, or a fault). */
  | {
      readonly kind: 'notBuilt';
      readonly height: number;
      readonly engineData: Uint8Array;
      readonly parent: Digest;
      readonly code: string;
    }
  /** Answer to `execute`: `code` is `OK` when this replica's own execution agrees with the header. */
  | { readonly kind: 'executed'; readonly height: number; readonly digest: Digest; readonly parent: Digest; readonly code: string }
  /** Answer to `search`: what was found, or undefined when another search took its place or the node stops. */
  | { readonly kind: 'searched'; readonly task: Uint8Array; readonly found: Uint8Array | undefined }
  /**
   * The block of `height` is final and stored; the next may start. From commit, or from block sync, which may leave out heights: the
   * highest counts. `validators` and `parameters` are those of height + 1.
   */
  | {
      readonly kind: 'delivered';
      readonly height: number;
      readonly digest: Digest;
      readonly finality: Uint8Array;
      readonly validators: readonly Validator[];
      readonly parameters: EngineParameters;
    };

/** One signature to check, as `EngineCrypto.verify` takes it. */
export interface SignatureCheck {
  readonly suite: number;
  readonly publicKey: Uint8Array;
  readonly message: Uint8Array;
  readonly signature: Uint8Array;
}

export type Effect =
  /** Append to the vote log before anything else of this turn leaves. */
  | { readonly kind: 'persist'; readonly record: Uint8Array }
  /** Vote log records up to here are no longer needed: the shell may rewrite the log with `keep`. */
  | { readonly kind: 'truncate'; readonly keep: readonly Uint8Array[] }
  | { readonly kind: 'broadcast'; readonly bytes: Uint8Array }
  | { readonly kind: 'send'; readonly to: string; readonly bytes: Uint8Array }
  /**
   * Build a block on `parent` whose header holds `engineData`, opaque to the shell; answer with `built` or `notBuilt`, which name both
   * again. `parent` is the last final block, or one that this shell built or executed and that may still come to nothing. `emptyAllowed`:
   * an idle chain is due its block.
   */
  | {
      readonly kind: 'build';
      readonly height: number;
      readonly engineData: Uint8Array;
      readonly parent: Digest;
      readonly emptyAllowed: boolean;
    }
  /**
   * Obtain the body (fetch what is missing), check, execute and store it; answer with `executed`. Of a block that this shell has built or
   * executed before, only the storing is waited for. The header of a `fresh` one must hold
   * `engineData`; on re-proposal there are no rules of clock, mempool or engine data.
   */
  | {
      readonly kind: 'execute';
      readonly height: number;
      readonly engineData: Uint8Array;
      readonly digest: Digest;
      readonly proposal: Uint8Array;
      readonly from: string;
      readonly fresh: boolean;
    }
  /** This block is final, as `finality` proves (consensus/finality.ts judges it): store both, then answer `delivered`. */
  | { readonly kind: 'commit'; readonly height: number; readonly digest: Digest; readonly finality: Uint8Array }
  /** This block leads and may still give way to another: what is shown of it says so, and nothing of it is stored as final. */
  | { readonly kind: 'head'; readonly height: number; readonly digest: Digest }
  /**
   * A worker searches, off this thread, by the engine's own rule; answer with `searched`. A later search takes the place of an earlier one.
   */
  | { readonly kind: 'search'; readonly task: Uint8Array }
  /** Work waits here and the primary has proposed nothing for half of its time: give it what waits, of which it may know nothing. */
  | { readonly kind: 'handOver'; readonly to: string }
  /** Peers are further on: fetch blocks up to `height` from any of `from`. */
  | { readonly kind: 'sync'; readonly height: number; readonly from: readonly string[] }
  /** A peer broke a rule it can only break on purpose; both messages prove it. */
  | { readonly kind: 'evidence'; readonly code: string; readonly node: string; readonly first: Uint8Array; readonly second: Uint8Array }
  /** A message was not used; `reject` counts against the peer, `ignore` does not. */
  | { readonly kind: 'drop'; readonly code: string; readonly from: string; readonly verdict: 'ignore' | 'reject' }
  /** For status and metrics; never acted upon. */
  | { readonly kind: 'note'; readonly event: string; readonly fields: Readonly<Record<string, string | number>> };

/** Longest time between two ticks, in ms. */
export const TICK_MS = 20;

/** What a status call shows of the current round (5.1.3.a, 6.3.1.d). */
export interface EngineStatus {
  readonly engine: string;
  /** The height being decided. */
  readonly height: number;
  /** `observing`, `mute` and `excluded` mean the same under every engine: it takes no part, and why. The others are the engine's own. */
  readonly phase: string;
  /** The node entitled to the next block as things stand; empty under an engine that entitles nobody in advance. */
  readonly producer: string;
  /**
   * Facts of this engine alone, shown to people as they are. A mute validator lists in `unanswered` who has not answered its recovery query
   * yet.
   */
  readonly details: Readonly<Record<string, Json>>;
}

export interface Engine {
  readonly name: string;
  step(input: Input): readonly Effect[];
  /**
   * Of a frame with so many signatures that checking them in a step would block the thread: those that a step would check, in its order,
   * and has no verdict on yet. The shell may check them on another thread and hand in the valid ones; a step checks the rest itself.
   * Undefined for every other frame.
   */
  signatures(bytes: Uint8Array): Iterable<SignatureCheck> | undefined;
  status(): EngineStatus;
}

/**
 * What a frame says, for tools that watch a network and not for its members: nothing in it was verified. `digest` only where the message
 * binds its signer: two digests of one signer at one place break what agreement rests on.
 */
export interface Inspection {
  /** Undefined for what anybody may hand on. */
  readonly signer: string | undefined;
  readonly place: { readonly kind: string; readonly height: number | undefined; readonly round: number | undefined };
  readonly digest: Digest | undefined;
}

/** What an engine needs to sign and to check; signing is cheap and synchronous. */
export interface EngineCrypto {
  hash(data: Uint8Array): Digest;
  sign(message: Uint8Array): Uint8Array;
  verify(suite: number, publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean;
}
