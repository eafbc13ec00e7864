// biome-ignore-all lint/suspicious/noExplicitAny: answers of many shapes are looked into
/** A server over stand-ins and calls to its routes. It is opened before the tests of the file that imports this, and closed after them. */
import { after, before } from 'node:test';
import { CONTRACT, deployedKey, governanceKey, stateKey } from '../../../../contracts/index.ts';
import { encodeJson } from '../../../../node/format/index.ts';
import { createRig, type Rig } from '../stand-ins.ts';

/** Of the first contract that is deployed. */
export const address = `0x${'1'.repeat(40)}`;
export let rig: Rig;
before(async () => {
  rig = await createRig({ rateLimitFactor: 0 });
  for (let i = 0; i < 5; i++)
    rig.state.rows.set(
      stateKey(CONTRACT.deployed, deployedKey.contract(`0x${String(i + 1).repeat(40)}`)),
      encodeJson({ address: `0x${String(i + 1).repeat(40)}`, state: 'active' }),
    );
  rig.state.rows.set(
    stateKey(CONTRACT.governance, governanceKey.proposal('00000001')),
    encodeJson({ id: '00000001', state: 'open', votes: [] }),
  );
});
after(() => rig.close());

export async function get(
  url: string,
  account = 'ada@acme',
): Promise<{ status: number; code: string; data: any; body: Buffer; headers: Record<string, unknown> }> {
  const answer = await rig.server.app.inject({ method: 'GET', url, headers: { authorization: `Bearer ${rig.token(account)}` } });
  const json = String(answer.headers['content-type']).includes('json') ? JSON.parse(answer.body) : {};
  return { status: answer.statusCode, code: json.code, data: json.data, body: answer.rawPayload, headers: answer.headers };
}
export async function post(url: string, body: string | Buffer, type = 'application/json', account = 'ada@acme') {
  const answer = await rig.server.app.inject({
    method: 'POST',
    url,
    headers: { authorization: `Bearer ${rig.token(account)}`, 'content-type': type },
    payload: body,
  });
  return {
    status: answer.statusCode,
    headers: answer.headers,
    ...(JSON.parse(answer.body) as { code: string; data: any; details: any[] }),
  };
}
