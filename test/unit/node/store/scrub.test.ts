import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { Level } from 'level';
import { ChainError } from '../../../../node/errors/index.ts';
import { utf8 } from '../../../../node/format/index.ts';
import { openDerivedStore, openLevelStore } from '../../../../node/store/level-store.ts';
import { crc32c, damageInLog, damageInTable, scrubTables, snappyDecode } from '../../../../node/store/scrub.ts';
import { leastHold } from '../../api/rest/thread-hold.ts';
import { ended } from '../../../tools/steps.ts';
import { inDirectory } from '../../../tools/in-directory.ts';

const HOLD_MS_MAX = 20;
const LONG_BYTES = 30_000_000;

/** Rows that compress a little, so that both kinds of blocks are met. */
async function fill(path: string): Promise<void> {
  const store = await openLevelStore({ path });
  for (let n = 0; n < 40; n++) {
    await store.batch(
      Array.from({ length: 50 }, (_, i) => ({
        key: `key ${n} ${i}`,
        value: Uint8Array.from({ length: 60 }, (_, j) => (n < 20 ? j : (n * 7919 + i * 104_729 + j * j * 31) >> 3) & 255),
      })),
      { sync: false },
    );
  }
  await store.close();
}

async function compact(path: string): Promise<void> {
  const raw = new Level(path);
  await raw.open();
  await (raw as unknown as { compactRange(from: string, to: string): Promise<void> }).compactRange('a', 'z'); // not in the shared interface of level
  await raw.close();
}

async function only(path: string, ending: string): Promise<{ name: string; bytes: Buffer }> {
  const sizes = await Promise.all(
    (await readdir(path)).filter((n) => n.endsWith(ending)).map(async (name) => ({ name, bytes: await readFile(join(path, name)) })),
  );
  return sizes.sort((a, b) => b.bytes.length - a.bytes.length)[0]!;
}

test('CRC-32C has the published check value', () => {
  assert.equal(crc32c(utf8('123456789')), 0xe3069283);
});

test('Snappy literals and copies are decoded, and nonsense is refused', () => {
  assert.deepEqual(snappyDecode(Uint8Array.of(5, 4 << 2, ...utf8('hello'))), utf8('hello'));
  assert.deepEqual(snappyDecode(Uint8Array.of(8, 1 << 2, ...utf8('ab'), ((6 - 4) << 2) | 1, 2)), utf8('abababab'));
  assert.deepEqual(snappyDecode(Uint8Array.of(6, 1 << 2, ...utf8('xy'), (3 << 2) | 2, 1, 0)), utf8('xyyyyy'));
  const long = new Uint8Array(100).fill(65);
  assert.deepEqual(snappyDecode(Uint8Array.of(100, 60 << 2, 99, ...long)), long);
  for (const bad of [[5, 4 << 2, 1], [4, ((4 - 4) << 2) | 1, 1], [3, 0, 65], []])
    assert.throws(() => snappyDecode(Uint8Array.from(bad)), RangeError);
});

test('an intact table holds, and a flipped bit anywhere in a block is found', () =>
  inDirectory(async (path) => {
    await fill(path);
    await compact(path);
    assert.deepEqual(await scrubTables(path), []);
    const { name, bytes } = await only(path, '.ldb');
    assert.ok(bytes.length > 50_000);
    for (let at = 0; at < bytes.length - 48; at += 97) {
      const flipped = Buffer.from(bytes);
      flipped[at]! ^= 1 << (at & 7);
      assert.notEqual(ended(damageInTable(flipped)), undefined, `byte ${at} of ${bytes.length}`);
    }
    for (const length of [0, 10, 48, bytes.length - 1]) assert.notEqual(ended(damageInTable(bytes.subarray(0, length))), undefined);
    const flipped = Buffer.from(bytes);
    flipped[1000]! ^= 4;
    await writeFile(join(path, name), flipped);
    const store = await openLevelStore({ path });
    const [damaged] = await store.scrub();
    assert.equal(damaged?.file, name);
    assert.ok(damaged.offset <= 1000);
    await store.close();
  }));

