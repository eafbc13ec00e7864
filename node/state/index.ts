/** Door of the authenticated state. */
export type { MapWrite } from './batch.ts';
export { type ChangeSet, decodeChangeSet, encodeChangeSet, mergeChangeSets } from './change-set.ts';
export type { MapHash } from './node-hash.ts';
export { type EntryRuns, loadSnapshot, type SnapshotHead, writeSnapshot } from './snapshot.ts';
export { createStateMap, type HeldMap, type StagedMap, type StateMap } from './state-map.ts';
export { openPageFile } from './page-file.ts';
export { type PageFile, PagesDamaged, SEGMENT_BYTES } from './segments.ts';
export type { HeldEntry, MapRoom } from './tree.ts';
