/** The root is recomputed from the served transactions; one changed transaction fails. */
import assert from 'node:assert/strict';
import { merkleRoot, transactionHashOf } from '../../../node/format/index.ts';
import type { Probe } from '../clause.ts';
import { assertCheck, fullBlock, hash, judge } from '../blocks.ts';
import { production, submit } from '../records.ts';

const ROOT_CHECK = /transaction.*root|tx.?root/i;

export const probe: Probe = {
  id: '6.3.2.d',
  async prove(context) {
    const { height } = await submit(context, production(context));
    const block = await fullBlock(context, height);
    const root = merkleRoot(
      hash.hash,
      block.transactions.map((bytes) => transactionHashOf(hash, bytes)),
    );
    assert.deepEqual(Buffer.from(root).toString('hex'), Buffer.from(block.header.txRoot).toString('hex'));
    const [first, ...rest] = block.transactions;
    const changed = Uint8Array.from(first!);
    changed[changed.length - 1]! ^= 1; // the last byte of its signature
    assertCheck(await judge(context, { ...block, transactions: [changed, ...rest] }), ROOT_CHECK, false);
    assertCheck(await judge(context, { ...block, transactions: rest }), ROOT_CHECK, false);
  },
  async twin(context) {
    const { height } = await submit(context, production(context));
    assertCheck(await judge(context, await fullBlock(context, height)), ROOT_CHECK, true);
  },
};
