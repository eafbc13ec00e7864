/** The dialects that a node speaks. */
import type { Dialect } from './dialect.ts';
import { native } from './native/native.ts';

export const dialects: readonly [Dialect, ...Dialect[]] = [native];
