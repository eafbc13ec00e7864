import type { ErrorRows } from './row.ts';

export const contractsErrors = {} as const satisfies ErrorRows;
