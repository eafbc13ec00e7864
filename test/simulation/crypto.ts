/**
 * Keys of simulated nodes. Suite `simulated`: the signature is a hash keyed with a secret that only this object holds, so an adversary that can
 * call its own signer and nothing else cannot forge another's. Suite `ed25519` is the real one, for a run in a hundred.
 */
import { createHash, generateKeyPairSync, type KeyObject, sign as nodeSign, verify as nodeVerify } from 'node:crypto';
import { type Digest, equalBytes, type Hasher, type SteppedCrypto, SUITE, toHex } from '../../node/format/index.ts';
import type { SeededRandom } from './random.ts';

export interface SimSigner {
  readonly suite: number;
  readonly publicKey: Uint8Array;
  sign(message: Uint8Array): Uint8Array;
}

export const sha256 = (...parts: readonly Uint8Array[]): Digest => {
  const hash = createHash('sha256');
  for (const part of parts) hash.update(part);
  return new Uint8Array(hash.digest());
};

export class SimKeys implements SteppedCrypto {
  readonly #secrets = new Map<string, Uint8Array>();
  readonly #real = new Map<string, KeyObject>();
  readonly #random: SeededRandom;
  readonly suite: number;

  constructor(random: SeededRandom, suite: number) {
    this.#random = random;
    this.suite = suite;
  }

  generate(): SimSigner {
    if (this.suite === SUITE.ed25519) {
      const { publicKey, privateKey } = generateKeyPairSync('ed25519');
      const raw = new Uint8Array(publicKey.export({ type: 'spki', format: 'der' }).subarray(-32));
      this.#real.set(toHex(raw), publicKey);
      return { suite: this.suite, publicKey: raw, sign: (message) => new Uint8Array(nodeSign(null, message, privateKey)) };
    }
    const publicKey = this.#random.bytes(32);
    const secret = this.#random.bytes(32);
    this.#secrets.set(toHex(publicKey), secret);
    return { suite: this.suite, publicKey, sign: (message) => sha256(secret, message) };
  }

  // Handed on by themselves, so they are bound.
  readonly hash = (data: Uint8Array): Digest => sha256(data);

  readonly hasher = (): Hasher => {
    const parts: Uint8Array[] = [];
    return { update: (data) => void parts.push(data.slice()), digest: () => sha256(...parts) };
  };

  readonly verify = (suite: number, publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean => {
    if (suite !== this.suite) return false;
    const name = toHex(publicKey);
    if (suite === SUITE.ed25519) {
      const key = this.#real.get(name);
      return key !== undefined && signature.length === 64 && nodeVerify(null, message, key, signature);
    }
    const secret = this.#secrets.get(name);
    return secret !== undefined && equalBytes(sha256(secret, message), signature);
  };
}
