/** Door of all that is chosen for a real machine. */
export { assembleNode } from './assemble.ts';
export { createLog } from './log.ts';
export { createLoopMeter, LOOP_HELD_MS_MAX, LOOP_WINDOW_MS, type LoopDelay, type LoopMeter, watchLoop } from './loop-delay.ts';
