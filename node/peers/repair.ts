/**
 * Repairs damaged rows of the ledger one after the other: what the ledger cannot put right from its own rows is asked of peers, each answer
 * is judged by hash where the ledger stands (node/ledger/repair.ts), and a peer whose bytes do not hold is reported. What cannot be had now
 * is tried again.
 */
import { ChainError } from '../errors/index.ts';
import { type ByteText, fromByteText, toHex } from '../format/index.ts';
import type { RepairAnswer } from '../ledger/index.ts';
import type { Network, World } from '../world.ts';

/** Damaged rows known at a time; further ones are reported again when they are read again. */
export const REPAIRS_MAX = 10_000;
/** Rows that stand in the way of one repair and are repaired before it. */
const CHAIN_MAX = 64;
/** First and longest pause before what could not be had is tried again. */
export const REPAIR_RETRY_MIN_MS = 500;
export const REPAIR_RETRY_MAX_MS = 60_000;

export type RepairedBy =
  | { readonly by: 'own rows' }
  | { readonly by: 'peer'; readonly peer: string }
  /** It was read wrongly once, or a block has written it anew. */
  | { readonly by: 'itself' };

export interface RepairOptions {
  readonly world: Pick<World, 'timers' | 'log'>;
  readonly network: Pick<Network, 'onPeer' | 'peers' | 'report'>;
  readonly repair: (key: ByteText, value?: Uint8Array) => Promise<RepairAnswer>;
  /** @throws ChainError PEER_* */
  readonly getRow: (peer: string, key: Uint8Array, height: number) => Promise<Uint8Array | undefined>;
  readonly onRepaired: (key: ByteText, by: RepairedBy) => void;
  /** Nobody can say what the row was. */
  readonly onLost: (key: ByteText) => void;
}

export interface Repairer {
  /** A row was found damaged; saying it again is harmless. */
  damaged(key: ByteText): void;
  /** Rows not repaired yet. */
  waiting(): number;
  stop(): Promise<void>;
}

type Outcome = RepairedBy | 'lost' | 'later';

export function createRepairer(options: RepairOptions): Repairer {
  const { world, network } = options;
  const waiting = new Set<ByteText>();
  const lost = new Set<ByteText>();
  let running: Promise<void> | undefined;
  let cancelRetry: (() => void) | undefined;
  let retryMs = REPAIR_RETRY_MIN_MS;
  let stopped = false;

  function damaged(key: ByteText): void {
    if (stopped || waiting.has(key) || lost.has(key) || waiting.size >= REPAIRS_MAX) return;
    waiting.add(key);
    retryMs = REPAIR_RETRY_MIN_MS;
    wake();
  }

  function wake(): void {
    if (stopped || running) return;
    cancelRetry?.();
    cancelRetry = undefined;
    running = round().finally(() => {
      running = undefined;
      if (waiting.size === 0 || stopped) return;
      cancelRetry ??= world.timers.after(retryMs, () => {
        cancelRetry = undefined;
        wake();
      });
      retryMs = Math.min(REPAIR_RETRY_MAX_MS, retryMs * 2);
    });
  }

  async function round(): Promise<void> {
    for (const key of [...waiting]) {
      if (stopped) return;
      const outcome = await one(key).catch((error: unknown): Outcome => {
        world.log.warn({ key: hexOf(key), code: codeOf(error), reason: String(error) }, 'damaged row not repaired yet');
        return 'later';
      });
      if (outcome === 'later') continue;
      waiting.delete(key);
      if (outcome === 'lost') {
        if (lost.size < REPAIRS_MAX) lost.add(key); // not asked about again
        world.log.error({ key: hexOf(key) }, 'damaged row cannot be repaired');
        options.onLost(key);
      } else {
        world.log.info({ key: hexOf(key), ...outcome }, 'damaged row repaired');
        options.onRepaired(key, outcome);
      }
    }
  }

  /**
   * Follows what stands in the way: a header before its body, a row of the map before the value it judges. `depth` rows wait for this one.
   */
  async function one(key: ByteText, depth = 0): Promise<Outcome> {
    for (let steps = 0; steps < CHAIN_MAX && !stopped; steps++) {
      const answer = await options.repair(key);
      switch (answer.outcome) {
        case 'sound':
          return { by: 'itself' };
        case 'repaired':
          return { by: 'own rows' };
        case 'lost':
          return 'lost';
        case 'refused':
          return 'later';
        case 'wanted': {
          if (answer.key === key) return fromPeers(key, answer.height, depth);
          const outcome = await before(answer.key, depth);
          if (outcome === 'later' || outcome === 'lost') return outcome;
        }
      }
    }
    return 'later';
  }

  /** A row that another repair needs. */
  function before(key: ByteText, depth: number): Promise<Outcome> {
    return depth < CHAIN_MAX ? one(key, depth + 1) : Promise.resolve('later');
  }

  async function fromPeers(key: ByteText, height: number, depth: number): Promise<Outcome> {
    for (const { node: peer, connected } of network.peers()) {
      if (!connected || stopped) continue;
      let row: Uint8Array | undefined;
      try {
        row = await options.getRow(peer, fromByteText(key), height);
      } catch (error) {
        if (!(error instanceof ChainError)) throw error;
        world.log.debug({ peer, key: hexOf(key), code: error.code }, 'peer did not give a row');
        continue;
      }
      if (row === undefined) continue;
      const answer = await judged(key, row, depth);
      if (answer === 'repaired') return { by: 'peer', peer };
      if (answer === 'sound') return { by: 'itself' };
      if (answer !== 'refused') return 'later';
      world.log.warn({ peer, key: hexOf(key), code: 'REPAIR_ROW_FALSE' }, 'peer gave a false row');
      network.report(peer, 'REPAIR_ROW_FALSE');
    }
    return 'later';
  }

  /** What the ledger says of a peer's row, once what it judges by is sound. */
  async function judged(key: ByteText, row: Uint8Array, depth: number): Promise<RepairAnswer['outcome']> {
    for (let steps = 0; steps < CHAIN_MAX; steps++) {
      const answer = await options.repair(key, row);
      if (answer.outcome !== 'wanted' || answer.key === key) return answer.outcome;
      const outcome = await before(answer.key, depth);
      if (outcome === 'later' || outcome === 'lost') return 'wanted';
    }
    return 'wanted';
  }

  network.onPeer((_node, state) => {
    if (state !== 'up' || waiting.size === 0) return;
    retryMs = REPAIR_RETRY_MIN_MS;
    wake();
  });

  return {
    damaged,
    waiting: () => waiting.size,
    async stop() {
      stopped = true;
      cancelRetry?.();
      await running;
    },
  };
}

function hexOf(key: ByteText): string {
  return toHex(fromByteText(key));
}

function codeOf(error: unknown): string {
  return error instanceof ChainError ? error.code : 'INTERNAL';
}
