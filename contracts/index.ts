/** The door of contracts/. */
export * from './types.ts';
export * from './builtin/layout.ts';
export * from './builtin/index.ts';
