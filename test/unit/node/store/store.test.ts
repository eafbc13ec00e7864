import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { cp, open, readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { Worker } from 'node:worker_threads';
import { randomBytes } from 'node:crypto';
import { Level } from 'level';
import fc from 'fast-check';
import { ChainError, type ErrorCode } from '../../../../node/errors/index.ts';
import { crc32, crc32Portable } from '../../../../node/store/checksum.ts';
import { CHECK_STEP_BYTES, createSyncMarks, openLevelStore, type LevelStore } from '../../../../node/store/level-store.ts';
import { LogFiles } from '../../../../node/store/log-files.ts';
import { MemoryStore } from '../../../tools/memory-store.ts';
import { utf8 } from '../../../../node/format/index.ts';
import type { Store } from '../../../../node/world.ts';
import { measureHold } from '../../api/rest/thread-hold.ts';
import { inDirectory } from '../../../tools/in-directory.ts';
import { killWriter } from './killed-writer.ts';

const withCode = (code: ErrorCode) => (error: unknown) => error instanceof ChainError && error.code === code;
const bytes = (...values: number[]) => Uint8Array.from(values);

const stores: readonly { name: string; open: (path: string) => Promise<Store> }[] = [
  { name: 'level', open: (path) => openLevelStore({ path }) },
  { name: 'memory', open: () => Promise.resolve(new MemoryStore()) },
];

for (const { name, open } of stores) {
  test(`${name}: a batch is read back as it was put, and a missing key is undefined`, () =>
    inDirectory(async (path) => {
      const store = await open(path);
      await store.batch(
        [
          { key: 'a', value: bytes(1, 2) },
          { key: 'b', value: bytes() },
          { key: '\xff\x00', value: bytes(9) },
          { key: 'c', value: bytes(5) },
          { key: 'c', value: undefined },
        ],
        { sync: true },
      );
      assert.deepEqual(store.get('a'), bytes(1, 2));
      assert.deepEqual(store.get('b'), bytes());
      assert.deepEqual(store.get('\xff\x00'), bytes(9));
      assert.equal(store.get('c'), undefined);
      assert.equal(store.get('zz'), undefined);
      await store.close();
    }));

  test(`${name}: a range is in byte order, half open, limited, and runs backwards too`, () =>
    inDirectory(async (path) => {
      const store = await open(path);
      const keys = ['a', 'a\x00', 'a\x7f', 'a\x80', 'a\xff', 'b', 'c'];
      await store.batch(
        [...keys].reverse().map((key) => ({ key, value: utf8(key) })),
        { sync: false },
      );
      const read = async (options: Parameters<Store['range']>[0]) => (await store.range(options)).map((row) => row.key);
      assert.deepEqual(await read({ from: 'a', to: 'b', limit: 100 }), ['a', 'a\x00', 'a\x7f', 'a\x80', 'a\xff']);
      assert.deepEqual(await read({ from: 'a\x7f', to: undefined, limit: 3 }), ['a\x7f', 'a\x80', 'a\xff']);
      assert.deepEqual(await read({ from: 'a', to: 'c', limit: 2, reverse: true }), ['b', 'a\xff']);
      assert.deepEqual(await read({ from: 'd', to: undefined, limit: 2 }), []);
      assert.deepEqual(await read({ from: 'a', to: 'c', limit: 0 }), []);
      await store.batch(
        [
          { key: 'b', value: undefined },
          { key: 'aa', value: bytes(1) },
        ],
        { sync: false },
      );
      assert.deepEqual(await read({ from: 'a\xff', to: undefined, limit: 9 }), ['a\xff', 'c']);
      assert.deepEqual(await read({ from: 'aa', to: 'ab', limit: 9 }), ['aa']);
      await store.close();
    }));
}

test('level and memory agree on any sequence of batches and ranges', () =>
  inDirectory(async (path) => {
    const key = fc.array(fc.integer({ min: 0, max: 255 }), { minLength: 1, maxLength: 3 }).map((units) => String.fromCharCode(...units));
    const operation = fc.record({ key, value: fc.option(fc.uint8Array({ maxLength: 4 }), { nil: undefined }) });
    let n = 0;
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.array(operation, { maxLength: 8 }), { maxLength: 5 }),
        key,
        key,
        fc.boolean(),
        async (batches, from, to, reverse) => {
          const level = await openLevelStore({ path: join(path, String(n++)) });
          const memory = new MemoryStore();
          for (const batch of batches) {
            await level.batch(batch, { sync: false });
            await memory.batch(batch);
            const options = { from, to, reverse, limit: 5 };
            assert.deepEqual(await level.range(options), await memory.range(options));
          }
          for (const { key: k } of batches.flat()) assert.deepEqual(level.get(k), memory.get(k));
          await level.close();
        },
      ),
      { numRuns: 25 },
    );
  }));

