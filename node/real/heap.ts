/** How the heaps of a node's threads grow, and when their code is optimised (adapter over node:v8). */
import { setFlagsFromString } from 'node:v8';

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
 * So many bytes of its bytecode does a function run before it is optimised; V8's own is 135,168. A node that has just started runs most of its
 * functions some thousand times in each of its threads, and optimising them took two fifths of what its first ten thousand records cost.
 */
const OPTIMISED_AFTER_BYTES = 600_000;

/** As above. */
export function optimiseLater(): void {
  setFlagsFromString(`--interrupt-budget=${OPTIMISED_AFTER_BYTES}`);
}
