/**
 * What this node knows of a transaction: waiting, refused, expired or final, and whoever waits to hear (DB53/T 1407-2025 5.1.3.c, 6.1.1.d).
 * Acknowledged means a receipt of a final block; a pending one promises nothing but its expiry height.
 */
import { type ByteText, type Crypto, type Digest, decodeHeader, decodeReceipt, headerHash, toByteText } from '../format/index.ts';
import type { BlockStore, Committed } from '../ledger/index.ts';
import { BoundedMap } from '../pace/bounded-map.ts';
import type { Mempool, Rejection } from './mempool/mempool.ts';
import type { TransactionStatus } from '../service.ts';
import type { Clock, Timers } from '../world.ts';

export const WAITERS_MAX = 50_000; // callers waiting at once, over all transactions; further ones are answered with what is known
/** The latest blocks whose receipts stay in memory: events, paths to them, and who sent records ask for them when their block is final. */
export const RECENT_BLOCKS_MAX = 16;
/** Of their receipts: those of one block may be tens of megabytes. */
export const RECENT_BYTES_MAX = 16_777_216;

export interface Receipts {
  status(id: Digest): Promise<TransactionStatus>;
  wait(id: Digest, timeoutMs: number): Promise<TransactionStatus>;
  /** Those of a final block, as they are stored. */
  bytesOf(height: number): Promise<readonly Uint8Array[] | undefined>;
  onCommitted(committed: Committed): void;
  onRejected(id: Digest, rejection: Rejection): void;
}

export interface ReceiptsDependencies {
  readonly crypto: Crypto;
  readonly blocks: BlockStore;
  readonly mempool: Pick<Mempool, 'byId' | 'rejection'>;
  readonly clock: Clock;
  readonly timers: Timers;
}

interface BlockFacts {
  readonly blockHash: Digest;
  readonly timestampMs: number;
}

interface RecentBlock {
  readonly facts: BlockFacts;
  readonly receipts: readonly Uint8Array[];
  readonly bytes: number;
}

export function createReceipts(deps: ReceiptsDependencies): Receipts {
  const waiting = new Map<ByteText, Set<(status: TransactionStatus) => void>>();
  const recent = new BoundedMap<number, RecentBlock>(RECENT_BLOCKS_MAX, { bytesMax: RECENT_BYTES_MAX, bytesOf: ({ bytes }) => bytes });
  let count = 0;

  async function status(id: Digest): Promise<TransactionStatus> {
    const position = deps.blocks.position(id);
    return position ? finalStatus(id, position) : beforeFinal(id);
  }

  async function finalStatus(id: Digest, position: NonNullable<ReturnType<BlockStore['position']>>): Promise<TransactionStatus> {
    const held = recent.get(position.height);
    const heldReceipt = held?.receipts[position.index];
    if (held && heldReceipt) return confirmed(held.facts, heldReceipt);
    const headerBytes = deps.blocks.headerBytes(position.height);
    const receipt = (await deps.blocks.receiptBytes(position.height))?.[position.index];
    return headerBytes && receipt ? confirmed(factsOf(headerBytes), receipt) : beforeFinal(id);
  }

  function beforeFinal(id: Digest): TransactionStatus {
    const entry = deps.mempool.byId(id);
    if (entry) return { state: 'pending', sinceMs: Math.max(0, Math.round(deps.clock.monotonic() - entry.addedMs)) };
    const rejection = deps.mempool.rejection(id);
    return rejection ? rejected(rejection) : { state: 'unknown' };
  }

  function factsOf(headerBytes: Uint8Array): BlockFacts {
    return { blockHash: headerHash(deps.crypto, headerBytes), timestampMs: decodeHeader(headerBytes).timestampMs };
  }

  function confirmed(block: BlockFacts, receipt: Uint8Array): TransactionStatus {
    return { state: 'confirmed', receipt: decodeReceipt(receipt), ...block };
  }

  function answer(key: ByteText, result: TransactionStatus): void {
    const resolvers = waiting.get(key);
    waiting.delete(key);
    for (const resolve of resolvers ?? []) resolve(result);
  }

  return {
    status,
    bytesOf: async (height) => recent.get(height)?.receipts ?? (await deps.blocks.receiptBytes(height)),
    wait(id, timeoutMs) {
      // What still waits is in no block that this node has told of; to ask the store of it would cost as much as all else here.
      const waits = deps.mempool.byId(id) !== undefined && timeoutMs > 0;
      const position = waits ? undefined : deps.blocks.position(id);
      if (position) return finalStatus(id, position);
      const known = beforeFinal(id); // nothing is awaited before the waiter stands, or it could miss its block
      if ((known.state !== 'pending' && known.state !== 'unknown') || count >= WAITERS_MAX || timeoutMs <= 0) return Promise.resolve(known);
      const key = toByteText(id);
      return new Promise((resolve) => {
        const cancel = deps.timers.after(timeoutMs, () => finish(status(id)));
        const finish = (result: TransactionStatus | Promise<TransactionStatus>): void => {
          cancel();
          count--;
          const set = waiting.get(key);
          set?.delete(finish);
          if (set?.size === 0) waiting.delete(key);
          resolve(result);
        };
        count++;
        const set = waiting.get(key) ?? new Set();
        waiting.set(key, set.add(finish));
      });
    },
    onCommitted(committed) {
      const { height, hash, headerBytes, receipts } = committed;
      if (receipts.length === 0) return;
      const block = { blockHash: hash, timestampMs: decodeHeader(headerBytes).timestampMs };
      recent.set(height, { facts: block, receipts, bytes: receipts.reduce((sum, { length }) => sum + length, headerBytes.length) });
      if (waiting.size === 0) return;
      for (const [index, id] of committed.transactionIds.entries()) {
        const key = toByteText(id);
        if (waiting.has(key)) answer(key, confirmed(block, receipts[index]!));
      }
    },
    onRejected(id, rejection) {
      answer(toByteText(id), rejected(rejection));
    },
  };
}

function rejected(rejection: Rejection): TransactionStatus {
  if (rejection.code === 'TRANSACTION_EXPIRED') return { state: 'expired', expiryHeight: Number(rejection.data.expiryHeight) };
  return { state: 'rejected', code: rejection.code, data: rejection.data };
}
