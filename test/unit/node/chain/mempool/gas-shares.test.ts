import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  ABOUT_MS,
  BULK_GAS_MAX,
  BULK_GAS_PER_SECOND,
  BULK_GAS_SAVED_MS,
  createGasShares,
  EXCESS_GAS_OWED_MAX,
  EXCESS_GAS_PER_BLOCK,
  EXCESS_GAS_PER_SECOND,
  EXCESS_GAS_SAVED_MS,
  type GasUse,
  type Proposer,
  SENDER_GAS_OWED_MAX,
  SENDER_GAS_PER_SECOND,
  WAITING_GAS_MAX,
} from '../../../../../node/chain/mempool/gas-shares.ts';
import { leastHold } from '../../../api/rest/thread-hold.ts';

const HOLD_MS_MAX = 20;

const BLOCK_MS = 30;
const CHAIN_GAS_PER_MS = 20_000_000;
const FAST_MS = 5_000; // blocks are fast at first
const RECORD = 24_000_000;
const BULK = 100 * RECORD;
const DEAR = 10_000_000_000;
/** Of the default view time-out: a proposer begins nothing more after so much. */
const BLOCK_GAS = 5_000_000_000;

function stand() {
  let nowMs = 0;
  const shares = createGasShares({ monotonic: () => nowMs }, () => true);
  const queues = new Map<string, GasUse[]>();
  return {
    shares,
    wait(ms: number) {
      nowMs += ms;
    },
    add(sender: string, gasLimit: number, count = 1) {
      queues.set(sender, [...(queues.get(sender) ?? []), ...Array.from({ length: count }, () => ({ sender, gasLimit }))]);
    },
    next: () => [...shares.turns(queues)],
    dueInMs: (proposer: Proposer = 'self') => shares.dueInMs(queues, proposer),
    heldBack: () => shares.heldBack(queues),
    waiting: (sender: string) => queues.get(sender)?.length ?? 0,
    /** A block as a proposer builds it, in which every transaction uses its whole limit. */
    block(): string {
      const included: GasUse[] = [];
      let gas = 0;
      for (const use of [...shares.turns(queues)]) {
        if (gas >= BLOCK_GAS) break;
        gas += use.gasLimit;
        included.push(use);
        const queue = queues.get(use.sender)!;
        queue.splice(queue.indexOf(use), 1);
        if (queue.length === 0) queues.delete(use.sender);
      }
      shares.charge(
        included.map((use) => ({ ...use, gasUsed: use.gasLimit })),
        0,
      );
      return included.map(({ sender, gasLimit }) => `${sender}:${gasLimit / RECORD >= 100 ? 'D' : 'r'}`).join(' ');
    },
  };
}

test('what a sender has gas of his own for goes before dear calls that came earlier, also his own', () => {
  const pool = stand();
  pool.add('eve', DEAR, 3);
  pool.add('mal', DEAR, 3);
  pool.add('bob', RECORD, 2);
  pool.add('eve', RECORD);
  assert.match(pool.block(), /^(eve|bob):r (eve|bob):r bob:r (eve|mal):D$/);
});

test('while modest senders are about, dear calls keep to the gas a second that excess has, and records wait for none', () => {
  const pool = stand();
  pool.add('eve', DEAR, 100);
  pool.add('mal', DEAR, 100);
  let dear = 0;
  for (let turn = 0; turn < 400; turn++) {
    pool.add('bob', RECORD);
    const block = pool.block();
    assert.match(block, /^bob:r/, `turn ${turn}`);
    if (block.includes('D')) dear++;
    pool.wait(100);
  }
  const fair = (40 * EXCESS_GAS_PER_SECOND) / DEAR;
  assert.ok(dear >= fair - 1 && dear <= fair + 2, `${dear} dear calls in 40 s, fair are ${fair}`);
  assert.ok(Math.abs(pool.waiting('eve') - pool.waiting('mal')) <= 1, 'the two share alike');
});

test('where nobody is about who keeps within his own, excess goes as fast as it can', () => {
  const pool = stand();
  pool.add('eve', BULK, 100);
  pool.add('mal', BULK, 100);
  for (let blocks = 0; pool.waiting('eve') + pool.waiting('mal') > 0; blocks++) {
    assert.ok(blocks < 150, 'every block is full');
    assert.equal(pool.dueInMs(), 0);
    assert.notEqual(pool.block(), '');
    pool.wait(500);
  }
  pool.add('bob', RECORD);
  pool.block();
  pool.add('eve', DEAR, 2);
  assert.ok(pool.dueInMs() > 0);
  assert.equal(pool.heldBack(), 2);
  assert.equal(pool.block(), '');
  pool.wait(ABOUT_MS + 1);
  assert.equal(pool.dueInMs(), 0);
  assert.match(pool.block(), /^eve:D/);
});

