import type { ErrorRows } from './row.ts';

export const apiErrors = {} as const satisfies ErrorRows;
