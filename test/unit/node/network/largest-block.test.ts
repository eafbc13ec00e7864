/** The largest block that governance may allow travels in every frame that carries it: what is final must be had by whoever was away. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { encodeMessage, PROPOSAL_BYTES_MAX } from '../../../../consensus/pbft/messages.ts';
import { type Certificate, encodeCertificate } from '../../../../consensus/pbft/certificates.ts';
import {
  encodeBlock,
  encodeHeader,
  encodeProposal,
  type Header,
  NAME_BYTES_MAX,
  parameterTable,
  SIGNATURE_BYTES_MAX,
  TRANSACTION_BYTES_MAX,
  VALIDATORS_MAX,
} from '../../../../node/format/index.ts';
import { decodeBulkMessage, encodeBulkMessage } from '../../../../node/peers/messages.ts';
import { FRAME_BYTES_MAX } from '../../../../node/world.ts';

const digest = new Uint8Array(32);
const [bytesMax, countMax] = [parameterTable.blockBytesMax.max, parameterTable.blockTransactionsMax.max];
const longName = (i: number): string => String(i).padStart(NAME_BYTES_MAX, 'n');
const signature = new Uint8Array(SIGNATURE_BYTES_MAX);
const header: Header = {
  version: 1,
  chainId: digest,
  era: 0,
  height: Number.MAX_SAFE_INTEGER,
  parentHash: digest,
  timestampMs: Number.MAX_SAFE_INTEGER,
  proposer: longName(0),
  engine: 'pbft',
  engineData: new Uint8Array(8),
  txRoot: digest,
  receiptsRoot: digest,
  stateRoot: digest,
  consensusHash: digest,
  nextConsensusHash: digest,
};
const certificate: Certificate = {
  view: Number.MAX_SAFE_INTEGER,
  height: Number.MAX_SAFE_INTEGER,
  digest,
  votes: Array.from({ length: VALIDATORS_MAX }, (_, i) => ({ node: longName(i), signature })),
};

const fillings = {
  'as few transactions as can be': Array.from({ length: Math.ceil(bytesMax / TRANSACTION_BYTES_MAX) }, (_, i) =>
    Math.min(TRANSACTION_BYTES_MAX, bytesMax - i * TRANSACTION_BYTES_MAX),
  ),
  'as many as can be': Array.from({ length: countMax }, (_, i) => Math.floor(bytesMax / countMax) + (i < bytesMax % countMax ? 1 : 0)),
};
for (const [filling, lengths] of Object.entries(fillings))
  test(`the largest block that a chain may allow, of ${filling}, fits a frame with its certificate beside it`, () => {
    assert.equal(
      lengths.reduce((sum, length) => sum + length, 0),
      bytesMax,
    );
    const block = encodeBlock({ header, seal: signature, transactions: lengths.map((length) => new Uint8Array(length)) });
    const frame = encodeBulkMessage({ kind: 'blocksAnswer', id: 1, blocks: [{ block, finality: encodeCertificate(certificate) }] });
    assert.ok(frame.length <= FRAME_BYTES_MAX.bulk, `${frame.length} bytes`);
    assert.equal(decodeBulkMessage(frame).kind, 'blocksAnswer');
  });

test('the proposal of the most transactions fits the frames it travels in, and so does its certificate', () => {
  const transactionHashes = Array.from({ length: countMax }, () => digest);
  const proposal = encodeProposal({ header: encodeHeader(header), seal: signature, transactionHashes });
  assert.ok(proposal.length <= PROPOSAL_BYTES_MAX, `${proposal.length} bytes`);
  const whole = new Uint8Array(PROPOSAL_BYTES_MAX);
  const said = { height: Number.MAX_SAFE_INTEGER, digest, node: longName(0), signature, proposal: whole };
  const frames = [
    encodeMessage({ kind: 'prePrepare', view: Number.MAX_SAFE_INTEGER, bodyHash: digest, ...said }),
    encodeMessage({ kind: 'body', ...said }),
    encodeMessage({ kind: 'committed', certificate }),
  ];
  for (const frame of frames) assert.ok(frame.length <= FRAME_BYTES_MAX.votes, `${frame.length} bytes`);
});
