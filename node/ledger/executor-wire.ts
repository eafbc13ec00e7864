/**
 * Lists of byte strings between the main thread and the executor's: one buffer that is moved, where an object for each would be cloned, and with it
 * whatever larger buffer it is a view of.
 */
import type { Pause } from '../pace/index.ts';
import type { VerifiedTransaction } from './block-run.ts';
import type { Committed } from './executor.ts';

export interface Packed {
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** Where each part ends. */
  readonly ends: Uint32Array<ArrayBuffer>;
}

const PARTS_PER_TRANSACTION = 4;
const NONE = new Uint8Array(0);
/** Parts that are looked at between two pauses: some microseconds where each is short. */
const PARTS_PER_PAUSE = 64;

/** @param pause for a thread that has more to do: a full block is 20,000 parts and 31 MiB. */
export async function pack(parts: readonly Uint8Array[], pause: Pause): Promise<Packed> {
  const ends = new Uint32Array(parts.length);
  let length = 0;
  for (let i = 0; i < parts.length; i++) ends[i] = length += parts[i]!.length;
  const bytes = new Uint8Array(length);
  for (let i = 0; i < parts.length; i++) {
    if (i % PARTS_PER_PAUSE === 0) await pause();
    bytes.set(parts[i]!, i === 0 ? 0 : ends[i - 1]);
  }
  return { bytes, ends };
}

/** Views on the one buffer. */
export function unpack({ bytes, ends }: Packed): Uint8Array[] {
  const parts: Uint8Array[] = [];
  for (let i = 0; i < ends.length; i++) parts.push(bytes.subarray(i === 0 ? 0 : ends[i - 1], ends[i]));
  return parts;
}

/** A request whose transactions travel in one buffer. */
export type PackedList<R extends { readonly transactions: readonly VerifiedTransaction[] }> = Omit<R, 'transactions'> & {
  readonly transactions: Packed;
};

export async function packed<R extends { readonly transactions: readonly VerifiedTransaction[] }>(
  request: R,
  pause: Pause,
): Promise<PackedList<R>> {
  const parts: Uint8Array[] = [];
  for (const { bytes, publicKey, id, hash } of request.transactions) parts.push(bytes, publicKey, id ?? NONE, hash ?? NONE);
  return { ...request, transactions: await pack(parts, pause) };
}

export function unpacked<R extends { readonly transactions: readonly VerifiedTransaction[] }>(request: PackedList<R>): R {
  const parts = unpack(request.transactions);
  const transactions: VerifiedTransaction[] = [];
  for (let i = 0; i < parts.length; i += PARTS_PER_TRANSACTION) {
    const [id, hash] = [parts[i + 2]!, parts[i + 3]!];
    const digests = id.length === 0 || hash.length === 0 ? {} : { id, hash };
    transactions.push({ bytes: parts[i]!, publicKey: parts[i + 1]!, ...digests });
  }
  return { ...request, transactions } as unknown as R;
}

export type PackedCommitted = Omit<Committed, 'transactionIds' | 'receipts'> & {
  readonly transactionIds: Packed;
  readonly receipts: Packed;
};

export async function packCommitted(committed: Committed, pause: Pause): Promise<PackedCommitted> {
  return { ...committed, transactionIds: await pack(committed.transactionIds, pause), receipts: await pack(committed.receipts, pause) };
}

export function unpackCommitted(packed: PackedCommitted): Committed {
  return { ...packed, transactionIds: unpack(packed.transactionIds), receipts: unpack(packed.receipts) };
}

/** The buffers to move with a message. */
export function buffersOf(...lists: readonly Packed[]): ArrayBuffer[] {
  return lists.flatMap(({ bytes, ends }) => [bytes.buffer, ends.buffer]);
}
