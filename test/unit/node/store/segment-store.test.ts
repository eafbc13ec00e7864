/** The segment files on a sound disk: order, locations, parts, scans, pruning; and the real files with a killed writer and a full disk. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { constants } from 'node:fs';
import { type FileHandle, open as openFile, readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { openDirectory } from '../../../../node/store/files.ts';
import {
  type Frame,
  GROUP_BYTES_MAX,
  locate,
  offsetOf,
  PIECE_BYTES,
  SEGMENT_BYTES,
  SEGMENT_HEADER_BYTES,
  SEGMENT_NUMBER_MAX,
  segmentOf,
} from '../../../../node/store/segments/form.ts';
import type { DataFile, FileDirectory } from '../../../../node/world.ts';
import { SimDirectory, SimFiles } from '../../../simulation/files.ts';
import { assertHolds, group, open, openOn, payload, readerOf, scanned, written } from './segment-cases.ts';
import { inDirectory } from '../../../tools/in-directory.ts';
import { killWriter } from './killed-writer.ts';

test('groups come back in order, by location and by scan, over segments and openings', async () => {
  const groups = [1, 2, 3, 4, 5, 6, 7].map((height) => group(height, 400 + height, 0, 90));
  const files = new SimFiles();
  const locations: number[] = [];
  for (const [i, frames] of groups.entries()) {
    const store = await openOn(files, i);
    locations.push(...(await store.append(frames)));
    assert.deepEqual(await store.append([]), []);
    await store.close();
  }
  assert.deepEqual(
    locations,
    [...locations].sort((a, b) => a - b),
  );
  assert.ok(segmentOf(locations.at(-1)!) > 2);
  const store = await openOn(files, 9);
  await assertHolds(store, groups, 'all');
  assert.equal(store.heightFirst, 1);
  await store.close();
});

test('a location is one safe integer, whatever the segment and the offset', () => {
  const last = locate(SEGMENT_NUMBER_MAX, SEGMENT_HEADER_BYTES + GROUP_BYTES_MAX);
  assert.ok(Number.isSafeInteger(last));
  assert.deepEqual([segmentOf(last), offsetOf(last)], [SEGMENT_NUMBER_MAX, SEGMENT_HEADER_BYTES + GROUP_BYTES_MAX]);
  assert.ok(offsetOf(locate(1, SEGMENT_BYTES)) === SEGMENT_BYTES);
});

test('a scan begins where it is told, and frames of other kinds are passed over', async () => {
  const groups = [1, 2, 3, 4, 5].map((height) => group(height, 700, 50, 60));
  const { files, locations } = await written(groups);
  const store = await openOn(files, 2);
  const seen: number[] = [];
  for await (const found of store.scan({ from: locations[4]!, kinds: [3] })) if (!('bytes' in found)) seen.push(found.height, found.kind);
  assert.deepEqual(seen, [2, 3, 3, 3, 4, 3, 5, 3]);
  for await (const _ of store.scan({ from: store.end })) assert.fail('there is nothing behind the end');
  await store.close();
});

test('a scan ends where the store ended when it began, whatever is appended meanwhile', async () => {
  const { files } = await written([group(1, 300), group(2, 300)]);
  const store = await openOn(files, 2);
  const seen: number[] = [];
  for await (const found of store.scan()) {
    if (!('bytes' in found)) seen.push(found.height);
    if (seen.length < 20) await store.append(group(10 + seen.length, 300));
  }
  assert.deepEqual(seen, [1, 2]);
  await store.close();
});

test('a group is synced by the write itself', { skip: process.platform !== 'linux' }, (t) =>
  inDirectory(async (path) => {
    const probe = await openFile(join(path, 'probe'), 'w');
    const handles = Object.getPrototypeOf(probe) as FileHandle;
    await probe.close();
    const real = handles.writev;
    const flags: number[] = [];
    t.mock.method(handles, 'writev', async function (this: FileHandle, ...of: Parameters<typeof real>) {
      const [, octal] = /flags:\s*([0-7]+)/.exec(await readFile(`/proc/self/fdinfo/${this.fd}`, 'utf8'))!;
      flags.push(Number.parseInt(octal!, 8) & constants.O_DSYNC);
      return real.apply(this, of);
    });
    const store = await open(await openDirectory(join(path, 'blocks')));
    await store.append(group(1, 100, 200));
    await store.append(group(2, 100));
    await store.close();
    assert.deepEqual(flags, [constants.O_DSYNC, constants.O_DSYNC]);
  }),
);

/** Counts the bytes that are read and the calls. */
function counted(directory: FileDirectory): { directory: FileDirectory; read: { bytes: number; calls: number } } {
  const read = { bytes: 0, calls: 0 };
  const countedFile = (file: DataFile): DataFile => ({
    ...file,
    read: (at, into) => {
      read.bytes += into.length;
      read.calls++;
      return file.read(at, into);
    },
  });
  return {
    read,
    directory: {
      ...directory,
      list: () => directory.list(),
      open: async (name) => {
        const file = await directory.open(name);
        return file && countedFile(file);
      },
    },
  };
}

