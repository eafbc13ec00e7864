/**
 * What a node says of itself when its vote log is damaged, when its exchange log was rewritten and when its network has no quorum: by doctor,
 * `/readyz`, its alarms and the proofs it refuses.
 */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { PATIENCE_MS, type ProbeContext } from '../conformance/context.ts';
import { production, submit } from '../conformance/records.ts';
import { exchangePrefix } from '../../node/feeds/exchange-chain.ts';
import { prefixEnd } from '../../node/format/index.ts';
import { openLevelStore } from '../../node/store/index.ts';
import { oneHead, startTestNet, type TestNet } from './net.ts';

const DAMAGED = 3; // index of the node whose logs are damaged

let testNet: TestNet;
let context: ProbeContext;

before(async () => {
  testNet = await startTestNet('standing');
  context = testNet.context;
});
after(() => testNet?.stop());

interface Finding {
  readonly state: string;
  readonly subject: string;
  readonly what: string;
}

async function doctor(index: number): Promise<readonly Finding[]> {
  const { stdout } = await context.cli(index, ['doctor', '--config', testNet.net.nodes[index]!.configPath]);
  return JSON.parse(stdout) as Finding[];
}

const about = (findings: readonly Finding[], subject: string) => findings.find((row) => row.subject.endsWith(` ${subject}`));

test('one flipped bit in the vote log: the node starts mute, keeps the file, says so, and votes again by itself', async () => {
  const node = testNet.net.nodes[DAMAGED]!;
  const receipt = await submit(context, production(context));
  await context.until('the node to hold the block', PATIENCE_MS, async () => (await node.head()).height >= receipt.height);
  await node.kill('SIGKILL');
  const path = join(node.dir, 'data/votes.log');
  const bytes = readFileSync(path);
  bytes[20]! ^= 1;
  writeFileSync(path, bytes);
  const before = about(await doctor(DAMAGED), 'vote log');
  assert.deepEqual([before?.state, before?.what.split(' ')[0]], ['problem', 'VOTE_LOG_DAMAGED']);

  await node.restart(); // resolves when it is ready, so that it votes again
  const alarms = (await context.get(DAMAGED, 'alarms', { limit: 1_000 })).items as {
    readonly kind: string;
    readonly detail: { readonly cause: string; readonly setAside: string };
    readonly resolvedAtMs: number | null;
  }[];
  const alarm = alarms.find(({ kind }) => kind === 'VOTE_LOG_LOST');
  assert.equal(alarm?.detail.cause, 'damaged');
  assert.deepEqual(readFileSync(join(node.dir, 'data', alarm!.detail.setAside)), bytes);
  assert.ok(readdirSync(join(node.dir, 'data')).includes('votes.log'));
  await context.until('the alarm to be over', PATIENCE_MS, async () => {
    const items = (await context.get(DAMAGED, 'alarms', { limit: 1_000 })).items as typeof alarms;
    return items.find(({ kind }) => kind === 'VOTE_LOG_LOST')?.resolvedAtMs != null;
  });
  const now = await doctor(DAMAGED);
  assert.match(about(now, 'vote log')?.what ?? '', /set aside by earlier starts: votes\.log\.damaged-/);
  assert.deepEqual([about(now, 'standing')?.state, about(now, 'standing')?.what], ['ok', 'the node runs and is ready']);
});

test('an entry of the exchange log that was rewritten while the node was down: doctor names it, the start raises an alarm, and it is proved to nobody', async () => {
  const node = testNet.net.nodes[DAMAGED]!;
  const { organisation } = context.genesis.nodes[DAMAGED]!;
  const auditor = context.genesis.accounts.find((account) => account.organisation === organisation && account.roles.includes('auditor'))!;
  const exchanges = (query: Readonly<Record<string, string>>) =>
    context.call(DAMAGED, 'GET', 'audit/exchanges', { token: context.net.tokens[auditor.id]!, query });
  const own = context.random('own');
  await context.call(DAMAGED, 'GET', `records/${own}`, { token: null });
  const sequence = await context.until('the entry to be written', PATIENCE_MS, async () => {
    const { items } = (await exchanges({ order: 'descending', limit: '100' })).json.data;
    return items.find((item: { code: string }) => item.code === 'TOKEN_MISSING')?.sequence as number | undefined;
  });
  const proved = () => exchanges({ limit: '1000', proof: 'true' });
  assert.equal((await proved()).status, 200);
  await node.kill('SIGKILL');
  const store = await openLevelStore({ path: join(node.dir, 'data/local') });
  const rows = await store.range({ from: exchangePrefix, to: prefixEnd(exchangePrefix), limit: sequence });
  const row = rows.at(-1)!;
  const text = Buffer.from(row.value).toString('latin1');
  assert.ok(text.includes('TOKEN_MISSING'), 'the entry as it stands in the store');
  await store.batch([{ key: row.key, value: Buffer.from(text.replace('TOKEN_MISSING', 'TOKEN_INVALID'), 'latin1') }], { sync: true });
  await store.close();
  assert.deepEqual(about(await doctor(DAMAGED), 'exchange log')?.what, `EXCHANGE_LOG_REWRITTEN entry ${sequence}: link`);

  await node.restart();
  const alarm = await context.until('the alarm', PATIENCE_MS, async () => {
    const { items } = await context.get(DAMAGED, 'alarms', { limit: 1_000 });
    return items.find(({ kind }: { kind: string }) => kind === 'EXCHANGE_LOG_REWRITTEN');
  });
  assert.deepEqual([alarm.severity, alarm.detail], ['critical', { sequence, reason: 'link' }]);
  const proof = await proved();
  assert.equal(proof.json.code, 'EXCHANGE_LOG_REWRITTEN', proof.text.slice(0, 300));
});

test('without a quorum /readyz says what is missing, doctor hears it from the running node, and both are well again after', async () => {
  const gone = [1, 2].map((index) => testNet.net.nodes[index]!);
  for (const node of gone) await node.kill('SIGKILL');
  const unready = await context.until('the node to notice', PATIENCE_MS, async () => {
    const answer = await context.call(0, 'GET', '/readyz', { token: null });
    return answer.status === 503 && answer;
  });
  assert.equal(unready.json.code, 'NODE_NOT_READY');
  const failed = (unready.json.data.checks as { check: string; passed: boolean }[]).filter(({ passed }) => !passed);
  assert.ok(failed.some(({ check }) => check === 'quorum'));
  const standing = about(await doctor(0), 'standing');
  assert.deepEqual([standing?.state, standing?.what.startsWith('quorum: ')], ['problem', true]);
  await Promise.all(gone.map((node) => node.restart()));
  await oneHead(testNet.net, context, (await testNet.net.nodes[0]!.head()).height + 1);
  await context.until(
    'the node to be ready',
    PATIENCE_MS,
    async () => (await context.call(0, 'GET', '/readyz', { token: null })).status === 200,
  );
});