test('small excess goes into every block, and a debt of dear calls holds it up in none', () => {
  const pool = stand();
  pool.add('mes', RECORD, 1_000);
  pool.add('eve', DEAR, 5);
  pool.add('bob', RECORD);
  pool.block();
  pool.block();
  for (let turn = 0; turn < 5; turn++) {
    pool.add('bob', RECORD);
    assert.equal(pool.dueInMs(), 0);
    const records = pool
      .block()
      .split(' ')
      .filter((use) => use === 'mes:r').length;
    assert.ok(records >= Math.floor(EXCESS_GAS_PER_BLOCK / RECORD), `${records} records`);
  }
});

/** Blocks as they come: 30 ms, and the gas at its price twice, because the proposer runs it first and then the backups do; all of it `times` slower after a while. */
function loadFor(
  ms: number,
  every: readonly { readonly sender: string; readonly eachMs: number; readonly limit: number; readonly used: number }[],
  times = 1,
) {
  let nowMs = 0;
  const shares = createGasShares({ monotonic: () => nowMs }, () => true);
  const queues = new Map<string, (GasUse & { readonly used: number; readonly sinceMs: number })[]>();
  const sent = new Map<string, number>();
  const longestMs = new Map<string, number>();
  const gas = new Map<string, number>();
  while (nowMs < ms) {
    for (const { sender, eachMs, limit, used } of every) {
      for (let next = sent.get(sender) ?? 0; next <= nowMs; next += eachMs, sent.set(sender, next)) {
        queues.set(sender, [...(queues.get(sender) ?? []), { sender, gasLimit: limit, used, sinceMs: next }]);
      }
    }
    const block: GasUse[] = [];
    let blockGas = 0;
    for (const use of [...shares.turns(queues)]) {
      if (blockGas >= BLOCK_GAS) break;
      blockGas += use.used;
      block.push(use);
    }
    const tookMs = (nowMs < FAST_MS ? 1 : times) * (BLOCK_MS + blockGas / CHAIN_GAS_PER_MS);
    nowMs += tookMs;
    for (const use of block as (GasUse & { used: number; sinceMs: number })[]) {
      const rest = queues.get(use.sender)!.filter((other) => other !== use);
      if (rest.length > 0) queues.set(use.sender, rest);
      else queues.delete(use.sender);
      longestMs.set(use.sender, Math.max(longestMs.get(use.sender) ?? 0, nowMs - use.sinceMs));
      gas.set(use.sender, (gas.get(use.sender) ?? 0) + use.used);
    }
    shares.charge(
      (block as (GasUse & { used: number })[]).map((use) => ({ ...use, gasUsed: use.used })),
      tookMs,
    );
  }
  return { longestMs, gas, waiting: (sender: string) => queues.get(sender)?.length ?? 0 };
}

const MODEST = { sender: 'bob', eachMs: 1_000, limit: RECORD, used: 20_000_000 };

test('a bulk loader beside a modest sender waits for nothing when nobody sends dear calls', () => {
  for (const limit of [BULK, 6_400_000_000]) {
    const { longestMs, waiting } = loadFor(120_000, [MODEST, { sender: 'mes', eachMs: 200, limit, used: 100 * 20_000_000 }]);
    assert.ok(longestMs.get('mes')! < 1_500 && waiting('mes') <= 5, `${longestMs.get('mes')} ms, ${waiting('mes')} wait`);
    assert.ok(longestMs.get('bob')! < 1_000, `${longestMs.get('bob')} ms`);
  }
});

