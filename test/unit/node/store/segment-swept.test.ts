/** Segments of which nothing is wanted: what stands in place of their files, what a start takes it for, and what damage of it is. */
import assert from 'node:assert/strict';
import { mkdtemp, readdir, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { openDirectory } from '../../../../node/store/files.ts';
import { HEIGHT_UNKNOWN } from '../../../../node/store/segments/catalog.ts';
import { FRAME_KIND, locate, SEGMENT_HEADER_BYTES, segmentName, segmentNumber, segmentOf } from '../../../../node/store/segments/form.ts';
import { SWEPT_BYTES } from '../../../../node/store/segments/swept.ts';
import type { FileDirectory } from '../../../../node/world.ts';
import { SimDirectory, SimFiles } from '../../../simulation/files.ts';
import { CHAIN_ID, damageIn, type Group, group, open, openOn, readerOf, scanned, written } from './segment-cases.ts';

const SWEPT = 2;
const GROUPS: readonly Group[] = Array.from({ length: 12 }, (_, i) => group(i + 1, 600));
const lasting = (locations: readonly number[]) => locations.flatMap((location, i) => (segmentOf(location) === SWEPT ? [] : [i]));

/** Every group is held but those of the segment that was swept: whoever looks for them finds damage, or where the first stood another kind of frame. */
async function assertSwept(disk: SimFiles, locations: readonly number[], what: string): Promise<SimFiles> {
  const files = disk.copy();
  const store = await openOn(files, 9);
  assert.deepEqual(store.opened.damage, [], what);
  assert.deepEqual(await damageIn(store), [], what);
  const kept = lasting(locations);
  assert.deepEqual(
    (await scanned(store)).map(({ location, height }) => [location, height]),
    kept.map((i) => [locations[i], i + 1]),
    what,
  );
  for (const [i, location] of locations.entries())
    if (kept.includes(i)) assert.deepEqual((await store.read(location)).payload, GROUPS[i]![0]!.payload, what);
    else
      for (const reader of [store, readerOf(new SimDirectory(files))]) {
        const found = await reader.read(location).then(
          ({ kind }) => kind,
          ({ code }: { code: string }) => code,
        );
        assert.equal(found, location === locate(SWEPT, SEGMENT_HEADER_BYTES) ? FRAME_KIND.swept : 'STORE_DAMAGED', what);
      }
  assert.ok(
    store.closed.every(({ number }) => number !== SWEPT),
    what,
  );
  await assert.rejects(store.sweep(SWEPT), RangeError, what);
  const [next] = await store.append(group(90, 50));
  assert.equal((await store.read(next!)).height, 90, what);
  await store.close();
  return files;
}

async function swept(): Promise<{ readonly files: SimFiles; readonly locations: readonly number[] }> {
  const { files, locations } = await written(GROUPS);
  const store = await openOn(files, 5);
  const held = files.bytesOf(segmentName(SWEPT)).length;
  assert.equal(await store.sweep(SWEPT), held - SWEPT_BYTES);
  assert.equal(files.bytesOf(segmentName(SWEPT)).length, SWEPT_BYTES);
  await store.close();
  return { files, locations };
}

test('a swept segment is no damage, before a start and after it, and everything else stands where it stood', async () => {
  const { files, locations } = await written(GROUPS);
  assert.ok(segmentOf(locations.at(-1)!) > SWEPT + 1);
  const store = await openOn(files, 5);
  for (const number of [0, segmentOf(locations.at(-1)!), 99]) await assert.rejects(store.sweep(number), RangeError, `${number}`);
  const reader = readerOf(new SimDirectory(files));
  for (const location of locations) await reader.read(location);
  await store.sweep(SWEPT);
  assert.deepEqual(await damageIn(store), []);
  for (const i of lasting(locations)) assert.equal((await store.read(locations[i]!)).height, i + 1);
  for (const [i, location] of locations.entries())
    assert.equal(
      await reader.read(location).then(({ height }) => height, String),
      i + 1,
      'whoever has the old file open reads what it held',
    );
  await store.close();
  await assertSwept(files, locations, 'after a start');
});

test('a sweep is one replacement of a file: before it everything stands, after it the segment is swept', async () => {
  const { files, locations } = await written(GROUPS);
  const before = files.copy();
  const store = await openOn(files, 5);
  const calls = files.calls.length;
  await store.sweep(SWEPT);
  assert.deepEqual(
    files.calls.slice(calls).map(({ kind, name }) => [kind, name]),
    [['put', segmentName(SWEPT)]],
  );
  for (const [state, what] of [
    [before, 'before'],
    [files, 'after'],
  ] as const) {
    const crashed = state.copy();
    crashed.crash(() => false);
    if (what === 'after') await assertSwept(crashed, locations, what);
    else assert.equal((await scanned(await openOn(crashed))).length, GROUPS.length, what);
  }
});

test('on a full disk a sweep changes nothing, and is done when there is room', async () => {
  const { files, locations } = await written(GROUPS);
  const store = await openOn(files, 5);
  files.roomBytes = 0;
  await assert.rejects(store.sweep(SWEPT), { code: 'STORE_FULL' });
  assert.deepEqual([await damageIn(store), (await scanned(store)).length], [[], GROUPS.length]);
  files.roomBytes = Number.POSITIVE_INFINITY;
  await store.sweep(SWEPT);
  await store.close();
  await assertSwept(files, locations, 'at last');
});

test('an examination and a scan that a sweep comes upon tell of no damage', async () => {
  for (let turns = 0; turns < 20; turns++) {
    const { files } = await written(GROUPS);
    const turn = () => new Promise<void>((resolve) => setImmediate(resolve));
    const directory = new SimDirectory(files);
    const slow: FileDirectory = {
      list: () => directory.list(),
      readNow: (...of) => directory.readNow(...of),
      rename: (...of) => directory.rename(...of),
      remove: (...of) => directory.remove(...of),
      async put(...of) {
        await turn();
        await directory.put(...of);
        await turn(); // the name is another file's before whoever asked for that hears of it
        await turn();
      },
      async open(name) {
        await turn();
        await turn();
        return directory.open(name);
      },
    };
    const store = await open(slow, { seed: 5 });
    const looking = Promise.all([damageIn(store), scanned(store)]);
    for (let i = 0; i < turns; i++) await turn();
    await store.sweep(SWEPT);
    const [damage, frames] = await looking;
    assert.deepEqual(damage, [], `after ${turns}`);
    for (const { height, payload } of frames) assert.deepEqual(payload, GROUPS[height - 1]![0]!.payload);
    await store.close();
  }
});

test('a swept file that lost a bit or its end is told as damage, is never taken for another, and is made anew by another sweep', async () => {
  const { files, locations } = await swept();
  const name = segmentName(SWEPT);
  const whole = files.bytesOf(name).slice();
  const harms: [string, (disk: SimFiles) => void][] = [];
  for (let at = SEGMENT_HEADER_BYTES; at < SWEPT_BYTES; at++) {
    for (const mask of [1, 128]) harms.push([`bit of byte ${at}`, (disk) => disk.flip(name, at, mask)]);
    harms.push([`cut at ${at}`, (disk) => void disk.carryOut({ kind: 'truncate', name, size: at })]);
  }
  harms.push(['gone', (disk) => void disk.carryOut({ kind: 'remove', name })]);
  for (const [what, harm] of harms) {
    const disk = files.copy();
    harm(disk);
    const store = await openOn(disk, 9);
    const damage = await damageIn(store);
    if (what === `bit of byte ${SWEPT_BYTES - 1}`)
      assert.deepEqual(damage, [], what); // the end mark has no checksum, and needs none behind one frame
    else {
      assert.ok(damage.length > 0 && damage.every(({ location }) => segmentOf(location) === SWEPT), what);
      for (const i of lasting(locations)) assert.equal((await store.read(locations[i]!)).height, i + 1, what);
      await store.sweep(SWEPT);
      if (what !== 'gone') assert.deepEqual(disk.bytesOf(name), whole, what);
    }
    await store.close();
    await assertSwept(disk, locations, what);
  }
});

test('a header of a swept file is mended like any other', async () => {
  const { files, locations } = await swept();
  const name = segmentName(SWEPT);
  const whole = files.bytesOf(name).slice();
  for (const copies of [[20], [4_096 + 20]]) {
    const disk = files.copy();
    for (const at of copies) disk.flip(name, at);
    const mended = await assertSwept(disk, locations, `${copies}`);
    assert.deepEqual(mended.bytesOf(name), whole, `${copies}`);
  }
  const disk = files.copy();
  for (const at of [20, 4_096 + 20]) disk.flip(name, at);
  await assertSwept(disk, locations, 'both');
});

test('where the segment after it is lost, a swept file still says where it ended and how high it went', async () => {
  const { files } = await swept();
  const before = files.bytesOf(segmentName(SWEPT + 1)).slice();
  const above = [...files.files.keys()].flatMap((file) => segmentNumber(file) ?? []).filter((number) => number > SWEPT);
  for (const lost of [[SWEPT + 1], above]) {
    const disk = files.copy();
    for (const number of lost) disk.files.delete(segmentName(number));
    const store = await openOn(disk, 9);
    assert.ok((await damageIn(store)).every(({ location }) => segmentOf(location) !== SWEPT));
    const [next] = await store.append(group(91, 50));
    assert.ok(segmentOf(next!) > SWEPT, 'nothing is written behind it');
    assert.equal(disk.bytesOf(segmentName(SWEPT)).length, SWEPT_BYTES);
    assert.ok(store.closed.filter(({ number }) => number < SWEPT).every(({ heightMax }) => heightMax !== HEIGHT_UNKNOWN));
    await store.close();
    if (lost !== above) continue;
    assert.equal(segmentOf(next!), SWEPT + 1);
    const link = (bytes: Uint8Array): Uint8Array => bytes.subarray(16 + 32 + 16 + 4 + 8, 16 + 32 + 16 + 4 + 8 + 1 + 16 + 4 + 8);
    assert.deepEqual(link(disk.bytesOf(segmentName(SWEPT + 1))), link(before), 'the next one says of it what the lost one said');
  }
});

test('a file of another chain is not taken for a swept one', async () => {
  const { files, locations } = await swept();
  const other = new SimFiles();
  const store = await open(new SimDirectory(other), { seed: 1, chainId: new Uint8Array(CHAIN_ID.length).fill(1) });
  for (const frames of GROUPS) await store.append(frames);
  await store.sweep(SWEPT);
  await store.close();
  const disk = files.copy();
  const bytes = disk.bytesOf(segmentName(SWEPT));
  bytes.set(other.bytesOf(segmentName(SWEPT)).subarray(SEGMENT_HEADER_BYTES), SEGMENT_HEADER_BYTES);
  disk.carryOut({ kind: 'put', name: segmentName(SWEPT), bytes: bytes.slice() });
  const opened = await openOn(disk, 9);
  assert.ok(opened.opened.damage.some(({ location }) => segmentOf(location) === SWEPT));
  assert.ok(opened.closed.some(({ number }) => number === SWEPT));
  for (const i of lasting(locations)) assert.equal((await opened.read(locations[i]!)).height, i + 1);
});

test('on a real disk a sweep gives the room back, and leaves no other file behind', async () => {
  const path = await mkdtemp(join(tmpdir(), 'segment-swept-'));
  try {
    const directory = await openDirectory(path);
    const store = await open(directory, { segmentBytes: 200_000 });
    const locations: number[] = [];
    for (let height = 1; height <= 9; height++) locations.push(...(await store.append(group(height, 90_000))));
    assert.ok((await store.sweep(1)) > 150_000);
    assert.equal((await stat(join(path, segmentName(1)))).size, SWEPT_BYTES);
    await store.close();
    const again = await open(directory, { segmentBytes: 200_000 });
    assert.deepEqual([again.opened.damage, await damageIn(again)], [[], []]);
    assert.equal((await again.read(locations[8]!)).height, 9);
    await again.close();
    assert.ok((await readdir(path)).every((name) => name === 'first' || name.endsWith('.segment')));
  } finally {
    await rm(path, { recursive: true, force: true });
  }
});
