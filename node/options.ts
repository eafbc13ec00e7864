/** What a node is made of: its adapters to the machine, the threads it calls, who it is, and its bounds. */
import type { DriverOptions, InboxLimits, MempoolLimits } from './chain/index.ts';
import type { EngineLimits } from '../consensus/index.ts';
import type { BlockFiles, ExecutorPort, ReaderPort } from './ledger/index.ts';
import type { PeeringLimits } from './peers/index.ts';
import type { AppendLog, LedgerStore, Network, Store, World } from './world.ts';

export interface NodeOptions {
  readonly world: World;
  readonly network: Network;
  /** The ledger's database, read here and written by the executor. */
  readonly store: LedgerStore;
  /** Bodies of proposals and blocks, written here. */
  readonly files: BlockFiles;
  /** Alarms and cursors of this node alone. */
  readonly local: Store;
  readonly voteLog: AppendLog;
  readonly executor: ExecutorPort;
  /** Queries, and calls tried before they are signed, apart from the executor. */
  readonly reader: ReaderPort;
  readonly genesisText: string;
  readonly node: string;
  readonly organisation: string;
  /** Another engine than the registry's; for simulations of faulty replicas. */
  readonly createEngine?: DriverOptions['create'];
  readonly signWithValidatorKey: (message: Uint8Array) => Uint8Array;
  readonly signWithCustodialKey: (message: Uint8Array) => Uint8Array;
  readonly mempool: MempoolLimits;
  /** What this node holds and asks for at a time; each has its default. */
  readonly limits?: NodeLimits;
}

/** A node's own affair: nodes need not agree on them. */
export interface NodeLimits {
  readonly inbox?: InboxLimits;
  readonly engine?: EngineLimits;
  readonly peering?: PeeringLimits;
}
