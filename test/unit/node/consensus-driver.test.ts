import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Effect, Engine, Input } from '../../../consensus/index.ts';
import { type ChainPort, createConsensusDriver, type Delivered, INBOX_FRAMES_PER_PEER_MAX } from '../../../node/consensus-driver.ts';
import type { AppendLog, Channel } from '../../../node/world.ts';
import { SimKeys } from '../../simulation/crypto.ts';
import { Fabric } from '../../simulation/network.ts';
import { SeededRandom } from '../../simulation/random.ts';
import { Scheduler } from '../../simulation/scheduler.ts';
import { SimMachine } from '../../simulation/world.ts';
import { certificate, CHAIN_ID, d, GENESIS, PARAMETERS, validators } from '../consensus/pbft/table.ts';

const bytes = (text: string) => new TextEncoder().encode(text);
const text = (data: Uint8Array) => new TextDecoder().decode(data);
const BLOCK: Delivered = {
  height: 1,
  digest: d('X'),
  certificate: certificate('commit', 0, 1, 'X'),
  validators: validators(),
  parameters: PARAMETERS,
};

/** The driver around an engine that does what the test says; `happened` is what the outside saw, in order. */
function rig(respond: (input: Input) => readonly Effect[], chain: Partial<ChainPort> = {}, faultsSaid: readonly string[] = []) {
  const scheduler = new Scheduler();
  const random = new SeededRandom(1);
  const keys = new SimKeys(random, 255);
  const fabric = new Fabric(scheduler, random);
  const machine = new SimMachine({ node: 'a', scheduler, fabric, crypto: keys, random, say: () => {}, skewMaxMs: 0 });
  const process = machine.boot();
  const happened: string[] = [];
  const inputs: Input[] = [];
  let broken = false;
  const voteLog: AppendLog = {
    records: [],
    append: (records) => {
      if (broken) return Promise.reject(Object.assign(new Error('full'), { code: 'STORE_FULL' }));
      return new Promise((resolve) =>
        process.world.timers.after(1, () => {
          happened.push(`append ${records.map(text)}`);
          resolve();
        }),
      );
    },
    rewrite: (records) => {
      happened.push(`rewrite ${records.map(text)}`);
      return Promise.resolve();
    },
    close: () => Promise.resolve(),
  };
  let onFrame: (from: string, channel: Channel, frame: Uint8Array) => void = () => {};
  const engine: Engine = {
    name: 'test',
    step: (input) => {
      inputs.push(input);
      return respond(input);
    },
    status: () => {
      throw new Error('not asked for here');
    },
  };
  const driver = createConsensusDriver({
    engine: 'test',
    create: () => engine,
    start: {
      chainId: CHAIN_ID,
      self: 'a',
      validators: validators(),
      height: 0,
      digest: GENESIS,
      certificate: undefined,
      parameters: PARAMETERS,
    },
    crypto: { hash: (data) => keys.hash(data), sign: () => new Uint8Array(), verify: () => false },
    world: process.world,
    faultsSaid,
    network: {
      send: (to, _, frame) => {
        happened.push(`send ${to} ${text(frame)}`);
        return true;
      },
      broadcast: (_, frame) => void happened.push(`broadcast ${text(frame)}`),
      onFrame: (handler) => {
        onFrame = handler;
      },
      report: (node, code) => void happened.push(`report ${node} ${code}`),
    },
    voteLog,
    chain: {
      build: () => Promise.resolve({ digest: d('X'), proposal: bytes('X') }),
      execute: () => Promise.resolve({ code: 'OK', parent: GENESIS }),
      commit: () => Promise.resolve(BLOCK),
      sync: () => {},
      evidence: () => {},
      note: (event, fields) => void happened.push(`note ${event} ${fields.fault ?? ''}`),
      ...chain,
    },
  });
  return {
    driver,
    happened,
    inputs,
    scheduler,
    frame: (from: string, content: string, channel: Channel = 'votes') => onFrame(from, channel, bytes(content)),
    breakLog: (state: boolean) => {
      broken = state;
    },
  };
}

/** Answers `work` with the given effects, and nothing else. */
const onWork =
  (...effects: Effect[]) =>
  (input: Input) =>
    input.kind === 'work' ? effects : [];
const persist = (content: string): Effect => ({ kind: 'persist', record: bytes(content) });
const broadcast = (content: string): Effect => ({ kind: 'broadcast', bytes: bytes(content) });

test('nothing leaves before the records of the turn are on disk, in one append', async () => {
  const { driver, happened, scheduler } = rig(onWork(broadcast('first'), persist('r1'), broadcast('vote'), persist('r2')));
  driver.start();
  driver.workWaiting(true);
  await scheduler.run(5);
  assert.deepEqual(happened, ['append r1,r2', 'broadcast first', 'broadcast vote']);
});

test('a truncation replaces what the turn persisted before it and keeps what came after', async () => {
  const { driver, happened, scheduler } = rig(onWork(persist('old'), { kind: 'truncate', keep: [bytes('kept')] }, persist('new')));
  driver.start();
  driver.workWaiting(true);
  await scheduler.run(5);
  assert.deepEqual(happened, ['rewrite kept,new']);
});

test('a vote log that cannot be written stops the votes and not the process; when it can, they leave in order', async () => {
  const { driver, happened, scheduler, breakLog } = rig(onWork(persist('r1'), broadcast('vote')));
  driver.start();
  breakLog(true);
  driver.workWaiting(true);
  await scheduler.run(2_500);
  assert.deepEqual(happened, ['note consensus fault VOTE_LOG_UNWRITABLE']);
  assert.equal(driver.fault(), 'VOTE_LOG_UNWRITABLE');
  breakLog(false);
  await scheduler.run(4_000);
  assert.deepEqual(happened.slice(1), ['append r1', 'note consensus fault over VOTE_LOG_UNWRITABLE', 'broadcast vote']);
  assert.equal(driver.fault(), undefined);
});

