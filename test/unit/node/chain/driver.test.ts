import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Effect, Engine, Input } from '../../../../consensus/index.ts';
import { encodeEngineData } from '../../../../consensus/pbft/engine-data.ts';
import {
  type ChainPort,
  createConsensusDriver,
  type Delivered,
  STRANGER_FRAMES_BURST,
  STRANGER_FRAMES_PER_SECOND,
} from '../../../../node/chain/driver.ts';
import { INBOX_FRAMES_PER_PEER_MAX } from '../../../../node/chain/frame-inbox.ts';
import { REPORTS_MAX } from '../../../../node/network/penalties.ts';
import type { AppendLog, Channel, World } from '../../../../node/world.ts';
import { SimKeys } from '../../../simulation/crypto.ts';
import { Fabric } from '../../../simulation/network.ts';
import { SeededRandom } from '../../../simulation/random.ts';
import { Scheduler } from '../../../simulation/scheduler.ts';
import { SimMachine } from '../../../simulation/world.ts';
import { CHAIN_ID, d, finality, GENESIS, PARAMETERS, validators } from '../../consensus/pbft/table.ts';

const bytes = (text: string) => new TextEncoder().encode(text);
const text = (data: Uint8Array) => new TextDecoder().decode(data);
const BLOCK: Delivered = {
  height: 1,
  digest: d('X'),
  finality: finality(0, 1, 'X'),
  validators: validators(),
  parameters: PARAMETERS,
};

/** The driver around an engine that does what the test says; `happened` is what the outside saw, in order. */
function rig(
  respond: (input: Input) => readonly Effect[],
  chain: Partial<ChainPort> = {},
  monotonic: (nowMs: number) => number = (nowMs) => nowMs,
  faultsSaid: readonly string[] = [],
  signatures: Engine['signatures'] = () => undefined,
  verify?: World['verifier']['verify'],
) {
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
    signatures,
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
      finality: undefined,
      parameters: PARAMETERS,
    },
    crypto: { hash: (data) => keys.hash(data), sign: () => new Uint8Array(), verify: () => false },
    world: {
      ...process.world,
      clock: { ...process.world.clock, monotonic: () => monotonic(process.world.clock.monotonic()) },
      ...(verify && {
        verifier: {
          verify,
          verifyAll: (checks) => Promise.all(checks.map((check) => verify(check.suite, check.publicKey, check.message, check.signature))),
          stop: async () => undefined,
        },
      }),
    },
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
      build: () => Promise.resolve({ digest: d('X'), proposal: bytes('X'), more: false }),
      execute: () => Promise.resolve({ code: 'OK', parent: GENESIS }),
      commit: () => Promise.resolve(BLOCK),
      durable: () => Promise.resolve(),
      head: ({ height }) => void happened.push(`head ${height}`),
      search: (task) => Promise.resolve(task),
      sync: () => {},
      handOver: (primary) => void happened.push(`hands over to ${primary}`),
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
const execute: Effect = {
  kind: 'execute',
  height: 1,
  engineData: encodeEngineData(0),
  digest: d('X'),
  proposal: bytes('X'),
  from: 'b',
  fresh: true,
};

test('nothing leaves before the records of the turn are on disk, in one append', async () => {
  const { driver, happened, scheduler } = rig(onWork(broadcast('first'), persist('r1'), broadcast('vote'), persist('r2')));
  driver.start();
  driver.workWaiting(true);
  await scheduler.run(5);
  assert.deepEqual(happened, ['append r1,r2', 'broadcast first', 'broadcast vote']);
});

