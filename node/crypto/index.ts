/** Door of the crypto adapters. */
export { type Ed25519Signer, ed25519SignerOf, privateKeyOf } from './ed25519.ts';
export { createCrypto } from './real-crypto.ts';
export { createVerifyPool } from './verify-pool.ts';