test('a flood of calls as large as bulk leaves half of the time to those who keep within their own', () => {
  const seconds = 120;
  const flood = ['eve', 'mal'].map((sender) => ({ sender, eachMs: 400, limit: BULK_GAS_MAX, used: BULK_GAS_MAX }));
  const { gas, longestMs } = loadFor(1_000 * seconds, [{ ...MODEST, eachMs: 100 }, ...flood]);
  const used = gas.get('eve')! + gas.get('mal')!;
  const saved = (BULK_GAS_PER_SECOND * BULK_GAS_SAVED_MS + EXCESS_GAS_PER_SECOND * EXCESS_GAS_SAVED_MS) / 1_000;
  const fair = (BULK_GAS_PER_SECOND + EXCESS_GAS_PER_SECOND) * seconds + saved + 4 * BULK_GAS_MAX + 2 * seconds * SENDER_GAS_PER_SECOND;
  assert.ok(used < fair * 1.15, `${used} of ${fair}`); // each block gives away EXCESS_GAS_PER_BLOCK of what the small budget pays for
  assert.ok(longestMs.get('bob')! < 1_500, `${longestMs.get('bob')} ms`);
});

test('the slower blocks have become, the less excess goes, and never none', () => {
  const flood = [
    ...['eve', 'mal'].map((sender) => ({ sender, eachMs: 400, limit: DEAR, used: DEAR })),
    ...['sam', 'sue'].map((sender) => ({ sender, eachMs: 400, limit: BULK_GAS_MAX, used: BULK_GAS_MAX })),
  ];
  const excessGas = (times: number): number => {
    const { gas } = loadFor(240_000, [{ ...MODEST, eachMs: 100 }, ...flood], times);
    return flood.reduce((sum, { sender }) => sum + gas.get(sender)!, 0);
  };
  const [full, slow, slower] = [1, 4, 6].map(excessGas) as [number, number, number];
  assert.ok(slow < 0.4 * full && slower < 0.8 * slow, `${full}, ${slow}, ${slower}`);
  assert.ok(slower > 0.03 * full, `${slower} of ${full}`);
});

test('a sender for whose transactions nobody waits holds back nobody', () => {
  for (const waited of [true, false]) {
    const shares = createGasShares({ monotonic: () => 0 }, (sender) => waited || sender !== 'n-1');
    const anchor = { sender: 'n-1', gasLimit: RECORD, gasUsed: RECORD };
    for (let i = 0; i < 10; i++) shares.charge([anchor, { sender: 'eve', gasLimit: DEAR, gasUsed: DEAR }], BLOCK_MS);
    const queues = new Map([['eve', [{ sender: 'eve', gasLimit: DEAR }]]]);
    assert.equal([...shares.turns(queues)].length, waited ? 0 : 1);
    assert.equal(shares.dueInMs(queues, 'self') > 0, waited);
  }
});

test('a backup expects no excess earlier than the slowest honest proposer would propose it, and what is within a sender’s own at once', () => {
  const FAST = 25;
  const SLOW = 500;
  for (const limit of [BULK, DEAR]) {
    const [backup, primary] = [stand(), stand()]; // the same blocks: fast by one's measure, slow by the other's
    for (const [pool, tookMs] of [
      [backup, FAST],
      [primary, SLOW],
    ] as const) {
      pool.shares.charge([{ sender: 'bob', gasLimit: RECORD, gasUsed: RECORD }], FAST);
      for (let i = 0; i < 200; i++) pool.shares.charge([{ sender: 'mes', gasLimit: RECORD, gasUsed: RECORD }], tookMs); // all of his own
      for (let i = 0; i < 4; i++) pool.shares.charge([{ sender: 'mes', gasLimit: BULK, gasUsed: BULK }], tookMs);
      pool.shares.charge([{ sender: 'mes', gasLimit: DEAR, gasUsed: DEAR }], tookMs);
      pool.add('mes', limit);
    }
    assert.ok(primary.dueInMs('self') > backup.dueInMs('self'), `${limit}: the two differ`);
    assert.ok(backup.dueInMs('other') >= primary.dueInMs('self'), `${limit}: ${backup.dueInMs('other')} and ${primary.dueInMs('self')} ms`);
    assert.equal(backup.heldBack(), 1, 'and says that it may be held back');
    backup.add('bob', RECORD);
    assert.equal(backup.dueInMs('other'), 0);
  }
});

test('dear calls take nothing from what bulk has', () => {
  const dear = ['eve', 'mal'].map((sender) => ({ sender, eachMs: 500, limit: DEAR, used: DEAR }));
  const mes = { sender: 'mes', eachMs: 400, limit: BULK, used: 100 * 20_000_000 };
  const { longestMs, waiting } = loadFor(120_000, [MODEST, mes, ...dear]);
  assert.ok(waiting('mes') <= 5 && longestMs.get('mes')! < 3_000, `${longestMs.get('mes')} ms, ${waiting('mes')} wait`);
});

