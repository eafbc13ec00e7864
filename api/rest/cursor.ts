/** Opaque cursors of lists: bound to operation, filter and height, and good after a restart, because they hold everything they mean. */
import { ChainError } from '../../node/errors/index.ts';
import { type Crypto, decodeJson, encodeJson, fromBase64Url, type Json, toBase64Url, toHex } from '../../node/format/index.ts';

const CURSOR_CHARACTERS_MAX = 1_024;

export interface Cursor {
  /** Height the first page was read at. */
  readonly height: number;
  /** Where to go on; its shape is the list's own. */
  readonly at: string | number;
}

/** What a cursor is bound to: the operation and every parameter but the page ones. */
export function filterDigest(
  crypto: Pick<Crypto, 'hash'>,
  operationId: string,
  given: Readonly<Record<string, string | number | boolean>>,
): string {
  const filter = Object.fromEntries(
    Object.entries(given).filter(([name]) => !['after', 'limit', 'chain', 'count', 'waitMs'].includes(name)),
  );
  return toHex(crypto.hash(encodeJson({ operationId, filter }))).slice(0, 16);
}

export function encodeCursor(filter: string, cursor: Cursor): string {
  return toBase64Url(encodeJson([filter, cursor.height, cursor.at]));
}

/** @throws ChainError CURSOR_INVALID */
export function decodeCursor(filter: string, text: string): Cursor {
  try {
    if (text.length <= CURSOR_CHARACTERS_MAX) {
      const value = decodeJson(fromBase64Url(text)) as readonly Json[];
      const [bound, height, at] = value;
      if (
        Array.isArray(value) &&
        value.length === 3 &&
        bound === filter &&
        typeof height === 'number' &&
        (typeof at === 'string' || typeof at === 'number')
      )
        return { height, at };
    }
  } catch {
    // said below
  }
  throw new ChainError('CURSOR_INVALID');
}
