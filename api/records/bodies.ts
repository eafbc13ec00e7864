/**
 * Bodies of records, read off the thread that votes: a small one is read here in slices, any other in a thread of its own, in turns of the callers.
 * What comes back asks the chain nothing yet.
 */
import { type ClassDefinition, hasSealedFields } from '../../contracts/index.ts';
import type { Crypto } from '../../node/format/index.ts';
import { toHex } from '../../node/format/index.ts';
import type { SealedStore } from '../../node/records/index.ts';
import type { World } from '../../node/world.ts';
import { createBodyQueue } from './body-queue.ts';
import { BODY_LIMITS, createBodyThread, type HeldBody } from './body-thread.ts';
import { unpackRows } from './body-wire.ts';
import { type BodyReading, type BodyTask, readBody } from './body-work.ts';
import type { Salts } from './body-worker.ts';
import type { PreparedRow } from './prepare-rows.ts';
import { createSlices, type RunInSlices } from './slices.ts';

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
  /** @param caller whose turn it takes: an account, or an address. @throws ChainError the refusal of the body, SERVER_BUSY */
  read(caller: string, body: HeldBody, task: BodyTask): Promise<BodyReading>;
  readonly inSlices: RunInSlices;
  stats(): BodyStats;
  stop(): Promise<void>;
}

export interface BodiesDependencies {
  readonly world: Pick<World, 'clock' | 'timers' | 'log'> & { readonly crypto: Pick<Crypto, 'hash'> };
  readonly sealed: Pick<SealedStore, 'get'>;
}

export function createBodies({ world, sealed }: BodiesDependencies, limits = BODY_LIMITS): Bodies {
  const inSlices = createSlices(world.clock, world.timers);
  const queue = createBodyQueue();
  const thread = createBodyThread(world, limits);

  /** The rows are taken up in slices: ten thousand of them at once would hold this thread. */
  async function readAway(caller: string, body: HeldBody, task: BodyTask, salts: Salts): Promise<BodyReading> {
    const { rows: packed, prepared, ...reading } = await queue.run(caller, body.bytes.length, () => thread.read(body, { task, salts }));
    if (!prepared) return { ...reading, prepared };
    return { ...reading, prepared: { ...prepared, rows: await inSlices(unpackRows(packed, reading.columns)) } };
  }

  return {
    inSlices,
    async read(caller, body, task) {
      if (body.bytes.length <= SMALL_BODY_BYTES_MAX)
        return inSlices(readBody(world.crypto, body.bytes, body.format, task, (id) => sealed.get(id)));
      const reading = await readAway(caller, body, task, new Map());
      if (task.want !== 'rows') return reading;
      const salts = await inSlices(heldSalts(sealed, task.definition, reading.prepared?.rows ?? []));
      return salts.size === 0 ? reading : readAway(caller, body, task, salts);
    },
    stats: () => ({ waiting: queue.waiting, workSeconds: thread.workSeconds, ended: thread.ended }),
    async stop() {
      queue.stop();
      await thread.stop();
    },
  };
}

/** Salts that this node holds of the records' values, where the thread used others: the sealing key has changed since they were sent first. */
function* heldSalts(
  sealed: Pick<SealedStore, 'get'>,
  definition: ClassDefinition,
  rows: readonly PreparedRow[],
): Generator<void, Salts, void> {
  const salts = new Map<string, ReturnType<SealedStore['get']>>();
  if (!hasSealedFields(definition.body)) return salts;
  for (const { prepared } of rows) {
    const held = sealed.get(prepared.recordId);
    if (held.length > 0) {
      const saltOf = new Map(held.toReversed().map(({ path, salt }) => [path, toHex(salt)])); // the first of a path counts
      if (prepared.sealed.some(({ path, salt }) => (saltOf.get(path) ?? toHex(salt)) !== toHex(salt)))
        salts.set(toHex(prepared.recordId), held);
    }
    yield;
  }
  return salts;
}
