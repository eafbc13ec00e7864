import assert from 'node:assert/strict';
import { test } from 'node:test';
import { encodeHeader, type Header, headerHash, merkleRoot, sealSigningBytes, Writer } from '../../../../node/format/index.ts';
import { checkHeader, failed } from '../../../../node/ledger/checks.ts';
import { headerAt, opened } from '../format/evidence-fixture.ts';
import { crypto, testKey } from '../format/genesis-fixture.ts';

const parent = {
  ...{ hash: crypto.hash(new Uint8Array(1)), height: 8, timestampMs: 1, era: 0, chainId: opened.chainId },
  configuration: opened.configuration,
};
const sorted = opened.configuration.validators.map(({ node }) => node);

/** Names of the checks that fail for a header of height 9, sealed by its proposer. */
function faults(change: Partial<Header>): readonly string[] {
  const txRoot = merkleRoot(crypto.hash, []);
  const header = headerAt(9, { parentHash: parent.hash, proposer: sorted[0]!, txRoot, ...change });
  const hash = headerHash(crypto, encodeHeader(header));
  const seal = testKey(`${header.proposer} validator`).sign(sealSigningBytes(hash));
  return failed(checkHeader(crypto, header, hash, seal, [], 0, parent)).map((made) => made.check);
}

test('only the primary of the view that engineData names may have produced a block (6.3.2.a)', () => {
  assert.deepEqual(sorted, ['east-1', 'north-1', 'south-1', 'west-1']);
  for (const view of [0, 1, 2, 3, 4, 4_000_000_001]) {
    const engineData = new Writer(8).u64(view).finish();
    for (const [i, proposer] of sorted.entries())
      assert.deepEqual(faults({ engineData, proposer }), i === view % 4 ? [] : ['producerEntitled'], `${proposer} in view ${view}`);
  }
});

test('engineData in another form than a view entitles nobody', () => {
  for (const engineData of [new Uint8Array(0), new Uint8Array(7), new Uint8Array(9), new Uint8Array(8).fill(0xff)])
    assert.deepEqual(faults({ engineData }), ['producerEntitled']);
  assert.deepEqual(faults({ proposer: 'stranger' }), ['producerEntitled', 'producerSeal']);
});
