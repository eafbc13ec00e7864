/** The room of bodies that came to nothing is given back, and no final body and no proposal that may still be decided is lost on the way, whenever the power goes. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createBlockReads } from '../../../../node/ledger/block-files.ts';
import { createBlockStore } from '../../../../node/ledger/block-store.ts';
import { ledgerKey } from '../../../../node/ledger/keys.ts';
import { createSweep, SWEEP_RETRY_MS } from '../../../../node/ledger/sweep.ts';
import { type Location, offsetOf, segmentOf } from '../../../../node/store/index.ts';
import { SEGMENT_HEADER_BYTES, segmentName } from '../../../../node/store/segments/form.ts';
import { SWEPT_BYTES } from '../../../../node/store/segments/swept.ts';
import { SimDirectory, type Timed } from '../../../simulation/files.ts';
import { SeededRandom } from '../../../simulation/random.ts';
import { assertWhole, bodyOf, boot, bytesOn, CHAIN_ID, commit, copyOf, type Disk, grown, placeOf } from './sweep-cases.ts';

const HEIGHTS = 10;
const VIEWS = 4;
const PENDING = 2;

const whole = (process: Awaited<ReturnType<typeof boot>>, what: string) => assertWhole(process, HEIGHTS, VIEWS, PENDING, what);
const sizeOf = ({ files }: Disk, number: number): number => files.bytesOf(segmentName(number)).length;
const swept = (disk: Disk): number[] =>
  Array.from({ length: disk.files.files.size - 1 }, (_, i) => i + 1).filter(
    (number) => disk.files.files.has(segmentName(number)) && sizeOf(disk, number) === SWEPT_BYTES,
  );

test('after a start the room of failed proposals is given back, what is final stays readable, and the second time there is nothing to do', async () => {
  const disk = await grown(HEIGHTS, VIEWS);
  const before = bytesOn(disk);
  const process = await boot(disk);
  process.sweep.start();
  await process.settled();
  await whole(process, 'swept');
  assert.ok(swept(disk).length >= 4, `${swept(disk)}`);
  const segments = process.sweep.swept();
  assert.equal(segments.segments, swept(disk).length);
  assert.ok(bytesOn(disk) < before && segments.bytes > 0);
  assert.equal(process.log.lines.filter(({ event, level }) => level === 'info' && event === 'block files swept').length, segments.segments);
  assert.deepEqual(
    process.log.lines.filter(({ level }) => level !== 'info'),
    [],
  );
  await process.sweep.stop();
  await process.files.close();
  const again = await boot(disk, undefined, 2);
  const calls = disk.files.calls.length;
  again.sweep.start();
  await again.settled();
  assert.equal(again.sweep.swept().segments, 0);
  assert.equal(disk.files.calls.length, calls);
  await whole(again, 'after another start');
});

test('whenever the power goes nothing final and nothing pending is lost, and the next start ends what was begun', async () => {
  const from = await grown(HEIGHTS, VIEWS);
  let steps = Number.POSITIVE_INFINITY;
  for (let step = 1; step <= steps; step++)
    for (const stage of ['before', 'during', 'after'] as const) {
      const disk = copyOf(from);
      let count = 0;
      let died = false;
      const timed: Timed = async (run) => {
        count++;
        if (died || (count === step && stage === 'before')) died = true;
        else {
          const result = run();
          if (count !== step || stage === 'before') return result;
          died = true;
        }
        return new Promise(() => undefined);
      };
      const random = new SeededRandom(step);
      const opening = boot(disk, timed);
      const first = await Promise.race([opening, new Promise<undefined>((resolve) => setTimeout(() => resolve(undefined), 20))]);
      if (first) {
        first.sweep.start();
        await first.settled();
      }
      if (!died) steps = count;
      disk.files.crash(() => (stage === 'during' ? random.chance(0.5) : stage === 'before'));
      const second = await boot(disk, undefined, 2);
      await whole(second, `step ${step} ${stage}, after the crash`);
      second.sweep.start();
      await second.settled();
      await whole(second, `step ${step} ${stage}, swept again`);
      assert.ok(swept(disk).length >= 4, `step ${step} ${stage}: ${swept(disk)}`);
    }
  assert.ok(steps > 30 && steps < 400, `${steps}`);
});

test('nothing at the head and above is swept, though all of it came to nothing, until the chain has passed it', async () => {
  const disk = await grown(2, 1, 40);
  const process = await boot(disk);
  process.sweep.start();
  await process.settled();
  assert.deepEqual(swept(disk), []);
  const pending: Location[] = [];
  for await (const { location } of process.files.bodies(3, undefined)) pending.push(location);
  assert.equal(pending.length, 40);
  commit(disk, 3, pending.at(-1)!);
  process.sweep.onBlock();
  await process.settled();
  assert.deepEqual(swept(disk), [], 'a start looks behind the body of the head');
  commit(disk, 4, await process.files.append(4, bodyOf(4, 1)));
  process.sweep.onBlock();
  await process.settled();
  assert.ok(swept(disk).length >= 2, `${swept(disk)}`);
  assert.deepEqual(await process.blocks.blockBytes(3), bodyOf(3, 40));
  for (const height of [1, 2]) assert.deepEqual(await process.blocks.blockBytes(height), bodyOf(height, 1));
});

test('a segment of which half is wanted stays as it is', async () => {
  const disk = await grown(20, 1);
  const process = await boot(disk);
  const calls = disk.files.calls.length;
  process.sweep.start();
  await process.settled();
  assert.equal(disk.files.calls.length, calls);
  await assertWhole(process, 20, 1, PENDING, 'as it was');
});

test('a segment with a damaged final body is left to repair, and swept when it has been repaired', async () => {
  for (const place of [0, 60]) {
    const disk = await grown(HEIGHTS, VIEWS);
    const location = placeOf(disk, 2);
    const number = segmentOf(location);
    disk.files.flip(segmentName(number), offsetOf(location) + place); // the head of the frame, or its payload
    const process = await boot(disk);
    process.sweep.start();
    await process.settled();
    assert.ok(!swept(disk).includes(number), `byte ${place}`);
    assert.ok(swept(disk).length >= 3, `byte ${place}`);
    assert.equal(placeOf(disk, 2), location);
    if (place > 0) assert.deepEqual(new Set(process.damaged), new Set([ledgerKey.body(2)]), 'it is told');
    assert.equal(await process.files.restore(location, 2, bodyOf(2, VIEWS)), location);
    process.damaged.length = 0;
    await process.sweep.stop();
    const again = await boot(disk, undefined, 2);
    again.sweep.start();
    await again.settled();
    assert.ok(swept(disk).includes(number), `byte ${place}`);
    await whole(again, `byte ${place}`);
  }
});

test('where a row is lost its height is not taken for one that nobody wants', async () => {
  const disk = await grown(HEIGHTS, VIEWS);
  const location = placeOf(disk, 2);
  disk.rows.delete(ledgerKey.body(2));
  const process = await boot(disk);
  process.sweep.start();
  await process.settled();
  assert.ok(!swept(disk).includes(segmentOf(location)));
  assert.deepEqual(await process.files.body(location, 2), bodyOf(2, VIEWS));
});

test('damage that no row points to is no reason to keep a segment, nor is a swept file that lost a bit or is gone', async () => {
  const disk = await grown(HEIGHTS, VIEWS);
  const dead = locateDead(disk);
  disk.files.flip(segmentName(segmentOf(dead)), offsetOf(dead));
  const process = await boot(disk);
  process.sweep.start();
  await process.settled();
  assert.ok(swept(disk).includes(segmentOf(dead)));
  await whole(process, 'swept');
  await process.files.close();
  for (const harm of ['flip', 'remove'] as const) {
    const harmed = copyOf(disk);
    const name = segmentName(segmentOf(dead));
    if (harm === 'flip') harmed.files.flip(name, SEGMENT_HEADER_BYTES + 20);
    else harmed.files.files.delete(name);
    const next = await boot(harmed, undefined, 2);
    const told: number[] = [];
    for await (const { location } of next.files.examine()) told.push(segmentOf(location));
    assert.deepEqual(new Set(told), new Set([segmentOf(dead)]), harm);
    next.sweep.start();
    await next.settled();
    assert.equal(sizeOf(harmed, segmentOf(dead)), SWEPT_BYTES, harm);
    await whole(next, harm);
  }
});

/** A place that no row says, in a segment that goes. */
function locateDead(disk: Disk): Location {
  const number = segmentOf(placeOf(disk, 2));
  const location = number * 2 ** 28 + SEGMENT_HEADER_BYTES;
  assert.ok(!Array.from({ length: HEIGHTS }, (_, i) => placeOf(disk, i + 1)).includes(location));
  return location;
}