test('a part of a long payload is read without the rest, checked, and held for the next reader', async () => {
  const large: Frame = { kind: 1, height: 1, payload: payload(1, 900_000) };
  const { files, locations } = await written([[large]]);
  const { directory, read } = counted(new SimDirectory(files));
  const reader = readerOf(directory);
  await reader.readPart(locations[0]!, 0, 1);
  for (const [from, to] of [
    [400_000, 402_000],
    [PIECE_BYTES * 20 - 5, PIECE_BYTES * 20 + 5],
    [899_990, 900_000],
    [0, 0],
    [5, 5],
  ] as const) {
    const before = read.bytes;
    assert.deepEqual(await reader.readPart(locations[0]!, from, to), large.payload.slice(from, to));
    assert.ok(read.bytes - before <= 2 * PIECE_BYTES, `${read.bytes - before} bytes for ${to - from}`);
  }
  const { calls } = read;
  assert.deepEqual(await reader.readPart(locations[0]!, 401_000, 402_000), large.payload.slice(401_000, 402_000));
  assert.equal(read.calls, calls, 'from memory');
  assert.deepEqual((await reader.read(locations[0]!)).payload, large.payload);
  await assert.rejects(reader.readPart(locations[0]!, 10, 900_001), RangeError);
  await assert.rejects(reader.readPart(locations[0]!, 10, 9), RangeError);

  const prologue = offsetOf(locations[0]!) + 32 + 4 * Math.ceil(900_000 / PIECE_BYTES);
  files.flip('00000001.segment', prologue + PIECE_BYTES * 30 + 7);
  const again = readerOf(new SimDirectory(files));
  await assert.rejects(again.readPart(locations[0]!, PIECE_BYTES * 30, PIECE_BYTES * 30 + 1), { code: 'STORE_DAMAGED' });
  assert.deepEqual(await again.readPart(locations[0]!, 0, PIECE_BYTES * 30), large.payload.slice(0, PIECE_BYTES * 30));
  await assert.rejects(again.read(locations[0]!), { code: 'STORE_DAMAGED' });
});

test('a group longer than a segment has one for itself; one that the form cannot hold is refused, and the store goes on', async () => {
  const files = new SimFiles();
  const store = await openOn(files);
  const groups = [group(1, 100), group(2, 30_000, 20_000), group(3, 100)];
  const places = [];
  for (const frames of groups) places.push(segmentOf((await store.append(frames))[0]!));
  assert.deepEqual(places, [1, 2, 3]);
  const one = group(4, 10)[0]!;
  for (const frame of [
    { ...one, kind: 0 },
    { ...one, kind: 256 },
    { ...one, height: -1 },
    { ...one, height: 2 ** 53 },
  ])
    await assert.rejects(store.append([frame]), RangeError);
  await assert.rejects(store.append([{ ...one, payload: new Uint8Array(67_108_865) }]), RangeError);
  const half = new Uint8Array(67_000_000);
  await assert.rejects(store.append([half, half, half].map((bytes) => ({ ...one, payload: bytes }))), RangeError);
  const highest = [{ ...one, height: Number.MAX_SAFE_INTEGER, kind: 255 }];
  await store.append(highest);
  await assertHolds(store, [...groups, highest], 'all');
  await store.close();
});

