/** Door of the authenticated state. */
export type { MapWrite } from './batch.ts';
export type { MapHash } from './node-hash.ts';
export { createStateMap, type HeldMap, type MapMemory, type StagedMap, type StateMap } from './state-map.ts';
export type { Found, HeldEntry } from './tree.ts';