test('whoever read a row before its body was moved reads the body where it stands now, and calls nothing damaged', async () => {
  const disk = await grown(HEIGHTS, VIEWS);
  const before = new Map(disk.rows);
  const process = await boot(disk);
  const reads = createBlockReads(new SimDirectory(disk.files), CHAIN_ID);
  const told: string[] = [];
  let swept = false;
  const sweepNow = async () => {
    if (swept) return;
    swept = true;
    process.sweep.start();
    await process.settled();
  };
  const rows = { get: (key: string) => disk.rows.get(key), range: async () => [] };
  const racing = createBlockStore(
    rows,
    {
      ...reads,
      async body(location, height) {
        await sweepNow(); // between the row and the file
        return reads.body(location, height);
      },
    },
    (key) => told.push(key),
  );
  assert.deepEqual(await racing.blockBytes(1), bodyOf(1, VIEWS));
  assert.notEqual(placeOf(disk, 1), before.get(ledgerKey.body(1)));
  const old = createBlockStore(
    { get: (key) => before.get(key), range: async () => [] },
    reads,
    (key) => told.push(key),
    (key) => disk.rows.get(key),
  );
  for (let height = 1; height <= HEIGHTS; height++) {
    assert.deepEqual(await old.blockBytes(height), bodyOf(height, VIEWS));
    assert.ok(old.isBodyReadable(height));
  }
  assert.equal(told.length, 0);
  disk.files.flip(segmentName(segmentOf(placeOf(disk, 1))), offsetOf(placeOf(disk, 1)) + 60);
  const anew = createBlockStore(rows, createBlockReads(new SimDirectory(disk.files), CHAIN_ID), (key) => told.push(key));
  await assert.rejects(anew.blockBytes(1), { code: 'STORE_DAMAGED' });
  assert.equal(old.isBodyReadable(1), false);
  assert.deepEqual(told, [ledgerKey.body(1)]);
});

