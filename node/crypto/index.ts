/** Door of the crypto adapters. */
export * from './ed25519.ts';
export * from './real-crypto.ts';
export * from './verify-pool.ts';
