/** What the watch says of a chain that stands still and of a validator that does not do its part, and that it takes it back by itself. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { openAlarms } from '../../../../node/feeds/alarms.ts';
import { createStoreWatch, soundNow, STORE_IO_CALM_MS } from '../../../../node/real/assemble.ts';
import { createHealth, HEALTH_CHECK_MS, STALL_VIEWS } from '../../../../node/feeds/health.ts';
import { ManualTime, MemoryLog, FailingStore, settle } from '../memory-world.ts';

const PARAMETERS = { viewTimeoutMaxMs: 8_000, idleBlockIntervalMs: 5_000, clockDriftMaxMs: 1_000 };
const STALL_MS = STALL_VIEWS * PARAMETERS.viewTimeoutMaxMs;

async function rig() {
  const time = new ManualTime();
  const alarms = await openAlarms({ store: new FailingStore(), prefix: 'z', clock: time, log: new MemoryLog() });
  const now = {
    phase: 'idle',
    behind: 0,
    fault: undefined as string | undefined,
    working: false,
    expelled: false,
    height: 7,
    unanswered: [] as string[],
  };
  const status = () => ({
    engine: 'pbft',
    height: now.height + 1,
    phase: now.phase,
    producer: 'b',
    details: { view: 3, ...(now.unanswered.length > 0 ? { unanswered: now.unanswered } : {}) },
  });
  const health = createHealth({
    world: { clock: time, timers: time },
    node: 'a',
    alarms: () => alarms.list(),
    raise: (...alarm) => void alarms.raise(...alarm),
    resolve: (...which) => void alarms.resolveAll(...which),
    height: () => now.height,
    parameters: () => PARAMETERS,
    status,
    fault: () => now.fault,
    behind: () => now.behind,
    working: () => now.working,
    expelled: () => now.expelled,
  });
  health.start();
  /** Kinds that stand after so many ms. */
  const after = async (ms: number): Promise<string[]> => {
    for (let passed = 0; passed < ms; passed += HEALTH_CHECK_MS) time.advance(HEALTH_CHECK_MS);
    await settle();
    return alarms.list().flatMap((alarm) => (alarm.resolvedAtMs === undefined ? [alarm.kind] : []));
  };
  const block = (proposer = 'b', ageMs = 0): Promise<string[]> => {
    now.height++;
    health.onBlock({ height: now.height, proposer, timestampMs: time.now() - ageMs });
    return after(0);
  };
  const failed = () => health.checks().flatMap(({ check, passed }) => (passed ? [] : [check]));
  return { time, alarms, now, health, after, block, failed };
}

test('no final block for two of the longest views although one is due is an alarm, once, until a block is final', async () => {
  const idle = await rig();
  assert.deepEqual(await idle.after(PARAMETERS.idleBlockIntervalMs + STALL_MS - HEALTH_CHECK_MS), []);
  assert.deepEqual([await idle.after(2 * HEALTH_CHECK_MS), idle.failed()], [['NO_FINAL_BLOCK'], ['finality']]);
  assert.ok(idle.health.stalled()!.dueForMs >= STALL_MS);
  await idle.alarms.acknowledge(1, 'op@acme');
  await idle.after(STALL_MS);
  assert.equal(idle.alarms.list().length, 1, 'what was acknowledged is not raised again while it lasts');
  assert.deepEqual([await idle.block(), idle.failed(), idle.health.dueForMs()], [[], [], 0]);
  const busy = await rig();
  busy.now.working = true;
  assert.deepEqual(await busy.after(STALL_MS - HEALTH_CHECK_MS), []);
  assert.deepEqual(await busy.after(2 * HEALTH_CHECK_MS), ['NO_FINAL_BLOCK'], 'work does not wait for the idle interval');
  assert.deepEqual(await busy.block(), []);
});

test('a chain that makes its blocks is never said to stand still, and an expelled node awaits none', async () => {
  const { after, block, now, failed } = await rig();
  for (let round = 0; round < 20; round++) {
    now.working = round % 2 === 0;
    await after(STALL_MS - HEALTH_CHECK_MS);
    assert.deepEqual([await block(), failed()], [[], []]);
  }
  now.expelled = true;
  assert.deepEqual(await after(10 * STALL_MS), []);
});

