/** The dialects that a node speaks. */
import type { Dialect } from './dialect.ts';
import { native } from './native/native.ts';

export type { CallText, Dialect, Head, Outcome } from './dialect.ts';
export { MEDIA_TYPE, messageOf } from './native/envelope.ts';

export const dialects: readonly [Dialect, ...Dialect[]] = [native];
