import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Receipt } from '../../../../node/format/index.ts';
import { type Cursor, createOutbox, OUTBOX_RETRY_MS, POSITION_END, type ReceiptSource } from '../../../../node/feeds/outbox.ts';
import type { OutboxEvent } from '../../../../node/service.ts';
import { ManualTime, MemoryLog, FailingStore, settle } from '../memory-world.ts';

/** Before the first event of the chain. */
const CURSOR_START: Cursor = { height: 0, position: POSITION_END };

/** Blocks by height from 1: each a list of transactions, each a list of event names. */
class Blocks implements ReceiptSource {
  readonly blocks: string[][][];
  reads = 0;
  constructor(...blocks: string[][][]) {
    this.blocks = blocks;
  }
  height(): number {
    return this.blocks.length;
  }
  async receipts(height: number): Promise<readonly Receipt[]> {
    this.reads++;
    return this.blocks[height - 1]!.map((names, index) => ({
      transactionId: new Uint8Array(32).fill(index),
      height,
      index,
      status: 'ok',
      code: 'OK',
      detail: new Uint8Array(0),
      failedCall: 0,
      gasUsed: 1,
      keyKind: 'own',
      results: [new Uint8Array(0)],
      events: names.map((name) => ({ call: 0, contract: 'c', name, data: new Uint8Array(0) })),
    }));
  }
}

function outboxOver(source: Blocks, store = new FailingStore()) {
  const time = new ManualTime();
  const pauses = { offered: 0 };
  const pause = () => async () => {
    pauses.offered++;
  };
  return { time, store, pauses, outbox: createOutbox({ source, store, prefix: 'x', timers: time, pause, log: new MemoryLog() }) };
}
const names = (events: readonly OutboxEvent[]) => events.map((event) => event.event.name).join('');

test('events come in the order of height, transaction and emission, after any cursor and up to a limit', async () => {
  const { outbox } = outboxOver(new Blocks([['a', 'b'], ['c']], [], [[], ['d', 'e']]));
  const table: readonly [Cursor, number, string][] = [
    [CURSOR_START, 10, 'abcde'],
    [CURSOR_START, 2, 'ab'],
    [{ height: 1, position: 0 }, 10, 'bcde'],
    [{ height: 1, position: 1 }, 2, 'cd'],
    [{ height: 2, position: POSITION_END }, 10, 'de'],
    [{ height: 3, position: 1 }, 10, ''],
    [{ height: 9, position: 0 }, 10, ''],
    [{ height: -1, position: Number.MAX_SAFE_INTEGER }, 10, 'abcde'],
    [{ height: 1, position: Number.MAX_SAFE_INTEGER }, 10, 'de'],
  ];
  for (const [after, limit, expected] of table) assert.equal(names(await outbox.events(after, limit)), expected, JSON.stringify(after));
  const last = (await outbox.events(CURSOR_START, 10)).at(-1)!;
  assert.deepEqual([last.height, last.index, last.position], [3, 1, 1]);
});

test('a reading over many blocks without events offers a pause after each', async () => {
  const { outbox, pauses } = outboxOver(new Blocks(...Array.from({ length: 1_000 }, () => []), [['a']]));
  assert.equal(names(await outbox.events(CURSOR_START, 10)), 'a');
  assert.ok(pauses.offered >= 1_000, `${pauses.offered} pauses`);
});

test('a subscriber gets what comes later too, and empty blocks are read once', async () => {
  const source = new Blocks([['a']], [], []);
  const { outbox } = outboxOver(source);
  const got: string[] = [];
  const subscription = outbox.subscribe('s', CURSOR_START, async (events) => void got.push(names(events)));
  await settle();
  const reads = source.reads;
  source.blocks.push([['b']]);
  outbox.onBlock();
  await settle();
  assert.deepEqual(got, ['a', 'b']);
  assert.equal(source.reads - reads <= 2, true, 'only the new block is read');
  assert.equal(subscription.cursor().height, 4);
});

test('what was not taken comes again after a growing wait, in order and with nothing skipped', async () => {
  const { outbox, time } = outboxOver(new Blocks([['a']], [['b']]));
  const got: string[] = [];
  let refuse = 2;
  outbox.subscribe('s', CURSOR_START, async (events) => {
    got.push(names(events));
    if (refuse-- > 0) throw new Error('receiver is away');
  });
  await settle();
  assert.deepEqual(got, ['ab']);
  time.advance(OUTBOX_RETRY_MS);
  await settle();
  time.advance(OUTBOX_RETRY_MS);
  await settle();
  assert.deepEqual(got, ['ab', 'ab'], 'the second wait is longer than the first');
  time.advance(OUTBOX_RETRY_MS);
  await settle();
  assert.deepEqual(got, ['ab', 'ab', 'ab']);
  time.advance(1_000_000);
  await settle();
  assert.deepEqual(got, ['ab', 'ab', 'ab'], 'taken once means done');
});

test('a restart goes on at the cursor on disk; a cursor that was not saved repeats and never skips', async () => {
  const source = new Blocks([['a']]);
  const store = new FailingStore();
  const first = outboxOver(source, store);
  const got: string[] = [];
  const take = async (events: readonly OutboxEvent[]) => void got.push(names(events));
  first.outbox.subscribe('s', CURSOR_START, take);
  await settle();
  source.blocks.push([['b']]);
  store.fault = new Error('power went');
  first.outbox.onBlock();
  await settle();
  await first.outbox.stop();
  const second = outboxOver(source, store);
  second.outbox.subscribe('s', CURSOR_START, take);
  await settle();
  await second.outbox.stop();
  assert.deepEqual(got, ['a', 'b', 'b']);
  await outboxOver(source, store).outbox.forget('s');
  assert.equal(store.size, 0);
});

test('a stopped subscriber gets nothing more, and a name serves one subscriber at a time', async () => {
  const source = new Blocks([['a']]);
  const { outbox } = outboxOver(source);
  const got: string[] = [];
  const subscription = outbox.subscribe('s', CURSOR_START, async (events) => void got.push(names(events)));
  assert.throws(() => outbox.subscribe('s', CURSOR_START, async () => {}), { code: 'OUTBOX_SUBSCRIBER_KNOWN' });
  await settle();
  await subscription.stop();
  source.blocks.push([['b']]);
  outbox.onBlock();
  await settle();
  assert.deepEqual(got, ['a']);
});

test('a backlog larger than a batch arrives in batches without a gap', async () => {
  const many = Array.from({ length: 250 }, (_, i) => `${i},`);
  const { outbox } = outboxOver(new Blocks([many], [['end']]));
  const got: string[] = [];
  outbox.subscribe('s', CURSOR_START, async (events) => void got.push(names(events)));
  await settle();
  assert.equal(got.length, 3);
  assert.equal(got.join(''), `${many.join('')}end`);
});