test('mute, excluded, in a view change for long, and behind: each is an alarm and a failed check, and is taken back', async () => {
  const cases = [
    { set: { phase: 'mute' }, alarm: 'VOTE_LOG_LOST', check: 'votes', afterMs: 0 },
    { set: { phase: 'excluded' }, alarm: 'VALIDATOR_EXCLUDED', check: 'votes', afterMs: 0 },
    { set: { phase: 'viewChange' }, alarm: 'VIEW_CHANGE_LASTS', check: 'view', afterMs: PARAMETERS.viewTimeoutMaxMs },
    { set: { behind: 12 }, alarm: 'NODE_BEHIND', check: 'synced', afterMs: STALL_MS },
  ] as const;
  for (const { set, alarm, check, afterMs } of cases) {
    const { now, after, block, failed } = await rig();
    Object.assign(now, set);
    let standing: string[] = [];
    for (let passed = 0; passed <= afterMs; passed += HEALTH_CHECK_MS) {
      assert.deepEqual(standing, [], `${alarm} not before ${afterMs} ms`);
      await block();
      standing = await after(HEALTH_CHECK_MS);
    }
    assert.deepEqual([standing, failed()], [[alarm], [check]]);
    Object.assign(now, { phase: 'idle', behind: 0 });
    assert.deepEqual([await after(HEALTH_CHECK_MS), failed()], [[], []], `${alarm} is over`);
  }
});

test('a mute validator names those it has not heard from, by an alarm after a while, until they have answered', async () => {
  const { now, after, alarms, health, block } = await rig();
  const votes = () => health.checks().find(({ check }) => check === 'votes');
  Object.assign(now, { phase: 'mute', unanswered: ['c', 'd'] });
  assert.deepEqual(await after(HEALTH_CHECK_MS), ['VOTE_LOG_LOST']);
  assert.deepEqual(votes(), { check: 'votes', passed: false, detail: 'VOTE_LOG_UNANSWERED: mute, and has yet to hear from c, d' });
  now.unanswered = ['d'];
  for (let passed = 0; passed < STALL_MS; passed += HEALTH_CHECK_MS) {
    await block();
    await after(HEALTH_CHECK_MS);
  }
  const named = alarms.list().find(({ kind }) => kind === 'VOTE_LOG_UNANSWERED');
  assert.deepEqual([named?.severity, named?.detail], ['critical', { unanswered: ['d'] }]);
  now.unanswered = [];
  assert.deepEqual(await after(HEALTH_CHECK_MS), ['VOTE_LOG_LOST'], 'mute, until a height that it may have signed is final');
  assert.match(votes()!.detail, /^VOTE_LOG_LOST/);
});

test('that a vote log is lost stands while the node is no validator, and is not said twice', async () => {
  const { now, after, alarms } = await rig();
  await alarms.raise('VOTE_LOG_LOST', 'critical', { cause: 'damaged' });
  now.phase = 'mute';
  assert.deepEqual(await after(HEALTH_CHECK_MS), ['VOTE_LOG_LOST']);
  now.phase = 'observing';
  assert.deepEqual(await after(HEALTH_CHECK_MS), ['VOTE_LOG_LOST']);
  now.phase = 'idle';
  assert.deepEqual(await after(HEALTH_CHECK_MS), []);
});

test('a node that cannot store fails its check and names the fault', async () => {
  const { now, health, failed } = await rig();
  now.fault = 'BLOCK_NOT_STORED';
  assert.deepEqual(failed(), ['storing']);
  assert.equal(health.checks().find(({ check }) => check === 'storing')?.detail, 'BLOCK_NOT_STORED');
});

test('a clock that fits again and a height that is final without the refused block take back their alarms', async () => {
  const { alarms, block } = await rig();
  await alarms.raise('CLOCK_DRIFT', 'warning', { proposer: 'b' });
  await alarms.raise('BLOCK_CHECK_FAILED', 'critical', { height: 8, hash: '00' });
  await alarms.raise('BLOCK_CHECK_FAILED', 'critical', { height: 9, hash: '01' });
  assert.deepEqual(await block('c'), ['CLOCK_DRIFT', 'BLOCK_CHECK_FAILED'], 'another proposer says nothing of the clock of b');
  assert.deepEqual(await block('b', 5_000), ['CLOCK_DRIFT'], 'nor does an old block of b');
  assert.deepEqual(await block('b', 300), []);
});

