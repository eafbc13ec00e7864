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

/**
 * So many bytes of its bytecode does a function run before it is optimised while a node is new. It runs most of its functions some thousand times in
 * each of its threads then, and optimising them took two fifths of what its first ten thousand records cost.
 */
const OPTIMISED_AFTER_BYTES = 600_000;
/** V8's own; of a node that has run for a while the main thread takes a quarter less with it. */
const OPTIMISED_AFTER_BYTES_USUALLY = 67_584;
/** A node is new for so long, ms. */
const NEW_FOR_MS = 30_000;

/** As above. Returns how to have functions optimised as usual before the node is new no longer. */
export function optimiseLaterWhileNew(timers: Pick<Timers, 'after'>): () => void {
  setFlagsFromString(`--interrupt-budget=${OPTIMISED_AFTER_BYTES}`);
  const asUsual = (): void => setFlagsFromString(`--interrupt-budget=${OPTIMISED_AFTER_BYTES_USUALLY}`);
  const cancel = timers.after(NEW_FOR_MS, asUsual);
  return () => {
    cancel();
    asUsual();
  };
}
