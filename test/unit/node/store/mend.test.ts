import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { Level } from 'level';
import { ChainError } from '../../../../node/errors/index.ts';
import { utf8 } from '../../../../node/format/index.ts';
import { keyspace, keyspaceTable } from '../../../../node/store/keyspace.ts';
import { openLevelStore } from '../../../../node/store/level-store.ts';
import { damagedKey, droppedFor, dropDamagedLocal, rangeAround } from '../../../../node/store/mend.ts';

async function withDamage(keys: readonly string[], damaged: readonly string[], run: (path: string) => Promise<void>): Promise<void> {
  const path = await mkdtemp(join(tmpdir(), 'mend-test-'));
  try {
    const store = await openLevelStore({ path });
    await store.batch(
      keys.map((key) => ({ key, value: utf8(`value of ${key}`) })),
      { sync: true },
    );
    await store.close();
    const raw = new Level<Buffer, Buffer>(path, { keyEncoding: 'buffer', valueEncoding: 'buffer' });
    for (const key of damaged) await raw.put(Buffer.from(key), Buffer.from('not what was stored'));
    await raw.close();
    await run(path);
  } finally {
    await rm(path, { recursive: true, force: true });
  }
}

test('a range around damaged values gives all others in order, and asks what to put in the place of each', () =>
  withDamage(['a', 'b', 'c', 'd', 'e'], ['a', 'c', 'd'], async (path) => {
    const store = await openLevelStore({ path });
    const asked: string[] = [];
    const read = async (limit: number, to = 'f') =>
      (
        await rangeAround(store, { from: 'a', to, limit }, (key) => {
          asked.push(key);
          return key === 'd' ? utf8('given') : undefined;
        })
      ).map(({ key, value }) => `${key} ${new TextDecoder().decode(value)}`);
    assert.deepEqual(await read(10), ['b value of b', 'd given', 'e value of e']);
    assert.deepEqual(asked, ['a', 'c', 'd']);
    assert.deepEqual(await read(2), ['b value of b', 'd given']);
    assert.deepEqual(await read(10, 'b'), []);
    await assert.rejects(
      rangeAround(store, { from: 'a', to: 'f', limit: 9 }, (_key, error) => {
        throw error;
      }),
      (error) => damagedKey(error) === 'a',
    );
    await store.close();
  }));

test('only an error of the damaged kind with a key names a value', () => {
  assert.equal(damagedKey(new ChainError('STORE_DAMAGED', { key: '6b00' })), 'k\0');
  assert.equal(damagedKey(new ChainError('STORE_DAMAGED', { file: 'x.ldb' })), undefined);
  assert.equal(damagedKey(new ChainError('STORE_FULL', { key: '6b' })), undefined);
  assert.equal(damagedKey(new Error('STORE_DAMAGED')), undefined);
});

test('damaged alarms of the local store are dropped before they keep a node from opening, and evidence never is', () => {
  const held = [`${keyspace.alarm}1`, `${keyspace.alarm}2`, `${keyspace.exchangeLog}1`];
  return withDamage(held, [held[0]!, held[2]!], async (path) => {
    const told: unknown[] = [];
    const store = await openLevelStore({ path, onFault: ({ data }) => told.push(data.key) });
    await dropDamagedLocal(store);
    assert.equal(told.length, 1);
    assert.deepEqual(
      held.slice(0, 2).map((key) => store.get(key) !== undefined),
      [false, true],
    );
    assert.throws(() => store.get(held[2]!), { code: 'STORE_DAMAGED' });
    for (const name of ['exchangeLog', 'account', 'sealed', 'config', 'header', 'state'] as const)
      assert.equal(droppedFor(`${keyspaceTable[name].prefix}x`), undefined, name);
    assert.notEqual(droppedFor(`${keyspace.idempotency}x`), undefined);
    await store.close();
  });
});
