import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after as afterAll, test } from 'node:test';
import { ChainError } from '../../../../node/errors/index.ts';
import { toHex, verifyStateProof } from '../../../../node/format/index.ts';
import {
  createStateMap,
  loadSnapshot,
  type MapWrite,
  openPageFile,
  SEGMENT_BYTES,
  type StateMap,
  writeSnapshot,
} from '../../../../node/state/index.ts';
import { Pages } from './pages.ts';
import { digest, entriesOf, fastHash, plainHash } from './state-map-model.ts';

const folder = mkdtempSync(join(tmpdir(), 'tracemill-pages-'));
afterAll(() => rmSync(folder, { recursive: true }));

const KEYS = 24_000; // four segments stay in memory, this takes nine
const keyOf = (i: number): string => `records v ${toHex(digest(`key ${i}`)).slice(0, 40)}`;
const put = (i: number, value = i): MapWrite => ({ key: keyOf(i), valueHash: digest(String(value)), location: value });
const range = (from: number, to: number): number[] => Array.from({ length: to - from }, (_, i) => from + i);
const commit = (map: StateMap, writes: readonly MapWrite[]): void => map.commit(map.stage(writes));

/** The same blocks: growth, changes all over the map, deletions. */
function fill(...maps: readonly StateMap[]): void {
  for (let from = 0; from < KEYS; from += 3_000)
    for (const map of maps)
      commit(
        map,
        range(from, from + 3_000).map((i) => put(i)),
      );
  for (let turn = 0; turn < 8; turn++) {
    const writes = range(0, 400).map((i): MapWrite => {
      const key = (i * 7919 + turn * 104_729) % KEYS;
      return i % 5 === 0 ? { key: keyOf(key), valueHash: undefined } : put(key, key + KEYS * turn);
    });
    for (const map of maps) commit(map, writes);
  }
}

const whole = createStateMap(fastHash);
const pages = new Pages();
const paged = createStateMap(fastHash, { mapMemoryBytesMax: 1, pages, onFault: assert.fail });
fill(whole, paged);
const entries = entriesOf(whole.hold().entries());

test('a map whose buckets lie in a page file for the most part is the map it would be in memory, within its memory', () => {
  assert.equal(toHex(paged.root()), toHex(whole.root()));
  assert.deepEqual(entriesOf(paged.hold().entries()), entries);
  for (const i of range(0, 200)) {
    const key = keyOf(i * 97);
    assert.deepEqual(paged.find(key), whole.find(key));
    assert.deepEqual(verifyStateProof(plainHash, paged.root(), paged.prove(key), key).present, whole.has(key) !== undefined);
  }
  const { bytes, branches, entryBytes } = paged.memory();
  assert.ok(entryBytes > 7 * SEGMENT_BYTES && pages.reads > 100);
  assert.ok(bytes < 4 * SEGMENT_BYTES + 2 * 800 * (branches + 256) + 6 * 32_768, `${bytes} bytes in memory`);
});

test('a real file does the same, and is gone when it is closed', async () => {
  const path = join(folder, 'pages');
  const file = openPageFile(path);
  const held = whole.hold();
  const snapshot = writeSnapshot(plainHash, { height: 1, root: held.root, count: held.count }, held.entries());
  const { map } = await loadSnapshot(fastHash, snapshot, { mapMemoryBytesMax: 1, pages: file, onFault: assert.fail });
  held.release();
  assert.ok(statSync(path).size >= 3 * SEGMENT_BYTES);
  assert.deepEqual(entriesOf(map.hold().entries()), entries);
  file.close();
  assert.equal(existsSync(path), false);
  assert.throws(
    () => openPageFile(join(folder, 'nowhere', 'pages')),
    (error) => error instanceof ChainError && error.code === 'STORE_IO',
  );
});

/** Every entry is as it was or its damage is told; returns how many of some were told. */
function told(map: StateMap): number {
  let count = 0;
  for (const entry of entries.filter((_, i) => i % 16 === 0)) {
    try {
      assert.deepEqual(map.find(entry.key), { valueHash: entry.valueHash, location: entry.location });
      verifyStateProof(plainHash, whole.root(), map.prove(entry.key), entry.key);
    } catch (error) {
      assert.ok(error instanceof ChainError && error.code === 'STORE_DAMAGED', String(error));
      count++;
    }
  }
  return count;
}

