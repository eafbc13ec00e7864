/** A block rightly signed by a key outside the validator set fails: the signer must also be entitled. */
import { generateKeyPairSync, sign } from 'node:crypto';
import assert from 'node:assert/strict';
import { encodeHeader, headerHash, sealSigningBytes } from '../../../node/format/index.ts';
import type { Probe } from '../clause.ts';
import { assertCheck, fullBlock, hash, judge, withHeader } from '../blocks.ts';
import { production, submit } from '../records.ts';

export const probe: Probe = {
  id: '6.3.2.e',
  async prove(context) {
    const { height } = await submit(context, production(context));
    const outsider = withHeader(await fullBlock(context, height), { proposer: context.random('outsider') });
    const { privateKey } = generateKeyPairSync('ed25519');
    const seal = new Uint8Array(sign(null, sealSigningBytes(headerHash(hash, encodeHeader(outsider.header))), privateKey));
    assertCheck(await judge(context, { ...outsider, seal }), /entitled/i, false);
  },
  async twin(context) {
    const { height } = await submit(context, production(context));
    const block = await fullBlock(context, height);
    assertCheck(await judge(context, block), /entitled/i, true);
    assert.equal(
      context.genesis.nodes.some((node) => node.id === block.header.proposer),
      true,
      'the producer is a registered node',
    );
  },
};
