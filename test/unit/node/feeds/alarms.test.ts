import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ALARMS_MAX, openAlarms } from '../../../../node/feeds/alarms.ts';
import { ManualTime, MemoryLog, FailingStore } from '../memory-world.ts';

const open = (store = new FailingStore(), clock = new ManualTime()) => openAlarms({ store, prefix: 'z', clock, log: new MemoryLog() });

test('the same fault raised again is one alarm until it is acknowledged, then a new one', async () => {
  const alarms = await open();
  const first = await alarms.raise('BLOCK_CHECK_FAILED', 'critical', { height: 5, check: 'seal' });
  const [again, other] = await Promise.all([
    alarms.raise('BLOCK_CHECK_FAILED', 'critical', { check: 'seal', height: 5 }),
    alarms.raise('BLOCK_CHECK_FAILED', 'critical', { height: 6, check: 'seal' }),
  ]);
  assert.deepEqual([first.id, again.id, other.id], [1, 1, 2]);
  const done = await alarms.acknowledge(1, 'admin@acme');
  assert.equal(done.acknowledgedBy, 'admin@acme');
  assert.equal((await alarms.raise('BLOCK_CHECK_FAILED', 'critical', { height: 5, check: 'seal' })).id, 3);
  assert.deepEqual(
    alarms.list().map((alarm) => alarm.id),
    [1, 2, 3],
  );
});

test('alarms outlive a restart, with who acknowledged them, and their numbers go on', async () => {
  const store = new FailingStore();
  const before = await open(store);
  await before.raise('STORE_DAMAGED', 'critical', { key: 'b1' });
  await before.raise('DISK_LOW', 'warning', null);
  await before.acknowledge(2, 'op@acme');
  const after = await open(store);
  assert.deepEqual(after.list(), before.list());
  assert.equal((await after.raise('STORE_DAMAGED', 'critical', { key: 'b1' })).id, 1);
  assert.equal((await after.raise('DISK_LOW', 'warning', null)).id, 3);
});

test('an alarm that the node has put right says when and how, outlives a restart, and the same fault later is a new alarm', async () => {
  const store = new FailingStore();
  const clock = new ManualTime();
  const alarms = await open(store, clock);
  await alarms.raise('STORE_DAMAGED', 'critical', { key: 'b1' });
  await alarms.raise('STORE_DAMAGED', 'critical', { key: 'b2' });
  await alarms.resolve('STORE_DAMAGED', { key: 'b1' }, { by: 'peer', peer: 'east-1' });
  await alarms.resolve('STORE_DAMAGED', { key: 'b3' }, { by: 'peer', peer: 'east-1' });
  const [first, second, ...more] = (await open(store)).list();
  assert.deepEqual(
    [first!.resolvedAtMs, first!.resolution, first!.acknowledgedBy],
    [clock.nowMs, { by: 'peer', peer: 'east-1' }, undefined],
  );
  assert.deepEqual([second!.resolvedAtMs, more.length], [undefined, 0]);
  assert.equal((await alarms.raise('STORE_DAMAGED', 'critical', { key: 'b1' })).id, 3);
  assert.equal((await alarms.acknowledge(1, 'op@acme')).resolvedAtMs, clock.nowMs);
});

test('an alarm is acknowledged once, and an unknown one not at all', async () => {
  const alarms = await open();
  await alarms.raise('DISK_LOW', 'warning', null);
  await alarms.acknowledge(1, 'op@acme');
  await assert.rejects(alarms.acknowledge(1, 'op@acme'), { code: 'ALARM_ACKNOWLEDGED' });
  await assert.rejects(alarms.acknowledge(7, 'op@acme'), { code: 'ALARM_UNKNOWN' });
});

test('the list is bounded: acknowledged alarms go first, then the least severe, in memory and on disk alike', async () => {
  const store = new FailingStore();
  const alarms = await open(store);
  await alarms.raise('FIRST', 'critical', null);
  await alarms.raise('SECOND', 'info', null);
  await alarms.raise('THIRD', 'warning', null);
  await alarms.acknowledge(3, 'op@acme');
  for (let i = 4; i <= ALARMS_MAX; i++) await alarms.raise('FILL', 'warning', { i });
  const ids = () => alarms.list().map((alarm) => alarm.id);
  await alarms.raise('MORE', 'warning', { i: 1 });
  assert.deepEqual(ids().slice(0, 3), [1, 2, 4]);
  await alarms.raise('MORE', 'warning', { i: 2 });
  assert.deepEqual(ids().slice(0, 3), [1, 4, 5]);
  assert.equal(alarms.list().length, ALARMS_MAX);
  assert.equal(store.size, ALARMS_MAX);
});

test('an alarm that a full disk does not take is shown, and written when there is room; an acknowledgement is not taken back in silence', async () => {
  const store = new FailingStore();
  const alarms = await open(store);
  const full = new Error('full');
  store.fault = full;
  await assert.rejects(alarms.raise('STORE_FULL', 'critical', { store: 'local' }), full);
  assert.deepEqual(
    alarms.list().map(({ kind }) => kind),
    ['STORE_FULL'],
  );
  assert.equal(store.size, 0);
  store.fault = full;
  assert.equal(await alarms.saveMissing(), false);
  assert.equal(await alarms.saveMissing(), true);
  assert.deepEqual((await open(store)).list(), alarms.list());
  store.fault = full;
  await assert.rejects(alarms.acknowledge(1, 'op@acme'), full);
  assert.equal(alarms.list()[0]!.acknowledgedBy, undefined);
  assert.equal((await alarms.acknowledge(1, 'op@acme')).acknowledgedBy, 'op@acme');
  assert.deepEqual((await open(store)).list(), alarms.list());
});

test('listeners hear of new alarms and acknowledgements, not of repetitions, until they leave', async () => {
  const alarms = await open();
  const heard: string[] = [];
  const leave = alarms.onChange((alarm) => heard.push(`${alarm.id}${alarm.acknowledgedBy ? 'a' : ''}`));
  await alarms.raise('X', 'info', null);
  await alarms.raise('X', 'info', null);
  await alarms.acknowledge(1, 'op@acme');
  leave();
  await alarms.raise('X', 'info', null);
  assert.deepEqual(heard, ['1', '1a']);
});