test('STORE_FULL of a store is over when that store has been written to, also when the node was started again in between', async () => {
  const alarms = await openAlarms({ store: new FailingStore(), prefix: 'z', clock: new ManualTime(), log: new MemoryLog() });
  await alarms.raise('STORE_FULL', 'critical', { store: 'chain' });
  const node = {
    onAlarm: alarms.onChange,
    resolveAlarms: (...which: Parameters<typeof alarms.resolveAll>) => void alarms.resolveAll(...which),
  };
  const { written } = createStoreWatch(node, new ManualTime(), alarms.list());
  await alarms.raise('STORE_FULL', 'critical', { store: 'index' });
  const standing = async () => {
    await settle();
    return alarms.list().flatMap((alarm) => (alarm.resolvedAtMs === undefined ? [(alarm.detail as { store: string }).store] : []));
  };
  written('local');
  assert.deepEqual(await standing(), ['chain', 'index']);
  written('index');
  assert.deepEqual(await standing(), ['chain']);
  written('chain');
  assert.deepEqual(await standing(), []);
});

test('STORE_IO of a store is over by a write after a minute without another, also when the node was started again in between', async () => {
  const time = new ManualTime();
  const alarms = await openAlarms({ store: new FailingStore(), prefix: 'z', clock: time, log: new MemoryLog() });
  await alarms.raise('STORE_IO', 'critical', { store: 'chain' });
  const node = {
    onAlarm: alarms.onChange,
    resolveAlarms: (...which: Parameters<typeof alarms.resolveAll>) => void alarms.resolveAll(...which),
  };
  const { written, failed } = createStoreWatch(node, time, alarms.list());
  const standing = async (...stores: readonly string[]) => {
    for (const store of stores) written(store);
    await settle();
    return alarms.list().flatMap((alarm) => (alarm.resolvedAtMs === undefined ? [(alarm.detail as { store: string }).store] : []));
  };
  time.advance(STORE_IO_CALM_MS / 2);
  await alarms.raise('STORE_IO', 'critical', { store: 'index' });
  assert.deepEqual(await standing('chain', 'index'), ['chain', 'index'], 'both failed a moment ago');
  time.advance(STORE_IO_CALM_MS / 2);
  failed('chain'); // again, which is no new alarm
  time.advance(STORE_IO_CALM_MS / 2);
  assert.deepEqual(await standing('local'), ['chain', 'index'], 'nothing was written to them');
  assert.deepEqual(await standing('chain', 'index'), ['chain']);
  time.advance(STORE_IO_CALM_MS / 2);
  assert.deepEqual(await standing('chain'), []);
});

test('STORE_IO of what is read is over by a read as well, STORE_FULL is not, and the node is not ready meanwhile', async () => {
  const { time, alarms, health } = await rig();
  for (const kind of ['STORE_IO', 'STORE_FULL']) await alarms.raise(kind, 'critical', { store: 'blocks' });
  const node = {
    onAlarm: alarms.onChange,
    resolveAlarms: (...which: Parameters<typeof alarms.resolveAll>) => void alarms.resolveAll(...which),
  };
  const { answered } = createStoreWatch(node, time, alarms.list());
  const disk = () => health.checks().find(({ check }) => check === 'disk');
  answered('blocks');
  await settle();
  assert.deepEqual(disk(), { check: 'disk', passed: false, detail: 'STORE_IO: the disk failed, says the store blocks' });
  time.advance(STORE_IO_CALM_MS);
  answered('blocks');
  await settle();
  assert.equal(disk()?.passed, true);
  assert.deepEqual(
    alarms.list().flatMap(({ kind, resolvedAtMs }) => (kind.startsWith('STORE') && resolvedAtMs === undefined ? [kind] : [])),
    ['STORE_FULL'],
  );
});

test('a damaged file is over when all files of its store were read again and it is not among the damaged', async () => {
  const alarms = await openAlarms({ store: new FailingStore(), prefix: 'z', clock: new ManualTime(), log: new MemoryLog() });
  const details = [
    { store: 'index', file: '000005.ldb', offset: 20 },
    { store: 'index', file: '000007.ldb', offset: 20 },
    { store: 'sealed', file: '000005.ldb', offset: 20 },
    { store: 'index', key: '6b' },
  ];
  for (const detail of details) await alarms.raise('STORE_DAMAGED', 'critical', detail);
  await alarms.resolveAll('STORE_DAMAGED', soundNow('index', [{ file: '000007.ldb', offset: 20 }]), {});
  assert.deepEqual(
    alarms.list().flatMap(({ resolvedAtMs, detail }) => (resolvedAtMs === undefined ? [detail] : [])),
    details.slice(1),
  );
});
