/**
 * Chain parameters: what every replica must agree on and governance may change at a barrier. The table is the whole list, in the order that
 * `consensusHash` covers them. None of these stands in node.json. Once a release has shipped a row, its name and default stay: genesis
 * files leave defaults out. A row that a later release brings names in `since` the executionVersion it comes with, so that hashes of the
 * chain below the barrier of that version stay what they are.
 */
export interface ParameterRow {
  /** executionVersion from which `consensusHash` covers it; 1 when absent. */
  readonly since?: number;
  readonly min: number;
  readonly max: number;
  readonly default: number;
  readonly unit: string;
  readonly description: string;
}

export const parameterTable = {
  blockBytesMax: {
    min: 4_718_592,
    max: 32_505_856, // 31 MiB: with all that stands around it, it fits the longest frame between nodes, or it could not be synced
    default: 8_388_608,
    unit: 'bytes',
    description: 'Sum of transaction bytes in a block; holds at least one transaction of the largest size',
  },
  blockTransactionsMax: { min: 1, max: 10_000, default: 1_000, unit: 'transactions', description: 'Transactions in a block' },
  blockGasMax: {
    min: 1_000_000,
    max: 100_000_000_000,
    default: 20_000_000_000,
    unit: 'gas',
    description: 'Gas of all transactions of a block; 40,000 are a microsecond, and a full block takes a quarter of viewTimeoutMs at most',
  },
  transactionGasMax: {
    min: 10_000_000,
    max: 100_000_000_000,
    default: 10_000_000_000,
    unit: 'gas',
    description: 'Gas limit of one transaction',
  },
  txLifetimeBlocksMax: {
    min: 16,
    max: 1_000_000,
    default: 10_000,
    unit: 'blocks',
    description: 'How far ahead expiryHeight may lie; ids spent within it are refused',
  },
  idleBlockIntervalMs: {
    min: 100,
    max: 3_600_000,
    default: 5_000,
    unit: 'ms',
    description: 'An idle chain makes an empty block this often',
  },
  viewTimeoutMs: {
    min: 200,
    max: 60_000,
    default: 2_000,
    unit: 'ms',
    description: 'PBFT: how long a view may go without progress while work waits',
  },
  viewTimeoutMaxMs: {
    min: 1_000,
    max: 600_000,
    default: 30_000,
    unit: 'ms',
    description: 'PBFT: cap on the doubled time-out of successive views',
  },
  checkpointIntervalBlocks: { min: 1, max: 10_000, default: 16, unit: 'blocks', description: 'PBFT: a checkpoint every so many heights' },
  heightsInFlightMax: { min: 1, max: 1, default: 1, unit: 'heights', description: 'PBFT: heights agreed on at once' },
  clockDriftMaxMs: {
    min: 100,
    max: 600_000,
    default: 10_000,
    unit: 'ms',
    description: "How far a proposal's time may lie from a backup's clock",
  },
  recordTimeAheadMaxMs: {
    min: 0,
    max: 31_536_000_000,
    default: 86_400_000,
    unit: 'ms',
    description: 'How far production_time may lie ahead of block time',
  },
  rollbackDepthMax: {
    min: 0,
    max: 1_000_000,
    default: 1_000,
    unit: 'blocks',
    description: 'Undo logs kept, and how far a recovery order may reach back',
  },
  governanceVotingBlocks: {
    min: 10,
    max: 1_000_000,
    default: 10_000,
    unit: 'blocks',
    description: 'How long a proposal stays open for votes',
  },
} as const satisfies Record<string, ParameterRow>;

export type ParameterName = keyof typeof parameterTable;
export type ChainParameters = { readonly [name in ParameterName]: number };

export const parameterNames = Object.keys(parameterTable) as ParameterName[];

/** Rows that a configuration of `executionVersion` covers, in order. */
export function parameterNamesAt(
  executionVersion: number,
  table: Readonly<Record<string, ParameterRow>> = parameterTable,
): ParameterName[] {
  return Object.keys(table).filter((name) => (table[name]!.since ?? 1) <= executionVersion) as ParameterName[];
}

export function defaultParameters(): ChainParameters {
  return Object.fromEntries(parameterNames.map((name) => [name, parameterTable[name].default])) as ChainParameters;
}

export function isParameterName(name: string): name is ParameterName {
  return Object.hasOwn(parameterTable, name);
}

/** True for an integer inside the row's range. */
export function isParameterValue(name: ParameterName, value: number): boolean {
  const row: ParameterRow = parameterTable[name];
  return Number.isSafeInteger(value) && value >= row.min && value <= row.max;
}
