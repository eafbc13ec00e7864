// biome-ignore-all lint/suspicious/noExplicitAny: answers of many shapes are looked into
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { encodeJson } from '../../../../node/format/index.ts';
import { confirmed, testEvent } from '../stand-in-node.ts';
import { testDeclaredCodes } from './calls.ts';
import { address, get, post, rig } from './routes-rig.ts';

test('what the chain would refuse now is refused before it is signed, with its facts; what it cannot judge, or nobody waits for, is signed', async () => {
  const { judge } = rig.node;
  const asked: string[] = [];
  const verdicts = {
    faulty: {
      code: 'BUILTIN_ARGUMENTS_INVALID',
      detail: encodeJson({ count: 1, faults: [{ path: '/data/name', problem: 'must be a text' }] }),
    },
    refused: { code: 'CONTRACT_REFUSED', detail: encodeJson({ code: 'TOO_LATE', message: 'come earlier' }) },
    fine: { code: 'OK', detail: new Uint8Array(0) },
  };
  let verdict: keyof typeof verdicts | undefined = 'faulty';
  rig.node.judge = async (account, calls) => {
    asked.push(`${account} ${calls[0]!.contract}.${calls[0]!.method}`);
    return verdict && { ...verdicts[verdict], gasUsed: 9, height: 41 };
  };
  const send = (more = '') => post(`/api/v1/contracts/${address}/call${more}`, '{"method":"add","args":[1]}');
  const signed = rig.node.signed.length;
  const faulty = await send();
  assert.deepEqual([faulty.code, faulty.data.height, faulty.data.transactionId], ['BUILTIN_ARGUMENTS_INVALID', 41, undefined]);
  assert.deepEqual(faulty.details, [{ code: 'BUILTIN_ARGUMENTS_INVALID', message: 'must be a text', pointer: '/data/name' }]);
  verdict = 'refused';
  assert.deepEqual((await send()).details, [{ code: 'TOO_LATE', message: 'come earlier' }]);
  assert.equal(rig.node.signed.length, signed);
  assert.equal((await send('?wait=async')).code, 'OK');
  verdict = 'fine';
  assert.equal((await send()).code, 'OK');
  verdict = undefined;
  assert.equal((await send()).code, 'OK');
  assert.equal(rig.node.signed.length, signed + 3);
  assert.deepEqual(asked, Array(4).fill(`ada@acme ${address}.add`));
  rig.node.judge = judge;
});

test('what a contract refuses reaches the caller of a transaction in its own words, and those of the contract it called', async () => {
  const { statuses } = rig.node;
  const cause = { contract: address, code: 'TOO_LATE', message: 'come earlier', at: 'contract.js:3:13' };
  const detail = encodeJson({ contract: address, code: 'CONTRACT_REFUSED', message: 'CONTRACT_REFUSED', at: null, cause });
  for (const [facts, expected] of [
    [encodeJson(cause), [{ code: 'TOO_LATE', message: 'come earlier' }]],
    [
      detail,
      [
        { code: 'CONTRACT_REFUSED', message: 'CONTRACT_REFUSED' },
        { code: 'TOO_LATE', message: 'come earlier' },
      ],
    ],
  ] as const) {
    rig.node.statuses = (hex) => confirmed(Buffer.from(hex, 'hex'), { status: 'failed', code: 'CONTRACT_REFUSED', detail: facts });
    const refused = await post(`/api/v1/contracts/${address}/call`, '{"method":"add"}');
    assert.deepEqual([refused.status, refused.code, refused.details], [422, 'CONTRACT_REFUSED', expected]);
    assert.equal(refused.data.code, expected[0].code);
  }
  rig.node.statuses = statuses;
});

test('a call without arguments sends an empty list, and one that no deployed contract takes costs no transaction', async () => {
  const sent = rig.node.signed.length;
  await post(`/api/v1/contracts/${address}/call`, '{"method":"add"}');
  assert.deepEqual(rig.node.signed.at(-1)!.args, []);
  assert.equal((await post(`/api/v1/contracts/${address}/call`, '{"method":"add","args":{}}')).code, 'REQUEST_INVALID');
  assert.equal(rig.node.signed.length, sent + 1);
});

