/** The tip keeps what a block does not change, and takes over what a barrier does. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createTip } from '../../../../node/chain/tip.ts';
import { encodeConfiguration, encodeHeader, HEADER_VERSION, type Header, openGenesis } from '../../../../node/format/index.ts';
import type { Committed } from '../../../../node/ledger/index.ts';
import { crypto, genesisFixture } from '../format/genesis-fixture.ts';

const { configuration } = openGenesis(crypto, JSON.stringify(genesisFixture()));
const NOTHING = new Uint8Array(32);

function committed(height: number, encoded: Uint8Array): Committed {
  const header: Header = {
    ...{ version: HEADER_VERSION, chainId: NOTHING, era: 0, height, parentHash: NOTHING, timestampMs: height, proposer: 'north-1' },
    ...{ engine: 'pbft', engineData: new Uint8Array(8), txRoot: NOTHING, receiptsRoot: NOTHING, stateRoot: NOTHING },
    ...{ consensusHash: NOTHING, nextConsensusHash: NOTHING },
  };
  const listed = { transactionIds: [], receipts: [], recordFacts: undefined, barrier: false, registryChanged: false };
  // As it comes from the executor's thread: bytes of its own with every block.
  return { height, hash: new Uint8Array(32).fill(height), headerBytes: encodeHeader(header), configuration: encoded.slice(), ...listed };
}

test('validators and parameters are the same objects from block to block, and others from a barrier on', () => {
  const none = { account: () => undefined, spent: { has: () => false, add: () => undefined } };
  const tip = createTip(committed(0, encodeConfiguration(configuration)), none);
  const first = tip.configuration;
  assert.deepEqual(first, configuration);
  tip.advance(committed(1, encodeConfiguration(configuration)));
  assert.equal(tip.configuration, first);
  assert.deepEqual([tip.height, tip.header.height, tip.hash[0]], [1, 1, 1]);
  const next = { ...configuration, validators: configuration.validators.slice(1) };
  for (const height of [2, 3]) {
    tip.advance(committed(height, encodeConfiguration(next)));
    assert.deepEqual(tip.configuration, next);
  }
  tip.advance(committed(4, encodeConfiguration(configuration)));
  assert.deepEqual(tip.configuration, configuration, 'back again');
});
