/**
 * One transaction of checked records, signed with the custodial key of its account. The clear values of sealed fields wait in the sealed
 * store for its receipt.
 */
import {
  builtinClass,
  type ClassDefinition,
  CONTRACT,
  GAS,
  GAS_PER_CLASS_BYTE,
  recordGas,
  registryKey,
  stateKey,
  treeGas,
} from '../../contracts/index.ts';
import { ChainError } from '../errors/index.ts';
import { type Crypto, type Digest, encodeSubmissions, openTransaction, TRANSACTION_BYTES_MAX } from '../format/index.ts';
import type { NodeService } from '../service.ts';
import type { Bodies } from './bodies.ts';
import { callsOf, type PreparedRecord } from './prepare.ts';
import type { SealedStore } from './sealed-store.ts';

/** Key bytes of a record's rows; a digest stands for what is longer. */
const KEY_BYTES = 128;
const GAS_PER_WRITE = GAS.write + KEY_BYTES * GAS.perKeyByteWritten;
/**
 * Room for one record's fixed costs: about ten reads, five writes and ten digests, doubled. Its events are read from the receipt and cost
 * none.
 */
const GAS_PER_RECORD_LIMIT = 2 * (10 * GAS.read + 5 * GAS_PER_WRITE + 10 * GAS.hash);
/** Content bytes are read, hashed and written; the stored form adds its frame. Doubled as well. */
const GAS_PER_BYTE_LIMIT = 2 * (GAS.perArgumentByte + GAS.perByteWritten + GAS.perByteHashed);
/** A record with many materials or provable fields writes a key for each; some fill a chunk. */
const GAS_PER_TERM_LIMIT = 2 * (GAS_PER_WRITE + GAS.hash + GAS.read);
/** Of a call around the content of one record. */
const RECORD_FRAME_BYTES = 1_024;
const FRAME_BYTES = 4_096; // signature, calls and frames of a transaction around its contents

export interface TransactionDependencies {
  readonly node: Pick<NodeService, 'state' | 'parameters' | 'signFor' | 'submit'>;
  readonly crypto: Crypto;
  readonly sealed: Pick<SealedStore, 'hold' | 'keep' | 'drop'>;
  readonly bodies: Pick<Bodies, 'inSlices'>;
}

/** What a transaction needs to know of a record. */
export interface SendableRow {
  readonly prepared: PreparedRecord;
  readonly materials: number;
  readonly definition: Pick<ClassDefinition, 'provable'>;
}

export interface RecordTransaction {
  readonly id: Digest;
  /**
   * Does with its sealed values, once, what its receipt asks for. What nobody settles is settled by the block that ends it
   * (sealed-settlement.ts).
   */
  settle(status: 'ok' | 'failed'): Promise<void>;
}

/** @throws ChainError TRANSACTION_TOO_LARGE */
export function checkFits(rows: readonly SendableRow[]): void {
  const bytes = rows.reduce((sum, { prepared }) => sum + prepared.submission.content.length, 0);
  if (bytes + FRAME_BYTES <= TRANSACTION_BYTES_MAX) return;
  throw new ChainError('TRANSACTION_TOO_LARGE', { bytes, bytesMax: TRANSACTION_BYTES_MAX, records: rows.length });
}

/** Gas of a transaction that one record asks for, beside what opening its class costs each call. */
export function gasLimitOf({ prepared, materials, definition }: SendableRow): number {
  const { content } = prepared.submission;
  return (
    GAS_PER_RECORD_LIMIT +
    recordGas(content) +
    treeGas(content) +
    GAS_PER_BYTE_LIMIT * (content.length + RECORD_FRAME_BYTES) +
    GAS_PER_TERM_LIMIT * (materials + (definition.provable?.length ?? 0))
  );
}

/**
 * Signs and sends one transaction of all rows. @throws ChainError of the signer and of admission
 * @param gasKnown sum of gasLimitOf, where it is known: it goes through each content
 */
export async function sendRecords(
  deps: TransactionDependencies,
  account: string,
  rows: readonly SendableRow[],
  gasKnown?: number,
): Promise<RecordTransaction> {
  const { node, sealed } = deps;
  const { calls, recordsGas } = await deps.bodies.inSlices(encodeCalls(rows, gasKnown));
  const gas = 2 * GAS.transaction + recordsGas + 2 * calls.length * classesGas(node, rows);
  const bytes = await node.signFor(account, calls, Math.min(gas, node.parameters().transactionGasMax));
  const { id, transaction } = openTransaction(deps.crypto, bytes);
  // Clear values are on disk before the commitment goes out: a commitment on chain whose value nobody has could never be opened.
  const secret = rows.flatMap(({ prepared }) => (prepared.sealed.length > 0 ? [prepared] : []));
  const holds = secret.length > 0;
  if (holds) await sealed.hold(id, transaction.expiryHeight, secret);
  try {
    await node.submit(bytes);
  } catch (error) {
    if (holds) await sealed.drop(id); // admission comes first: nobody else has the transaction
    throw error;
  }
  let settled: Promise<void> | undefined;
  return {
    id,
    async settle(status) {
      if (holds) settled ??= status === 'ok' ? sealed.keep(id) : sealed.drop(id);
      await settled;
    },
  };
}

/** What opening the registered classes of the rows costs each call. */
function classesGas({ state }: Pick<NodeService, 'state'>, rows: readonly SendableRow[]): number {
  let gas = 0;
  for (const name of new Set(rows.map(({ prepared }) => prepared.submission.class))) {
    if (builtinClass(name)) continue;
    const bytes = state.get(stateKey(CONTRACT.registry, registryKey.entry('class', name)))?.length ?? 0;
    gas += GAS.read + bytes * (GAS.perByteRead + GAS_PER_CLASS_BYTE);
  }
  return gas;
}

/** Calls that submit all records, and the gas they ask for. A step at most one call of a thousand records. */
function* encodeCalls(rows: readonly SendableRow[], gasKnown: number | undefined) {
  const calls: { readonly contract: string; readonly method: string; readonly args: Uint8Array }[] = [];
  let recordsGas = gasKnown ?? 0;
  for (const row of gasKnown === undefined ? rows : []) {
    recordsGas += gasLimitOf(row);
    yield;
  }
  const prepared = rows.map((row) => row.prepared);
  for (const batch of callsOf(prepared, TRANSACTION_BYTES_MAX)) {
    calls.push({ contract: CONTRACT.records, method: 'submit', args: encodeSubmissions(batch.map(({ submission }) => submission)) });
    yield;
  }
  return { calls, recordsGas };
}
