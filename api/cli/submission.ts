/** What every submitting command sends beside its body: a key that makes a repeated send harmless, the wish to wait, the second factor. */
import { randomUUID } from 'node:crypto';
import type { PostOptions } from '../client/index.ts';
import type { Connection } from './cli.ts';

export function submissionOptions(connection: Connection, options: { readonly async?: boolean }, idempotencyKey: string = randomUUID()): PostOptions {
  const otp = connection.otp();
  return {
    idempotencyKey,
    ...(options.async ? { query: { mode: 'async' } } : {}),
    ...(otp === undefined ? {} : { otp }),
  };
}
