/** What a node offers to `api/`: the whole door, as types. node/node.ts implements it. Every method that can refuse throws ChainError. */
import type { EngineStatus } from '../consensus/index.ts';
import type { StateView } from '../contracts/index.ts';
import type { Block, ChainParameters, ContractEvent, Digest, Header, Json, Receipt } from './format/index.ts';
import type { Standing } from './peers/index.ts';
import type { PeerStatus } from './world.ts';

export interface NodeInfo {
  readonly node: string;
  readonly organisation: string;
  readonly chainId: Digest;
  readonly genesisHash: Digest;
  readonly genesisText: string;
  readonly version: string;
  readonly executionVersion: number;
  readonly bundleDigest: string;
}

export interface Head {
  readonly height: number;
  readonly hash: Digest;
  readonly timestampMs: number;
  readonly stateRoot: Digest;
  readonly era: number;
}

export interface StoredBlock {
  readonly block: Block;
  readonly hash: Digest;
  readonly headerBytes: Uint8Array;
  /** What proves it final (consensus/finality.ts); none at genesis. */
  readonly finality: Uint8Array | undefined;
  readonly receipts: readonly Receipt[];
  readonly transactionIds: readonly Digest[];
}

/** A transaction as this node knows it. `rejected` and `expired` are remembered for a while, never on chain. */
export type TransactionStatus =
  | { readonly state: 'unknown' }
  | { readonly state: 'pending'; readonly sinceMs: number }
  | { readonly state: 'rejected'; readonly code: string; readonly data: Readonly<Record<string, unknown>> }
  | { readonly state: 'expired'; readonly expiryHeight: number }
  | { readonly state: 'confirmed'; readonly receipt: Receipt; readonly blockHash: Digest; readonly timestampMs: number };

/** One named check of a block (chain.md "Checks"); `computed` and `stated` are hex or text. */
export interface BlockCheck {
  readonly check: string;
  readonly passed: boolean;
  readonly computed: string;
  readonly stated: string;
}

export interface Proof {
  readonly height: number;
  readonly headerBytes: Uint8Array;
  readonly finality: Uint8Array | undefined;
  /** Encoded state proof, see node/format/state-proof.ts. */
  readonly proof: Uint8Array;
}

export interface OutboxEvent {
  /** Position for ever: height, transaction index, event index. */
  readonly height: number;
  readonly index: number;
  readonly position: number;
  readonly transactionId: Digest;
  readonly event: ContractEvent;
}

export interface Alarm {
  readonly id: number;
  readonly raisedAtMs: number;
  readonly kind: string;
  readonly severity: 'info' | 'warning' | 'critical';
  readonly detail: Json;
  readonly acknowledgedBy: string | undefined;
  readonly acknowledgedAtMs: number | undefined;
  /** When the node itself put right what the alarm is about. */
  readonly resolvedAtMs?: number;
  /** How, in words of the kind: `{by: 'peer', peer}`. */
  readonly resolution?: Json;
}

/** One thing that must be well for a node to do its part, and how it is. */
export interface HealthCheck {
  readonly check: string;
  readonly passed: boolean;
  readonly detail: string;
}

/** The chain stands still: no block above `height` for `dueForMs` since one was due. */
export interface Stall {
  readonly height: number;
  readonly dueForMs: number;
  readonly phase: string;
  readonly view: number;
}

export interface NodeService {
  readonly info: NodeInfo;
  head(): Head;
  parameters(): ChainParameters;
  /** Latest final state. Safe for single keys; for many keys that must agree use `at`. */
  readonly state: StateView;
  consensus(): EngineStatus;
  peers(): readonly PeerStatus[];
  /** Whether this node belongs to the network, and what it knows of that. */
  standing?(): Standing;
  /** Votes, view, storing, sync and finality: whether each is well. */
  health(): { readonly checks: readonly HealthCheck[]; readonly dueForMs: number; readonly stalled: Stall | undefined };
  /** Transactions that wait here and that a proposer leaves out although its blocks have room. */
  leftOut(): number;
  /** What waits here. `heldBack` of them no block may hold now, because their senders have used up their gas and others go first. */
  mempool(): { readonly count: number; readonly bytes: number; readonly heldBack: number };
  /** Consensus frames of peers dropped since the start, because their share of the inbox was full or they are no validators. */
  inbox(): { readonly dropped: number };
  /** Files of bodies whose room was given back since the start, and bytes of it. */
  swept(): { readonly segments: number; readonly bytes: number };

