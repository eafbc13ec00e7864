import assert from 'node:assert/strict';
import { test } from 'node:test';
import { exchangeDigest, exchangePrefix, type NewExchange, openExchangeLog, verifySegment } from '../../../node/exchange-log.ts';
import { createTestStore, createTestWorld } from '../api/stand-ins.ts';

function entry(n: number, more: Partial<NewExchange> = {}): NewExchange {
  return {
    timeMs: 1_000 + n,
    requestId: `r${n}`,
    interfaceId: n % 2 === 0 ? 'getRecord' : 'submitRecords',
    caller: n % 3 === 0 ? '' : 'ada@acme',
    organisation: n % 3 === 0 ? '' : 'acme',
    address: '127.0.0.1',
    parametersDigest: 'a'.repeat(64),
    code: n % 3 === 0 ? 'TOKEN_MISSING' : 'OK',
    rows: 1,
    answerDigest: 'b'.repeat(64),
    durationMs: n,
    ...more,
  };
}

test('entries are numbered without gaps, survive a restart and verify', async () => {
  const world = createTestWorld();
  const store = createTestStore();
  const log = await openExchangeLog({ store, world });
  for (let n = 1; n <= 1_200; n++) log.append(entry(n));
  await log.flush();
  assert.ok(store.batches <= 4, 'many entries share a write');
  const head = log.head();
  assert.equal(head.sequence, 1_200);
  await log.stop();
  const again = await openExchangeLog({ store, world });
  assert.deepEqual(again.head(), head);
  again.append(entry(1_201));
  await again.flush();
  assert.deepEqual(await again.verify(), { intact: true, entries: 1_201, brokenAt: undefined });
  await again.stop();
});

test('a changed, a cut and a reordered entry show', async () => {
  const world = createTestWorld();
  const store = createTestStore();
  const log = await openExchangeLog({ store, world });
  for (let n = 1; n <= 9; n++) log.append(entry(n));
  await log.flush();
  const keys = [...store.rows.keys()].sort();
  const original = new Map(store.rows);
  const restore = (): void => {
    store.rows.clear();
    for (const [key, value] of original) store.rows.set(key, value);
  };

  const changed = original.get(keys[4]!)!.slice();
  changed[changed.length - 3]! ^= 1;
  store.rows.set(keys[4]!, changed);
  assert.deepEqual([(await log.verify()).intact, (await log.verify()).brokenAt], [false, 5]);
  restore();
  store.rows.delete(keys[2]!);
  assert.deepEqual([(await log.verify()).intact, (await log.verify()).brokenAt], [false, 3]);
  restore();
  store.rows.set(keys[0]!, original.get(keys[1]!)!);
  store.rows.set(keys[1]!, original.get(keys[0]!)!);
  assert.equal((await log.verify()).brokenAt, 1);
  restore();
  assert.equal((await log.verify()).intact, true);
  await log.stop();
});

test('entries are found by filter, page by page, both ways', async () => {
  const log = await openExchangeLog({ store: createTestStore(), world: createTestWorld() });
  for (let n = 1; n <= 30; n++) log.append(entry(n));
  await log.flush();
  const refused = await log.find({ code: 'TOKEN_MISSING' }, { after: undefined, limit: 100 });
  assert.deepEqual(
    refused.entries.map((found) => found.sequence),
    [3, 6, 9, 12, 15, 18, 21, 24, 27, 30],
  );
  const first = await log.find({ caller: 'ada@acme', interfaceId: 'getRecord', fromMs: 1_010 }, { after: undefined, limit: 2 });
  assert.deepEqual(
    first.entries.map((found) => found.sequence),
    [10, 14],
  );
  const second = await log.find({ caller: 'ada@acme', interfaceId: 'getRecord', fromMs: 1_010 }, { after: first.next, limit: 2 });
  assert.deepEqual(
    second.entries.map((found) => found.sequence),
    [16, 20],
  );
  const newest = await log.find({}, { after: undefined, limit: 3, reverse: true });
  assert.deepEqual(
    newest.entries.map((found) => found.sequence),
    [30, 29, 28],
  );
  const older = await log.find({}, { after: newest.next, limit: 2, reverse: true });
  assert.deepEqual(
    older.entries.map((found) => found.sequence),
    [27, 26],
  );
  await log.stop();
});

test('a segment proves that an entry stands in the chain, and nothing else does', async () => {
  const world = createTestWorld();
  const log = await openExchangeLog({ store: createTestStore(), world });
  for (let n = 1; n <= 20; n++) log.append(entry(n));
  await log.flush();
  const segment = await log.segment(5, 20);
  assert.equal(segment.link, log.head().link);
  assert.ok(verifySegment(world.crypto, segment));
  const found = await log.find({}, { after: 6, limit: 1 });
  assert.equal(exchangeDigest(world.crypto, found.entries[0]!), segment.entryDigests[2]);
  assert.notEqual(exchangeDigest(world.crypto, { ...found.entries[0]!, caller: 'eve@acme' }), segment.entryDigests[2]);
  assert.equal(verifySegment(world.crypto, { ...segment, entryDigests: segment.entryDigests.toReversed() }), false);
  assert.equal(verifySegment(world.crypto, { ...segment, to: 21 }), false);
  await assert.rejects(log.segment(5, 21), RangeError);
  await log.stop();
});

test('while the disk fails entries wait, nothing is lost, and past the bound calls are refused', async () => {
  const world = createTestWorld();
  const store = createTestStore();
  const log = await openExchangeLog({ store, world });
  store.failure = new Error('disk full');
  for (let n = 1; n <= 20_000; n++) log.append(entry(n));
  assert.equal(log.ready(), false);
  assert.throws(() => log.append(entry(20_001)), { code: 'SERVER_BUSY' });
  await assert.rejects(log.flush(), /disk full/);
  store.failure = undefined;
  await log.flush();
  assert.equal(log.ready(), true);
  assert.equal(log.head().sequence, 20_000);
  assert.equal([...store.rows.keys()].filter((key) => key.startsWith(exchangePrefix)).length, 20_000);
  await log.stop();
});

test('entries that come after a quiet spell are written too', async () => {
  const log = await openExchangeLog({ store: createTestStore(), world: createTestWorld() });
  log.append(entry(1));
  await log.flush();
  await new Promise((resolve) => setTimeout(resolve, 40)); // the gathering timer fires with nothing to do
  log.append(entry(2));
  await log.flush();
  assert.equal(log.head().sequence, 2);
  await log.stop();
});

test('the head is anchored every so many entries and at the end, and again after a failure', async () => {
  const anchored: number[] = [];
  let fail = true;
  const log = await openExchangeLog({
    store: createTestStore(),
    world: createTestWorld(),
    anchorEntries: 10,
    anchor: async (head) => {
      if (fail) throw new Error('no quorum');
      anchored.push(head.sequence);
    },
  });
  for (let n = 1; n <= 10; n++) log.append(entry(n));
  await log.flush();
  assert.deepEqual(anchored, []);
  fail = false;
  log.append(entry(11));
  await log.flush();
  assert.deepEqual(anchored, [11]);
  log.append(entry(12));
  await log.stop();
  assert.deepEqual(anchored, [11, 12]);
});