test('a table with a value of many megabytes is read in steps, and a flipped bit in it is found', () =>
  inDirectory(async (path) => {
    const store = await openLevelStore({ path });
    await store.batch([{ key: 'k', value: randomBytes(LONG_BYTES) }], { sync: false });
    await store.close();
    await compact(path);
    const { longestMs } = await leastHold(async () => assert.deepEqual(await scrubTables(path), []), { boundMs: HOLD_MS_MAX, triesMax: 8 });
    assert.ok(longestMs <= HOLD_MS_MAX, `${longestMs.toFixed(1)} ms`);
    const tables = (await readdir(path)).filter((name) => name.endsWith('.ldb'));
    const sizes = await Promise.all(tables.map(async (name) => (await stat(join(path, name))).size));
    const file = join(path, tables[sizes.indexOf(Math.max(...sizes))]!);
    const bytes = await readFile(file);
    assert.ok(bytes.length > LONG_BYTES);
    bytes[LONG_BYTES >> 1]! ^= 1;
    await writeFile(file, bytes);
    assert.equal((await scrubTables(path)).length, 1);
  }));

test('a write-ahead log with a damaged record before its end is refused at opening; a torn end is not', () =>
  inDirectory(async (path) => {
    await fill(path);
    const { name, bytes } = await only(path, '.log');
    assert.ok(bytes.length > 100_000, 'several blocks');
    assert.equal(damageInLog(bytes), undefined);
    for (let at = 0; at < bytes.length - 5000; at += 4999) {
      const flipped = Buffer.from(bytes);
      flipped[at]! ^= 1;
      assert.notEqual(damageInLog(flipped), undefined, `byte ${at}`);
    }
    for (let cut = 1; cut < 9000; cut += 101) {
      assert.equal(damageInLog(bytes.subarray(0, bytes.length - cut)), undefined, `${cut} bytes short`);
      assert.equal(
        damageInLog(Buffer.concat([bytes.subarray(0, bytes.length - cut), Buffer.alloc(cut)])),
        undefined,
        `${cut} bytes of zero`,
      );
    }
    const flipped = Buffer.from(bytes);
    flipped[20_000]! ^= 1;
    await writeFile(join(path, name), flipped);
    await assert.rejects(
      openLevelStore({ path }),
      (error) => error instanceof ChainError && error.code === 'STORE_NOT_OPENED' && error.data.file === name,
    );
    await writeFile(join(path, name), bytes.subarray(0, bytes.length - 100));
    const store = await openLevelStore({ path });
    assert.ok(store.get('key 38 49') !== undefined, 'what stands before the torn end is there');
    assert.equal(store.get('key 39 49'), undefined, 'the batch at the torn end is gone as a whole');
    assert.equal(store.get('key 39 0'), undefined);
    await store.close();
  }));

test('a store made of others that does not open is kept under another name, an empty one takes its place, and any other store is refused', () =>
  inDirectory(async (path) => {
    const spoil = async (name: string, file: RegExp): Promise<string> => {
      const directory = join(path, name);
      await fill(directory);
      const found = (await readdir(directory)).find((entry) => file.test(entry))!;
      const bytes = await readFile(join(directory, found));
      bytes.fill(0x55, 0, Math.min(bytes.length, 40));
      await writeFile(join(directory, found), bytes);
      return directory;
    };
    for (const [name, file] of [
      ['log', /\.log$/],
      ['current', /^CURRENT$/],
      ['manifest', /^MANIFEST/],
    ] as const) {
      const directory = await spoil(name, file);
      await assert.rejects(openLevelStore({ path: directory }), { code: 'STORE_NOT_OPENED' }, name);
      const { store, setAside } = await openDerivedStore({ path: directory }, 'abcd');
      assert.equal(setAside, `${name}.damaged-abcd`);
      assert.equal(store.get('key 1 1'), undefined);
      await store.batch([{ key: 'k', value: utf8('v') }], { sync: true });
      await store.close();
      assert.ok((await readdir(join(path, setAside!))).some((entry) => file.test(entry)));
      const again = await openDerivedStore({ path: directory }, 'abce');
      assert.deepEqual([again.setAside, again.store.get('k')], [undefined, utf8('v')]);
      await again.store.close();
    }
  }));
