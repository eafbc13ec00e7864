import type { ErrorRows } from './row.ts';

export const recordsErrors = {} as const satisfies ErrorRows;
