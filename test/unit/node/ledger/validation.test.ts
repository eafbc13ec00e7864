/** Blocks handed in for validation: a final one and one on top of the head, as they are and changed in one place; which checks fail by name. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { encodeCertificate } from '../../../../consensus/pbft/certificates.ts';
import {
  type Block,
  decodeBlock,
  decodeHeader,
  encodeBlock,
  encodeHeader,
  headerHash,
  merkleRoot,
  openTransaction,
  sealSigningBytes,
  signTransaction,
  transactionHashOf,
  Writer,
} from '../../../../node/format/index.ts';
import { blockCheckNames, failed } from '../../../../node/ledger/checks.ts';
import { createFinalState } from '../../../../node/ledger/final-state.ts';
import { createStateRows } from '../../../../node/ledger/state-rows.ts';
import { decodeSealedBlock, encodeSealedBlock, validateSealedBlock } from '../../../../node/ledger/validation.ts';
import { inlineExecutor } from '../../../tools/inline-executor.ts';
import { MemoryStore } from '../../../tools/memory-store.ts';
import { crypto, testKey } from '../format/genesis-fixture.ts';
import { blocksOn, certify, executorOn, genesis, grow, requestOf, transaction } from './small-chain.ts';

const HEIGHT = 3;
const NOW_MS = genesis.timestampMs + 60_000;

const store = new MemoryStore();
const executor = executorOn(store);
await grow(executor, HEIGHT, 1);
const blocks = blocksOn(store);
const headBytes = blocks.headerBytes(HEIGHT)!;
const head = decodeHeader(headBytes);
const configuration = await blocks.configuration(HEIGHT + 1);
const tip = { ...head, hash: headerHash(crypto, headBytes), configuration };
const state = createFinalState(createStateRows(store));

async function judged(bytes: Uint8Array) {
  return validateSealedBlock(
    {
      crypto,
      verifier: { verify: async (...one) => crypto.verify(...one), verifyAll: async () => [], stop: async () => undefined },
      blocks,
      executor: inlineExecutor(executor, ''),
      tip: () => tip,
      account: state.account,
      nowMs: () => NOW_MS,
      pause: async () => undefined,
    },
    bytes,
  );
}

/** Sealed by its proposer and certified by the validators of this chain, as it says itself. */
function certified(block: Block): readonly [block: Block, finality: Uint8Array] {
  const hash = headerHash(crypto, encodeHeader(block.header));
  const seal = testKey(`${block.header.proposer} validator`).sign(sealSigningBytes(hash));
  return [{ ...block, seal }, encodeCertificate(certify(block.header.height, hash))];
}
const withHeader = (block: Block, changed: Partial<Block['header']>): Block => ({ ...block, header: { ...block.header, ...changed } });
const withTransactions = (block: Block, transactions: readonly Uint8Array[]): Block => {
  const hashes = transactions.map((bytes) => transactionHashOf(crypto, bytes));
  return { ...withHeader(block, { txRoot: merkleRoot(crypto.hash, hashes) }), transactions };
};
const forged = (bytes: Uint8Array): Uint8Array => bytes.with(bytes.length - 1, bytes.at(-1)! ^ 1);
const faults = async (block: Block, finality?: Uint8Array): Promise<readonly string[]> =>
  failed(await judged(encodeSealedBlock(encodeBlock(block), finality))).map((made) => made.check);

const final = decodeBlock((await blocks.blockBytes(2))!);
const finality = (await blocks.finality(2))!;
const built = await executor.build(requestOf(tip, transaction(HEIGHT + 1, 1)));
const [next] = certified({ header: decodeHeader(built.headerBytes), seal: new Uint8Array(64), transactions: [transaction(HEIGHT + 1, 1)] });
const OTHER = new Uint8Array(32).fill(9);

test('a final block, and one on top of the head that nobody has voted on, pass every check that there is', async () => {
  const checks = await judged(encodeSealedBlock(encodeBlock(final), finality));
  assert.deepEqual([checks.map((made) => made.check), failed(checks)], [[...blockCheckNames], []]);
  for (const height of [1, HEIGHT])
    assert.deepEqual(await faults(decodeBlock((await blocks.blockBytes(height))!), await blocks.finality(height)), [], `height ${height}`);
  const proposal = await judged(encodeSealedBlock(encodeBlock(next), undefined));
  const unstated = ['headerHash', 'certificate']; // nothing states another hash, and nobody has signed
  assert.deepEqual(
    [proposal.map((made) => made.check), failed(proposal)],
    [blockCheckNames.filter((name) => !unstated.includes(name)), []],
  );
});

