/**
 * The `token` of annex A: accepted in the body, per CSV row, and as a Bearer header. It is taken out before anything else looks at a
 * record, so it reaches no digest, error, log or store.
 */
import type { TextStruct } from '../format/index.ts';

export type TokenReading<T> =
  | { readonly ok: true; readonly token: string | undefined; readonly records: readonly T[] }
  | { readonly ok: false; readonly code: 'TOKEN_CONFLICT' | 'TOKEN_MALFORMED'; readonly record: number };

/**
 * The one token among `bearer` and the records, and the records without it. `record` names the one at fault, from 0; the token itself is
 * never told.
 */
export function takeToken<T extends { readonly tree: TextStruct }>(records: readonly T[], bearer?: string): TokenReading<T> {
  let token = bearer;
  const stripped: T[] = [];
  for (const [i, record] of records.entries()) {
    if (!Object.hasOwn(record.tree, 'token')) {
      stripped.push(record);
      continue;
    }
    const { token: own, ...tree } = record.tree;
    if (typeof own !== 'string') return { ok: false, code: 'TOKEN_MALFORMED', record: i };
    if (token !== undefined && own !== token) return { ok: false, code: 'TOKEN_CONFLICT', record: i };
    token = own;
    stripped.push({ ...record, tree });
  }
  return { ok: true, token, records: stripped };
}