test('a store opened again holds what was synced', () =>
  inDirectory(async (path) => {
    const first = await openLevelStore({ path });
    await first.batch([{ key: 'k', value: bytes(7) }], { sync: true });
    await first.close();
    const second = await openLevelStore({ path });
    assert.deepEqual(second.get('k'), bytes(7));
    await second.close();
  }));

test('a flipped bit, a value under another key and a cut value are damage, in get and in range', () =>
  inDirectory(async (path) => {
    const store = await openLevelStore({ path });
    await store.batch(
      [
        { key: 'k', value: utf8('value') },
        { key: 'm', value: utf8('other') },
      ],
      { sync: true },
    );
    await store.close();
    const raw = new Level<Buffer, Buffer>(path, { keyEncoding: 'buffer', valueEncoding: 'buffer' });
    const stored = (await raw.get(Buffer.from('k')))!;
    for (let bit = 0; bit < stored.length * 8; bit++) {
      const flipped = Buffer.from(stored);
      flipped[bit >> 3]! ^= 1 << (bit & 7);
      await raw.put(Buffer.from(`flip${bit}`), flipped);
    }
    await raw.put(Buffer.from('moved'), stored);
    await raw.put(Buffer.from('cut'), stored.subarray(0, 3));
    const bits = stored.length * 8;
    // the flipped values must be damaged under their own key, not only because they moved
    const moved = Buffer.from(stored);
    moved[0]! ^= 4;
    await raw.put(Buffer.from('k'), moved);
    await raw.close();

    const told: unknown[] = [];
    const again = await openLevelStore({ path, onFault: ({ code, data }) => told.push([code, data.key]) });
    assert.deepEqual(again.get('m'), utf8('other'));
    assert.throws(() => again.get('k'), withCode('STORE_DAMAGED'));
    assert.deepEqual(told, [['STORE_DAMAGED', '6b']], 'whoever watches the store hears of it');
    for (const key of ['k', 'moved', 'cut', ...Array.from({ length: bits }, (_, i) => `flip${i}`)])
      assert.throws(() => again.get(key), withCode('STORE_DAMAGED'), key);
    await assert.rejects(again.range({ from: 'k', to: 'l', limit: 1 }), (error) => {
      return error instanceof ChainError && error.code === 'STORE_DAMAGED' && error.data.key === '6b';
    });
    await again.close();
  }));

test('a value of many megabytes is read by a range in steps, each far shorter than a reading in one piece', () =>
  inDirectory(async (path) => {
    const store = await openLevelStore({ path });
    const value = randomBytes(7 * CHECK_STEP_BYTES + 5);
    await store.batch([{ key: 'k', value }], { sync: false });
    const range = () => store.range({ from: 'k', to: 'k\0', limit: 1 });
    let wholeMs = Number.POSITIVE_INFINITY;
    let stepMs = Number.POSITIVE_INFINITY;
    for (let i = 0; i < 20; i++) {
      const whole = performance.now();
      store.get('k');
      wholeMs = Math.min(wholeMs, performance.now() - whole);
      const { longestMs } = await measureHold(async () => void (await range()));
      stepMs = Math.min(stepMs, longestMs);
    }
    assert.ok(stepMs < 0.5 * wholeMs, `${stepMs} of ${wholeMs} ms`);
    assert.deepEqual(Buffer.from((await range())[0]!.value), value);
    await store.close();
    const raw = new Level<string, Buffer>(path, { valueEncoding: 'buffer' });
    const stored = await raw.get('k');
    stored![stored!.length >> 1]! ^= 1;
    await raw.put('k', stored!);
    await raw.close();
    const damaged = await openLevelStore({ path });
    await assert.rejects(damaged.range({ from: 'k', to: 'k\0', limit: 1 }), withCode('STORE_DAMAGED'));
    await damaged.close();
  }));

