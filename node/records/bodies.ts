/**
 * Bodies of records, read off the thread that votes: a small one is read here in slices, any other in a thread of its own, in turns of the
 * callers. Nothing here reads the chain.
 */
import type { Crypto } from '../format/index.ts';
import { createPaced, createSlices, type Headroom, type Paced, type RunInSlices } from '../pace/index.ts';
import type { World } from '../world.ts';
import { createBodyQueue } from './body-queue.ts';
import { BODY_LIMITS, createBodyThread, type HeldBody } from './body-thread.ts';
import { unpackRows } from './body-wire.ts';
import { type BodyReading, type BodyTask, readBody } from './body-work.ts';

/** Bytes of a body that is read on the main thread: a message there and back takes longer. */
export const SMALL_BODY_BYTES_MAX = 16_384;

export interface BodyStats {
  /** Bodies that wait for the thread. */
  readonly waiting: number;
  /** Seconds that the thread was at work. */
  readonly workSeconds: number;
  /** Times that the thread ended over a body. */
  readonly ended: number;
}

export interface Bodies {
  /**
   * A body whose caller has gone while it waited is not read.
   * @param caller whose turn it takes: an account, or an address.
   * @throws ChainError the refusal of the body, SERVER_BUSY
   */
  read(caller: string, body: HeldBody, task: BodyTask): Promise<BodyReading>;
  readonly inSlices: RunInSlices;
  /** The same for what is short in most calls. */
  readonly paced: Paced;
  stats(): BodyStats;
  stop(): Promise<void>;
}

export interface BodiesDependencies {
  readonly world: Pick<World, 'clock' | 'timers' | 'log'> & { readonly crypto: Pick<Crypto, 'hash'> };
  readonly headroom?: Headroom;
}

export function createBodies({ world, headroom }: BodiesDependencies, limits = BODY_LIMITS): Bodies {
  const inSlices = createSlices(world);
  const paced = createPaced(world, undefined, inSlices);
  const thread = createBodyThread(world, limits);
  const queue = createBodyQueue(world, headroom, () => thread.workMs);

  /** The rows are unpacked in slices: ten thousand of them at once would hold this thread. */
  async function readInThread(caller: string, body: HeldBody, task: BodyTask): Promise<BodyReading> {
    const { rows: packed, prepared, ...reading } = await queue.run(caller, body.bytes.length, () => thread.read(body, task), body.gone?.());
    if (!prepared) return { ...reading, prepared };
    return { ...reading, prepared: { ...prepared, rows: await inSlices(unpackRows(packed, reading.columns)) } };
  }

  return {
    inSlices,
    paced,
    async read(caller, body, task) {
      if (body.bytes.length > SMALL_BODY_BYTES_MAX) return readInThread(caller, body, task);
      return paced(readBody(world.crypto, body.bytes, body.format, task));
    },
    stats: () => ({ waiting: queue.waiting, workSeconds: thread.workMs / 1_000, ended: thread.ended }),
    async stop() {
      queue.stop();
      await thread.stop();
    },
  };
}
