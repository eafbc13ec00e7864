/** A map filled from a snapshot with what was written since, beside the same writes one block after another. */
import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import { concat, toHex } from '../../../../node/format/index.ts';
import {
  createStateMap,
  encodeChangeSet,
  loadChanges,
  loadSnapshot,
  type MapWrite,
  type StateMap,
  writeSnapshot,
} from '../../../../node/state/index.ts';
import { block, digest, entriesOf, fastHash, type HeldEntry, many, plainHash } from './state-map-model.ts';

function snapshotOf(map: StateMap): Uint8Array {
  const held = map.hold();
  const bytes = concat(...writeSnapshot(plainHash, { height: 0, root: held.root, count: held.count }, held.entries()));
  held.release();
  return bytes;
}

/** What each block wrote, as it is stored. */
function changesOf(map: StateMap, blocks: readonly (readonly MapWrite[])[]): Uint8Array[] {
  return blocks.map((writes, height) => {
    const before = map.root();
    map.commit(map.stage(writes));
    return encodeChangeSet(plainHash, { height, before, after: map.root(), writes });
  });
}

function entriesIn(map: StateMap): HeldEntry[] {
  const held = map.hold();
  const entries = entriesOf(held.entries());
  held.release();
  return entries;
}

async function assertMerged(before: readonly (readonly MapWrite[])[], since: readonly (readonly MapWrite[])[]): Promise<void> {
  const map = createStateMap(fastHash);
  changesOf(map, before);
  const snapshot = snapshotOf(map);
  const changes = changesOf(map, since);
  const loaded = await loadSnapshot(fastHash, [snapshot], undefined, changes);
  assert.deepEqual([toHex(loaded.map.root()), loaded.map.count()], [toHex(map.root()), map.count()]);
  assert.deepEqual(entriesIn(loaded.map), entriesIn(map), 'locations and all');
}

test('a snapshot with the change sets of any blocks since is the map after those blocks, locations and all', async () => {
  await fc.assert(
    fc.asyncProperty(many(block, 4), many(block, 6), (before, since) => assertMerged(before, since)),
    { numRuns: 100 },
  );
});

test('change sets without a snapshot make the map that their blocks made of none', () => {
  fc.assert(
    fc.property(many(block, 6), (blocks) => {
      const map = createStateMap(fastHash);
      const made = loadChanges(fastHash, changesOf(map, blocks));
      assert.equal(toHex(made.root()), toHex(map.root()));
      assert.deepEqual(entriesIn(made), entriesIn(map));
    }),
    { numRuns: 60 },
  );
});

test('changes take their places across the frames of a snapshot: none in a frame, all of one, thousands between two entries, some behind the last', async () => {
  const COUNT = 9_000; // of some 100 bytes: four frames
  const key = (i: number): string => `entry ${String(i).padStart(6, '0')} ${'x'.repeat(40)}`;
  const put = (name: string, of: string, location = 7): MapWrite => ({ key: name, valueHash: digest(of), location });
  const before = [Array.from({ length: COUNT }, (_, i) => put(key(i), `${i}`, i))];
  const removed = (from: number, to: number): MapWrite[] =>
    Array.from({ length: to - from }, (_, i) => ({ key: key(from + i), valueHash: undefined }));
  const between = Array.from({ length: 5_000 }, (_, i) => put(`${key(4_000)}${String(i).padStart(6, '0')}`, `b${i}`));
  await assertMerged(before, [[put(key(4_000), 'again')], between, [put(key(4_000), 'once more', 9), ...removed(4_001, 4_003)]]);
  await assertMerged(before, [removed(2_000, 7_000), [put(key(3_000), 'back')], [put('a', 'first'), put('z', 'last')]]);
  await assertMerged(before, [removed(0, COUNT)]);
  await assertMerged(before, [removed(0, COUNT), [put(key(1), 'alone')]]);
  await assertMerged(before, []);
  await assertMerged([], [[put('a', 'only')], []]);
});