  /**
   * Admits a signed transaction: one signature check, then it is spread. Resolves with its id once admitted; for bytes that wait already,
   * with the same.
   */
  submit(bytes: Uint8Array): Promise<Digest>;
  /**
   * What `submit` would say of a further transaction of an account, before any work is done for it. @throws ChainError SERVER_BUSY with
   * `retryAfterMs`
   */
  checkBacklog(account: string): void;
  transaction(id: Digest): Promise<TransactionStatus>;
  /** Account that signed a transaction this node knows; undefined where its state is `unknown`. */
  senderOf(id: Digest): Promise<string | undefined>;
  /** Resolves when the transaction is confirmed, rejected or expired, or with what is known when `timeoutMs` has passed. */
  awaitTransaction(id: Digest, timeoutMs: number): Promise<TransactionStatus>;
  /** Bytes, position and inclusion path of a confirmed transaction. */
  transactionBytes(
    id: Digest,
  ): Promise<{ readonly bytes: Uint8Array; readonly height: number; readonly index: number; readonly blockHash: Digest } | undefined>;

  block(ref: number | Digest | 'latest'): Promise<StoredBlock | undefined>;
  headers(fromHeight: number, limit: number): Promise<readonly Header[]>;
  /** Judges any block bytes against this chain; throws BLOCK_MALFORMED when they do not decode. */
  validateBlock(bytes: Uint8Array): Promise<readonly BlockCheck[]>;

  /** Rows of one contract's state space with from <= key < to, off the execution path. */
  stateRange(
    contract: string,
    from: string,
    to: string | undefined,
    limit: number,
  ): Promise<readonly { readonly key: string; readonly value: Uint8Array }[]>;
  /** Proof of presence or absence of one key at the head. */
  prove(contract: string, key: string): Promise<Proof>;
  /** Read-only contract call at the head; gas is bounded, writes are dropped. */
  query(
    caller: string,
    contract: string,
    method: string,
    args: Uint8Array,
  ): Promise<{ readonly result: Uint8Array; readonly gasUsed: number; readonly height: number }>;

  /** Final events after a cursor, oldest first. */
  events(after: { readonly height: number; readonly position: number }, limit: number): Promise<readonly OutboxEvent[]>;
  onEvents(listener: (height: number) => void): () => void;
  onBlock(listener: (head: Head) => void): () => void;

  alarms(): Promise<readonly Alarm[]>;
  raiseAlarm(kind: string, severity: Alarm['severity'], detail: Json): Promise<void>;
  acknowledgeAlarm(id: number, account: string): Promise<Alarm>;

  /** Whether this node holds a custodial key of the account. */
  signsFor(account: string): boolean;
  /**
   * Tries calls of an account this node signs for on the final state, as the next block would run them; writes are dropped. Undefined when
   * they cannot be judged beforehand. Throws KEY_NOT_HELD.
   */
  judge(
    account: string,
    calls: readonly { readonly contract: string; readonly method: string; readonly args: Uint8Array }[],
    gasLimit: number,
  ): Promise<{ readonly code: string; readonly detail: Uint8Array; readonly gasUsed: number; readonly height: number } | undefined>;
  /** Signs with this node's custodial key of an account it serves. Throws KEY_NOT_HELD. */
  signFor(
    account: string,
    calls: readonly { readonly contract: string; readonly method: string; readonly args: Uint8Array }[],
    gasLimit: number,
  ): Promise<Uint8Array>;
}
