/** How entries of the exchange log follow from one another, and where their rows stand. */
import { type ByteText, type Digest, fromByteText, hashTagged } from '../format/index.ts';
import { keyspace } from '../store/index.ts';
import type { World } from '../world.ts';

/** Where the chain of entries stands; `link` is hex. */
export interface ExchangeHead {
  readonly sequence: number;
  readonly link: string;
}

/** Key prefix in the store: sequence as eight bytes -> link (32 bytes) and entry (canonical JSON). */
export const exchangePrefix = keyspace.exchangeLog;
const SEQUENCE_BYTES = 8;
export const ZERO_LINK = new Uint8Array(32);

/** Link of an entry after the link `before`. */
export function linkAfter(crypto: World['crypto'], before: Digest, entryBytes: Uint8Array): Digest {
  return hashTagged(crypto, 'exchange', before, hashTagged(crypto, 'exchange', entryBytes));
}

export function rowKey(sequence: number): ByteText {
  let units = '';
  for (let left = sequence, at = 0; at < SEQUENCE_BYTES; at++, left = Math.floor(left / 256))
    units = String.fromCharCode(left % 256) + units;
  return exchangePrefix + units;
}

export function sequenceOf(key: ByteText): number {
  const bytes = fromByteText(key.slice(exchangePrefix.length));
  return Number(new DataView(bytes.buffer, bytes.byteOffset, 8).getBigUint64(0));
}
