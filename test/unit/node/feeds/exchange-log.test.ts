import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  type Anchors,
  createExchangeWatch,
  EXAMINE_EVERY_MS,
  EXAMINE_STEP,
  examineExchanges,
} from '../../../../node/feeds/exchange-audit.ts';
import { exchangePrefix, rowKey, sequenceOf } from '../../../../node/feeds/exchange-chain.ts';
import { type ExchangeHead, type NewExchange, openExchangeLog } from '../../../../node/feeds/exchange-log.ts';
import { encodeJson, toByteText } from '../../../../node/format/index.ts';
import { createTestStore, createTestWorld } from '../../api/stand-in-world.ts';
import { exchangeDigest, verifySegment } from './exchange-segment.ts';
import { ManualTime, settle } from '../memory-world.ts';

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
  assert.deepEqual(await examineExchanges({ store, crypto: world.crypto }), { entries: 1_201, anchors: 0, faults: [] });
  await again.stop();
});

test('an entry is stored as canonical JSON, whatever its texts hold', async () => {
  const world = createTestWorld();
  const store = createTestStore();
  const log = await openExchangeLog({ store, world });
  const more = { caller: 'a"d\\a\u4e2d\u{1F600}', accountTried: '\ttried', address: '::1' };
  for (const each of [entry(1), entry(2, more), entry(3, { rows: 0, durationMs: 0 })]) log.append(each);
  await log.flush();
  const expected = [entry(1), entry(2, more), entry(3, { rows: 0, durationMs: 0 })];
  for (const [i, each] of expected.entries()) {
    const row = store.rows.get(exchangePrefix + toByteText(new Uint8Array([0, 0, 0, 0, 0, 0, 0, i + 1])))!;
    assert.deepEqual(row.subarray(32), encodeJson({ ...each, sequence: i + 1 }));
  }
  for (const sequence of [255, 256, 65_535, 2 ** 32, 2 ** 40 + 7]) assert.equal(sequenceOf(rowKey(sequence)), sequence);
  await log.stop();
});

/** A log of `count` entries, anchored after each fifth. */
async function anchoredLog(count: number) {
  const world = createTestWorld();
  const store = createTestStore();
  const heads: ExchangeHead[] = [];
  const anchors: Anchors = async (from, limit) => heads.filter(({ sequence }) => sequence >= from).slice(0, limit);
  const log = await openExchangeLog({ store, world, anchors });
  for (let n = 1; n <= count; n++) {
    log.append(entry(n));
    await log.flush();
    if (n % 5 === 0) heads.push(log.head());
  }
  const examine = async () =>
    (await examineExchanges({ store, crypto: world.crypto, anchors })).faults.map((fault) => Object.values(fault));
  return { world, store, log, heads, anchors, examine, keys: [...store.rows.keys()].sort() };
}

test('a changed, a missing, a moved and a cut entry show, and nothing else does', async () => {
  const { store, log, examine, keys } = await anchoredLog(12);
  assert.deepEqual(await examine(), []);
  const original = new Map(store.rows);
  const tamper = async (change: (rows: Map<string, Uint8Array>) => void): Promise<unknown> => {
    store.rows.clear();
    for (const [key, value] of original) store.rows.set(key, value);
    change(store.rows);
    return await examine();
  };
  const at = (n: number): string => keys[n - 1]!;
  const flip = (n: number, byte: number) => (rows: Map<string, Uint8Array>) => {
    const changed = original.get(at(n))!.slice();
    changed[byte < 0 ? changed.length + byte : byte]! ^= 1;
    rows.set(at(n), changed);
  };
  assert.deepEqual(await tamper(flip(4, -3)), [[4, 'link']], 'the entry');
  assert.deepEqual(
    await tamper(flip(4, 0)),
    [
      [4, 'link'],
      [5, 'link'],
    ],
    'its link',
  );
  assert.deepEqual(await tamper((rows) => rows.delete(at(3))), [[3, 'missing']]);
  assert.deepEqual(await tamper((rows) => rows.delete(at(1))), [[1, 'missing']]);
  assert.deepEqual(
    await tamper((rows) => {
      rows.set(at(6), original.get(at(7))!);
      rows.set(at(7), original.get(at(6))!);
    }),
    [
      [6, 'link'],
      [7, 'link'],
      [8, 'link'],
    ],
  );
  const cut = (from: number) => (rows: Map<string, Uint8Array>) => {
    for (let n = from; n <= 12; n++) rows.delete(at(n));
  };
  assert.deepEqual(await tamper(cut(10)), [[10, 'missing']], 'an anchor says that there were ten');
  assert.deepEqual(await tamper(cut(11)), [], 'what no anchor covers yet cannot be missed');
  assert.deepEqual(await tamper(cut(1)), [[1, 'missing']]);
  await log.stop();
});

