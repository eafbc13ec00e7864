/**
 * A refused submission leaves nothing behind: no sealed value of one, and no digest over it, lies in any file of any node, whoever refused it and
 * whatever the form, and what expired unseen is gone like what was refused; the same search finds what an accepted one leaves.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { join } from 'node:path';
import { searchFiles, searchStores } from '../../devnet/search-bytes.ts';
import { type Answer, PATIENCE_MS, type ProbeContext } from '../conformance/context.ts';
import { canonical, type Fields, production, sha256, trySubmit, write } from '../conformance/records.ts';
import { prefixEnd } from '../../node/format/index.ts';
import { sealedKeyspace } from '../../node/records/sealed-store.ts';
import { openLevelStore } from '../../node/store/index.ts';
import { startTestNet, type TestNet } from './net.ts';

const RACES_MAX = 20; // until two records under one key meet in one block
const LIFETIME_BLOCKS = 16; // the least that a chain may have
const wait = { wait: 'sync' };

/** The sealed values of a record, the digest over them that only its sender is told, and that of the body: short values could be guessed by either. */
function secretsOf(record: Fields): readonly string[] {
  const { pro_op_name, pro_op_id } = record.pro_op_info as Fields;
  return [pro_op_name as string, pro_op_id as string, sha256(canonical(record)), sha256(write(record, 'json'))];
}

/** Two contents under one key at once, until both are past the door and the contract refuses the second; all that were refused. */
async function refusedByContract(context: ProbeContext, waits: readonly string[]): Promise<readonly Fields[]> {
  const refused: Fields[] = [];
  for (let race = 0; race < RACES_MAX; race++) {
    const one = production(context);
    const pair = [one, { ...one, production_location: 'elsewhere', pro_op_info: production(context).pro_op_info! }];
    const answers = await Promise.all(pair.map((record, i) => trySubmit(context, record, { query: { wait: waits[i]! } })));
    const ends = await Promise.all(
      answers.map(async ({ status, json }) => {
        if (status !== 202) return { code: json.code, byContract: false };
        return context.until('the end of a transaction', PATIENCE_MS, async () => {
          const told = await context.get(context.actor.node, `transactions/${json.data.transactionId}`);
          return told.state === 'confirmed' && { code: told.receipt.code as string, byContract: told.receipt.status === 'failed' };
        });
      }),
    );
    const lost = ends.findIndex(({ code }) => code === 'RECORD_KEY_CONFLICT');
    assert.notEqual(lost, -1, JSON.stringify(ends));
    refused.push(pair[lost]!);
    if (ends[lost]!.byContract) return refused;
  }
  return assert.fail(`no two records met behind the door in ${RACES_MAX} races`);
}

/** A submission whose transaction no other node hears of, and that the others go past: it can never be in a block. */
async function expired({ net, context }: TestNet): Promise<Fields> {
  const { node } = context.actor;
  const others = net.nodes.filter((_, i) => i !== node);
  await Promise.all(others.map((other) => other.kill('SIGKILL')));
  const record = production(context);
  const { json, text } = await trySubmit(context, record, { query: { wait: 'async' } });
  assert.equal(json.data.status, 'pending', text);
  await net.nodes[node]!.kill('SIGKILL'); // what waited in memory is lost, and the values are on disk
  const { dir } = net.nodes[node]!;
  assert.equal(await rowsOf(dir, sealedKeyspace.waiting), 1, 'the values wait');
  await Promise.all(others.map((other) => other.restart()));
  const at = net.nodes.indexOf(others[0]!);
  const from = await context.height(at);
  await context.allAt(
    from + LIFETIME_BLOCKS + 2,
    others.map((other) => net.nodes.indexOf(other)),
  );
  await net.nodes[node]!.restart();
  await context.allAt(from + LIFETIME_BLOCKS + 3);
  const told = await context.call(node, 'GET', `transactions/${json.data.transactionId}`);
  assert.notEqual(told.json.data?.state, 'confirmed', told.text);
  return record;
}

async function rowsOf(dir: string, { prefix }: { readonly prefix: string }): Promise<number> {
  const store = await openLevelStore({ path: join(dir, 'data/sealed') });
  const { length } = await store.range({ from: prefix, to: prefixEnd(prefix), limit: 1_000 });
  await store.close();
  return length;
}

