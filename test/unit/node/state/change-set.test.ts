import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import { ChainError } from '../../../../node/errors/index.ts';
import { concat, hashTagged, Writer } from '../../../../node/format/index.ts';
import {
  type ChangeSet,
  createStateMap,
  decodeChangeSet,
  encodeChangeSet,
  type MapWrite,
  mergeChangeSets,
  type StateMap,
} from '../../../../node/state/index.ts';
import { block, digest, entriesOf, fastHash, type HeldEntry, many, plainHash } from './state-map-model.ts';

const damaged = (fault: RegExp) => (error: unknown) =>
  error instanceof ChainError &&
  error.code === 'STORE_DAMAGED' &&
  error.data.table === 'change set' &&
  fault.test(String(error.data.fault));

function entriesIn(map: StateMap): HeldEntry[] {
  const held = map.hold();
  const entries = entriesOf(held.entries());
  held.release();
  return entries;
}

/** Commits the block and returns what it changed, there and back. */
function commit(map: StateMap, height: number, writes: readonly MapWrite[]): { readonly set: ChangeSet; readonly undo: ChangeSet } {
  const before = map.root();
  const staged = map.stage(writes);
  const undo = { height: height - 1, before: staged.root, after: before, writes: staged.undo() };
  map.commit(staged);
  return { set: { height, before, after: staged.root, writes }, undo };
}
const replay = (map: StateMap, { writes }: ChangeSet): void => map.commit(map.stage(writes));
const coded = (set: ChangeSet): ChangeSet => decodeChangeSet(plainHash, encodeChangeSet(plainHash, set));

test('change sets read back lead a second map through the same states, and their undo leads it back, locations and all', () => {
  fc.assert(
    fc.property(many(block, 6), (blocks) => {
      const [one, two] = [createStateMap(fastHash), createStateMap(fastHash)];
      const undos: ChangeSet[] = [];
      const states = [entriesIn(one)];
      for (const [height, writes] of blocks.entries()) {
        const { set, undo } = commit(one, height, writes);
        undos.push(undo);
        replay(two, coded(set));
        assert.deepEqual(entriesIn(two), entriesIn(one));
        states.push(entriesIn(two));
      }
      states.pop();
      for (const undo of undos.reverse()) {
        replay(two, coded({ ...undo, height: undo.height + 1 }));
        assert.deepEqual(entriesIn(two), states.pop());
      }
    }),
    { numRuns: 40 },
  );
});

test('what many change sets change together leads from the first state to the last', () => {
  fc.assert(
    fc.property(many(block, 5), (blocks) => {
      const [one, two] = [createStateMap(fastHash), createStateMap(fastHash)];
      const sets = blocks.map((writes, height) => coded(commit(one, height, writes).set));
      const writes = mergeChangeSets(sets);
      assert.deepEqual(
        writes.map(({ key }) => key),
        [...new Set(sets.flatMap((set) => set.writes.map(({ key }) => key)))].sort(),
      );
      two.commit(two.stage(writes));
      assert.deepEqual(entriesIn(two), entriesIn(one));
    }),
    { numRuns: 50 },
  );
});

const writes: MapWrite[] = [
  { key: 'a', valueHash: digest('1'), location: 2 ** 32 + 7 },
  { key: 'b', valueHash: undefined },
  { key: 'record', valueHash: digest('2') },
];

test('a change set with any byte changed, cut off anywhere or followed by more is refused', () => {
  const bytes = encodeChangeSet(plainHash, commit(createStateMap(fastHash), 9, writes).set);
  for (let at = 0; at < bytes.length; at++) {
    const flipped = bytes.slice();
    flipped[at]! ^= 1 << (at & 7);
    assert.throws(() => decodeChangeSet(plainHash, flipped), damaged(/hash differs/));
    assert.throws(() => decodeChangeSet(plainHash, bytes.slice(0, at)), damaged(/hash differs/));
  }
  assert.throws(() => decodeChangeSet(plainHash, concat(bytes, Uint8Array.of(0))), damaged(/hash differs/));
});

test('well hashed bytes of another form are refused', () => {
  const sealed = (body: Uint8Array) => concat(body, hashTagged(plainHash, 'map-changes', body));
  const body = (form: number, keys: readonly string[], length?: number) => {
    const writer = new Writer().u8(form).u64(1).fixed(digest('0'), 32).fixed(digest('1'), 32).u32(keys.length);
    for (const key of keys)
      writer
        .u16(length ?? key.length)
        .fixed(Buffer.from(key, 'latin1'), key.length)
        .u8(0);
    return writer.finish();
  };
  assert.equal(decodeChangeSet(plainHash, sealed(body(1, ['a', 'b']))).writes.length, 2);
  assert.throws(() => decodeChangeSet(plainHash, sealed(body(2, []))), damaged(/form is 2/));
  assert.throws(() => decodeChangeSet(plainHash, sealed(body(1, ['a', 'a']))), damaged(/out of order/));
  assert.throws(() => decodeChangeSet(plainHash, sealed(body(1, ['']))), damaged(/out of order/));
  assert.throws(() => decodeChangeSet(plainHash, sealed(body(1, ['x'.repeat(513)]))), damaged(/key of 513 bytes/));
  assert.throws(() => decodeChangeSet(plainHash, sealed(body(1, ['a'], 9))), damaged(/early/));
});
