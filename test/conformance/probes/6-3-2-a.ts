/** A block signed with another key fails on the check of the producer's signature, by name. */
import { createPrivateKey, generateKeyPairSync, sign } from 'node:crypto';
import assert from 'node:assert/strict';
import type { Probe } from '../clause.ts';
import { headerHash, encodeHeader, sealSigningBytes } from '../../../node/format/index.ts';
import { assertCheck, failed, fullBlock, hash, judge } from '../blocks.ts';
import { production, submit } from '../records.ts';

export const probe: Probe = {
  id: '6.3.2.a',
  async prove(context) {
    const { height } = await submit(context, production(context));
    const block = await fullBlock(context, height);
    const key = createPrivateKey(generateKeyPairSync('ed25519').privateKey.export({ type: 'pkcs8', format: 'pem' }));
    const seal = new Uint8Array(sign(null, sealSigningBytes(headerHash(hash, encodeHeader(block.header))), key));
    const checks = await judge(context, { ...block, seal });
    assertCheck(checks, /seal/i, false);
    assert.deepEqual(
      failed(checks).filter((check) => !/seal/i.test(check)),
      [],
      'nothing else is wrong with it',
    );
  },
  async twin(context) {
    const { height } = await submit(context, production(context));
    assertCheck(await judge(context, await fullBlock(context, height)), /seal/i, true);
  },
};
