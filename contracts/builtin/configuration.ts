/**
 * What a block is judged by, read from chain state (design: chain, "consensusHash"), and how the active validators follow from the
 * register.
 */
import {
  type ChainParameters,
  type ConsensusConfiguration,
  decodeJson,
  defaultParameters,
  fromHex,
  type Json,
  SUITE,
  type Validator,
} from '../../node/format/index.ts';
import { GAS_PER_MICROSECOND } from '../gas.ts';
import type { Read } from './access.ts';
import { CONTRACT, governanceKey, type RegistryEntry } from './layout.ts';

/** A row of governanceKey.validators. */
export interface ValidatorRow {
  readonly node: string;
  /** Hex. */
  readonly publicKey: string;
  readonly suite: number;
  readonly weight: number;
}

/** @throws Error when the chain has no genesis state: a broken invariant, never an input. */
function value(read: Read, key: string): Json {
  const bytes = read(CONTRACT.governance, key);
  if (!bytes) throw new Error(`Cannot read the configuration: governance key ${key} is absent`);
  return decodeJson(bytes);
}

/** Parameters that no transaction ever set, because a later version brought them, stand at their default. */
export function parametersOf(read: Read): ChainParameters {
  return { ...defaultParameters(), ...(value(read, governanceKey.parameters) as Partial<ChainParameters>) };
}

export function validatorRowsOf(read: Read): readonly ValidatorRow[] {
  return value(read, governanceKey.validators) as unknown as readonly ValidatorRow[];
}

export function engineOf(read: Read): { readonly engine: string; readonly executionVersion: number } {
  return value(read, governanceKey.engine) as { engine: string; executionVersion: number };
}

/** Engine, parameters and validators as the state says: those of the next block. Validators come sorted by node id. */
export function configurationOf(read: Read): ConsensusConfiguration {
  const validators = validatorRowsOf(read).map((row): Validator => ({ ...row, publicKey: fromHex(row.publicKey) }));
  return { ...engineOf(read), parameters: parametersOf(read), validators };
}

/** The row a registered node takes among the validators, or undefined for an observer. */
export function validatorRow(entry: Pick<RegistryEntry<'node'>, 'id' | 'data'>): ValidatorRow | undefined {
  const { data } = entry;
  if (data.role !== 'validator') return undefined;
  return { node: entry.id, publicKey: data.validatorKey, suite: data.suite ?? SUITE.ed25519, weight: data.weight };
}

export function sortValidators(rows: readonly ValidatorRow[]): readonly ValidatorRow[] {
  return [...rows].sort((a, b) => (a.node < b.node ? -1 : a.node > b.node ? 1 : 0));
}

/** A full block takes this part of a view to execute at most: the proposer runs it, then each backup, and votes and storing follow. */
const BLOCKS_PER_VIEW_MIN = 4;
const MICROSECONDS_PER_MS = 1_000;

/** Why a set of parameters contradicts itself, or undefined. The text goes into receipts, so it never changes. */
export function parametersFault(parameters: ChainParameters): string | undefined {
  return parametersContradict(parameters) ?? blockTimeFault(parameters);
}

/** The contradictions with which no chain can run. */
export function parametersContradict(parameters: ChainParameters): string | undefined {
  if (parameters.viewTimeoutMs > parameters.viewTimeoutMaxMs) return 'viewTimeoutMs must not be above viewTimeoutMaxMs';
  if (parameters.transactionGasMax > parameters.blockGasMax) return 'transactionGasMax must not be above blockGasMax';
  return undefined;
}

/** Why full blocks would be too slow for their views. */
export function blockTimeFault(parameters: ChainParameters): string | undefined {
  const gasMax = blockGasOfView(parameters.viewTimeoutMs);
  if (parameters.blockGasMax <= gasMax) return undefined;
  return `blockGasMax must not be above ${gasMax}, a quarter of viewTimeoutMs (${parameters.viewTimeoutMs} ms)`;
}

/** Most gas of a block under this view time-out. */
export function blockGasOfView(viewTimeoutMs: number): number {
  return Math.floor((viewTimeoutMs * MICROSECONDS_PER_MS * GAS_PER_MICROSECOND) / BLOCKS_PER_VIEW_MIN);
}

/** Shortest view time-out for blocks of so much gas, ms. */
export function viewOfBlockGas(blockGasMax: number): number {
  return Math.ceil((blockGasMax * BLOCKS_PER_VIEW_MIN) / (MICROSECONDS_PER_MS * GAS_PER_MICROSECOND));
}