test('a body that is put back while its segment is swept does not come to stand in what is left of it', async () => {
  for (let turns = 0; turns < 60; turns += 2) {
    const disk = await grown(HEIGHTS, VIEWS);
    const turn = () => new Promise<void>((resolve) => setImmediate(resolve));
    const directory = new SimDirectory(disk.files);
    const process = await boot(disk, undefined, 1, {
      list: () => directory.list(),
      readNow: (...of) => directory.readNow(...of),
      rename: (...of) => directory.rename(...of),
      remove: (...of) => directory.remove(...of),
      put: (...of) => directory.put(...of),
      async open(name) {
        for (let i = 0; i < 4; i++) await turn();
        return directory.open(name);
      },
    });
    const location = placeOf(disk, 2);
    disk.files.flip(segmentName(segmentOf(location)), offsetOf(location) + 60);
    commit(disk, 2, await process.files.append(2, bodyOf(2, VIEWS))); // elsewhere meanwhile
    commit(disk, HEIGHTS, placeOf(disk, HEIGHTS)); // the head as it was
    process.sweep.start();
    for (let i = 0; i < turns; i++) await turn();
    const placed = await process.files.restore(location, 2, bodyOf(2, VIEWS));
    await process.settled();
    assert.ok(swept(disk).includes(segmentOf(location)), `after ${turns}`);
    assert.deepEqual(
      swept(disk)
        .map((number) => sizeOf(disk, number))
        .filter((size) => size !== SWEPT_BYTES),
      [],
    );
    if (segmentOf(placed) !== segmentOf(location)) assert.deepEqual(await process.files.body(placed, 2), bodyOf(2, VIEWS));
    for await (const damage of process.files.examine()) assert.fail(`after ${turns}: ${damage.location}`);
  }
});

