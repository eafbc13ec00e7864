/** The genesis file: what all replicas must agree on from the first block. Its hash names the chain; chainId derives from it. */
export type { Genesis } from '../contracts/builtin/genesis.ts';
