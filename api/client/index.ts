/** The door of the client. `answer.ts` is a door of its own: every command reads answers, and few open a connection. */
export { ApiError, type Detail } from './answer.ts';
export { type Client, createClient, type PostOptions } from './client.ts';
export { type ListAnswer, type Operations, operations, type SubmitReceipt } from './operations.ts';