test('a log that was written anew with right links is found by its anchors, and its entries are proved to nobody', async () => {
  const { world, store, heads, anchors, examine, log } = await anchoredLog(12);
  await log.stop();
  const forged = createTestStore();
  const other = await openExchangeLog({ store: forged, world });
  for (let n = 1; n <= 12; n++) other.append(entry(n, n === 7 ? { caller: 'eve@acme' } : {}));
  await other.stop();
  for (const [key, value] of forged.rows) store.rows.set(key, value);
  assert.deepEqual(await examine(), [[10, 'anchor']]);
  const opened = await openExchangeLog({ store, world, anchors });
  assert.equal((await opened.segment(1, 5)).to, 5, 'below the first entry that was changed the anchors still hold');
  await assert.rejects(opened.segment(6, 8), { code: 'EXCHANGE_LOG_REWRITTEN' }, 'the next anchor is looked at too');
  await assert.rejects(opened.segment(9, 12), { code: 'EXCHANGE_LOG_REWRITTEN' });
  await opened.stop();
  const links = await openExchangeLog({ store, world });
  assert.equal((await links.segment(6, 8)).to, 8, 'the links alone say nothing');
  await links.stop();
  assert.equal(heads.length, 2);
});

test('the watch examines when it starts and again later, in steps, and tells each fault once', async () => {
  const { store, anchors, keys, world } = await anchoredLog(EXAMINE_STEP + 20);
  const time = new ManualTime();
  const told: string[] = [];
  const watch = createExchangeWatch({
    store,
    world: { ...world, timers: time },
    anchors,
    onFault: ({ sequence, reason }) => void told.push(`${sequence} ${reason}`),
  });
  const pass = async (ms: number): Promise<void> => {
    for (let step = 0; step < 8; step++) {
      await settle();
      time.advance(ms / 8);
    }
    await settle();
  };
  watch.start();
  await pass(1_000);
  assert.deepEqual(told, []);
  const changed = store.rows.get(keys[EXAMINE_STEP + 10]!)!.slice();
  changed[changed.length - 3]! ^= 1;
  store.rows.set(keys[EXAMINE_STEP + 10]!, changed);
  await pass(EXAMINE_EVERY_MS);
  await pass(1_000);
  assert.deepEqual(told, [`${EXAMINE_STEP + 11} link`]);
  await pass(EXAMINE_EVERY_MS);
  await pass(1_000);
  assert.equal(told.length, 1);
  await watch.stop();
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

test('a cut log is said once and goes on after its last anchor: no anchor is sent in vain, what is new is anchored and proved', async () => {
  const { world, store, heads, anchors, examine, log, keys } = await anchoredLog(12);
  await log.stop();
  for (const key of keys.slice(7)) store.rows.delete(key); // five entries, two of them under the anchor of ten
  const cuts: unknown[] = [];
  let refuse = false;
  const sent: number[] = [];
  const open = () =>
    openExchangeLog({
      store,
      world,
      anchors,
      lastAnchor: () => heads.at(-1),
      onCut: (fault) => void cuts.push(fault),
      anchorEntries: 1,
      anchor: async (head) => {
        sent.push(head.sequence);
        if (!refuse) heads.push(head);
      },
    });
  const cut = await open();
  assert.deepEqual(cuts, [{ sequence: 8, reason: 'missing' }]);
  for (const number of [11, 12]) {
    cut.append(entry(number));
    await cut.flush();
  }
  assert.deepEqual([sent, cut.head().sequence], [[11, 12], 12]);
  assert.deepEqual(await examine(), [[8, 'missing']], 'nothing else is wrong');
  const segment = await cut.segment(11, 12);
  assert.deepEqual([segment.linkBefore, verifySegment(world.crypto, segment)], [heads[1]!.link, true]);
  await assert.rejects(cut.segment(7, 11), { code: 'EXCHANGE_LOG_REWRITTEN' });
  const [row] = [...store.rows.keys()].sort().slice(-2);
  const value = store.rows.get(row!)!;
  store.rows.set(row!, Uint8Array.from([...value.slice(0, -1), 0x20]));
  assert.deepEqual(
    await examine(),
    [
      [8, 'missing'],
      [11, 'link'],
    ],
    'the first entry after the gap hangs on the anchor',
  );
  store.rows.set(row!, value);

  refuse = true; // an anchor that the chain does not take is sent again after two minutes, then four, and not every minute
  const trials = async (minutes: number): Promise<number> => {
    const before = sent.length;
    for (let minute = 0; minute < minutes; minute++) {
      world.advance(60_000);
      cut.append(entry(20 + minute));
      await cut.flush();
    }
    return sent.length - before;
  };
  assert.ok((await trials(30)) <= 6);
  refuse = false;
  await trials(64);
  assert.equal(await trials(5), 5, 'each is taken: as often as before');
  await cut.stop();
  const again = await open();
  assert.equal(cuts.length, 1, 'said once');
  await again.stop();
});