test('a batch of many megabytes is made in steps, each of at most CHECK_STEP_BYTES in a turn of its own', () =>
  inDirectory(async (path) => {
    const store = await openLevelStore({ path });
    let turn = 0;
    let running = true;
    const count = (): void => {
      turn++;
      if (running) setImmediate(count);
    };
    setImmediate(count);
    const parts: { readonly turn: number; readonly from: string }[] = [];
    const values = Array.from({ length: 8 }, () => randomBytes(CHECK_STEP_BYTES));
    const operations = values.map((value, at) => ({
      key: `k${at}`,
      get value() {
        if (parts.at(-1)?.from !== `k${at}`) parts.push({ turn, from: `k${at}` });
        return value;
      },
    }));
    await store.batch(operations, { sync: false });
    const long = Buffer.concat(values);
    const watched = new Uint8Array(long.buffer, long.byteOffset, long.length);
    Object.defineProperty(watched, 'subarray', {
      value: (from: number, to: number) => {
        parts.push({ turn, from: `long from ${from}` });
        assert.ok(to - from <= CHECK_STEP_BYTES);
        return long.subarray(from, to);
      },
    });
    await store.batch([{ key: 'long', value: watched }], { sync: false });
    running = false;
    assert.equal(parts.length, 2 * values.length);
    assert.equal(new Set(parts.map((part) => part.turn)).size, parts.length, JSON.stringify(parts));
    for (const [at, value] of values.entries()) assert.deepEqual(Buffer.from(store.get(`k${at}`)!), value);
    assert.deepEqual(Buffer.from(store.get('long')!), long);
    await store.close();
  }));

test('a directory held by another store is said to be locked', () =>
  inDirectory(async (path) => {
    const first = await openLevelStore({ path });
    await assert.rejects(openLevelStore({ path }), withCode('STORE_LOCKED'));
    await first.close();
  }));

test('a worker thread reads and writes the database its parent has open', () =>
  inDirectory(async (path) => {
    const store = await openLevelStore({ path, multithreading: true });
    await store.batch([{ key: 'k', value: bytes(1) }], { sync: false });
    const module = new URL('../../../../node/store/level-store.js', import.meta.url).href;
    const source = `
      const { parentPort, workerData } = require('node:worker_threads');
      import(workerData.module).then(async ({ openLevelStore }) => {
        const store = await openLevelStore({ path: workerData.path, multithreading: true });
        const seen = store.get('k');
        await store.batch([{ key: 'w', value: new Uint8Array([2]) }], { sync: true });
        await store.close();
        parentPort.postMessage([...seen]);
      });`;
    const worker = new Worker(source, { eval: true, workerData: { module, path } });
    const seen = await new Promise((resolve, reject) => worker.once('message', resolve).once('error', reject));
    assert.deepEqual(seen, [1]);
    assert.deepEqual(store.get('w'), bytes(2));
    await worker.terminate();
    await store.close();
  }));

/** Limits the size of any file this process writes; LevelDB then fails as on a full disk. False where the tool is missing. */
function limitFileBytes(limit: number | 'unlimited'): boolean {
  return spawnSync('prlimit', ['--pid', String(process.pid), `--fsize=${limit}:`]).status === 0;
}

