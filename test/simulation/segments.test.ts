/** The segment files on the simulator's disk, from a seed: crashes, lost sectors, a full disk, flipped bits and lost files in any order. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Frame, type LocatedFrame, offsetOf, openSegmentStore, segmentOf, type SegmentStore } from '../../node/store/index.ts';
import { SimDisk, simDirectory } from './disk.ts';
import { SeededRandom } from './random.ts';
import { Scheduler } from './scheduler.ts';

const SEEDS = 25;
const STEPS = 40;
const SEGMENT_BYTES = 12_000;
const CHAIN_ID = new Uint8Array(32).fill(3);

interface Stored {
  readonly frames: readonly Frame[];
  locations: readonly number[];
}

async function run(seed: number): Promise<string> {
  const random = new SeededRandom(seed);
  const scheduler = new Scheduler();
  const disk = new SimDisk();
  const said: string[] = [];
  /** Groups that were acknowledged, and the one whose append was under way when the process died. */
  let held: Stored[] = [];
  let underWay: Stored | undefined;
  let height = 0;
  let alive = { is: true };

  async function boot(): Promise<SegmentStore> {
    alive = { is: true };
    const process = alive;
    const later = (ms: number, then: () => void) => void scheduler.after(ms, () => process.is && then());
    const timers = { after: (ms: number, then: () => void) => scheduler.after(ms, then), every: () => () => undefined };
    const world = { random: { bytes: (count: number) => random.bytes(count) }, timers };
    const directory = simDirectory(disk, 'segments', random, later);
    return soon(openSegmentStore({ directory, chainId: CHAIN_ID, world, segmentBytes: SEGMENT_BYTES }));
  }

  /** The store after a crash in the next moments, whatever is under way. */
  async function crashed(): Promise<SegmentStore> {
    await scheduler.run(scheduler.nowMs + random.ratio() * 3);
    alive.is = false;
    disk.crash(random);
    const store = await boot();
    assert.deepEqual(store.opened.damage, [], `seed ${seed}: ${said.join(', ')}`);
    return store;
  }

  /** Lets time pass until the promise has come to something. */
  async function soon<T>(promise: Promise<T>): Promise<T> {
    let done = false;
    const settled = promise.finally(() => {
      done = true;
    });
    settled.catch(() => undefined);
    const tick = () => void (done || scheduler.after(0.5, tick)); // long chains of promises go on with the next event
    tick();
    assert.ok(await scheduler.run(scheduler.nowMs + 60_000, () => done), 'it ends');
    return settled;
  }

  async function frames(store: SegmentStore): Promise<LocatedFrame[]> {
    const found: LocatedFrame[] = [];
    await soon(
      (async () => {
        for await (const item of store.scan()) if (!('bytes' in item)) found.push(item);
      })(),
    );
    return found;
  }

  async function check(store: SegmentStore, lost: ReadonlySet<number> = new Set()): Promise<void> {
    const found = await frames(store);
    if (underWay) {
      const whole = found.slice(held.flatMap((group) => group.locations).filter((location) => !lost.has(location)).length);
      if (whole.length > 0) held.push({ ...underWay, locations: whole.map(({ location }) => location) });
      underWay = undefined;
    }
    const wanted = held.flatMap((group) => group.frames.map((frame, i) => ({ ...frame, location: group.locations[i]! })));
    assert.deepEqual(
      found.map(({ location, height: at, kind }) => [location, at, kind]),
      wanted.filter(({ location }) => !lost.has(location)).map(({ location, height: at, kind }) => [location, at, kind]),
      `seed ${seed}: ${said.join(', ')}`,
    );
    for (const frame of wanted)
      if (lost.has(frame.location)) await assert.rejects(soon(store.read(frame.location)), { code: 'STORE_DAMAGED' });
      else assert.deepEqual((await soon(store.read(frame.location))).payload, frame.payload);
  }

  /** Puts back what was lost, as peers would give it. */
  async function mend(store: SegmentStore, lost: ReadonlySet<number>): Promise<void> {
    for (const group of held)
      for (const [i, location] of group.locations.entries()) if (lost.has(location)) await soon(store.rewrite(location, group.frames[i]!));
    await check(store);
  }

  function newGroup(): Frame[] {
    height++;
    return Array.from({ length: random.integer(1, 4) }, (_, i) => ({
      kind: i + 1,
      height,
      payload: random.chance(0.1) ? new Uint8Array(random.integer(0, 1_500)) : random.bytes(random.integer(0, 1_500)),
    }));
  }

  let store = await boot();
  for (let step = 0; step < STEPS; step++) {
    const act = random.integer(0, 11);
    const files = disk.directories.get('segments')!;
    const older = held.slice(0, -1).flatMap((group) => group.locations);
    if (act <= 4) {
      const group = newGroup();
      disk.full = random.chance(0.1);
      said.push(`append ${height}${disk.full ? ' full' : ''}`);
      const answer = await soon(store.append(group)).catch((error: { code?: string }) => error.code);
      if (typeof answer === 'string' || answer === undefined) assert.equal(answer, 'STORE_FULL');
      else held.push({ frames: group, locations: answer });
      disk.full = false;
    } else if (act <= 6) {
      const group = newGroup();
      said.push(`crash in ${height}`);
      underWay = { frames: group, locations: [] };
      void store.append(group).catch(() => undefined);
      store = await crashed();
      await check(store);
    } else if (act === 7 && older.length > 0) {
      const location = random.pick(older);
      said.push(`flip in ${location}`);
      files.flip(
        `${String(segmentOf(location)).padStart(8, '0')}.segment`,
        offsetOf(location) + random.integer(0, 31),
        1 << random.integer(0, 7),
      );
      store = await reopened(store);
      const lost = new Set([location]);
      await check(store, lost);
      await mend(store, lost);
    } else if (act === 8 && older.length > 0 && segmentOf(older[0]!) < segmentOf(store.end)) {
      const number = segmentOf(older[0]!);
      said.push(`remove ${number}`);
      files.carryOut({ kind: 'remove', name: `${String(number).padStart(8, '0')}.segment` });
      store = await reopened(store);
      const lost = new Set(held.flatMap((group) => group.locations).filter((location) => segmentOf(location) === number));
      await check(store, lost);
      await mend(store, lost);
    } else if (act >= 10 && store.closed.length > 0) {
      const { number } = random.pick(store.closed);
      const crashes = random.chance(0.5);
      said.push(`sweep ${number}${crashes ? ' and crash' : ''}`);
      const sweeping = store.sweep(number);
      if (crashes) {
        sweeping.catch(() => undefined);
        store = await crashed();
      } else await soon(sweeping);
      const isSwept = store.closed.every((closed) => closed.number !== number);
      assert.ok(crashes || isSwept);
      if (isSwept) held = held.filter((group) => segmentOf(group.locations[0]!) !== number);
      await check(store);
    } else if (held.length > 6) {
      const below = held[held.length - 4]!.frames[0]!.height;
      said.push(`prune ${below}`);
      await soon(store.prune(below));
      const first = (await frames(store))[0]!.location;
      held = held.filter((group) => group.locations[0]! >= first);
      assert.ok(held.some((group) => group.frames[0]!.height >= below) && held.at(-4)!.frames[0]!.height <= below);
      await check(store);
    }
  }
  await check(store);
  await soon(store.close());
  return said.join(', ');

  async function reopened(open: SegmentStore): Promise<SegmentStore> {
    await soon(open.close());
    return boot();
  }
}

test('whatever happens to the disk, what is read are the groups that were acknowledged, perhaps the one under way, and nothing else', async () => {
  for (let seed = 1; seed <= SEEDS; seed++) await run(seed);
});

test('a seed names one run', async () => {
  assert.equal(await run(7), await run(7));
});
