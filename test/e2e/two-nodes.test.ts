/**
 * Two nodes of one organisation: what it may do and holds is the same at both, a client goes from one to the other and sends again what it is not sure of,
 * and the key of one is replaced without the other.
 */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import type { Answer, ProbeContext } from '../conformance/context.ts';
import { passProposal } from '../conformance/governance.ts';
import { type Fields, production, write } from '../conformance/records.ts';
import { startTestNet, type TestNet } from './net.ts';

const NODES = 5;
const [FIRST, SECOND, OTHER] = [0, 4, 1]; // two of one organisation, and one of another
const BLOCKS_MAX = 40; // within which a validator that votes is in a certificate

let testNet: TestNet;
let context: ProbeContext;

before(async () => {
  testNet = await startTestNet('two-nodes', { nodes: NODES });
  context = testNet.context;
});
after(() => testNet?.stop());

const tokenOf = (name: string, node = FIRST): string => context.net.tokens[`${name}@${context.genesis.nodes[node]!.organisation}`]!;
const send = (node: number, record: Fields, key: string, token = context.actor.token): Promise<Answer> =>
  context.call(node, 'POST', 'records', { token, body: write(record, 'json'), headers: { 'idempotency-key': key } });

test('what is sent again through the other node is the record that is there, whatever became of the key and the answer', {
  timeout: 120_000,
}, async () => {
  assert.equal(context.genesis.nodes[FIRST]!.organisation, context.genesis.nodes[SECOND]!.organisation);
  for (const [from, to] of [
    [FIRST, SECOND],
    [SECOND, FIRST],
  ] as const) {
    const record = production(context);
    const key = context.random('key');
    const { data } = (await send(from, record, key)).json;
    await context.allAt(data.height);
    const again = await send(to, record, key);
    assert.equal(again.headers['idempotency-replayed'], 'false', 'the key is known to its node alone');
    const told = again.json.data;
    assert.deepEqual(
      [told.records[0].id, told.records[0].status, told.transactionId, told.height],
      [data.records[0].id, 'repeated', data.transactionId, data.height],
    );
    const sealed = await context.until('the sealed values at the other node', 30_000, async () => {
      const { sealed } = await context.get(to, `records/${data.records[0].id}`);
      return sealed?.length > 0 && sealed;
    });
    assert.deepEqual(sealed, (await context.get(from, `records/${data.records[0].id}`)).sealed);
  }
  const record = production(context);
  const key = context.random('key');
  const both = await Promise.all([send(FIRST, record, key), send(SECOND, record, key)]);
  for (const { json, text } of both) assert.equal(json.code, 'OK', text);
  const told = both.map(({ json }) => json.data);
  assert.equal(told[0].records[0].id, told[1].records[0].id, 'sent through both at once: one record');
  await context.allAt(Math.max(told[0].height, told[1].height));
  const history = await context.get(FIRST, `records/${told[0].records[0].id}/history`);
  assert.equal(history.items.length, 1);
});

test('accounts log in at either node, rights are judged for the organisation, and a device keeps to its factory at both', {
  timeout: 120_000,
}, async () => {
  const profile = context.net as unknown as TestNet['net'];
  const { account, password } = profile.accounts.find((candidate) => candidate.account === context.actor.account)!;
  for (const node of [FIRST, SECOND]) {
    const login = await context.until('a one-time code that was not used yet', 40_000, async () => {
      const answer = await context.post(node, 'auth/login', { account, password, otp: context.otp(account) }, { token: null });
      return answer.json.code !== 'OTP_REUSED' && answer;
    });
    assert.equal(login.status, 200, login.text);
    const { token } = login.json.data;
    for (const at of [FIRST, SECOND, OTHER]) assert.equal((await context.call(at, 'GET', 'consensus', { token })).status, 200);
    const works = { pro_factory_uid: context.actor.factory, ext: { device_id: context.actor.device } };
    const byDevice = await send(node, { ...production(context), ...works }, context.random('key'), tokenOf('device'));
    assert.equal(byDevice.json.code, 'OK', byDevice.text);
    const foreign = context.genesis.factories.find(({ organisation }) => organisation !== context.actor.organisation)!;
    const elsewhere = await send(node, { ...production(context), pro_factory_uid: foreign.id }, context.random('key'), tokenOf('device'));
    assert.equal(elsewhere.json.code, 'RECORD_FACTORY_FOREIGN', elsewhere.text);
    const stranger = await send(node, production(context), context.random('key'), tokenOf('operator', OTHER));
    assert.notEqual(stranger.json.code, 'OK', 'no node signs for another organisation');
  }
  const found = await context.cli(SECOND, ['doctor', '--config', testNet.net.nodes[SECOND]!.configPath]);
  assert.deepEqual(
    (JSON.parse(found.stdout) as { state: string }[]).filter(({ state }) => state !== 'ok'),
    [],
  );
});

test('the key of one of the two is replaced, and both take part', { timeout: 200_000 }, async () => {
  const node = testNet.net.nodes[SECOND]!;
  const { id } = context.genesis.nodes[SECOND]!;
  await node.kill('SIGKILL');
  const passphrase = ['--passphrase-file', join(node.dir, 'passphrase')];
  const made = await context.cli(SECOND, ['keys', 'new-validator', id, join(node.dir, 'keystore.json'), ...passphrase]);
  const { proposal } = JSON.parse(made.stdout) as { proposal: { validatorKey: string } & Record<string, unknown> };
  await node.restart();
  await passProposal(context, proposal);
  await context.until('the key to be that of the proposal', 30_000, async () => {
    return (await context.get(FIRST, `nodes/${id}`)).data.validatorKey === proposal.validatorKey;
  });
  const missing = new Set([id, context.genesis.nodes[FIRST]!.id]);
  for (let block = 0; block < BLOCKS_MAX && missing.size > 0; block++) {
    const at = block % 2 === 0 ? FIRST : SECOND;
    const { json, text } = await send(at, production(context), context.random('key'));
    assert.equal(json.code, 'OK', text);
    const { certificate, header } = await context.get(at, `blocks/${json.data.height}`);
    missing.delete(header.proposer);
    for (const vote of certificate.votes as { node: string }[]) missing.delete(vote.node);
  }
  assert.deepEqual([...missing], []);
});
