/** Door of the command line, for devnet/: exit codes and failures, profiles, the import of rows, progress on a terminal. */
export { EXIT } from './exit-codes.ts';
export { failureOf, failureText } from './failure.ts';
export type { RowFormat } from './import/format.ts';
export { type ImportResult, importRows, type RefusedRow } from './import/importer.ts';
export type { RawRow, RowSource } from './import/rows.ts';
export { integer, oneOf } from './options.ts';
export { DEVNET_DIRECTORY, type Profile, PROFILE_FILE, type ProfileAccount } from './profile.ts';
export { type Progress, startProgress } from './progress.ts';
