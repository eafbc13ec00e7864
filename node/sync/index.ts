/** Door of block sync and of the questions between peers. */
export * from './block-server.ts';
export * from './block-sync.ts';
export * from './repair.ts';
export * from './requests.ts';
export * from './standing.ts';
