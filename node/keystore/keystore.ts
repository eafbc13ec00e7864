/**
 * The keystore: private keys of one node or person in one encrypted file. AES-256-GCM (NIST SP 800-38D) under a key that scrypt (RFC 7914)
 * makes of the passphrase. Ids, kinds and public keys stand in clear, bound to the ciphertext as additional data, so they can be listed
 * without the passphrase and not be changed. Signing keys sign inside and never leave; only the transport seed and sealing keys can be
 * taken out, because libp2p and the sealed store need their bytes. Adapter: reads and writes the disk and draws random bytes of the
 * machine.
 */
import { createCipheriv, createDecipheriv, createHash, createPublicKey, randomBytes, scrypt } from 'node:crypto';
import { existsSync } from 'node:fs';
import { type Ed25519Signer, ed25519SignerOf, privateKeyOf } from '../crypto/index.ts';
import { ChainError } from '../errors/index.ts';
import { fromHex, toHex, utf8 } from '../format/index.ts';
import { readFile, writeFileAtomic } from './atomic-file.ts';
import { isSymmetric, type KeyKind } from './key-kinds.ts';

export interface KeyEntry {
  readonly id: string;
  readonly kind: KeyKind;
  /** Raw Ed25519, hex; empty for a sealing key, which is symmetric. */
  readonly publicKey: string;
}

export interface Keystore {
  readonly path: string;
  list(): readonly KeyEntry[];
  has(id: string): boolean;
  /** Raw Ed25519 public key, 32 bytes. @throws ChainError KEY_UNKNOWN, KEY_USE_FORBIDDEN for a sealing key. */
  publicKey(id: string): Uint8Array;
  /** Ed25519 signature, 64 bytes (RFC 8032). @throws ChainError KEY_UNKNOWN, KEY_USE_FORBIDDEN for a sealing or transport key. */
  sign(id: string, message: Uint8Array): Uint8Array;
  /** 32 bytes: seed of a transport key, or a sealing key. @throws ChainError KEY_UNKNOWN, KEY_USE_FORBIDDEN for every other kind. */
  secret(id: string): Uint8Array;
  /**
   * Makes a key and saves the file.
   * @param secret 32 bytes brought from elsewhere: the sealing key that the nodes of one organisation share.
   * @throws ChainError KEY_EXISTS
   */
  add(id: string, kind: KeyKind, secret?: Uint8Array): Promise<KeyEntry>;
  /** Destroys a key and saves the file: what was sealed under it can never be opened again. @throws ChainError KEY_UNKNOWN */
  remove(id: string): Promise<void>;
}

/** Cost of the passphrase function. `n` is a power of two; memory is 128 * n * r bytes. */
export interface KeystoreCost {
  readonly n: number;
  readonly r: number;
  readonly p: number;
}

const COST: KeystoreCost = { n: 32_768, r: 8, p: 3 }; // about 0.3 s and 32 MiB; OWASP password storage, scrypt row of the same strength
const COST_N_MAX = 1_048_576; // a file that asks for more is not ours: opening it must not exhaust the machine
const KEY_BYTES = 32;
const SALT_BYTES = 32;
const NONCE_BYTES = 12;
const TAG_BYTES = 16;
const KEY_COUNT_MAX = 100_000;
const FILE_MODE = 0o600; // the owner alone
const FILE_BYTES_MAX = 67_108_864;
const SPKI_PREFIX_BYTES = 12; // RFC 8410 §4: what stands before the 32 raw bytes

interface Sealed {
  readonly version: 1;
  readonly kdf: { readonly name: 'scrypt'; readonly n: number; readonly r: number; readonly p: number; readonly salt: string };
  readonly cipher: 'aes-256-gcm';
  readonly keys: readonly KeyEntry[];
  readonly nonce: string;
  /** Secrets of `keys` in order, 32 bytes each, and the tag. */
  readonly ciphertext: string;
}
/** `checksum` tells a damaged file from a wrong passphrase; it protects nothing. */
type KeystoreFile = Sealed & { readonly checksum: string };