test('no sealed value of a refused submission lies in any file of any node, and one that was accepted at its owner only', async () => {
  const testNet = await startTestNet('refused', {
    settings: { logLevel: 'debug' },
    parameters: { txLifetimeBlocksMax: LIFETIME_BLOCKS, idleBlockIntervalMs: 300 },
  });
  const { net, context, stop } = testNet;
  try {
    const accepted = production(context);
    const key = { 'idempotency-key': context.random('key') };
    const { actor } = context;
    const send = (record: Fields | string, options: Parameters<ProbeContext['call']>[3] = {}, path = 'records'): Promise<Answer> =>
      context.call(actor.node, 'POST', path, {
        body: typeof record === 'string' ? record : write(record, 'json'),
        headers: key,
        ...options,
      });
    const receipt = (await send(accepted, { query: wait })).json.data;

    const refused: Fields[] = [];
    const refuse = async (code: string, answer: Promise<Answer>, ...records: readonly Fields[]): Promise<void> => {
      const { json, text } = await answer;
      assert.equal(json.code, code, text);
      refused.push(...records);
    };
    const fresh = (more: Fields = {}): Fields => ({ ...production(context), ...more });
    const other = () => ({ headers: { 'idempotency-key': context.random('key') } });
    for (const format of ['json', 'xml', 'csv'] as const) {
      const record = fresh({ production_time: 'yesterday' });
      await refuse('RECORD_TIME_MALFORMED', trySubmit(context, record, { format }), record);
    }
    const changed = { ...accepted, pro_op_info: production(context).pro_op_info! };
    await refuse('RECORD_KEY_CONFLICT', send(changed, other()), changed);
    await refuse('IDEMPOTENCY_KEY_REUSED', send(changed), changed);
    const foreign = fresh({ pro_factory_uid: context.random('F') });
    await refuse('RECORD_FACTORY_UNKNOWN', send(foreign, other()), foreign);
    await refuse('RECORD_FACTORY_UNKNOWN', send(foreign, other(), 'records/validate'), foreign);
    const pair = [fresh(), fresh({ pro_factory_uid: context.random('F') })];
    await refuse('RECORD_FACTORY_UNKNOWN', send(`[${pair.map((record) => write(record, 'json')).join()}]`, other()), ...pair);
    const wrong = fresh();
    await refuse('RECORD_DIGEST_MISMATCH', send(wrong, { ...other(), query: { digest: sha256('other') } }), wrong);
    const torn = fresh();
    await refuse('JSON_MALFORMED', send(write(torn, 'json').slice(0, -1), other()), torn);
    const stranger = fresh();
    await refuse('TOKEN_MISSING', send(stranger, { token: null, headers: {} }), stranger);
    const atDoor = refused.filter((record) => record !== changed);
    const races = [...(await refusedByContract(context, ['async', 'async'])), ...(await refusedByContract(context, ['sync', 'async']))];
    refused.push(...races);
    const asked = fresh();
    assert.equal((await send(asked, other(), 'records/validate')).status, 200);
    refused.push(asked); // what is only looked at is kept no more than what is refused

    const sealedAt = async (node: number): Promise<readonly { readonly path: string; readonly value: string }[] | undefined> =>
      (await context.get(node, `records/${receipt.records[0].id}`)).sealed;
    const { pro_op_name } = accepted.pro_op_info as Fields;
    assert.equal((await sealedAt(actor.node))?.find(({ path }) => path === 'pro_op_info.pro_op_name')?.value, pro_op_name);
    refused.push(await expired(testNet));
    // Stands last in the log of every store, as it was written: what is older may be in a table, which is compressed.
    const seen = production(context);
    await send(seen, { ...other(), query: wait });
    const last = await context.height(actor.node);
    await context.allAt(last + 1); // what nobody waits for is settled after a block
    await net.stop();

    const traces = [accepted, seen, ...refused].flatMap(secretsOf);
    const unstored = atDoor.map((record) => record.product_uid as string);
    for (const { dir, id } of net.nodes) {
      const shown = [accepted.product_uid as string];
      assert.ok(searchFiles(dir, [seen.product_uid as string]).found.length > 0, `the search sees through the files of ${id}`);
      assert.ok((await searchStores(dir, shown)).found.length > 0, `the search sees through the stores of ${id}`);
      assert.deepEqual(searchFiles(dir, [...traces, ...unstored]).found, [], id);
      assert.deepEqual((await searchStores(dir, [...traces, ...unstored])).found, [], id);
      assert.equal(await rowsOf(dir, sealedKeyspace.waiting), 0, `nothing waits at ${id}`);
      assert.equal(
        await rowsOf(dir, sealedKeyspace.values),
        id === context.genesis.nodes[actor.node]!.id ? [accepted, seen, ...races].length : 0,
        `values of accepted records at their owner alone: ${id}`,
      );
    }
  } finally {
    await stop();
  }
});
