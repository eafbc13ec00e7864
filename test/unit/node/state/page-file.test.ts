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
  type PageFile,
  SEGMENT_BYTES,
  type StateMap,
  writeSnapshot,
} from '../../../../node/state/index.ts';
import { digest, fastHash, plainHash } from './state-map-model.ts';

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

class Pages implements PageFile {
  readonly bytes = new Uint8Array(64 * SEGMENT_BYTES);
  reads = 0;
  /** Reads after so many give zeros. */
  readsSound = Number.POSITIVE_INFINITY;
  lost: (write: number) => boolean = () => false;
  #writes = 0;
  write(at: number, bytes: Uint8Array): void {
    if (!this.lost(this.#writes++)) this.bytes.set(bytes, at);
  }
  read(at: number, count: number): Uint8Array {
    this.reads++;
    return this.reads > this.readsSound ? new Uint8Array(count) : this.bytes.slice(at, at + count);
  }
}

const whole = createStateMap(fastHash);
const pages = new Pages();
const paged = createStateMap(fastHash, { mapMemoryBytesMax: 1, pages });
fill(whole, paged);
const entries = [...whole.hold().entries()].flat();

test('a map whose buckets lie in a page file for the most part is the map it would be in memory, within its memory', () => {
  assert.equal(toHex(paged.root()), toHex(whole.root()));
  assert.deepEqual([...paged.hold().entries()].flat(), entries);
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
  const { map } = await loadSnapshot(fastHash, snapshot, { mapMemoryBytesMax: 1, pages: file });
  held.release();
  assert.ok(statSync(path).size >= 3 * SEGMENT_BYTES);
  assert.deepEqual([...map.hold().entries()].flat(), entries);
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
  const map = createStateMap(fastHash, { mapMemoryBytesMax: 1, pages: forgetful });
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
