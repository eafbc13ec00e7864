/** Bodies in the block files: read by place on two ways, never another body than the one asked for, and put back without harm to what else stands there. */
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { ChainError } from '../../../../node/errors/index.ts';
import { type BlockFiles, type BlockReads, createBlockReads, openBlockFiles } from '../../../../node/ledger/block-files.ts';
import { realTimers } from '../../../../node/real/world.ts';
import { openDirectory } from '../../../../node/store/index.ts';
import { FRAME_HEAD_BYTES, type Location, locate, offsetOf, PIECE_BYTES, prologueBytes } from '../../../../node/store/segments/form.ts';
import type { DataFile, FileDirectory } from '../../../../node/world.ts';
import { SimDirectory, SimFiles } from '../../../simulation/files.ts';

const CHAIN_ID = new Uint8Array(32).fill(9);
const FIRST = '00000001.segment';
const isDamaged = (error: unknown): boolean => error instanceof ChainError && error.code === 'STORE_DAMAGED';

let salts = 0;
function openOn(
  directory: FileDirectory,
  more: { segmentBytes?: number; onFault?: (fault: ChainError) => void; onRead?: () => void } = {},
) {
  const random = { bytes: (count: number) => new Uint8Array(count).fill(++salts) };
  return openBlockFiles({ directory, chainId: CHAIN_ID, world: { random, timers: realTimers }, ...more });
}

const bodyOf = (height: number, length: number): Uint8Array => Uint8Array.from({ length }, (_, i) => ((height * 31 + i * 7) & 255) | 1);

/** Both ways say the same. */
async function read(reads: BlockReads, location: Location, height: number): Promise<Uint8Array | 'damaged'> {
  const both = [() => reads.body(location, height), async () => reads.bodyNow(location, height)].map((way) =>
    way().catch((error) => (isDamaged(error) ? ('damaged' as const) : assert.fail(error))),
  );
  const [one, other] = await Promise.all(both);
  assert.deepEqual(one, other);
  assert.equal(reads.isSound(location, height), one !== 'damaged');
  return one!;
}

test('a bit that turns over anywhere in a body makes it damaged on both ways of reading, and it is put back where it stood', async () => {
  const disk = new SimFiles();
  const directory = new SimDirectory(disk);
  const files = await openOn(directory);
  const bodies = [bodyOf(1, 700), bodyOf(2, 3 * PIECE_BYTES + 5), bodyOf(3, 40)];
  const locations: Location[] = [];
  for (const [i, body] of bodies.entries()) locations.push(await files.append(i + 1, body));
  const middle = locations[1]!;
  const payloadAt = prologueBytes(bodies[1]!.length);
  const places = [
    0,
    4,
    5,
    12,
    FRAME_HEAD_BYTES - 1,
    FRAME_HEAD_BYTES,
    payloadAt - 1,
    payloadAt,
    payloadAt + PIECE_BYTES,
    payloadAt + bodies[1]!.length - 1,
  ];
  for (const place of places) {
    const reads = createBlockReads(directory, CHAIN_ID); // has remembered nothing
    disk.flip(FIRST, offsetOf(middle) + place);
    assert.equal(await read(reads, middle, 2), 'damaged', `byte ${place}`);
    for (const i of [0, 2]) assert.deepEqual(await read(reads, locations[i]!, i + 1), bodies[i], `byte ${place}`);
    assert.equal(await files.restore(middle, 2, bodies[1]!), middle, `byte ${place}`);
    for (const i of [0, 1, 2]) assert.deepEqual(await read(reads, locations[i]!, i + 1), bodies[i], `byte ${place}, put back`);
  }
});

test('a body that was read before its disk changed is not taken for sound', async () => {
  const disk = new SimFiles();
  const files = await openOn(new SimDirectory(disk));
  const location = await files.append(1, bodyOf(1, 100));
  files.bodyNow(location, 1);
  disk.flip(FIRST, offsetOf(location) + 60);
  assert.equal(files.isSound(location, 1), false);
});

test('a place where the body of another height stands, or nothing, is damage', async () => {
  const files = await openOn(new SimDirectory(new SimFiles()));
  const location = await files.append(5, bodyOf(5, 100));
  assert.equal(await read(files, location, 4), 'damaged');
  assert.equal(await read(files, location + 1, 5), 'damaged');
  assert.equal(await read(files, locate(7, 9_000), 5), 'damaged');
});

test('files of another chain are refused, and no body of theirs is read', async () => {
  const directory = new SimDirectory(new SimFiles());
  const files = await openOn(directory);
  const location = await files.append(1, bodyOf(1, 100));
  assert.equal(await read(createBlockReads(directory, new Uint8Array(32)), location, 1), 'damaged');
  const random = { bytes: (count: number) => new Uint8Array(count) };
  await assert.rejects(openBlockFiles({ directory, chainId: new Uint8Array(32), world: { random, timers: realTimers } }), {
    code: 'STORE_FOREIGN',
  });
});

