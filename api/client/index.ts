/** The door of the client. */
export * from './client.ts';
export * from './operations.ts';
