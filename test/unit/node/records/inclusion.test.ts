/** Inclusion of the receipts of a large block: right, its tree built once for all who ask, and without holding the thread. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createCrypto } from '../../../../node/crypto/index.ts';
import { merkleLevels, merklePathIn } from '../../../../node/format/index.ts';
import { createInclusions, TREES_BYTES_MAX } from '../../../../node/records/inclusion.ts';
import type { BlockStore } from '../../../../node/ledger/block-store.ts';
import { createSlices, type RunInSlices } from '../../../../node/pace/slices.ts';
import { leastHold } from '../../api/rest/thread-hold.ts';
import { world } from '../peers/stand-in.ts';

const HOLD_MS_MAX = 20;
const RECEIPTS = 10_000;
/** Of one receipt: its events name the records that it stored. */
const RECEIPT_BYTES = 3_000;
const ASKING = 20;

const crypto = createCrypto();
const receipts = Array.from({ length: RECEIPTS }, (_, i) => Buffer.alloc(RECEIPT_BYTES, `receipt ${i} `));
const blocks = {
  headerBytes: () => new Uint8Array(300),
  receiptBytes: async (height: number) => (height === 1 ? receipts : undefined),
} as unknown as BlockStore;

test('many who ask for receipts of one large block at once share the building of its tree, and the thread is not held', async () => {
  const levels = merkleLevels(crypto.hash, receipts);
  const { longestMs } = await leastHold(
    async () => {
      let hashes = 0;
      const hash = (...parts: Parameters<typeof crypto.hash>) => {
        hashes++;
        return crypto.hash(...parts);
      };
      const inclusions = createInclusions(blocks, { hash }, createSlices(world));
      const found = await Promise.all(Array.from({ length: ASKING }, (_, i) => inclusions.receipt(1, i)));
      assert.ok(hashes <= 2 * RECEIPTS, `${hashes} hashes`);
      for (const [i, inclusion] of found.entries()) assert.deepEqual(inclusion?.path, merklePathIn(levels, i));
      assert.equal(await inclusions.receipt(1, RECEIPTS), undefined);
      assert.equal(await inclusions.receipt(2, 0), undefined);
    },
    { boundMs: HOLD_MS_MAX, triesMax: 8 },
  );
  assert.ok(longestMs <= HOLD_MS_MAX, `${longestMs.toFixed(1)} ms`);
});

test('the tree of a large block is built with many pauses', async () => {
  let pauses = 0;
  const counted: RunInSlices = async (steps) => {
    for (;;) {
      const step = steps.next();
      if (step.done === true) return step.value;
      pauses++;
    }
  };
  await createInclusions(blocks, crypto, counted).receipt(1, 0);
  assert.ok(pauses > RECEIPTS / 100, `${pauses} pauses`);
});

test('trees are held up to so many bytes of memory', async () => {
  const large = [new Uint8Array(TREES_BYTES_MAX / 4)];
  const read: number[] = [];
  const many = {
    headerBytes: () => new Uint8Array(300),
    receiptBytes: async (height: number) => {
      read.push(height);
      return large;
    },
  } as unknown as BlockStore;
  const inclusions = createInclusions(many, { hash: () => new Uint8Array(32) }, createSlices(world));
  for (const height of [1, 2, 3, 3, 2, 1]) await inclusions.receipt(height, 0);
  assert.deepEqual(read, [1, 2, 3], 'three have room');
  await inclusions.receipt(4, 0);
  for (const height of [2, 3, 4]) await inclusions.receipt(height, 0);
  assert.deepEqual(read, [1, 2, 3, 4], 'a fourth has none beside them: the oldest went');
  await inclusions.receipt(1, 0);
  assert.deepEqual(read, [1, 2, 3, 4, 1]);
});