test('contracts: deploy, list by pages, get, call, query, events', async () => {
  const deployed = await post('/api/v1/contracts', '{"name":"w","code":"export const x = 1"}');
  assert.deepEqual([deployed.status, rig.deployed.at(-1)?.language], [200, 'javascript']);
  const first = await get('/api/v1/contracts?limit=3');
  const second = await get(`/api/v1/contracts?limit=3&after=${first.data.next}`);
  assert.deepEqual([first.data.items.length, second.data.items.length, second.data.next], [3, 2, null]);
  assert.equal((await get(`/api/v1/contracts/${address}`)).data.state, 'active');
  assert.equal((await get(`/api/v1/contracts/0x${'9'.repeat(40)}`)).code, 'CONTRACT_NOT_FOUND');
  const called = await post(`/api/v1/contracts/${address}/call`, '{"method":"add","args":[{"n":"3"}]}');
  assert.deepEqual([called.data.result, rig.node.signed.at(-1)?.args], [{ total: '3' }, [{ n: '3' }]]);
  assert.equal((await post(`/api/v1/contracts/${address}/call`, '{"method":"add","args":[1.5]}')).code, 'REQUEST_INVALID');
  assert.equal(
    (await post('/api/v1/contracts/governance/call', '{"method":"vote"}')).code,
    'REQUEST_INVALID',
    'built-ins have routes of their own',
  );
  const asked = await get(`/api/v1/contracts/${address}/query?method=total&args=${encodeURIComponent('{"id":"7"}')}`);
  assert.deepEqual(asked.data.result, { method: 'total', args: { id: '7' } });
  assert.equal((await get(`/api/v1/contracts/${address}/query?method=total&args={`)).code, 'REQUEST_INVALID');
  rig.node.events_.push(
    testEvent(1, 0, 'a', address),
    testEvent(1, 1, 'b', address),
    testEvent(2, 0, 'a', 'other'),
    testEvent(3, 0, 'a', address),
  );
  const page = await get(`/api/v1/contracts/${address}/events?limit=2&name=a`);
  assert.deepEqual(
    page.data.items.map((event: { id: string }) => event.id),
    ['1-0', '3-0'],
  );
  const rest = await get(`/api/v1/contracts/${address}/events?limit=2&name=a&after=${page.data.next}`);
  assert.deepEqual([rest.data.items, rest.data.next], [[], null]);
});

test('a page of events cut by its bound says so and where to go on, and the next one finds what there is', async () => {
  const before = [...rig.node.events_];
  const { height } = rig.node.head();
  const others = Array.from({ length: 20_000 }, (_, position) => testEvent(height, position, 'a', 'other'));
  rig.node.events_.splice(0, before.length, ...others, testEvent(height, 20_000, 'a', address));
  const cut = (await get(`/api/v1/contracts/${address}/events`)).data;
  assert.deepEqual([cut.items, cut.complete, cut.resumeAt], [[], false, cut.next]);
  const rest = (await get(`/api/v1/contracts/${address}/events?after=${cut.next}`)).data;
  assert.deepEqual([rest.items.length, rest.complete, rest.next, rest.resumeAt], [1, true, null, undefined]);
  rig.node.events_.splice(0, rig.node.events_.length, ...before);
});

test('pages of a list that is read at the head claim to be complete only when they speak of one height', async () => {
  const first = (await get('/api/v1/contracts?limit=3')).data;
  const head = rig.node.head;
  rig.node.head = () => ({ ...head(), height: head().height + 1 });
  const later = (await get(`/api/v1/contracts?limit=3&after=${first.next}`)).data;
  rig.node.head = head;
  const same = (await get(`/api/v1/contracts?limit=3&after=${first.next}`)).data;
  assert.deepEqual([first.complete, later.complete, same.complete], [true, false, true]);
});

testDeclaredCodes(() => rig);