test('a sweep ends when the node stops, in the middle of whatever it does, and is not begun again', async () => {
  for (const turns of [0, 1, 3, 8, 20, 50]) {
    const disk = await grown(HEIGHTS, VIEWS);
    const process = await boot(disk);
    process.sweep.start();
    for (let i = 0; i < turns; i++) await new Promise<void>((resolve) => setImmediate(resolve));
    const before = disk.files.calls.length;
    await process.sweep.stop();
    const calls = disk.files.calls.length;
    assert.ok(calls - before <= 4, `${calls - before} calls after ${turns}: a body in a new file is four`);
    process.sweep.onBlock();
    await process.settled();
    assert.equal(disk.files.calls.length, calls);
    await process.files.close();
    await whole(await boot(disk, undefined, 2), `${turns}`);
  }
});

test('what a full disk refuses is said and tried again later, and until then nothing has changed', async () => {
  const disk = await grown(HEIGHTS, VIEWS);
  const process = await boot(disk);
  const { files, blocks, ledger, log } = process;
  const rests: { readonly ms: number; readonly run: () => void }[] = [];
  const timers = {
    after(ms: number, run: () => void) {
      rests.push({ ms, run });
      return () => undefined;
    },
    every: () => () => undefined,
  };
  const sweep = createSweep({ files, blocks, ledger, world: { log, timers } });
  const goOn = async (until: () => boolean) => {
    for (let i = 0; i < 1_000 && !until(); i++) {
      await new Promise<void>((resolve) => setImmediate(resolve));
      if (!until()) rests.shift()?.run();
    }
    assert.ok(until());
  };
  disk.files.roomBytes = 0;
  sweep.start();
  await goOn(() => rests[0]?.ms === SWEEP_RETRY_MS);
  assert.ok(log.lines.some(({ level, event }) => level === 'warn' && event === 'block files could not be swept'));
  assert.deepEqual(swept(disk), []);
  disk.files.roomBytes = Number.POSITIVE_INFINITY;
  await whole(process, 'full');
  await goOn(() => swept(disk).length >= 4 && rests.length === 0);
  await whole(process, 'swept');
  await sweep.stop();
});

test('a sweep appends one body at a time and rests after each, so that a vote never waits for more than one', async () => {
  const disk = await grown(HEIGHTS, VIEWS);
  const { files, blocks, ledger, log } = await boot(disk);
  let underWay = 0;
  let most = 0;
  const watched = {
    ...files,
    async append(...body: Parameters<typeof files.append>) {
      most = Math.max(most, ++underWay);
      return files.append(...body).finally(() => underWay--);
    },
  };
  const rests: (() => void)[] = [];
  const timers = {
    after(_: number, run: () => void) {
      rests.push(run);
      return () => undefined;
    },
    every: () => () => undefined,
  };
  const sweep = createSweep({ files: watched, blocks, ledger, world: { log, timers } });
  sweep.start();
  const writesOn = () => disk.files.calls.filter(({ kind }) => kind === 'write').length;
  let appended = writesOn();
  for (let i = 0; i < 400; i++) {
    await new Promise<void>((resolve) => setImmediate(resolve));
    const writes = writesOn();
    assert.ok(writes - appended <= 1, 'it rests after each');
    appended = writes;
    rests.shift()?.();
  }
  assert.equal(most, 1);
  assert.ok(sweep.swept().segments >= 4);
  await sweep.stop();
});
