/** A call over TLS whose body and end are the test's own affair. */
import type { ClientRequest } from 'node:http';
import { request, type RequestOptions } from 'node:https';

export interface RawCall {
  readonly sent: ClientRequest;
  /** Of the answer, or undefined when the connection ended without one. */
  readonly status: Promise<number | undefined>;
}

export function rawCall(options: RequestOptions): RawCall {
  const sent = request({ host: '127.0.0.1', agent: false, ...options });
  const status = new Promise<number | undefined>((resolve) => {
    sent.on('response', (answer) => {
      answer.resume();
      resolve(answer.statusCode);
    });
    sent.on('error', () => resolve(undefined));
  });
  return { sent, status };
}