/** Makes an empty keystore file. @throws ChainError KEYSTORE_EXISTS */
export async function createKeystore(path: string, passphrase: string, cost: KeystoreCost = COST): Promise<Keystore> {
  if (existsSync(path)) throw new ChainError('KEYSTORE_EXISTS', { path });
  const salt = randomBytes(SALT_BYTES);
  const vault = new Vault(path, { name: 'scrypt', ...cost, salt: toHex(salt) }, await wrappingKey(passphrase, salt, cost), []);
  await vault.save();
  return vault;
}

/** @throws ChainError KEYSTORE_MISSING, KEYSTORE_DAMAGED, KEYSTORE_LOCKED */
export async function openKeystore(path: string, passphrase: string): Promise<Keystore> {
  const file = readKeystoreFile(path);
  const salt = fromHex(file.kdf.salt);
  const key = await wrappingKey(passphrase, salt, file.kdf);
  const ciphertext = fromHex(file.ciphertext);
  const decipher = createDecipheriv('aes-256-gcm', key, fromHex(file.nonce), { authTagLength: TAG_BYTES });
  decipher.setAAD(boundText(file.kdf, file.keys));
  decipher.setAuthTag(ciphertext.subarray(ciphertext.length - TAG_BYTES));
  let secrets: Uint8Array;
  try {
    secrets = Buffer.concat([decipher.update(ciphertext.subarray(0, ciphertext.length - TAG_BYTES)), decipher.final()]);
  } catch {
    throw new ChainError('KEYSTORE_LOCKED', { path });
  }
  const held = file.keys.map((entry, i) => ({ entry, secret: Uint8Array.from(secrets.subarray(i * KEY_BYTES, (i + 1) * KEY_BYTES)) }));
  secrets.fill(0);
  return new Vault(path, file.kdf, key, held);
}

/**
 * Ids, kinds and public keys without the passphrase. Not proven until the store is opened. @throws ChainError KEYSTORE_MISSING,
 * KEYSTORE_DAMAGED
 */
export function listKeystore(path: string): readonly KeyEntry[] {
  return readKeystoreFile(path).keys;
}

interface HeldKey {
  readonly entry: KeyEntry;
  readonly secret: Uint8Array;
}

class Vault implements Keystore {
  readonly path: string;
  readonly #kdf: Sealed['kdf'];
  readonly #key: Uint8Array;
  #held: readonly HeldKey[];
  readonly #signers = new Map<string, Ed25519Signer>();

  constructor(path: string, kdf: Sealed['kdf'], key: Uint8Array, held: readonly HeldKey[]) {
    this.path = path;
    this.#kdf = kdf;
    this.#key = key;
    this.#held = held;
  }

  list(): readonly KeyEntry[] {
    return this.#held.map((held) => held.entry);
  }

  has(id: string): boolean {
    return this.#held.some((held) => held.entry.id === id);
  }

  publicKey(id: string): Uint8Array {
    const { entry } = this.#find(id);
    if (isSymmetric(entry.kind)) throw new ChainError('KEY_USE_FORBIDDEN', { id, kind: entry.kind, use: 'publicKey' });
    return fromHex(entry.publicKey);
  }

  sign(id: string, message: Uint8Array): Uint8Array {
    const { entry, secret } = this.#find(id);
    if (isSymmetric(entry.kind) || entry.kind === 'transport') {
      throw new ChainError('KEY_USE_FORBIDDEN', { id, kind: entry.kind, use: 'sign' });
    }
    let signer = this.#signers.get(id);
    if (signer === undefined) {
      signer = ed25519SignerOf(secret);
      this.#signers.set(id, signer);
    }
    return signer.sign(message);
  }

  secret(id: string): Uint8Array {
    const { entry, secret } = this.#find(id);
    if (!isSymmetric(entry.kind) && entry.kind !== 'transport') {
      throw new ChainError('KEY_USE_FORBIDDEN', { id, kind: entry.kind, use: 'secret' });
    }
    return secret.slice();
  }

  async add(id: string, kind: KeyKind, given?: Uint8Array): Promise<KeyEntry> {
    if (this.has(id)) throw new ChainError('KEY_EXISTS', { id });
    if (given !== undefined && given.length !== KEY_BYTES) throw new RangeError(`Cannot keep a key of ${given.length} bytes`);
    const secret = given?.slice() ?? new Uint8Array(randomBytes(KEY_BYTES));
    const entry: KeyEntry = { id, kind, publicKey: isSymmetric(kind) ? '' : toHex(publicKeyOf(secret)) };
    await this.#replace([...this.#held, { entry, secret }]);
    return entry;
  }

