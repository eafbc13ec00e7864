/** The reviewer recomputes the header hash from the served header; a changed header fails, whichever field was changed. */
import assert from 'node:assert/strict';
import type { Probe } from '../clause.ts';
import { assertCheck, judge, rawBlock } from '../blocks.ts';
import { readHeader, readRawBlock } from '../independent.ts';
import { production, submit } from '../records.ts';

const HASH_CHECK = /header.*hash/i;

export const probe: Probe = {
  id: '6.3.2.c',
  async prove(context) {
    const { height, blockHash } = await submit(context, production(context));
    for (const node of context.net.nodes.keys()) {
      await context.allAt(height, [node]);
      const { header } = readRawBlock(await rawBlock(context, height, node));
      assert.equal(header.hash, blockHash, `the hash recomputed from the header node ${node} serves is the one the receipt names`);
      const told = await context.get(node, `blocks/${height}`);
      assert.equal(told.hash, blockHash);
      for (const name of ['txRoot', 'receiptsRoot', 'stateRoot', 'parentHash'])
        assert.equal(told.header[name], header.fields[name]!.bytes.toString('hex'), name);
    }
    const raw = await rawBlock(context, height);
    const { header, headerAt } = readRawBlock(raw);
    for (const name of Object.keys(header.fields)) {
      const field = header.fields[name]!;
      const altered = Buffer.from(raw);
      altered[headerAt + field.at + field.bytes.length - 1]! ^= 1;
      const own = readHeader(altered.subarray(headerAt, headerAt + header.bytes.length));
      assert.notEqual(own.hash, blockHash, `another ${name} gives another hash`);
      const check = assertCheck(await judge(context, altered), HASH_CHECK, false);
      assert.equal(check.computed, own.hash, 'the node computes for the changed header what the reviewer does');
      assert.equal(check.stated, blockHash);
    }
  },
  async twin(context) {
    const { height, blockHash } = await submit(context, production(context));
    const check = assertCheck(await judge(context, await rawBlock(context, height)), HASH_CHECK, true);
    assert.equal(check.computed, blockHash);
  },
};
