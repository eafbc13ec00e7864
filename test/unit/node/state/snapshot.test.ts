import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import { ChainError } from '../../../../node/errors/index.ts';
import { concat, hashTagged, toHex, Writer } from '../../../../node/format/index.ts';
import {
  createStateMap,
  type EntryWriter,
  loadSnapshot,
  type MapWrite,
  type SnapshotHead,
  type StateMap,
  writeSnapshot,
} from '../../../../node/state/index.ts';
import { block, digest, entriesOf, fastHash, type HeldEntry, many, plainHash, writerOf } from './state-map-model.ts';

const damaged = (fault: RegExp) => (error: unknown) =>
  error instanceof ChainError &&
  error.code === 'STORE_DAMAGED' &&
  error.data.table === 'state snapshot' &&
  fault.test(String(error.data.fault));

function bytesOf(head: SnapshotHead, entries: EntryWriter): Uint8Array {
  return concat(...writeSnapshot(plainHash, head, entries));
}

function snapshotOf(map: StateMap, height: number): Uint8Array {
  const held = map.hold();
  try {
    return bytesOf({ height, root: held.root, count: held.count }, held.entries());
  } finally {
    held.release();
  }
}

function mapAfter(blocks: readonly (readonly MapWrite[])[]): StateMap {
  const map = createStateMap(fastHash);
  for (const writes of blocks) map.commit(map.stage(writes));
  return map;
}
const entriesIn = (map: StateMap): HeldEntry[] => entriesOf(map.hold().entries());

/** The bytes in pieces of sizes that repeat, some of them empty. */
function* pieces(bytes: Uint8Array, sizes: readonly number[]): Generator<Uint8Array> {
  for (let at = 0, i = 0; at < bytes.length; i++) {
    const size = i % (sizes.length + 1) === sizes.length ? 1 : sizes[i % (sizes.length + 1)]!;
    yield bytes.slice(at, at + size);
    at += size;
  }
}

test('a snapshot is read back into the same map, whatever the pieces its bytes come in', async () => {
  await fc.assert(
    fc.asyncProperty(many(block, 5), fc.array(fc.nat(300), { maxLength: 4 }), fc.nat(), async (blocks, sizes, height) => {
      const map = mapAfter(blocks);
      const bytes = snapshotOf(map, height);
      const loaded = await loadSnapshot(fastHash, pieces(bytes, sizes));
      assert.deepEqual([loaded.head.height, loaded.head.count, toHex(loaded.head.root)], [height, map.count(), toHex(map.root())]);
      assert.equal(toHex(loaded.map.root()), toHex(map.root()));
      assert.deepEqual(entriesIn(loaded.map), entriesIn(map));
      const writes = blocks[0]?.slice(0, 5) ?? [];
      assert.equal(toHex(loaded.map.stage(writes).root), toHex(map.stage(writes).root));
      assert.deepEqual(Buffer.from(snapshotOf(loaded.map, height)), Buffer.from(bytes));
    }),
    { numRuns: 60 },
  );
});

const large = mapAfter([
  Array.from({ length: 6_000 }, (_, i) => ({ key: `key ${toHex(digest(String(i)))}`, valueHash: digest(`${i}`), location: i })),
]);
const few = mapAfter([Array.from({ length: 20 }, (_, i) => ({ key: `k${i}`, valueHash: digest(`${i}`), location: 2 ** 33 + i }))]);

test('a snapshot of many frames is written a frame at a time and read back', async () => {
  const frames = [...writeSnapshot(plainHash, { height: 1, root: large.root(), count: large.count() }, large.hold().entries())];
  assert.ok(frames.length > 4 && frames.every((frame) => frame.length < 300_000));
  const loaded = await loadSnapshot(fastHash, frames);
  assert.deepEqual(entriesIn(loaded.map), entriesIn(large));
  const swapped = [frames[0]!, frames[2]!, frames[1]!, ...frames.slice(3)];
  await assert.rejects(loadSnapshot(fastHash, swapped), damaged(/hash differs/));
  await assert.rejects(loadSnapshot(fastHash, frames.toSpliced(1, 1)), damaged(/hash differs/));
  await assert.rejects(loadSnapshot(fastHash, frames.slice(0, -1)), damaged(/too early/));
});