test('flipped, swapped and lost pages are told as damage, and no wrong entry or proof comes out of them', () => {
  const kept = pages.bytes.slice();
  for (let at = 1_000; at < 3 * SEGMENT_BYTES; at += 4096) pages.bytes[at]! ^= 16;
  assert.ok(told(paged) > 100);
  pages.bytes.set(kept);
  pages.bytes.copyWithin(0, SEGMENT_BYTES, 2 * SEGMENT_BYTES);
  assert.ok(told(paged) > 50);
  pages.bytes.set(kept);
  assert.equal(told(paged), 0);
  const forgetful = new Pages();
  forgetful.lost = (write) => write === 2;
  const map = createStateMap(fastHash, { mapMemoryBytesMax: 1, pages: forgetful, onFault: assert.fail });
  for (let from = 0; from < 12_000; from += 3_000)
    commit(
      map,
      range(from, from + 3_000).map((i) => put(i)),
    );
  let count = 0;
  for (const i of range(0, 12_000))
    try {
      assert.deepEqual(map.has(keyOf(i)), digest(String(i)));
    } catch (error) {
      assert.ok(error instanceof ChainError && error.code === 'STORE_DAMAGED', String(error));
      count++;
    }
  assert.ok(count > 100);
});

test('a block that meets a damaged page leaves no memory behind', () => {
  const before = paged.memory();
  pages.readsSound = pages.reads + 40; // so that some of the block is done
  const writes = range(0, KEYS / 4).map((i) => put(4 * i, 1));
  assert.throws(
    () => paged.stage(writes),
    (error) => error instanceof ChainError && error.code === 'STORE_DAMAGED',
  );
  pages.readsSound = Number.POSITIVE_INFINITY;
  const { buckets, branches, entryBytes } = paged.memory();
  assert.deepEqual([buckets, branches, entryBytes], [before.buckets, before.branches, before.entryBytes]);
  assert.equal(toHex(paged.stage(writes).root), toHex(whole.stage(writes).root));
});

test('a page file that is full leaves in memory what it cannot take, tells so, and takes it once it can', () => {
  const full = new Pages();
  const faults: string[] = [];
  let taken = 0;
  const map = createStateMap(fastHash, {
    mapMemoryBytesMax: 1,
    pages: full,
    onFault: ({ code }) => faults.push(code),
    onWritten: () => taken++,
  });
  full.full = true;
  fill(map);
  assert.equal(taken, 0);
  assert.ok(faults.length > 3 && faults.every((code) => code === 'STORE_FULL'));
  assert.deepEqual(entriesOf(map.hold().entries()), entries);
  assert.ok(map.memory().bytes > 7 * SEGMENT_BYTES);
  full.full = false;
  commit(map, [put(0, 1)]);
  assert.equal(taken, 1, 'what was over is in the file after one commit');
  commit(map, [put(0)]);
  assert.equal(taken, 1);
  assert.ok(map.memory().bytes < 4 * SEGMENT_BYTES + 2 * 800 * (map.memory().branches + 256) + 6 * 32_768);
  assert.deepEqual(map.find(keyOf(0)), { valueHash: digest('0'), location: 0 });
});

test('a bucket is found that has the number of the one read last from the file', () => {
  const pages = new Pages();
  const map = createStateMap(fastHash, { mapMemoryBytesMax: 1, pages, onFault: assert.fail });
  fill(map);
  let last = 0;
  const behind = (count: number): MapWrite[] =>
    Array.from({ length: count }, () => ({ key: `z${String(last++).padStart(8, '0')}`, valueHash: digest('z'), location: last }));
  commit(map, behind(16)); // a full bucket: the next ones are written without reading it
  const readBefore = pages.reads;
  for (let i = 0; pages.reads === readBefore; i++) commit(map, [put(i, 1)]); // its old bucket was read last, and is free
  const lone = { valueHash: digest('lone'), location: 1 };
  commit(map, [{ key: 'A', ...lone }]);
  const { reads } = pages;
  commit(map, behind(30_000)); // so that it goes to the file as well
  assert.equal(pages.reads, reads);
  assert.deepEqual(map.find('A'), lone);
  assert.equal(pages.reads, reads + 1);
});
