import type { ErrorRows } from './row.ts';

export const networkErrors = {} as const satisfies ErrorRows;
