/** The door of node/records: preparing submissions, sealed values, queries, trace, answers. */
export { AEAD_NONCE_BYTES, type Aead, aesGcm } from './cipher.ts';
export * from './class-lookup.ts';
export * from './content-steps.ts';
export * from './prepare.ts';
export { SEARCH_LIMIT_DEFAULT, SEARCH_LIMIT_MAX, type IndexFilter, type IndexSearch } from './query/filter.ts';
export type { RecordSummary } from './query/summary.ts';
export * from './query-index.ts';
export * from './reseal.ts';
export * from './scan-budget.ts';
export * from './sealed-settlement.ts';
export { readValue, SEALED_BYTES_MAX, sealedBytes } from './sealed-values.ts';
export * from './sealed-store.ts';
export * from './source.ts';
export * from './token.ts';
export * from './trace.ts';
export * from './view.ts';
export * from './feeder.ts';
export * from './sealed-replication.ts';