test('a block of a final height is held against what was executed then, whatever it is certified with', async () => {
  const cases: readonly (readonly [what: string, block: readonly [Block, Uint8Array?], failed: readonly string[]])[] = [
    ['no certificate', [final], []],
    [
      'another header without a certificate',
      [certified(withHeader(final, { timestampMs: final.header.timestampMs + 1 }))[0]],
      ['headerHash'],
    ],
    ['another state root', certified(withHeader(final, { stateRoot: OTHER })), ['stateRoot']],
    ['another receipts root', certified(withHeader(final, { receiptsRoot: OTHER })), ['receiptsRoot']],
    ['other transactions', certified(withTransactions(final, [transaction(9, 1)])), ['receiptsRoot', 'stateRoot']],
    ['one transaction less', certified(withTransactions(final, [])), ['receiptsRoot', 'stateRoot']],
    ['transactions of another root', [{ ...final, transactions: [] }, finality], ['transactionRoot', 'receiptsRoot', 'stateRoot']],
    ['the certificate of another block', [final, (await blocks.finality(1))!], ['headerHash', 'certificate']],
    [
      'a certificate that two signed',
      [
        final,
        encodeCertificate({
          ...certify(2, headerHash(crypto, encodeHeader(final.header))),
          votes: certify(2, headerHash(crypto, encodeHeader(final.header))).votes.slice(0, 2),
        }),
      ],
      ['certificate'],
    ],
    ['a forged seal', [{ ...final, seal: forged(final.seal) }, finality], ['producerSeal']],
  ];
  for (const [what, [block, proof], expected] of cases) assert.deepEqual(await faults(block, proof), expected, what);
});

test('a block on top of the head is executed when its transactions have signers, and a wrong root is named', async () => {
  const [good] = next.transactions as [Uint8Array];
  const ofStranger = signTransaction(
    crypto,
    { ...openTransaction(crypto, good).transaction, sender: 'nobody@north' },
    () => new Uint8Array(64),
  ).bytes;
  const latest = NOW_MS + configuration.parameters.clockDriftMaxMs;
  const cases: readonly (readonly [what: string, block: Block, failed: readonly string[]])[] = [
    ['another state root', withHeader(next, { stateRoot: OTHER }), ['stateRoot']],
    ['another receipts root', withHeader(next, { receiptsRoot: OTHER }), ['receiptsRoot']],
    ['another parent', withHeader(next, { parentHash: OTHER }), ['parentLink', 'receiptsRoot', 'stateRoot']],
    ['a time before its parent', withHeader(next, { timestampMs: head.timestampMs - 1 }), ['timestamp', 'receiptsRoot', 'stateRoot']],
    ['a time ahead of every clock', withHeader(next, { timestampMs: latest + 1 }), ['timestamp']],
    ['the latest time', withHeader(next, { timestampMs: latest }), []],
    ['a transaction that nobody signed', withTransactions(next, [forged(good)]), ['transactionSignatures']],
    ['bytes that are no transaction', withTransactions(next, [good, OTHER]), ['transactionSignatures', 'receiptsRoot', 'stateRoot']],
    ['another version of the form', withHeader(next, { version: 2 }), ['chain', 'receiptsRoot', 'stateRoot']],
    ['a transaction of a stranger', withTransactions(next, [ofStranger]), ['transactionSignatures', 'receiptsRoot', 'stateRoot']],
    ['a transaction of before', withTransactions(next, final.transactions), ['transactionSignatures', 'receiptsRoot', 'stateRoot']],
  ];
  for (const [what, block, expected] of cases) assert.deepEqual(await faults(certified(block)[0]), expected, what);
});

test('of a height that the chain has not come to, and of the first one, nothing is judged', async () => {
  for (const height of [0, HEIGHT + 2]) {
    const checks = await judged(encodeSealedBlock(encodeBlock(certified(withHeader(next, { height }))[0]), undefined));
    assert.deepEqual([checks.length, failed(checks).length], [blockCheckNames.length, blockCheckNames.length], `height ${height}`);
  }
});

test('a sealed block is read as it was written; what does not decode is refused', () => {
  const bytes = encodeBlock(final);
  for (const proof of [finality, undefined]) {
    const opened = decodeSealedBlock(encodeSealedBlock(bytes, proof));
    assert.deepEqual([opened.blockBytes, opened.finality, opened.block], [bytes, proof, final]);
  }
  const whole = encodeSealedBlock(bytes, finality);
  const malformed = [
    new Uint8Array(0),
    Uint8Array.of(...whole, 0),
    whole.subarray(0, whole.length - 1),
    encodeSealedBlock(bytes.subarray(0, 50), undefined),
    encodeSealedBlock(bytes, new Uint8Array(5)),
    new Writer().bytes(bytes).u8(7).finish(),
  ];
  for (const one of malformed) assert.throws(() => decodeSealedBlock(one), { code: 'BLOCK_MALFORMED' });
});
