/**
 * The sealed store: clear values of sealed fields, beside the chain and deletable (design: record, "Sealed fields"). Each record has a data key of its
 * own, kept wrapped under the organisation's storage key; values and salts lie encrypted under it. Erasing destroys the data key and the values and leaves
 * a mark, so that a late retry cannot bring them back. A deleted row may linger in the database's files until they are compacted, encrypted.
 *
 * Holds what was submitted through this node. Values are not yet fetched from or copied to other nodes of the organisation.
 */
import { type ByteText, decodeAll, type Digest, Writer, concat, toByteText, utf8 } from '../format/index.ts';
import { ChainError } from '../errors/index.ts';
import type { Random, Store } from '../world.ts';
import { AEAD_KEY_BYTES, AEAD_NONCE_BYTES, type Aead } from './cipher.ts';
import type { SealedValue } from './prepare.ts';

/** Key prefixes of the sealed store; retired rows stay. */
export const sealedKeyspace = {
  dataKey: { prefix: 'k', holds: 'record id -> data key, wrapped under the storage key' },
  values: { prefix: 'v', holds: 'record id -> paths, values and salts, encrypted under the data key' },
  erased: { prefix: 'e', holds: 'record id -> empty; values of this record were erased and stay so' },
} as const;

export const SEALED_VALUES_MAX = 100_000; // values of all versions of one record

export interface SealedStore {
  /** Adds values of one or more records, durably, in one batch. Values of an erased record are dropped. */
  put(records: readonly { readonly recordId: Digest; readonly sealed: readonly SealedValue[] }[]): Promise<void>;
  /** All values held of a record, of every version. Empty when none were or they are erased. @throws ChainError STORE_DAMAGED */
  get(recordId: Digest): readonly SealedValue[];
  /** Destroys the data key and the values. */
  erase(recordId: Digest): Promise<void>;
  isErased(recordId: Digest): boolean;
}

/** @param storageKey 32 bytes from the keystore. */
export function createSealedStore(store: Store, aead: Aead, random: Random, storageKey: Uint8Array): SealedStore {
  const keyOf = (row: keyof typeof sealedKeyspace, id: ByteText): ByteText => sealedKeyspace[row].prefix + id;

  function open(key: Uint8Array, context: ByteText, bytes: Uint8Array): Uint8Array {
    const plain = aead.open(key, bytes.subarray(0, AEAD_NONCE_BYTES), utf8(context), bytes.subarray(AEAD_NONCE_BYTES));
    if (!plain) throw new ChainError('STORE_DAMAGED', { store: 'sealed' });
    return plain;
  }

  function seal(key: Uint8Array, context: ByteText, plain: Uint8Array): Uint8Array {
    const nonce = random.bytes(AEAD_NONCE_BYTES);
    return concat(nonce, aead.seal(key, nonce, utf8(context), plain));
  }

  function dataKey(id: ByteText): Uint8Array | undefined {
    const wrapped = store.get(keyOf('dataKey', id));
    return wrapped && open(storageKey, keyOf('dataKey', id), wrapped);
  }

  function get(recordId: Digest): readonly SealedValue[] {
    const id = toByteText(recordId);
    const key = dataKey(id);
    const bytes = key && store.get(keyOf('values', id));
    return key && bytes ? decodeValues(open(key, keyOf('values', id), bytes)) : [];
  }

  function isErased(recordId: Digest): boolean {
    return store.get(keyOf('erased', toByteText(recordId))) !== undefined;
  }

  return {
    get,
    isErased,
    async put(records) {
      const operations = [];
      const merged = new Map<ByteText, Map<string, SealedValue>>();
      for (const { recordId, sealed } of records) {
        if (sealed.length === 0 || isErased(recordId)) continue;
        const id = toByteText(recordId);
        const values = merged.get(id) ?? new Map(get(recordId).map((value) => [value.commitment, value]));
        const before = values.size;
        for (const value of sealed) values.set(value.commitment, value);
        if (values.size > before) merged.set(id, values);
      }
      for (const [id, values] of merged) {
        const key = dataKey(id) ?? random.bytes(AEAD_KEY_BYTES);
        operations.push({ key: keyOf('dataKey', id), value: seal(storageKey, keyOf('dataKey', id), key) });
        operations.push({ key: keyOf('values', id), value: seal(key, keyOf('values', id), encodeValues([...values.values()])) });
      }
      if (operations.length > 0) await store.batch(operations, { sync: true });
    },
    async erase(recordId) {
      const id = toByteText(recordId);
      await store.batch(
        [
          { key: keyOf('dataKey', id), value: undefined },
          { key: keyOf('values', id), value: undefined },
          { key: keyOf('erased', id), value: new Uint8Array(0) },
        ],
        { sync: true },
      );
    },
  };
}

function encodeValues(values: readonly SealedValue[]): Uint8Array {
  return new Writer(1_024)
    .list(values, (w, { path, value, salt, commitment }) => w.text(path).text(value).bytes(salt).text(commitment))
    .finish();
}

function decodeValues(bytes: Uint8Array): SealedValue[] {
  return decodeAll(bytes, (reader) =>
    reader.list((r) => ({ path: r.text(), value: r.text(), salt: r.bytes(), commitment: r.text() }), SEALED_VALUES_MAX),
  );
}
