/** Door of the store. */
export * from './checksum.ts';
export * from './keyspace.ts';
export * from './level-store.ts';
export * from './memory-store.ts';
export { type DamagedFile, scrubLogs, scrubTables } from './scrub.ts';
export * from './vote-log.ts';
