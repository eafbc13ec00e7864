/** The one error table: code -> kind, HTTP status, text and remedy in English and Chinese. A test holds code, table and docs together. */
import { apiErrors } from './api.ts';
import { contractsErrors } from './contracts.ts';
import { detailErrors } from './details.ts';
import { formatsErrors } from './formats.ts';
import { generalErrors } from './general.ts';
import { keysErrors } from './keys.ts';
import { ledgerErrors } from './ledger.ts';
import { networkErrors } from './network.ts';
import { recordsErrors } from './records.ts';
import type { ErrorRow } from './row.ts';
import { spineErrors } from './spine.ts';

export type { ErrorRow } from './row.ts';
export { contractsErrors } from './contracts.ts';
export { formatsErrors } from './formats.ts';
export { keysErrors } from './keys.ts';
export { ledgerErrors } from './ledger.ts';
export { recordsErrors } from './records.ts';

export const errorTable = {
  ...generalErrors,
  ...detailErrors,
  ...spineErrors,
  ...ledgerErrors,
  ...contractsErrors,
  ...networkErrors,
  ...formatsErrors,
  ...recordsErrors,
  ...apiErrors,
  ...keysErrors,
};

export type ErrorCode = keyof typeof errorTable;

export function isErrorCode(code: string): code is ErrorCode {
  return Object.hasOwn(errorTable, code);
}

export function errorRow(code: string): ErrorRow {
  return isErrorCode(code) ? errorTable[code] : errorTable.INTERNAL;
}

/** The one exception of node/ and api/: a code of the table, facts in `data` (no objects of the program, no secrets). */
export class ChainError extends Error {
  readonly code: ErrorCode;
  readonly data: Readonly<Record<string, unknown>>;
  constructor(code: ErrorCode, data: Readonly<Record<string, unknown>> = {}, cause?: unknown) {
    super(`${code}: ${errorTable[code].text.en}`, cause === undefined ? undefined : { cause });
    this.name = 'ChainError';
    this.code = code;
    this.data = data;
  }
}
