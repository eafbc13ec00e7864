/** Door of what peers ask and tell one another. */
export * from './block-server.ts';
export * from './block-sync.ts';
export * from './repair.ts';
export * from './requests.ts';
export * from './spreading.ts';
export * from './standing.ts';