  async remove(id: string): Promise<void> {
    const { secret } = this.#find(id);
    await this.#replace(this.#held.filter((held) => held.entry.id !== id));
    this.#signers.get(id)?.forget();
    this.#signers.delete(id);
    secret.fill(0);
  }

  /** Memory follows the disk: a key that could not be saved was never there. */
  async #replace(next: readonly HeldKey[]): Promise<void> {
    const before = this.#held;
    this.#held = next;
    try {
      await this.save();
    } catch (error) {
      this.#held = before;
      throw error;
    }
  }

  async save(): Promise<void> {
    const keys = this.list();
    const nonce = randomBytes(NONCE_BYTES);
    const cipher = createCipheriv('aes-256-gcm', this.#key, nonce, { authTagLength: TAG_BYTES });
    cipher.setAAD(boundText(this.#kdf, keys));
    const ciphertext = Buffer.concat([
      cipher.update(Buffer.concat(this.#held.map((held) => held.secret))),
      cipher.final(),
      cipher.getAuthTag(),
    ]);
    const sealed: Sealed = { version: 1, kdf: this.#kdf, cipher: 'aes-256-gcm', keys, nonce: toHex(nonce), ciphertext: toHex(ciphertext) };
    const file: KeystoreFile = { ...sealed, checksum: checksumOf(sealed) };
    await writeFileAtomic(this.path, `${JSON.stringify(file, undefined, 2)}\n`, FILE_MODE);
  }

  #find(id: string): HeldKey {
    const held = this.#held.find((candidate) => candidate.entry.id === id);
    if (held === undefined) throw new ChainError('KEY_UNKNOWN', { id });
    return held;
  }
}

function wrappingKey(passphrase: string, salt: Uint8Array, cost: KeystoreCost): Promise<Uint8Array> {
  const maxmem = 128 * cost.n * cost.r * cost.p + 1_048_576;
  return new Promise((resolve, reject) => {
    scrypt(utf8(passphrase), salt, KEY_BYTES, { N: cost.n, r: cost.r, p: cost.p, maxmem }, (error, key) => {
      if (error) reject(error);
      else resolve(new Uint8Array(key));
    });
  });
}

function publicKeyOf(seed: Uint8Array): Uint8Array {
  const spki = createPublicKey(privateKeyOf(seed)).export({ format: 'der', type: 'spki' });
  return new Uint8Array(spki.subarray(SPKI_PREFIX_BYTES));
}

function boundText(kdf: Sealed['kdf'], keys: readonly KeyEntry[]): Uint8Array {
  return utf8(
    JSON.stringify(['tracemill/keystore/v1', kdf.n, kdf.r, kdf.p, kdf.salt, keys.map((key) => [key.id, key.kind, key.publicKey])]),
  );
}

function checksumOf(sealed: Sealed): string {
  const { version, kdf, cipher, keys, nonce, ciphertext } = sealed;
  const text = JSON.stringify([
    version,
    kdf.name,
    kdf.n,
    kdf.r,
    kdf.p,
    kdf.salt,
    cipher,
    keys.map((key) => [key.id, key.kind, key.publicKey]),
  ]);
  return createHash('sha256').update(text).update(nonce).update(ciphertext).digest('hex');
}

function readKeystoreFile(path: string): KeystoreFile {
  const text = readFile(path, FILE_BYTES_MAX);
  if (text === undefined) throw new ChainError('KEYSTORE_MISSING', { path });
  try {
    const file = JSON.parse(text) as KeystoreFile;
    const { n, r, p } = file.kdf;
    const sane = file.version === 1 && n <= COST_N_MAX && r <= 32 && p <= 16 && file.keys.length <= KEY_COUNT_MAX;
    if (sane && file.checksum === checksumOf(file) && file.ciphertext.length === 2 * (file.keys.length * KEY_BYTES + TAG_BYTES))
      return file;
  } catch {
    // not JSON, or a member is missing: the same verdict as a wrong checksum
  }
  throw new ChainError('KEYSTORE_DAMAGED', { path });
}
