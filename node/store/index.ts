/** Door of the store. */
export * from './checksum.ts';
export { openDirectory } from './files.ts';
export * from './keyspace.ts';
export * from './level-store.ts';
export { type DamagedFile, scrubLogs, scrubTables } from './scrub.ts';
export type { SegmentDamage } from './segments/catalog.ts';
export { FRAME_KIND, type Frame, frameBytes, type Location, locate, offsetOf, segmentOf } from './segments/form.ts';
export { createReadNow } from './segments/read-now.ts';
export { damaged as frameDamaged, SegmentReader, seedsIn } from './segments/reader.ts';
export { type LocatedFrame, openSegmentStore, type SegmentStore, type SegmentStoreOptions } from './segments/segment-store.ts';
export * from './vote-log.ts';