test('the order of entries is judged across frames', () => {
  const entries = entriesIn(large);
  const head = { height: 1, root: large.root(), count: large.count() };
  const [, first] = [...writeSnapshot(plainHash, head, writerOf(entries))];
  const inFirst = Math.round((first!.length - 36) / (2 + entries[0]!.key.length + 40));
  const moved = [...entries.slice(0, inFirst), entries[inFirst - 1]!, ...entries.slice(inFirst + 1)];
  assert.throws(() => bytesOf(head, writerOf(moved)), /out of order/);
});

test('a snapshot with any byte changed, cut off anywhere or followed by more is refused', async () => {
  const bytes = snapshotOf(few, 5);
  for (let at = 0; at < bytes.length; at++) {
    const flipped = bytes.slice();
    flipped[at]! ^= 1 << (at & 7);
    await assert.rejects(loadSnapshot(fastHash, [flipped]), damaged(/./));
    await assert.rejects(loadSnapshot(fastHash, [bytes.slice(0, at)]), damaged(/too early/));
  }
  await assert.rejects(loadSnapshot(fastHash, [bytes, Uint8Array.of(0)]), damaged(/behind the end/));
});

test('well hashed bytes that hold something else than they state are refused', async () => {
  interface Lie {
    readonly form?: number;
    readonly count?: number;
    readonly root?: Uint8Array;
    readonly entries?: readonly (readonly [key: string, keyBytesStated: number])[];
    readonly size?: number;
  }
  const map = mapAfter([['a', 'b'].map((key) => ({ key, valueHash: digest(key) }))]);
  const told = ({
    form = 1,
    count = 2,
    root = map.root(),
    entries = [
      ['a', 1],
      ['b', 1],
    ],
    size,
  }: Lie): Uint8Array => {
    let before: Uint8Array = new Uint8Array(0);
    const sealed = (bytes: Uint8Array): Uint8Array => {
      before = hashTagged(plainHash, 'map-snapshot', before, bytes);
      return concat(bytes, before);
    };
    const rows = new Writer();
    for (const [key, stated] of entries) rows.u16(stated).fixed(Buffer.from(key, 'latin1'), key.length).fixed(digest(key), 32).u64(0);
    const payload = rows.finish();
    const head = sealed(new Writer().u8(form).u64(1).fixed(root, 32).u32(count).finish());
    return concat(head, sealed(concat(new Writer().u32(size ?? payload.length).finish(), payload)), sealed(new Uint8Array(4)));
  };
  assert.equal((await loadSnapshot(fastHash, [told({})])).map.count(), 2);
  const lies: readonly (readonly [Lie, RegExp])[] = [
    [{ form: 2 }, /form is 2/],
    [{ count: 3 }, /2 entries where 3/],
    [{ root: digest('') }, /another root/],
    [
      {
        entries: [
          ['b', 1],
          ['a', 1],
        ],
      },
      /out of order/,
    ],
    [
      {
        entries: [
          ['a', 1],
          ['a', 1],
        ],
      },
      /out of order/,
    ],
    [
      {
        entries: [
          ['a', 1],
          ['b', 2],
        ],
      },
      /cut off/,
    ],
    [
      {
        entries: [
          ['', 0],
          ['b', 1],
        ],
      },
      /cut off/,
    ],
    [
      {
        entries: [
          ['a', 1],
          ['b'.repeat(513), 513],
        ],
      },
      /cut off/,
    ],
    [{ size: 0xffff_fff0 }, /frame of 4294967280 bytes/],
  ];
  for (const [lie, fault] of lies) await assert.rejects(loadSnapshot(fastHash, [told(lie)]), damaged(fault));
});

test('a snapshot that is not what its head states is not written to its end', () => {
  const entry = (key: string): HeldEntry => ({ key, valueHash: digest(key), location: 0 });
  const head = { height: 1, root: digest(''), count: 2 };
  for (const keys of [
    ['b', 'a'],
    ['a', 'b', 'b'],
    ['ab', 'a'],
    ['a', 'ab', 'aa'],
  ])
    assert.throws(() => bytesOf(head, writerOf(keys.map(entry))), /out of order/, keys.join());
  assert.throws(() => bytesOf(head, writerOf([entry('a')])), /after 1/);
});
