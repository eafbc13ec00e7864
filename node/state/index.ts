/** Door of the authenticated state. */
export type { MapWrite } from './batch.ts';
export { type ChangeSet, decodeChangeSet, encodeChangeSet, mergeChangeSets } from './change-set.ts';
export type { MapHash } from './node-hash.ts';
export { loadChanges, loadSnapshot, type SnapshotHead, writeSnapshot } from './snapshot.ts';
export type { EntryWriter } from './entry-walk.ts';
export { createStateMap, type HeldMap, type StagedMap, type StateMap } from './state-map.ts';
export { openPageFile } from './page-file.ts';
export { type PageFile, PagesDamaged, SEGMENT_BYTES } from './segments.ts';
export type { MapRoom } from './tree.ts';