test('a full disk refuses the batch, goes on reading, and takes batches again when there is room', async (t) => {
  if (!limitFileBytes('unlimited')) return t.skip('prlimit is not installed here');
  await inDirectory(async (path) => {
    const store: LevelStore = await openLevelStore({ path, writeBufferBytes: 262_144, reopenRoomBytes: 1_048_576 });
    const written = new Map<string, Uint8Array>();
    await store.batch([{ key: 'first', value: bytes(1) }], { sync: true });
    try {
      assert.ok(limitFileBytes(131_072));
      let failure: unknown;
      for (let n = 0; n < 200 && failure === undefined; n++) {
        const value = randomBytes(4000);
        await store.batch([{ key: `k${n}`, value }], { sync: true }).then(
          () => written.set(`k${n}`, new Uint8Array(value)),
          (error) => (failure = error),
        );
      }
      assert.ok(withCode('STORE_FULL')(failure), String(failure));
      assert.ok(written.size > 0);
      for (let n = 0; n < 3; n++)
        await assert.rejects(store.batch([{ key: 'no', value: bytes(1) }], { sync: true }), withCode('STORE_FULL'));
      assert.deepEqual(store.get('first'), bytes(1), 'reading goes on');
    } finally {
      limitFileBytes('unlimited');
    }
    await store.batch([{ key: 'after', value: bytes(3) }], { sync: true });
    assert.deepEqual(store.get('after'), bytes(3));
    for (const [key, value] of written) assert.deepEqual(store.get(key), value);
    assert.equal(store.get('no'), undefined);
    assert.ok(!(await readdir(path)).includes('room.probe'));
    await store.close();
  });
});

test('with the database open twice, a full disk is survived because the other side lets go', async (t) => {
  if (!limitFileBytes('unlimited')) return t.skip('prlimit is not installed here');
  await inDirectory(async (path) => {
    const shared = { path, multithreading: true, writeBufferBytes: 262_144, reopenRoomBytes: 1_048_576 };
    let other = await openLevelStore(shared);
    let releases = 0;
    const store = await openLevelStore({
      ...shared,
      releaseOthers: async () => {
        releases++;
        await other.close();
        return async () => {
          other = await openLevelStore(shared);
        };
      },
    });
    try {
      assert.ok(limitFileBytes(131_072));
      const fill = async () => {
        for (let n = 0; n < 200; n++) await store.batch([{ key: `k${n}`, value: randomBytes(4000) }], { sync: true });
      };
      await assert.rejects(fill(), withCode('STORE_FULL'));
    } finally {
      limitFileBytes('unlimited');
    }
    await store.batch([{ key: 'after', value: bytes(3) }], { sync: true });
    assert.equal(releases, 1);
    assert.deepEqual(other.get('after'), bytes(3));
    await store.close();
    await other.close();
  });
});

test('a writer killed in the middle of its batches loses none it said was on disk, and no batch is half there', () =>
  inDirectory(async (path) => {
    let said = 0;
    for (let round = 0; round < 3; round++) {
      said = Math.max(said, (await killWriter('./store-writer.js', path, 12 + round)) + 1);
      const store = await openLevelStore({ path });
      const left = await store.range({ from: 'left', to: 'leftz', limit: 1_000_000 });
      const right = await store.range({ from: 'right', to: 'rightz', limit: 1_000_000 });
      assert.ok(left.length >= said);
      assert.deepEqual(
        left.map((row) => row.key.slice(4)),
        right.map((row) => row.key.slice(5)),
      );
      await store.close();
    }
    assert.ok(said > 10);
  }));

test('what was written without a sync stands in the files when its promise resolves, over new logs and tables too, so that syncing the logs puts it on disk', () =>
  inDirectory(async (path) => {
    const store = await openLevelStore({ path: join(path, 'live'), writeBufferBytes: 65_536 });
    for (let i = 1; i <= 60; i++) {
      await store.batch([{ key: `k${String(i).padStart(3, '0')}`, value: randomBytes(10_000) }], { sync: false });
      await store.sync();
      if (i % 20 !== 0) continue;
      const copy = join(path, `copy-${i}`);
      await cp(join(path, 'live'), copy, { recursive: true, filter: (name) => !name.endsWith('LOCK') });
      const copied = await openLevelStore({ path: copy });
      assert.equal((await copied.range({ from: 'k', to: 'l', limit: 100 })).length, i);
      await copied.close();
    }
    await store.close();
  }));

