import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import test from 'node:test';
import fc from 'fast-check';
import { fromHex, leafHash, merkleRoot, toHex } from '../../../../node/format/index.ts';
import { crypto } from './genesis-fixture.ts';
import { merklePath, verifyMerklePath } from './merkle-path.ts';

interface Vectors {
  readonly leaf_inputs_hex: readonly string[];
  readonly leaf_hashes: readonly string[];
  readonly roots_by_size: readonly { readonly size: number; readonly root: string }[];
  readonly inclusion_paths_size7: readonly { readonly leaf_index: number; readonly path: readonly string[] }[];
  readonly inclusion_paths_size8: readonly { readonly leaf_index: number; readonly path: readonly string[] }[];
}
const vectors = JSON.parse(
  readFileSync(new URL('../../../../../test/data/vectors/merkle-rfc6962.json', import.meta.url), 'utf8'),
) as Vectors;
const leaves = vectors.leaf_inputs_hex.map(fromHex);
const { hash } = crypto;

test('leaf hashes, roots and audit paths are those of RFC 6962', () => {
  assert.deepEqual(
    leaves.map((leaf) => toHex(leafHash(hash, leaf))),
    vectors.leaf_hashes,
  );
  assert.equal(vectors.roots_by_size.length, 9);
  for (const { size, root } of vectors.roots_by_size) assert.equal(toHex(merkleRoot(hash, leaves.slice(0, size))), root);
  for (const [size, paths] of [
    [7, vectors.inclusion_paths_size7],
    [8, vectors.inclusion_paths_size8],
  ] as const) {
    assert.ok(paths.length > 0);
    for (const { leaf_index, path } of paths) assert.deepEqual(merklePath(hash, leaves.slice(0, size), leaf_index).map(toHex), path);
  }
});

test('every leaf of every tree is proved by its path and by no other leaf, place or sibling', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 40 }), fc.nat(), fc.nat(), fc.integer({ min: 1, max: 255 }), (count, place, where, bits) => {
      const all = Array.from({ length: count }, (_, i) => Uint8Array.of(i, 7));
      const root = merkleRoot(hash, all);
      const index = place % count;
      const path = merklePath(hash, all, index);
      const leaf = all[index]!;
      assert.ok(verifyMerklePath(hash, root, leaf, index, count, path));
      for (let other = 0; other < count; other++)
        if (other !== index) assert.ok(!verifyMerklePath(hash, root, leaf, other, count, path), `leaf ${index} stands at ${other}`);
      assert.ok(!verifyMerklePath(hash, root, Uint8Array.of(index, 8), index, count, path));
      assert.ok(!verifyMerklePath(hash, root, leaf, index, count, [...path, root]));
      if (path.length === 0) return;
      assert.ok(!verifyMerklePath(hash, root, leaf, index, count, path.slice(1)));
      const changed = path.map((step, i) => (i === where % path.length ? step.map((byte, j) => (j === 5 ? byte ^ bits : byte)) : step));
      assert.ok(!verifyMerklePath(hash, root, leaf, index, count, changed));
    }),
  );
});

test('a node cannot pass for a leaf, and places outside the tree are refused', () => {
  const [a, b] = [leafHash(hash, leaves[0]!), leafHash(hash, leaves[1]!)];
  assert.notEqual(toHex(merkleRoot(hash, leaves.slice(0, 2))), toHex(merkleRoot(hash, [Buffer.concat([a, b])])));
  for (const index of [-1, 8, 0.5, Number.NaN])
    assert.equal(verifyMerklePath(hash, merkleRoot(hash, leaves), leaves[0]!, index, 8, []), false);
});
