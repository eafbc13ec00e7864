// biome-ignore-all lint/suspicious/noExplicitAny: answers of many shapes are looked into
/** Calls to a server without a socket, for tests of the REST interface. */
import assert from 'node:assert/strict';
import type { Readable } from 'node:stream';
import { test } from 'node:test';
import type { Rig } from '../stand-ins.ts';

interface Call {
  readonly body?: string | Buffer | Readable;
  readonly headers?: Record<string, string>;
  /** `null` sends no token. */
  readonly account?: string | null;
  readonly on?: Rig;
}

export interface Sent {
  readonly status: number;
  readonly headers: Readonly<Record<string, unknown>>;
  readonly text: string;
  readonly json: {
    code: string;
    message: string;
    data: any;
    details: { code: string; parameter?: string; pointer?: string; message: string; row?: number }[];
    requestId: string;
  };
}

/** Sends calls to the rig that `own` gives, unless the call names another. */
export function senderTo(own: () => Rig) {
  return async (method: string, url: string, options: Call = {}): Promise<Sent> => {
    const { account = 'ada@acme', on = own() } = options;
    const answer = await on.server.app.inject({
      method: method as 'GET',
      url,
      headers: { ...(account === null ? {} : { authorization: `Bearer ${on.token(account)}` }), ...options.headers },
      ...(options.body === undefined ? {} : { payload: options.body }),
    });
    const json = String(answer.headers['content-type']).includes('json') && answer.body !== '' ? JSON.parse(answer.body) : undefined;
    return { status: answer.statusCode, headers: answer.headers, text: answer.body, json };
  };
}

export const json = { 'content-type': 'application/json' };

/** To be the last test of a file: codes answered by the rig are declared by their routes. */
export function testDeclaredCodes(own: () => Rig): void {
  test('every code answered above stands in the declaration of its route (DB53 5.2.1.1.b-3)', () => {
    assert.deepEqual(
      own().world.logged.filter((line) => line.includes('undeclared code')),
      [],
    );
  });
}
