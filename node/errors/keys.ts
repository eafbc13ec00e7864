import type { ErrorRows } from './row.ts';

export const keysErrors = {} as const satisfies ErrorRows;