test('whole segments below a height are pruned, also when the node dies in the middle, and a lost first segment is not taken for a pruned one', async () => {
  const groups = [1, 2, 3, 4, 5, 6, 7].map((height) => group(height, 700, 90));
  const { files, locations } = await written(groups);
  assert.deepEqual([...files.files.keys()].length, 4);
  const store = await openOn(files, 2);
  assert.equal(await store.prune(2), 0, 'the first holds height 2 too');
  assert.equal(await store.prune(3), 1);
  assert.equal(await store.prune(3), 0);
  await assert.rejects(store.read(locations[0]!), { code: 'STORE_DAMAGED' });
  await assertHolds(store, groups.slice(2), 'pruned');
  const calls = files.calls.length;
  assert.equal(await store.prune(100), 2, 'all but the newest');
  await store.close();
  const pruning = files.calls.slice(calls);
  for (let done = 0; done <= pruning.length; done++) {
    const disk = (await written(groups)).files;
    for (const call of pruning.slice(0, done)) disk.carryOut(call);
    const again = await openOn(disk, 3);
    assert.deepEqual(again.opened.damage, [], `${done} calls`);
    await assertHolds(again, done === 0 ? groups : groups.slice(6), `${done} calls`);
    await again.close();
  }
  const lost = (await written(groups)).files;
  lost.carryOut({ kind: 'remove', name: '00000001.segment' });
  const again = await openOn(lost, 3);
  assert.deepEqual(
    again.opened.damage.map(({ location }) => segmentOf(location)),
    [1],
  );
  assert.equal(await again.prune(7), 3, 'what it held is known from the next');
  await again.close();
});

test('real files: order, a killed writer, and what it said was on disk', () =>
  inDirectory(async (path) => {
    let said = 0;
    for (let round = 0; round < 3; round++) {
      said = Math.max(said, await killWriter('./segment-writer.js', path, 12 + round));
      const store = await open(await openDirectory(path));
      assert.deepEqual(store.opened.damage, []);
      const frames = await scanned(store);
      assert.ok(frames.length % 2 === 0, 'groups of two are whole');
      assert.ok(frames.length / 2 >= said, `${frames.length / 2} groups, ${said} said`);
      for (const [i, frame] of frames.entries()) {
        assert.equal(frame.height, Math.floor(i / 2) + 1);
        assert.deepEqual((await store.read(frame.location)).payload, frame.payload);
      }
      await store.close();
    }
    assert.ok(said >= 12);
    assert.ok((await readdir(path)).length > 1);
  }));

function limitFileBytes(limit: number | 'unlimited'): boolean {
  return spawnSync('prlimit', ['--pid', String(process.pid), `--fsize=${limit}:`]).status === 0;
}

test('real files: a full disk refuses the group whole and takes it when there is room; exchanged files are opened anew', async (t) => {
  if (!limitFileBytes('unlimited')) return t.skip('prlimit is not installed here');
  await inDirectory(async (path) => {
    const store = await open(await openDirectory(path), { segmentBytes: 1_000_000 });
    const held = [group(1, 3_000, 200)];
    await store.append(held[0]!);
    try {
      assert.ok(limitFileBytes(20_000));
      await assert.rejects(store.append(group(2, 12_000, 300)), { code: 'STORE_FULL' });
      held.push(group(3, 500));
      await store.append(held[1]!);
    } finally {
      limitFileBytes('unlimited');
    }
    held.push(group(4, 12_000, 300));
    await store.append(held[2]!);
    await assertHolds(store, held, 'with room again');
    await store.close();
    const again = await open(await openDirectory(path), { segmentBytes: 1_000_000 });
    assert.deepEqual(again.opened, { tornBytes: 0, damage: [] });
    await assertHolds(again, held, 'opened again');
    await again.close();
    await assert.rejects(again.append(group(5, 1)), { code: 'NODE_STOPPING' });
  });
});
