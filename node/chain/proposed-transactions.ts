/** Bodies of the transactions that a block lists: those that wait here, those of another proposal, the rest from peers, each verified once. */
import type { ByteText, Digest } from '../format/index.ts';
import { toByteText } from '../format/index.ts';
import { createPause, type Pause } from '../pace/index.ts';
import type { Spreading } from '../peers/index.ts';
import type { World } from '../world.ts';
import type { Mempool, Waiting } from './mempool/mempool.ts';

/** Transactions looked up between two pauses: some tens of microseconds. */
export const LOOKED_UP_PER_PAUSE = 64;
const FETCH_TIMEOUT_MS = 3_000; // how long missing transactions of a proposal are waited for

export interface ProposedTransactions {
  /** Of a proposal. Undefined when some cannot be had or are bad. */
  gather(from: string, hashes: readonly Digest[], pause: Pause): Promise<readonly Waiting[] | undefined>;
  /** Of a block that came whole. @throws ChainError of the first that is bad */
  verified(bodies: readonly Uint8Array[], hashes: readonly Digest[]): Promise<readonly Waiting[]>;
}

export interface ProposedTransactionsDependencies {
  readonly world: Pick<World, 'clock' | 'timers' | 'log'>;
  readonly mempool: Pick<Mempool, 'byHash' | 'verify'>;
  readonly spreading: Pick<Spreading, 'fetchTransactions'>;
  /** A transaction of any proposal held here. */
  readonly held: (hash: Digest) => Uint8Array | undefined;
}

export function createProposedTransactions({ world, mempool, spreading, held }: ProposedTransactionsDependencies): ProposedTransactions {
  /** Those of them that may be had and are good. */
  async function fetchVerified(
    from: string,
    lacking: ReadonlyMap<ByteText, Digest>,
    pause: Pause,
  ): Promise<ReadonlyMap<ByteText, Waiting>> {
    const bodies: Uint8Array[] = [];
    const missing: Digest[] = [];
    for (const hash of lacking.values()) {
      await pause();
      const bytes = held(hash);
      if (bytes) bodies.push(bytes);
      else missing.push(hash);
    }
    if (missing.length > 0) bodies.push(...(await spreading.fetchTransactions(from, missing, FETCH_TIMEOUT_MS)));
    const found = new Map<ByteText, Waiting>();
    const keep = (entry: Waiting): void => {
      if (lacking.has(entry.hashKey)) found.set(entry.hashKey, entry);
    };
    const refuse = (error: unknown): void => world.log.debug({ error: String(error) }, 'transaction of a proposal refused');
    const checks: Promise<unknown>[] = [];
    for (const bytes of bodies) {
      await pause();
      checks.push(mempool.verify(bytes).then(keep, refuse));
    }
    await Promise.all(checks);
    return found;
  }

  return {
    async gather(from, hashes, pause) {
      const found: (Waiting | undefined)[] = [];
      const lacking = new Map<ByteText, Digest>();
      for (const [i, hash] of hashes.entries()) {
        if (i % LOOKED_UP_PER_PAUSE === 0) await pause();
        const entry = mempool.byHash(hash);
        found.push(entry);
        if (!entry) lacking.set(toByteText(hash), hash);
      }
      if (lacking.size > 0) {
        const fetched = await fetchVerified(from, lacking, pause);
        for (const [i, hash] of hashes.entries()) found[i] ??= fetched.get(toByteText(hash));
      }
      return found.includes(undefined) ? undefined : (found as Waiting[]);
    },
    async verified(bodies, hashes) {
      const pause = createPause(world);
      const checked: (Waiting | Promise<Waiting>)[] = [];
      for (const [index, bytes] of bodies.entries()) {
        await pause();
        const known = mempool.byHash(hashes[index]!);
        const check = known ?? mempool.verify(bytes);
        if (check instanceof Promise) check.catch(() => undefined); // heard below, when all have begun
        checked.push(check);
      }
      return await Promise.all(checked);
    },
  };
}