test('a dear sender is served among bulk ones: who was served least goes first', () => {
  const pool = stand();
  for (const bulk of ['mes-1', 'mes-2', 'mes-3']) pool.add(bulk, BULK, 200);
  for (let turn = 0; turn < 20; turn++) {
    pool.block();
    pool.wait(300);
  }
  pool.add('eve', DEAR);
  assert.match(pool.block(), /^eve:D/);
});

test('what is held back is due when the excess is worked off, at latest after the largest debt', () => {
  const pool = stand();
  pool.add('eve', 2 * DEAR, 3);
  pool.add('bob', RECORD);
  pool.block();
  const waitMs = pool.dueInMs();
  assert.ok(waitMs > 0 && waitMs <= Math.ceil((EXCESS_GAS_OWED_MAX / EXCESS_GAS_PER_SECOND) * 1_000) + 1, `${waitMs} ms`);
  pool.wait(waitMs - 1);
  assert.equal(pool.next().length, 0);
  pool.wait(1);
  assert.equal(pool.next().length, 1);
  assert.equal(stand().dueInMs(), Number.POSITIVE_INFINITY, 'nothing waits');
});

test('a sender in debt with much waiting is told to wait for one of his, others are not, and his debt is forgotten in time', () => {
  const pool = stand();
  const { shares } = pool;
  pool.add('eve', DEAR, 3);
  for (let i = 0; i < 3; i++) pool.block();
  const places = WAITING_GAS_MAX / DEAR;
  assert.equal(shares.admissionWaitMs('eve', Math.floor(places) - 1), 0);
  assert.equal(shares.admissionWaitMs('eve', Math.floor(places)), (DEAR / EXCESS_GAS_PER_SECOND) * 1_000);
  assert.equal(shares.admissionWaitMs('bob', 10_000), 0);
  pool.wait((SENDER_GAS_OWED_MAX / SENDER_GAS_PER_SECOND) * 1_000 + 1_000);
  pool.add('eve', RECORD);
  assert.equal(pool.block(), 'eve:r');
  assert.equal(shares.admissionWaitMs('eve', 10_000), 0);
});

test('as many senders as may wait are gone through in one turn, and who owes is not forgotten over it', async () => {
  const senders = 49_000;
  const shares = createGasShares({ monotonic: () => 0 }, () => true);
  const charge = (sender: string, gas: number) => shares.charge([{ sender, gasLimit: gas, gasUsed: gas }], 0);
  charge('bob', RECORD); // keeps within his own, so that all excess is bounded
  for (let i = 0; i < 10; i++) charge('eve', DEAR);
  const queues = new Map(Array.from({ length: senders }, (_, i) => [`s${i}`, [{ sender: `s${i}`, gasLimit: DEAR }]]));
  const hold = async (work: () => void) => (await leastHold(async () => work(), { boundMs: HOLD_MS_MAX, triesMax: 12 })).longestMs;
  const holds = {
    heldBack: await hold(() => assert.equal(shares.heldBack(queues), senders)),
    dueInMs: await hold(() => assert.ok(shares.dueInMs(queues, 'self') > 0)),
    turns: await hold(() => assert.deepEqual([...shares.turns(queues)], [])),
  };
  for (const [what, ms] of Object.entries(holds)) assert.ok(ms <= HOLD_MS_MAX, `${what}: ${ms.toFixed(1)} ms`);
  assert.ok(!shares.goesFirst({ sender: 'eve', gasLimit: RECORD }));
});

test('what no block may hold now takes no turn of its sender', () => {
  const shares = createGasShares({ monotonic: () => 0 }, () => true);
  shares.charge([{ sender: 'bob', gasLimit: RECORD, gasUsed: RECORD }], 0); // keeps within his own, so that all excess is bounded
  for (const [sender, gasUsed] of [
    ['eve', BULK_GAS_MAX],
    ['mal', DEAR],
  ] as const)
    shares.charge([{ sender, gasLimit: DEAR, gasUsed }], 0);
  const small = (sender: string) => ({ sender, gasLimit: EXCESS_GAS_PER_BLOCK });
  const queues = new Map([
    ['mal', [small('mal')]],
    ['eve', [{ sender: 'eve', gasLimit: DEAR }, small('eve')]],
  ]);
  assert.equal([...shares.turns(queues)][0]?.sender, 'eve', 'who used less goes first');
});
