/** The receipt names block height, block hash and transaction id, and the record's proof verifies offline. */
import assert from 'node:assert/strict';
import type { Probe } from '../clause.ts';
import { fullBlock, hashOf, hash } from '../blocks.ts';
import { openTransaction } from '../../../node/format/index.ts';
import { production, submit } from '../records.ts';
import type { ProbeContext } from '../context.ts';

async function bundle(context: ProbeContext): Promise<{ text: string; receipt: Awaited<ReturnType<typeof submit>> }> {
  const receipt = await submit(context, production(context));
  const answer = await context.until('the proof of a record', 30_000, async () => {
    const tried = await context.call(context.actor.node, 'GET', `records/${receipt.records[0].id}/proof`);
    return tried.status === 200 && tried;
  });
  return { text: JSON.stringify(answer.json.data), receipt };
}

function verify(context: ProbeContext, text: string): ReturnType<ProbeContext['cli']> {
  return context.cli(context.actor.node, [
    'verify',
    context.file('bundle.json', text),
    '--genesis',
    context.file('genesis.json', context.net.genesisText),
  ]);
}

export const probe: Probe = {
  id: '6.1.1.c',
  async prove(context) {
    const { text, receipt } = await bundle(context);
    const block = await fullBlock(context, receipt.height);
    assert.equal(hashOf(block.header), receipt.blockHash, 'the block hash named is that of the block served');
    const ids = block.transactions.map((bytes) => Buffer.from(openTransaction(hash, bytes).id).toString('hex'));
    assert.equal(ids.includes(receipt.transactionId), true, 'the transaction named is in that block');
    const verified = await verify(context, text);
    assert.equal(verified.exitCode, 0, `${verified.stdout}${verified.stderr}`);
  },
  async twin(context) {
    const { text, receipt } = await bundle(context);
    const digest: string = receipt.records[0].recordDigest;
    // One character of some hexadecimal text in the file: a hash, a signature, a key or a leaf.
    const places = [...text.matchAll(/[0-9a-f]{64,}/g)].map((match) => match.index);
    assert.equal(places.length > 0, true, `a bundle holds hashes; the record digest is ${digest}`);
    for (let i = 0; i < 4; i++) {
      const at = places[context.integer(0, places.length - 1)]! + context.integer(0, 63);
      const altered = `${text.slice(0, at)}${text[at] === '0' ? '1' : '0'}${text.slice(at + 1)}`;
      assert.notEqual((await verify(context, altered)).exitCode, 0, `character ${at} was changed unnoticed`);
    }
  },
};