test('a fault that was said before the start is over once what failed then has worked', async () => {
  const { driver, happened, scheduler } = rig(onWork(persist('r1')), {}, ['VOTE_LOG_UNWRITABLE', 'BLOCK_NOT_STORED']);
  driver.start();
  driver.workWaiting(true);
  await scheduler.run(5);
  driver.workWaiting(false);
  await scheduler.run(50);
  const over = 'note consensus fault over VOTE_LOG_UNWRITABLE';
  assert.deepEqual(happened, ['append r1', over, 'append r1'], 'once, and nothing of the other');
});

test('a vote not written when the node stops never leaves', async () => {
  const { driver, happened, scheduler, breakLog } = rig(onWork(persist('r1'), broadcast('vote')));
  driver.start();
  breakLog(true);
  driver.workWaiting(true);
  await scheduler.run(100);
  let stopped = false;
  void driver.stop().then(() => {
    stopped = true;
  });
  await scheduler.run(20_000, () => stopped);
  assert.ok(stopped);
  assert.ok(!happened.includes('broadcast vote'));
});

test('a commit that fails is tried again, and its block comes back as an input once', async () => {
  let attempts = 0;
  const { driver, inputs, scheduler } = rig(onWork({ kind: 'commit', height: 1, digest: d('X'), certificate: BLOCK.certificate }), {
    commit: () => (++attempts < 3 ? Promise.reject(new Error('full')) : Promise.resolve(BLOCK)),
  });
  driver.start();
  driver.workWaiting(true);
  await scheduler.run(1_500);
  assert.equal(driver.fault(), 'BLOCK_NOT_STORED');
  await scheduler.run(5_000);
  assert.equal(attempts, 3);
  assert.equal(inputs.filter((input) => input.kind === 'delivered').length, 1);
});

test('a driver is behind by what the engine has asked sync for, until it is final', async () => {
  const { driver, scheduler } = rig(onWork({ kind: 'sync', height: 3, from: ['b'] }));
  driver.start();
  assert.equal(driver.behind(), 0);
  driver.workWaiting(true);
  await scheduler.run(5);
  assert.equal(driver.behind(), 3);
  driver.delivered(BLOCK);
  assert.equal(driver.behind(), 2);
  driver.delivered({ ...BLOCK, height: 4 });
  assert.equal(driver.behind(), 0);
});

test('builds and executions that throw come back as codes', async () => {
  const build: Effect = { kind: 'build', height: 1, view: 0, parent: GENESIS, emptyAllowed: true };
  const execute: Effect = { kind: 'execute', height: 1, view: 0, digest: d('X'), proposal: bytes('X'), from: 'b', fresh: true };
  const { driver, inputs, scheduler } = rig(onWork(build, execute), {
    build: () => Promise.reject(Object.assign(new Error('no'), { code: 'STORE_FULL' })),
    execute: () => Promise.reject(new Error('no')),
  });
  driver.start();
  driver.workWaiting(true);
  await scheduler.run(5);
  assert.deepEqual(
    inputs.flatMap((input) => (input.kind === 'notBuilt' || input.kind === 'executed' ? [`${input.kind} ${input.code}`] : [])),
    ['notBuilt STORE_FULL', 'executed INTERNAL'],
  );
});

test('one peer fills its own share of the inbox and not that of others', async () => {
  const { driver, inputs, scheduler, frame } = rig(() => []);
  driver.start();
  for (let i = 0; i < INBOX_FRAMES_PER_PEER_MAX + 100; i++) frame('b', `b${i}`);
  frame('c', 'c');
  frame('c', 'other channel', 'bulk');
  await scheduler.run(5);
  const frames = inputs.filter((input) => input.kind === 'message');
  assert.equal(frames.length, INBOX_FRAMES_PER_PEER_MAX + 1);
  assert.equal(driver.framesDropped, 100);
});

test('a rejected message counts against its peer, an ignored one does not', async () => {
  const respond = (input: Input): Effect[] =>
    input.kind === 'message' ? [{ kind: 'drop', code: 'PBFT_MALFORMED', from: input.from, verdict: text(input.bytes) as 'ignore' }] : [];
  const { driver, happened, scheduler, frame } = rig(respond);
  driver.start();
  frame('b', 'reject');
  frame('c', 'ignore');
  await scheduler.run(5);
  assert.deepEqual(happened, ['report b PBFT_MALFORMED']);
});

test('a graceful stop waits for the commit under way and hands its block to the engine', async () => {
  let store: () => void = () => {};
  const stored = new Promise<void>((resolve) => {
    store = resolve;
  });
  const { driver, inputs, scheduler } = rig(onWork({ kind: 'commit', height: 1, digest: d('X'), certificate: BLOCK.certificate }), {
    commit: () => stored.then(() => BLOCK),
  });
  driver.start();
  driver.workWaiting(true);
  await scheduler.run(5);
  let stopped = false;
  void driver.stop().then(() => {
    stopped = true;
  });
  await scheduler.run(50);
  assert.equal(stopped, false);
  store();
  await scheduler.run(100);
  assert.equal(stopped, true);
  assert.equal(inputs.at(-1)?.kind, 'delivered');
});

test('ticks come at least every 20 ms and one waits at a time', async () => {
  const { driver, inputs, scheduler } = rig(() => []);
  driver.start();
  await scheduler.run(205);
  assert.equal(inputs.filter((input) => input.kind === 'tick').length, 11);
});
