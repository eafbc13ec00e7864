/** Door of the PBFT engine. */
export { producerOfView } from './engine-data.ts';
export { inspectFrame } from './inspect.ts';
export { createPbft } from './pbft.ts';