test('what nobody sees begins before the log is written: the executor is at work while the disk is', async () => {
  const begun: string[] = [];
  const { driver, happened, inputs, scheduler } = rig(onWork(persist('r'), broadcast('vote'), execute), {
    execute: () => {
      begun.push(...happened, 'execute');
      return Promise.resolve({ code: 'OK', parent: GENESIS });
    },
  });
  driver.start();
  driver.workWaiting(true);
  await scheduler.run(5);
  assert.deepEqual(begun, ['execute']);
  assert.deepEqual(happened, ['append r', 'broadcast vote']);
  assert.equal(inputs.filter(({ kind }) => kind === 'executed').length, 1);
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
  const { driver, happened, scheduler } = rig(onWork(persist('r1')), {}, undefined, ['VOTE_LOG_UNWRITABLE', 'BLOCK_NOT_STORED']);
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

test('nothing is signed before the blocks that it rests on are on disk', async () => {
  let onDisk: () => void = () => {};
  const { driver, happened, scheduler } = rig(onWork(persist('r1'), broadcast('vote')), {
    durable: () =>
      new Promise((resolve) => {
        onDisk = resolve;
      }),
  });
  driver.start();
  driver.workWaiting(true);
  await scheduler.run(100);
  assert.deepEqual(happened, []);
  onDisk();
  driver.workWaiting(false);
  await scheduler.run(200);
  assert.deepEqual(happened, ['append r1', 'broadcast vote']);
});

test('a commit that fails is tried again, and its block comes back as an input once', async () => {
  let attempts = 0;
  const { driver, inputs, scheduler } = rig(onWork({ kind: 'commit', height: 1, digest: d('X'), finality: BLOCK.finality }), {
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

test('what waits is handed over when the engine says so, to whom it names', async () => {
  const { driver, happened, scheduler } = rig(onWork({ kind: 'handOver', to: 'b' }));
  driver.start();
  driver.workWaiting(true);
  await scheduler.run(10);
  assert.deepEqual(happened, ['hands over to b']);
});

test('a block that leads is told after the records of its turn, and is not stored', async () => {
  const { driver, happened, inputs, scheduler } = rig(onWork({ kind: 'head', height: 1, digest: d('X') }, persist('record')));
  driver.start();
  driver.workWaiting(true);
  await scheduler.run(10);
  assert.deepEqual(happened, ['append record', 'head 1']);
  assert.deepEqual(
    inputs.filter((input) => input.kind === 'delivered'),
    [],
  );
});

test('what a worker found comes back with its task, and without an answer when the search failed', async () => {
  const search: Effect[] = ['one', 'two'].map((task) => ({ kind: 'search', task: bytes(task) }));
  const { driver, inputs, scheduler } = rig(onWork(...search), {
    search: (task) => (text(task) === 'one' ? Promise.resolve(bytes('nonce')) : Promise.reject(new Error('no'))),
  });
  driver.start();
  driver.workWaiting(true);
  await scheduler.run(10);
  assert.deepEqual(
    inputs.flatMap((input) => (input.kind === 'searched' ? [[text(input.task), input.found && text(input.found)]] : [])),
    [
      ['one', 'nonce'],
      ['two', undefined],
    ],
  );
});

test('builds and executions that throw come back as codes', async () => {
  const build: Effect = { kind: 'build', height: 1, engineData: encodeEngineData(0), parent: GENESIS, emptyAllowed: true };
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

test('whatever the others send, votes of an honest validator are read in the next turn, and ticks and results of this node before them', async () => {
  const { driver, inputs, scheduler, frame } = rig(() => []);
  driver.start();
  await scheduler.run(5);
  inputs.length = 0;
  for (let i = 0; i < 3 * INBOX_FRAMES_PER_PEER_MAX; i++)
    for (const from of ['b', 'c', ...Array.from({ length: 20 }, (_, n) => `stranger${n}`)]) frame(from, `${i}`);
  frame('d', 'vote');
  driver.workWaiting(true);
  await scheduler.run(30);
  assert.equal(inputs[0]?.kind, 'work');
  const at = inputs.findIndex((input) => input.kind === 'message' && input.from === 'd');
  assert.ok(at > 0 && at < 10, `read as number ${at}`);
  assert.ok(inputs.some((input) => input.kind === 'tick'));
});

test('a turn ends when it has taken its time, and lets others in before the next', async () => {
  let stepsMs = 0;
  const { driver, inputs, scheduler, frame } = rig(
    () => {
      stepsMs += 3;
      return [];
    },
    {},
    (nowMs) => nowMs + stepsMs,
  );
  driver.start();
  await scheduler.run(1);
  inputs.length = 0;
  for (let i = 0; i < 256; i++) frame('b', `${i}`);
  for (let i = 0; i < 10_000; i++) await undefined; // all that can happen before a timer or a socket has its turn
  assert.equal(inputs.length, 4);
  await scheduler.run(300);
  assert.equal(inputs.filter((input) => input.kind === 'message').length, 256);
});

test('a node that is no validator pays for a flood of consensus messages, whatever they say', async () => {
  const { driver, happened, inputs, scheduler, frame } = rig(() => []);
  driver.start();
  for (let tenth = 1; tenth <= 150; tenth++) {
    for (let i = 0; i < 200; i++) for (const from of ['stranger', 'b']) frame(from, `${i}`);
    await scheduler.run(tenth * 100);
  }
  const reports = happened.filter((line) => line.startsWith('report'));
  assert.ok(reports.length >= REPORTS_MAX, `${reports.length} reports`);
  assert.deepEqual(new Set(reports), new Set(['report stranger PEER_NOT_VALIDATOR']));
  const read = inputs.filter((input) => input.kind === 'message' && input.from === 'stranger').length;
  assert.ok(read <= STRANGER_FRAMES_BURST + 15 * STRANGER_FRAMES_PER_SECOND, `${read} read`);
});

test('a validator just voted out or in, which one of us does not know yet, is never reported: not for minutes, nor for what piled up', async () => {
  const { driver, happened, scheduler, frame } = rig(() => []);
  driver.start();
  driver.delivered({ ...BLOCK, validators: validators().filter(({ node }) => node !== 'd') });
  for (let i = 0; i < STRANGER_FRAMES_BURST; i++) frame('d', `${i}`); // this node was held, or the link was
  for (let tick = 1; tick <= 120 * 20; tick++) {
    await scheduler.run(tick * 50);
    for (let i = 0; i < 6; i++) frame('d', `${i}`); // all it can repeat, at the shortest interval there is
  }
  assert.deepEqual(happened, []);
  for (let i = 0; i < 10 * STRANGER_FRAMES_BURST; i++) frame('d', `${i}`);
  assert.ok(happened.length < REPORTS_MAX / 10);
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
  const { driver, inputs, scheduler } = rig(onWork({ kind: 'commit', height: 1, digest: d('X'), finality: BLOCK.finality }), {
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

test('signatures of a long frame are checked by the pool, up to the first false one, while other frames go on', async () => {
  const answers: ((valid: boolean) => void)[] = [];
  const check = (n: number) => ({ suite: 1, publicKey: bytes('key'), message: bytes('m'), signature: bytes(`${n}`) });
  const long = (frame: Uint8Array) => (text(frame).startsWith('long') ? Array.from({ length: 200 }, (_, n) => check(n)) : undefined);
  const verify = () => new Promise<boolean>((resolve) => answers.push(resolve));
  const { driver, frame, inputs, scheduler } = rig(() => [], {}, undefined, [], long, verify);
  const heard = () => inputs.flatMap((input) => (input.kind === 'message' ? [`${text(input.bytes)} ${input.valid?.length ?? '-'}`] : []));
  driver.start();
  frame('b', 'long 1');
  frame('c', 'long 2');
  frame('b', 'vote 1');
  await scheduler.run(5);
  assert.deepEqual([heard(), answers.length], [['vote 1 -'], 64], 'one long frame at a time, a batch of it at a time');
  for (const answer of answers.splice(0)) answer(true);
  await scheduler.run(10);
  assert.equal(answers.length, 64);
  for (const [n, answer] of answers.splice(0).entries()) answer(n !== 9);
  await scheduler.run(15);
  frame('d', 'vote 2');
  await scheduler.run(20);
  assert.deepEqual(heard(), ['vote 1 -', 'long 1 127', 'vote 2 -'], 'what holds is handed in, the rest is left to the engine');
  for (let n = 0; n < 4; n++) {
    for (const answer of answers.splice(0)) answer(true);
    await scheduler.run(30 + n);
  }
  assert.equal(heard().at(-1), 'long 2 200');
});
