/** Success and failure of any operation have one structure: code, text, data, details, id of the request. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { rawBlock } from '../blocks.ts';
import type { Probe } from '../clause.ts';
import type { Answer, ProbeContext } from '../context.ts';
import { production, trySubmit } from '../records.ts';
import { asAble, operations } from '../routes.ts';

const CODE_TIMEOUT_MS = 40_000; // a code is good for 30 s and for one use
const ASK_AGAIN_MS = 1_000;
const MEMBERS = ['code', 'data', 'details', 'message', 'requestId'];

function holds(answer: Answer): boolean {
  const body = answer.json as unknown as Record<string, unknown>;
  const { code, message, details, requestId } = answer.json;
  return (
    String(answer.headers['content-type']).startsWith('application/json') &&
    JSON.stringify(Object.keys(body).sort()) === JSON.stringify(MEMBERS) &&
    /^[A-Z][A-Z0-9_]*$/.test(code) &&
    message.length > 0 &&
    requestId.length > 0 &&
    Array.isArray(details) &&
    details.every((detail) => /^[A-Z][A-Z0-9_]*$/.test(detail.code) && String(detail.message ?? '').length > 0) &&
    answer.status < 400 === (code === 'OK')
  );
}

/** What else changes the chain or a session, done in turn: login, register, propose, deploy, call, judge a block. */
async function successes(context: ProbeContext): Promise<readonly (readonly [string, Answer])[]> {
  const { node, organisation, factory } = context.actor;
  const admin = context.genesis.accounts.find((account) => account.organisation === organisation && account.roles.includes('admin'))!.id;
  const { accounts } = JSON.parse(readFileSync(join(context.dir, 'profile.json'), 'utf8')) as {
    readonly accounts: readonly { readonly account: string; readonly password: string }[];
  };
  const { password } = accounts.find(({ account }) => account === admin)!;
  const login = await context.until('a one-time code that was not used yet', CODE_TIMEOUT_MS, async () => {
    const answer = await context.post(node, 'auth/login', { account: admin, password, otp: context.otp(admin) }, { token: null });
    if (answer.json.code === 'OTP_REUSED') await sleep(ASK_AGAIN_MS);
    return answer.json.code !== 'OTP_REUSED' && answer;
  });
  const out: [string, Answer][] = [['login', login]];
  const send = async (path: string, body: unknown): Promise<void> => {
    out.push([path, await context.post(node, path, body, { token: login.json.data.token })]);
  };
  const id = context.random('D');
  await send('registry/device', { id, data: { factory } });
  await send(`registry/device/${id}/update`, { version: 1, data: { factory } });
  await send(`registry/device/${id}/state`, { state: 'suspended' });
  await send('governance/proposals', { kind: 'setParameter', name: 'blockTransactionsMax', value: context.integer(1_000, 9_000) });
  await send('auth/tokens', { account: context.actor.account });
  const code = "contract({ methods: { m() { return 'done'; } } });";
  await send('contracts', { language: 'javascript', name: context.random('c'), code });
  await send(`contracts/${out.at(-1)![1].json.data.result.address}/call`, { method: 'm' });
  const options = { body: await rawBlock(context, 'latest', node), type: 'application/octet-stream' };
  out.push(['blocks/validation', await context.call(node, 'POST', 'blocks/validation', options)]);
  return out;
}

export const probe: Probe = {
  id: '5.2.1.2.b',
  async prove(context) {
    const { node } = context.actor;
    const all = await operations(context);
    const told = (answer: Answer, what: string): void => assert.equal(holds(answer), true, `${what}: ${answer.text.slice(0, 300)}`);
    for (const operation of all) {
      const { row, path, query } = operation;
      const body = row.method === 'POST' ? { body: '{' } : {};
      if (row.method === 'GET') {
        const good = await asAble(context, operation);
        assert.equal(good.status, 200, path);
        told(good, `success of ${path}`);
      }
      const failures = [
        await context.call(node, row.method, path, { ...body, query: { ...query, [context.random('x')]: '1' } }),
        await context.call(node, row.method === 'GET' ? 'PUT' : 'PATCH', path, { body: '{}' }),
        ...(row.method === 'POST' ? [await context.call(node, 'POST', path, { body: 'x', type: 'text/x-unknown' })] : []),
        ...(row.operationId === 'listInterfaces'
          ? []
          : [await context.call(node, row.method, path, { ...body, query, token: context.random('token') })]),
      ];
      for (const failure of failures) {
        assert.ok(failure.status >= 400 && failure.status < 500, `${row.method} ${path} answered ${failure.status}`);
        told(failure, `failure of ${row.method} ${path}`);
      }
    }
    told(await trySubmit(context, production(context)), 'success of a submission');
    told(await trySubmit(context, production(context), { query: { wait: 'async' } }), 'an answer before the end');
    told(await context.post(node, 'records/validate', production(context)), 'success of a check');
    for (const [what, answer] of await successes(context)) {
      assert.equal(answer.status, 200, `${what}: ${answer.text.slice(0, 300)}`);
      told(answer, `success of ${what}`);
    }
    told(await context.call(node, 'GET', context.random('nowhere')), 'an address that does not exist');
  },
  async twin(context) {
    const answer = await context.call(context.actor.node, 'GET', 'consensus');
    const with_ = (json: object, status = answer.status): Answer => ({ ...answer, status, json: { ...answer.json, ...json } as never });
    assert.equal(holds(with_({})), true);
    assert.equal(holds(with_({ extra: 1 })), false, 'the check knows another structure');
    assert.equal(holds(with_({ message: '' })), false, 'an answer without text');
    assert.equal(holds(with_({ details: [{ code: 'X' }] })), false, 'a detail without text');
    assert.equal(holds(with_({}, 500)), false, 'and a failure that says OK');
  },
};
