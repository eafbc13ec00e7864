/** The one leaf every folder and the browser may import: bytes, codec, trees, headers, proofs. No `node:` modules. */
export * from './bytes.ts';
export * from './codec.ts';
export * from './crypto.ts';
export * from './merkle.ts';
export * from './transaction.ts';
export * from './parameters.ts';
export * from './block.ts';
export * from './receipt.ts';
export * from './json.ts';
export * from './content.ts';
export * from './json-text.ts';
export * from './decimal.ts';
export * from './time.ts';
export * from './record.ts';
