import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseSteps } from '../../../../node/records/formats/index.ts';
import { RUNS_PER_TURN } from '../../../../node/pace/turns.ts';
import {
  createPaced,
  createPause,
  createSlices,
  LONG_WORK_MS,
  SLICE_MS,
  SLICED_JOBS_MAX,
  WAITING_JOBS_MAX,
} from '../../../../node/pace/slices.ts';
import { createTestWorld } from '../../api/stand-in-world.ts';
import { leastHold } from '../../api/rest/thread-hold.ts';
import { ManualHeadroom, ManualTime } from '../memory-world.ts';
import { world as realWorld } from '../peers/stand-in.ts';

/** A clock that each look moves on by a millisecond, and turns that the test takes one by one. */
function rig() {
  let nowMs = 0;
  const turns: (() => void)[] = [];
  const after = (_ms: number, run: () => void): (() => void) => {
    turns.push(run);
    return () => {};
  };
  const inSlices = createSlices({ clock: { monotonic: () => nowMs++ }, timers: { after } });
  return { turns, inSlices };
}

/** The same with a time that stands still between two steps of work, and headroom. */
function restingRig(part: number) {
  const time = new ManualTime();
  const inSlices = createSlices({ clock: time, timers: time }, new ManualHeadroom(part));
  const startedMs: number[] = [];
  function* job(steps: number): Generator<void, string, void> {
    for (let i = 0; i < steps; i++) {
      startedMs.push(time.nowMs);
      time.nowMs += SLICE_MS; // a step takes a slice
      yield;
    }
    return 'done';
  }
  return { time, inSlices, job, startedMs };
}

function* work(name: string, steps: number, done: string[]): Generator<void, string, void> {
  for (let i = 0; i < steps; i++) {
    done.push(name);
    yield;
  }
  return name;
}

test('no turn takes more than one slice, and bodies take turns', async () => {
  const { turns, inSlices } = rig();
  const done: string[] = [];
  const ended = [inSlices(work('long', 100, done)), inSlices(work('short', 3, done)), inSlices(work('other', 100, done))];
  assert.deepEqual(done, Array<string>(SLICE_MS).fill('long'), 'what waits behind another does not start in the same turn');
  for (let before = done.length; turns.length > 0; before = done.length) {
    assert.equal(turns.length, 1, 'one turn is due at a time');
    turns.shift()!();
    assert.ok(done.length - before <= SLICE_MS);
  }
  assert.deepEqual(await Promise.all(ended), ['long', 'short', 'other']);
  assert.ok(done.indexOf('short') <= 2 * SLICE_MS);
});

test('a turn takes up what fits its slice, so that short work that had to wait once is not outrun by what comes', async () => {
  const time = new ManualTime();
  const inSlices = createSlices({ clock: time, timers: time });
  const COUNT = 2 * RUNS_PER_TURN;
  void inSlices(rigSteps(time, 2).steps()); // the slice of this turn
  let done = 0;
  for (let i = 0; i < COUNT; i++) void inSlices(work('short', 1, [])).then(() => done++);
  await new Promise(setImmediate);
  assert.equal(done, 0);
  for (let turn = 0; turn < 2 + COUNT / RUNS_PER_TURN; turn++) {
    const before = done;
    time.advance(1);
    await new Promise(setImmediate);
    assert.ok(done - before <= RUNS_PER_TURN);
  }
  assert.equal(done, COUNT);
});

test('more bodies than may wait are refused, and a failing one keeps nobody', async () => {
  const { turns, inSlices } = rig();
  const failing = inSlices(
    // biome-ignore lint/correctness/useYield: it fails at once
    (function* (): Generator<void, string, void> {
      throw new Error('torn');
    })(),
  );
  await assert.rejects(failing, /torn/);
  const ended = Array.from({ length: SLICED_JOBS_MAX }, () => inSlices(work('a', 60, [])));
  const short = inSlices(work('b', 1, []));
  for (let slices = 0; slices <= (SLICED_JOBS_MAX + 1) * (LONG_WORK_MS / SLICE_MS); slices++) turns.shift()!();
  assert.equal(await short, 'b', 'nothing was long when it came');
  await assert.rejects(inSlices(work('b', 1, [])), { code: 'SERVER_BUSY' });
  const owed = inSlices(work('c', 1, []), true);
  while (turns.length > 0) turns.shift()!();
  assert.equal(await owed, 'c', 'what tells of work that is done');
  assert.equal((await Promise.all(ended)).length, SLICED_JOBS_MAX);
});

test('as many short calls as a block answers come at once, and there is an end to them', async () => {
  const { turns, inSlices } = rig();
  const ended = Array.from({ length: WAITING_JOBS_MAX + 1 }, () => inSlices(work('a', SLICE_MS + 1, []))); // the first runs on as far as its slice
  await assert.rejects(inSlices(work('b', 1, [])), { code: 'SERVER_BUSY' });
  await assert.rejects(ended.pop()!, { code: 'SERVER_BUSY' });
  while (turns.length > 0) turns.shift()!();
  assert.equal((await Promise.all(ended)).length, WAITING_JOBS_MAX);
});