test('where the newest file was lost and written anew, a body that stood inside of what stands there now is put elsewhere', async () => {
  const disk = new SimFiles();
  const before = await openOn(new SimDirectory(disk));
  await before.append(1, bodyOf(1, 50));
  const lost = await before.append(2, bodyOf(2, 300));
  disk.files.clear();
  const files = await openOn(new SimDirectory(disk));
  const long = await files.append(3, bodyOf(3, 5_000));
  assert.ok(long < lost);
  const found = await files.restore(lost, 2, bodyOf(2, 300));
  assert.notEqual(found, lost);
  assert.deepEqual(await read(files, found, 2), bodyOf(2, 300));
  assert.deepEqual(await read(files, long, 3), bodyOf(3, 5_000));
  assert.equal((await files.restore(locate(9, 9_000), 4, bodyOf(4, 60))) > found, true, 'of a file that there is not');
});

test('every body of a file that is gone is put back, whichever comes first', async () => {
  const disk = new SimFiles();
  const files = await openOn(new SimDirectory(disk), { segmentBytes: 10_000 });
  const bodies = Array.from({ length: 6 }, (_, i) => bodyOf(i + 1, 600));
  const locations: Location[] = [];
  for (const [i, body] of bodies.entries()) locations.push(await files.append(i + 1, body));
  await files.close();
  disk.files.delete(FIRST);
  const again = await openOn(new SimDirectory(disk), { segmentBytes: 10_000 });
  let lost = 0;
  for (const i of [2, 0, 1, 5, 4, 3]) {
    if ((await read(again, locations[i]!, i + 1)) !== 'damaged') continue;
    lost++;
    assert.equal(await again.restore(locations[i]!, i + 1, bodies[i]!), locations[i]);
  }
  assert.ok(lost >= 2 && lost < bodies.length);
  for (const [i, body] of bodies.entries()) assert.deepEqual(await read(again, locations[i]!, i + 1), body);
});

/** Fails the next write by what the disk says. */
function failing(directory: FileDirectory, faults: ChainError[]): FileDirectory {
  const file = (opened: DataFile): DataFile => ({
    ...opened,
    write(...of) {
      const fault = faults.shift();
      return fault ? Promise.reject(fault) : opened.write(...of);
    },
  });
  return {
    list: () => directory.list(),
    readNow: (...at) => directory.readNow(...at),
    put: (...of) => directory.put(...of),
    rename: (...of) => directory.rename(...of),
    remove: (...of) => directory.remove(...of),
    open: async (name) => {
      const opened = await directory.open(name);
      return opened && file(opened);
    },
  };
}

test('after a full disk or a fault of it the next body is stored, and what went wrong is told', async () => {
  const faults: ChainError[] = [];
  const told: string[] = [];
  const files = await openOn(failing(new SimDirectory(new SimFiles()), faults), { onFault: ({ code }) => told.push(code) });
  const places: Location[] = [];
  for (const code of ['STORE_FULL', 'STORE_IO', 'STORE_IO'] as const) {
    const height = places.push(await files.append(places.length + 1, bodyOf(places.length + 1, 90))) + 1;
    faults.push(new ChainError(code, {}));
    await assert.rejects(files.append(height, bodyOf(height, 90)), { code });
    faults.length = 0;
  }
  places.push(await files.append(4, bodyOf(4, 90)));
  assert.deepEqual(told, ['STORE_FULL', 'STORE_IO', 'STORE_IO']);
  for (const [i, place] of places.entries()) assert.deepEqual(await read(files, place, i + 1), bodyOf(i + 1, 90));
  await files.close();
  await assert.rejects(files.append(5, bodyOf(5, 90)), { code: 'NODE_STOPPING' });
});

test('a read that the disk refuses is told on every way, and so is the next one that it answers', async () => {
  const disk = new SimFiles();
  const directory = new SimDirectory(disk);
  let refuses = false;
  const refusal = (): void => {
    if (refuses) throw new ChainError('STORE_IO', { reason: 'EIO' });
  };
  const refusing: FileDirectory = {
    ...{ list: () => directory.list(), put: (...of) => directory.put(...of) },
    ...{ rename: (...of) => directory.rename(...of), remove: (...of) => directory.remove(...of) },
    readNow(...at) {
      refusal();
      return directory.readNow(...at);
    },
    async open(name) {
      const file = await directory.open(name);
      return (
        file && {
          ...file,
          async read(at, into) {
            refusal();
            return file.read(at, into);
          },
        }
      );
    },
  };
  const told: string[] = [];
  const files = await openOn(refusing, { onFault: ({ code }) => told.push(code), onRead: () => told.push('read') });
  const location = await files.append(1, bodyOf(1, 3 * PIECE_BYTES));
  const ways: readonly (() => unknown)[] = [
    () => files.body(location, 1),
    () => files.bodyNow(location, 1),
    () => files.isSound(location, 1),
    async () => {
      for await (const found of files.bodies(1, undefined)) assert.equal(found.location, location);
    },
    async () => {
      for await (const found of files.examine()) assert.fail(`${found.location} is damaged`);
    },
  ];
  for (const [i, way] of ways.entries()) {
    refuses = true;
    await assert.rejects(async () => way(), { code: 'STORE_IO' });
    assert.deepEqual(told.splice(0), ['STORE_IO'], `way ${i}`);
    refuses = false;
    await way();
    assert.deepEqual(told.splice(0), i < 3 ? ['read'] : [], `way ${i}`);
  }
});

