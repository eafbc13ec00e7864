import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createRig } from '../stand-ins.ts';
import { json, senderTo } from './calls.ts';

const send = senderTo(() => assert.fail('each test has a rig of its own'));

test('every call leaves one entry, refused ones too, without token, secret or body', async () => {
  const own = await createRig();
  const secret = 'OPERATOR-LI-MING';
  const token = own.token('press-7@acme');
  await send('POST', '/api/v1/records', {
    on: own,
    account: 'press-7@acme',
    headers: { 'content-type': 'text/csv' },
    body: `pro_operator\n${secret}`,
  });
  await send('GET', '/api/v1/consensus', { on: own, account: null });
  await send('GET', '/api/v1/records', { on: own, account: null, headers: { authorization: 'Bearer tm1.a.b' } });
  await send('POST', '/api/v1/auth/login', {
    on: own,
    account: null,
    headers: json,
    body: '{"account":"ada@acme","password":"hunter2hunter2"}',
  });
  await send('GET', '/no/such', { on: own, account: null });
  await send('PUT', '/api/v1/records', { on: own, account: null });
  await send('GET', '/no/%ff', { on: own, account: null });
  await send('GET', `/api/v1/trace/${'a'.repeat(513)}`, { on: own, account: null });
  const answer = await send('GET', '/api/v1/audit/exchanges?proof=true', { on: own, account: 'audrey@acme' });
  const rows = answer.json.data.items as {
    interfaceId: string;
    caller: string;
    code: string;
    organisation: string;
    rows: number;
    accountTried?: string;
  }[];
  assert.deepEqual(
    rows.map((row) => `${row.interfaceId} ${row.caller} ${row.code} ${row.rows}`),
    [
      'submitRecords press-7@acme OK 1',
      'getConsensus  TOKEN_MISSING 0',
      'findRecords  TOKEN_INVALID 0',
      'login  LOGIN_REFUSED 0',
      'unknown  NOT_FOUND 0',
      'unknown  METHOD_NOT_ALLOWED 0',
      'unknown  REQUEST_INVALID 0',
      'unknown  REQUEST_MALFORMED 0',
    ],
  );
  assert.deepEqual(
    rows.map((row) => row.accountTried),
    [undefined, undefined, undefined, 'ada@acme', undefined, undefined, undefined, undefined],
    'the refused login names the account that was tried',
  );
  const tried = await send('GET', '/api/v1/audit/exchanges?accountTried=ada@acme', { on: own, account: 'audrey@acme' });
  assert.deepEqual(
    tried.json.data.items.map((row: { code: string }) => row.code),
    ['LOGIN_REFUSED'],
  );
  assert.equal(answer.json.data.proof.entryDigests.length, 8);
  const stored =
    [...own.exchangeStore.rows.values(), ...own.store.rows.values()].map((value) => Buffer.from(value).toString('latin1')).join('\n') +
    own.world.logged.join('\n');
  for (const word of [secret, token, 'hunter2']) assert.ok(!stored.includes(word), word);
  await own.close();
});

test('an auditor of another organisation sees the calls of his own only', async () => {
  const own = await createRig();
  own.state.put('account', 'ann@bolt', 'bolt', { type: 'person', roles: ['auditor'], keys: [], sessionEpoch: 1 });
  const foreign = { authorization: `Bearer ${own.token('ann@bolt', { node: 'node-b' }, own.keys['node-b'])}` };
  await send('GET', '/api/v1/consensus', { on: own });
  await send('GET', '/api/v1/consensus', { on: own, account: null, headers: foreign });
  const answer = await send('GET', '/api/v1/audit/exchanges', { on: own, account: null, headers: foreign });
  assert.deepEqual(
    answer.json.data.items.map((row: { caller: string }) => row.caller),
    ['ann@bolt'],
  );
  assert.equal(answer.json.data.scope, 'organisation');
  await own.close();
});