test('long work rests between its slices as the headroom says, and short work that comes meanwhile waits for none of it', async () => {
  const PART = 1 / 8;
  const restMs = SLICE_MS / PART - SLICE_MS;
  const { time, inSlices, job, startedMs } = restingRig(PART);
  const long = inSlices(job(6));
  while (startedMs.length < 4) time.advance(1);
  const gaps = startedMs.map((ms, i) => (i === 0 ? 0 : ms - startedMs[i - 1]! - SLICE_MS));
  const shortSlices = LONG_WORK_MS / SLICE_MS;
  assert.ok(gaps.slice(0, shortSlices).every((gap) => gap <= 1) && gaps[shortSlices]! >= restMs, `${gaps}`);
  const other = rigSteps(time, 2);
  const beganMs = time.nowMs;
  const short = inSlices(other.steps());
  for (let ms = 0; ms < restMs / 2 && !other.done; ms++) time.advance(1);
  assert.equal(await short, 'short');
  assert.ok(time.nowMs - beganMs < restMs, 'the short one ended within the rest of the long one');
  assert.equal(startedMs.length, 4, 'which rested on');
  while (startedMs.length < 6) time.advance(1);
  time.advance(restMs);
  assert.equal(await long, 'done');
  assert.ok(startedMs[5]! - startedMs[4]! >= restMs);
});

test('long work has its turns however much short work comes', async () => {
  const { time, inSlices, job, startedMs } = restingRig(1);
  const LONG_STEPS = 10;
  const long = inSlices(job(LONG_STEPS));
  for (let turn = 0; turn < 4 * LONG_STEPS; turn++) {
    for (let i = 0; i < 2; i++) void inSlices(rigSteps(time, 2).steps()).catch(() => undefined); // more than the thread can do
    time.advance(1);
  }
  assert.ok(startedMs.length > LONG_WORK_MS / SLICE_MS, `${startedMs.length} slices`);
  for (let turn = 0; turn < 40 * LONG_STEPS; turn++) time.advance(1);
  assert.equal(await long, 'done');
});

test('whatever long work is under way takes one slice a turn together', async () => {
  let nowMs = 0;
  const due: (() => void)[] = [];
  const after = (_ms: number, run: () => void): (() => void) => {
    due.push(run);
    return () => void due.splice(due.indexOf(run) >>> 0, 1);
  };
  const world = { clock: { monotonic: () => nowMs }, timers: { after } };
  const STEPS = 20;
  function* steps(): Generator<void, void, void> {
    for (let i = 0; i < STEPS; i++) {
      nowMs++;
      yield;
    }
  }
  const pausing = async (): Promise<void> => {
    const pause = createPause(world);
    for (let i = 0; i < STEPS; i++) {
      nowMs++;
      await pause();
    }
  };
  const jobs = [
    ...Array.from({ length: 5 }, pausing),
    createSlices(world)(steps()),
    createSlices(world)(steps()),
    createPaced(world)(steps()),
  ];
  let done = false;
  const ended = Promise.all(jobs).then(() => {
    done = true;
  });
  let longestMs = 0;
  await new Promise(setImmediate); // what follows from their beginning, in its own turn
  while (!done) {
    const before = nowMs;
    for (const run of due.splice(0)) {
      run();
      await new Promise(setImmediate); // all that follows from it
    }
    longestMs = Math.max(longestMs, nowMs - before);
    assert.ok(done || due.length > 0, 'the next turn is due');
  }
  await ended;
  assert.equal(nowMs, STEPS * jobs.length);
  assert.ok(longestMs <= SLICE_MS + 1, `${longestMs} ms in one turn`);
});

test('ten pieces of long work at once hold the thread for at most 20 ms', async () => {
  const spin = (ms: number): void => {
    for (const end = performance.now() + ms; performance.now() < end; );
  };
  const pausing = async (): Promise<void> => {
    const pause = createPause(realWorld);
    for (let i = 0; i < 40; i++) {
      spin(1);
      await pause();
    }
  };
  const { longestMs } = await leastHold(async () => void (await Promise.all(Array.from({ length: 10 }, pausing))), {
    boundMs: 20,
    triesMax: 8,
  });
  assert.ok(longestMs <= 20, `${longestMs.toFixed(1)} ms`);
});

/** Short work: so many steps of a slice each. */
function rigSteps(time: ManualTime, count: number) {
  const state = {
    done: false,
    *steps(): Generator<void, string, void> {
      for (let i = 0; i < count; i++) {
        time.nowMs += SLICE_MS;
        yield;
      }
      state.done = true;
      return 'short';
    },
  };
  return state;
}

test('the event loop turns while a large body of each format is read', { timeout: 300_000 }, async () => {
  const world = createTestWorld();
  const inSlices = createSlices(world);
  const filler = 'x'.repeat(400);
  const bodies = {
    csv: `a,b,c\n${`${filler},2,"3"\n`.repeat(9_000)}`,
    json: `[${`{"a":"${'\\u0041\\n'.repeat(50)}","b":"2"},`.repeat(9_000)}{}]`,
    xml: `<records>${`<record><a>${filler}&amp;</a><b>2</b></record>`.repeat(9_000)}</records>`,
  };
  for (const [format, text] of Object.entries(bodies)) {
    let turns = 0;
    const tick = setInterval(() => turns++, 1);
    const body = await inSlices(parseSteps(format as 'csv', new TextEncoder().encode(text)));
    clearInterval(tick);
    assert.ok(body.ok && body.records.length >= 9_000, format);
    assert.ok(turns >= 2, `${format}: ${turns} turns`);
  }
});

test('what a piece of work waits for is no time of the thread, and its own steps are', async () => {
  const time = new ManualTime();
  const pause = createPause({ clock: time, timers: time });
  const paced = createPaced({ clock: time, timers: time });
  function* short(): Generator<void, string, void> {
    yield;
    return 'at once';
  }
  time.nowMs++;
  await pause();
  time.advance(100); // for the disk
  await pause();
  assert.equal(paced(short()), 'at once');
  time.nowMs += SLICE_MS;
  void pause();
  assert.ok(paced(short()) instanceof Promise, 'the slice of this turn is used');
});
