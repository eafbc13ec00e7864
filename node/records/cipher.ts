/** Adapter: AES-256-GCM of node:crypto, for the sealed store. The only file of node/records that imports a `node:` module. */
import { createCipheriv, createDecipheriv } from 'node:crypto';

export const AEAD_KEY_BYTES = 32;
export const AEAD_NONCE_BYTES = 12;
export const AEAD_TAG_BYTES = 16;
/** Bytes between two pauses. */
const STEP_BYTES = 1_048_576;

/**
 * Authenticated encryption in steps: sealed values of one submission may be many megabytes. The nonce leads what `seal` makes; `open` gives
 * undefined for anything that it did not make with the same key and context.
 */
export interface Aead {
  seal(key: Uint8Array, nonce: Uint8Array, context: Uint8Array, plain: Uint8Array): Generator<void, Uint8Array, void>;
  open(key: Uint8Array, context: Uint8Array, sealed: Uint8Array): Generator<void, Uint8Array | undefined, void>;
}

export const aesGcm: Aead = {
  *seal(key, nonce, context, plain) {
    const cipher = createCipheriv('aes-256-gcm', key, nonce, { authTagLength: AEAD_TAG_BYTES });
    cipher.setAAD(context);
    const out = new Uint8Array(AEAD_NONCE_BYTES + plain.length + AEAD_TAG_BYTES);
    out.set(nonce);
    yield* throughSteps(cipher, plain, out.subarray(AEAD_NONCE_BYTES));
    cipher.final();
    out.set(cipher.getAuthTag(), AEAD_NONCE_BYTES + plain.length);
    return out;
  },
  *open(key, context, sealed) {
    const end = sealed.length - AEAD_TAG_BYTES;
    if (end < AEAD_NONCE_BYTES) return undefined;
    const decipher = createDecipheriv('aes-256-gcm', key, sealed.subarray(0, AEAD_NONCE_BYTES), { authTagLength: AEAD_TAG_BYTES });
    decipher.setAAD(context);
    decipher.setAuthTag(sealed.subarray(end));
    const out = new Uint8Array(end - AEAD_NONCE_BYTES);
    yield* throughSteps(decipher, sealed.subarray(AEAD_NONCE_BYTES, end), out);
    try {
      decipher.final();
      return out;
    } catch {
      return undefined;
    }
  },
};

/** In counter mode a byte comes out for each that goes in. */
function* throughSteps(cipher: { update(bytes: Uint8Array): Uint8Array }, bytes: Uint8Array, out: Uint8Array): Generator<void, void, void> {
  for (let at = 0; at < bytes.length; at += STEP_BYTES) {
    out.set(cipher.update(bytes.subarray(at, at + STEP_BYTES)), at);
    yield;
  }
}