async function logInodes(path: string): Promise<number[]> {
  const inodes: number[] = [];
  for (const name of await readdir(path)) {
    const log = name.endsWith('.log') ? await stat(join(path, name)).catch(() => undefined) : undefined; // gone meanwhile
    if (log) inodes.push(log.ino);
  }
  return inodes;
}

test('no batch is written behind one that is not synced', (t) =>
  inDirectory(async (path) => {
    const store = await openLevelStore({ path });
    const probe = await open(join(path, 'probe'), 'w');
    const handles = Object.getPrototypeOf(probe) as typeof probe;
    await probe.close();
    const real = handles.datasync;
    const heldAtSync: string[] = [];
    t.mock.method(handles, 'datasync', async function (this: typeof probe) {
      await real.call(this);
      heldAtSync.push(['a', 'b', 'c', 'd'].filter((key) => store.get(key)).join(''));
    });
    for (const [key, sync] of [
      ['a', false],
      ['b', false],
      ['c', true],
      ['d', true],
    ] as const)
      await store.batch([{ key, value: randomBytes(10) }], { sync });
    assert.deepEqual(heldAtSync, ['a', 'ab'], 'before b and c; behind a synced one nothing is due');
    await store.close();
  }));

test('what another thread has synced is not synced again before the next batch; what came after it is', (t) =>
  inDirectory(async (path) => {
    const syncMarks = createSyncMarks();
    const [writer, syncer] = [
      await openLevelStore({ path, syncMarks, multithreading: true }),
      await openLevelStore({ path, syncMarks, multithreading: true }),
    ];
    const synced = t.mock.method(LogFiles.prototype, 'sync');
    const batch = (key: string): Promise<void> => writer.batch([{ key, value: randomBytes(10) }], { sync: false });
    const syncsOf = async (work: () => Promise<void>): Promise<number> => {
      const before = synced.mock.callCount();
      await work();
      return synced.mock.callCount() - before;
    };
    await batch('a');
    assert.equal(await syncsOf(() => batch('b')), 1);
    await syncer.sync();
    assert.equal(await syncsOf(() => batch('c')), 0);
    synced.mock.mockImplementationOnce(async () => {
      await batch('d'); // after the sync began: it may not reach it
    });
    await syncer.sync();
    assert.equal(await syncsOf(() => batch('e')), 1);
    synced.mock.mockImplementationOnce(async () => {
      throw new Error('EIO');
    });
    await assert.rejects(syncer.sync(), { code: 'STORE_IO' });
    assert.equal(await syncsOf(() => batch('f')), 1, 'a sync that failed reached nothing');
    await writer.close();
    await syncer.close();
  }));

test('every log of the directory is on disk before a sync resolves', (t) =>
  inDirectory(async (path) => {
    const store = await openLevelStore({ path, writeBufferBytes: 65_536 });
    const probe = await open(join(path, 'probe'), 'w');
    const handles = Object.getPrototypeOf(probe) as typeof probe;
    await probe.close();
    const real = handles.datasync;
    const synced = new Set<number>();
    t.mock.method(handles, 'datasync', async function (this: typeof probe) {
      const { ino } = await this.stat();
      await real.call(this);
      synced.add(ino);
    });
    for (let i = 1; i <= 20; i++) {
      await store.batch([{ key: `k${i}`, value: randomBytes(10_000) }], { sync: false });
      const logs = await logInodes(path);
      synced.clear();
      await store.sync();
      const kept = new Set(await logInodes(path)); // the others are tables now
      for (const log of logs) assert.ok(!kept.has(log) || synced.has(log), `sync ${i}`);
      assert.ok(synced.size > 0);
    }
    await store.close();
  }));

test('the portable CRC equals that of zlib and the published check value', () => {
  assert.equal(crc32Portable(utf8('123456789')), 0xcbf43926);
  fc.assert(
    fc.property(
      fc.uint8Array({ maxLength: 300 }),
      fc.uint8Array({ maxLength: 40 }),
      (a, b) => crc32(b, crc32(a)) === crc32Portable(b, crc32Portable(a)),
    ),
  );
});
