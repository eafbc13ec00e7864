/** Pages over one key range of a built-in contract's state. */
import { decodeJson, type Json, prefixEnd } from '../../../node/format/index.ts';
import type { ApiContext } from '../context.ts';
import { decodeCursor, encodeCursor, filterDigest } from '../cursor.ts';
import type { Call } from '../route.ts';
import { listAnswer } from './parts.ts';

/** Rows of one key range of a built-in contract, by key. */
export async function stateList<T = Json>(call: Call, api: ApiContext, operationId: string, contract: string, prefix: string) {
  const limit = call.integer('limit');
  const filter = filterDigest(api.world.crypto, operationId, call.given);
  const after = call.text('after');
  const cursor = after === undefined ? undefined : decodeCursor(filter, after);
  const { height } = api.node.head();
  const from = cursor === undefined ? prefix : `${String(cursor.at)}\0`;
  const rows = await api.node.stateRange(contract, from, prefixEnd(prefix), limit + 1);
  const shown = rows.slice(0, limit);
  const next = rows.length > limit ? encodeCursor(filter, { height: cursor?.height ?? height, at: shown[shown.length - 1]!.key }) : null;
  return listAnswer(
    shown.map((row) => decodeJson(row.value) as T),
    height,
    next,
  );
}
