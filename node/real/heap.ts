/** How the heaps of a node's threads grow, and when their code is optimised (adapter over node:v8). */
import { setFlagsFromString } from 'node:v8';
import type { Timers } from '../world.ts';

/**
 * How much larger than what was alive after the last full collection a heap may be at the next one, percent; V8's own most is 300. Of a heap whose
 * objects live short V8 asks 10 upwards, for it counts the pauses alone: the threads that mark beside it took 8 % of the processors, and each
 * full collection lets optimised code go (node/format/codec.ts). At 200 a record in hundreds costs a tenth less.
 */
const HEAP_GROWING_PERCENT = 200;

/** To be called before the node's threads start; holds for those that run already as well. */
export function collectLessOften(): void {
  setFlagsFromString(`--heap-growing-percent=${HEAP_GROWING_PERCENT}`);
}

/** V8's own: so many bytes of its bytecode does a function run at a time; it is optimised after a few such times. */
const OPTIMISED_AFTER_BYTES = 67_584;
/**
 * While a node is new. It runs most of its functions some thousand times in each of its threads then, and optimising them took two fifths of what its
 * first ten thousand records cost. More (600,000) saves a twentieth more of that, and keeps what runs once a block slow for many minutes: a function
 * uses up what it was given first.
 */
const OPTIMISED_AFTER_BYTES_NEW = 200_000;
/**
 * From then on. Much of what a block costs beside its records is code that runs a few times a block, which V8's own leaves as it is for thousands of
 * blocks: a minute after the start single transactions were 1,381 a second (mean of eight runs) where V8's own gave 1,174 (of five). At 4,000 and below
 * nothing more came.
 */
const OPTIMISED_AFTER_BYTES_LATER = 10_000;
/** A node is new for so long, ms. */
const NEW_FOR_MS = 30_000;

/** As above. Returns how to have functions optimised as V8 does. */
export function optimiseLaterWhileNew(timers: Pick<Timers, 'after'>): () => void {
  const set = (bytes: number): void => setFlagsFromString(`--interrupt-budget=${bytes}`);
  set(OPTIMISED_AFTER_BYTES_NEW);
  const cancel = timers.after(NEW_FOR_MS, () => set(OPTIMISED_AFTER_BYTES_LATER));
  return () => {
    cancel();
    set(OPTIMISED_AFTER_BYTES);
  };
}
