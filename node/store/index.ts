/** Door of the store. */
export { crc32 } from './checksum.ts';
export { openDirectory } from './files.ts';
export { keyspace, u64Key } from './keyspace.ts';
export {
  ASIDE,
  CHAIN_WRITE_BUFFER_BYTES,
  createSyncMarks,
  LevelStore,
  type LevelStoreOptions,
  openDerivedStore,
  openLevelStore,
} from './level-store.ts';
export type { DamagedFile } from './scrub.ts';
export { HEIGHT_UNKNOWN, type SegmentDamage } from './segments/catalog.ts';
export { type Frame, FRAME_KIND, frameBytes, locate, type Location, offsetOf, segmentOf } from './segments/form.ts';
export { createReadNow } from './segments/read-now.ts';
export { damaged as frameDamaged, seedsIn, SegmentReader } from './segments/reader.ts';
export type { FoundFrame } from './segments/scan.ts';
export {
  type ClosedSegment,
  type LocatedFrame,
  openSegmentStore,
  SegmentStore,
  type SegmentStoreOptions,
} from './segments/segment-store.ts';
export { examineVoteLog, openVoteLog, VOTE_LOG_FILE } from './vote-log.ts';
export { loadRow } from './load.ts';
export { damagedKey, dropDamagedLocal, droppedFor, rangeAround } from './mend.ts';
