/** The door of the client. */
export * from './answer.ts';
export * from './client.ts';
export * from './operations.ts';
