/** The door of node/records: preparing submissions, sealed values, queries, trace, answers. */
export { type Aead, AEAD_NONCE_BYTES, aesGcm } from './cipher.ts';
export { createClassLookup } from './class-lookup.ts';
export { contentSteps } from './content-steps.ts';
export { type PreparedRecord, prepareRecord, type SealedValue } from './prepare.ts';
export { SEARCH_LIMIT_MAX } from './query/filter.ts';
export { createRecordIndex, openRecordIndex, type RecordIndex } from './query-index.ts';
export { withSeals } from './reseal.ts';
export { createSealedSettlement } from './sealed-settlement.ts';
export { SEALED_BYTES_MAX, sealedBytes } from './sealed-values.ts';
export { createSealedStore, sealedKeyspace, type SealedRecord, type SealedStore } from './sealed-store.ts';
export { type RecordRow, recordRowsOf } from './source.ts';
export type { Trace, TraceEdge, TraceNode } from './trace.ts';
export { createIndexFeeder } from './feeder.ts';
export { createSealedReplication, SEALED_PULL_EVERY_MS } from './sealed-replication.ts';
export { type Bodies, createBodies } from './bodies.ts';
export { recordEvidence } from './evidence.ts';
export { createInclusions } from './inclusion.ts';
export { createMissingRows } from './missing-rows.ts';
export { createRecordService } from './service.ts';
export type {
  Caller,
  InclusionProof,
  RecordBody,
  RecordFilter,
  RecordMediaType,
  RecordOutcome,
  RecordService,
  SubmitOutcome,
} from './types.ts';