/** A disk whose calls take a turn of the event loop each, and whose `put` fails once. */
function slow(disk: SimFiles, fault: ChainError) {
  const turn = () => new Promise<void>((resolve) => setImmediate(resolve));
  const directory = new SimDirectory(disk, async (run) => {
    await turn();
    return run();
  });
  const state = { failsOnce: false, openCount: 0 };
  const slowed: FileDirectory = {
    list: () => directory.list(),
    readNow: (...at) => directory.readNow(...at),
    rename: (...of) => directory.rename(...of),
    remove: (...of) => directory.remove(...of),
    async put(name, bytes) {
      await turn();
      if (!state.failsOnce) return directory.put(name, bytes);
      state.failsOnce = false;
      throw fault;
    },
    async open(name) {
      await turn();
      const file = await directory.open(name);
      if (!file) return undefined;
      state.openCount++;
      return {
        ...file,
        async close() {
          state.openCount--;
        },
      };
    },
  };
  return { state, directory: slowed };
}

test('a body that is queued when the disk fails is on disk where its place says, beside those that are written on files opened anew', async () => {
  const { state, directory } = slow(new SimFiles(), new ChainError('STORE_IO', {}));
  const files = await openOn(directory, { segmentBytes: 10_000 });
  await files.append(1, bodyOf(1, 9_000));
  state.failsOnce = true;
  const heights = Array.from({ length: 20 }, (_, i) => i + 2);
  const appended: Promise<Location>[] = [];
  for (const height of heights) {
    const append = () => files.append(height, bodyOf(height, 900));
    appended.push(append().catch(append));
    if (height > 6) await new Promise((resolve) => setImmediate(resolve)); // some before the fault, some after it
  }
  const places = await Promise.all(appended);
  for (const [i, place] of places.entries()) assert.deepEqual(await read(files, place, heights[i]!), bodyOf(heights[i]!, 900));
  assert.equal(new Set(places).size, heights.length);
  await files.close();
  await new Promise((resolve) => setImmediate(resolve));
  assert.equal(state.openCount, 0, 'those that were read are closed too');
});

test('files that are being opened anew when all is to stop are closed too', async () => {
  const { state, directory } = slow(new SimFiles(), new ChainError('STORE_IO', {}));
  const files = await openOn(directory, { segmentBytes: 10_000 });
  await files.append(1, bodyOf(1, 9_000));
  state.failsOnce = true;
  await assert.rejects(files.append(2, bodyOf(2, 900)), { code: 'STORE_IO' });
  const again = files.append(2, bodyOf(2, 900)).catch(({ code }: ChainError) => code);
  await files.close();
  await again;
  await new Promise((resolve) => setTimeout(resolve, 50));
  assert.equal(state.openCount, 0);
});

test('an examination tells of damage file by file, and rests between them', async () => {
  const disk = new SimFiles();
  const files: BlockFiles = await openOn(new SimDirectory(disk), { segmentBytes: 10_000 });
  const locations: Location[] = [];
  for (let height = 1; height <= 6; height++) locations.push(await files.append(height, bodyOf(height, 600)));
  disk.flip(FIRST, offsetOf(locations[0]!) + 80);
  let rests = 0;
  const found: Location[] = [];
  for await (const { location } of files.examine(async () => void rests++)) found.push(location);
  assert.deepEqual([found, rests], [[locations[0]], disk.files.size]);
});

test('on a real disk a body is read at once as it is read beside', async () => {
  const path = await mkdtemp(join(tmpdir(), 'block-files-'));
  try {
    const directory = await openDirectory(path);
    const files = await openOn(directory);
    const location = await files.append(1, bodyOf(1, 70_000));
    assert.deepEqual(await read(files, location, 1), bodyOf(1, 70_000));
    const past = new Uint8Array(8).fill(1);
    assert.equal(directory.readNow(FIRST, 10_000_000, past), true);
    assert.deepEqual(past, new Uint8Array(8));
    assert.equal(directory.readNow('none', 0, past), false);
    assert.throws(() => directory.readNow('.', 0, past), { code: 'STORE_IO' });
    await files.close();
  } finally {
    await rm(path, { recursive: true, force: true });
  }
});
