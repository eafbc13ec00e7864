/** The chain over a real executor: what a proposal may be refused for, and that what is final is told whatever the disk does after. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { encodeEngineData } from '../../../../consensus/pbft/engine-data.ts';
import type { ChainDependencies } from '../../../../node/chain/chain.ts';
import { ChainError } from '../../../../node/errors/index.ts';
import { type Certificate, voteSigningBytes, encodeCertificate } from '../../../../consensus/pbft/certificates.ts';
import {
  BLOCK_TRANSACTIONS_LIMIT,
  decodeHeader,
  decodeProposal,
  type Digest,
  encodeBlock,
  encodeProposal,
  headerHash,
  openGenesis,
  sealSigningBytes,
  signTransaction,
  SUITE,
  fromByteText,
  toHex,
  transactionHashOf,
  utf8,
} from '../../../../node/format/index.ts';
import { VERSIONS_MAX } from '../../../../node/ledger/versions.ts';
import { SLICE_MS } from '../../../../node/pace/slices.ts';
import type { World } from '../../../../node/world.ts';
import { build, callOf, entryOf, finalityOf, finish, GENESIS, giving, keys, NODES, open, signers, silent, START_MS } from './chain-rig.ts';

test('a block can be committed however many proposals came after it was executed', async () => {
  const opened = await open('a');
  const { digest } = await build(opened);
  for (let view = 1; view <= VERSIONS_MAX + 2; view++) {
    opened.clock.nowMs++;
    await build(opened, view);
  }
  assert.equal((await finish(opened, digest)).height, 1);
  assert.equal(toHex(opened.tip.now().hash), toHex(digest));
});

test('a proposal that the chain overtakes while its transactions are fetched accuses nobody', async () => {
  let give: (found: Uint8Array[]) => void = () => {};
  const opened = await open('b', {
    spreading: {
      flush: () => undefined,
      fetchTransactions: () =>
        new Promise((resolve) => {
          give = resolve;
        }),
    },
  });
  const { digest, proposal } = await build(await open('a'));
  const unsigned = {
    chainId: keys.hash(utf8('x')),
    sender: 's',
    keyId: 'k',
    salt: new Uint8Array(16),
    expiryHeight: 9,
    calls: [],
    gasLimit: 1,
    suite: SUITE.simulated,
  };
  const transaction = signTransaction(keys, unsigned, signers.get('a')!.sign).bytes;
  const naming = encodeProposal({ ...decodeProposal(proposal), transactionHashes: [transactionHashOf(keys, transaction)] });
  const answer = opened.chain.execute({ height: 1, engineData: encodeEngineData(0), digest, proposal: naming, from: 'a', fresh: true });
  await finish(opened, (await build(opened)).digest);
  give([transaction]);
  assert.equal((await answer).code, 'BLOCK_OUT_OF_TURN');
  assert.deepEqual(opened.refused, []);
});

test('a proposal repeated for too long is stale and accuses nobody; one from the future is refused by name', async () => {
  const { digest, proposal } = await build(await open('a'));
  const late = await open('b');
  late.clock.nowMs += 60_000;
  const request = { height: 1, engineData: encodeEngineData(0), digest, proposal, from: 'a' };
  assert.equal((await late.chain.execute({ ...request, fresh: true })).code, 'BLOCK_STALE');
  assert.deepEqual([late.stale, late.refused], [['a'], []]);
  assert.equal((await late.chain.execute({ ...request, fresh: false })).code, 'OK'); // bound by a new view: no clock then
  const early = await open('b');
  early.clock.nowMs -= 60_000;
  assert.equal((await early.chain.execute({ ...request, fresh: true })).code, 'BLOCK_REFUSED');
  assert.deepEqual([early.stale, early.refused], [[], [1]]);
});

test('a fresh proposal must name the view it is made in; a repeated one names an earlier view', async () => {
  const { digest, proposal } = await build(await open('a'), 4);
  const opened = await open('b');
  const request = { height: 1, digest, proposal, from: 'a' };
  assert.equal((await opened.chain.execute({ ...request, engineData: encodeEngineData(0), fresh: true })).code, 'BLOCK_REFUSED'); // also a view of that primary
  assert.deepEqual(opened.refused, [1]);
  assert.equal((await opened.chain.execute({ ...request, engineData: encodeEngineData(4), fresh: true })).code, 'OK');
  assert.equal((await (await open('c')).chain.execute({ ...request, engineData: encodeEngineData(5), fresh: false })).code, 'OK');
});

test('a final block is told before it is synced; the next one is written, and votes may rest on it, only once it is on disk', async () => {
  let onDisk: () => void = () => {};
  let stored = 0;
  const store = {
    sync: () =>
      new Promise<void>((resolve) => {
        onDisk = resolve;
      }),
  };
  const opened = await open('a', { store }, [], () => stored++);
  await finish(opened, (await build(opened)).digest);
  assert.deepEqual([opened.told.length, stored], [1, 1]);
  let durable = false;
  void opened.chain.durable().then(() => {
    durable = true;
  });
  const { digest } = await build(opened);
  const committing = opened.chain.commit({ height: 2, digest, finality: finalityOf(digest) });
  for (let i = 0; i < 50; i++) await new Promise((resolve) => setImmediate(resolve));
  assert.deepEqual([stored, durable], [1, false]);
  onDisk();
  assert.equal((await committing).height, 2);
  assert.deepEqual([stored, durable], [2, true]);
  let idle = false;
  void opened.chain.idle().then(() => {
    idle = true;
  });
  for (let i = 0; i < 50; i++) await new Promise((resolve) => setImmediate(resolve));
  assert.equal(idle, false, 'a node that stops waits for it');
  onDisk();
});

test('where a sync failed nobody knows what is on disk: no further block is written and no vote rests on it until the node starts again', async () => {
  let stored = 0;
  const results = [Promise.reject(new ChainError('STORE_IO', {})), Promise.resolve()];
  results[0]!.catch(() => undefined);
  const opened = await open('a', { store: { sync: () => results.shift()! } }, [], () => stored++);
  await finish(opened, (await build(opened)).digest);
  const { digest } = await build(opened);
  for (let tries = 0; tries < 2; tries++) {
    await assert.rejects(opened.chain.durable(), { code: 'STORE_IO' });
    await assert.rejects(opened.chain.commit({ height: 2, digest, finality: finalityOf(digest) }), { code: 'STORE_IO' });
  }
  assert.equal(stored, 1);
});

test('a transaction of a proposal voted for before a restart is still served', async () => {
  const bytes = utf8('kept');
  const hash = transactionHashOf(keys, bytes);
  const { chain } = await open('a', {
    pending: { save: async () => 0, transaction: (wanted) => (toHex(wanted) === toHex(hash) ? bytes : undefined), drop: () => {} },
  });
  assert.equal(chain.heldTransaction(hash), bytes);
});

/** The block of a proposal as sync brings it. */
function blockOf(proposal: Uint8Array, seal = decodeProposal(proposal).seal, transactions: readonly Uint8Array[] = []): Uint8Array {
  return encodeBlock({ header: decodeHeader(decodeProposal(proposal).header), seal, transactions });
}

function certify(
  digest: Digest,
  { height = 1, phase = 'commit' as 'commit' | 'prepare', nodes = NODES as readonly string[] } = {},
): Certificate {
  const message = voteSigningBytes(openGenesis(keys, JSON.stringify(GENESIS)).chainId, phase, { view: 0, height, digest });
  return { view: 0, height, digest, votes: nodes.map((node) => ({ node, signature: signers.get(node)!.sign(message) })) };
}

const proofOf = (digest: Digest): Uint8Array => encodeCertificate(certify(digest));

test('a block from sync joins the chain by the certificate of a quorum for that very block, and by no other certificate', async () => {
  const { digest, proposal } = await build(await open('a'));
  const another = keys.hash(utf8('another block'));
  const sound = certify(digest);
  const unsound: Readonly<Record<string, Certificate>> = {
    'fewer than a quorum': certify(digest, { nodes: ['a', 'b'] }),
    'nobody signed': { ...sound, votes: [] },
    'one signature is forged': {
      ...sound,
      votes: sound.votes.map((vote, i) => (i === 1 ? { ...vote, signature: sound.votes[0]!.signature } : vote)),
    },
    'votes of another phase': certify(digest, { phase: 'prepare' }),
    'one validator twice': certify(digest, { nodes: ['a', 'a', 'b'] }),
    'of another block': certify(another),
    'of another height': certify(digest, { height: 2 }),
    'signed for another view': { ...sound, view: 1 },
  };
  const { chain, tip, told } = await open('b');
  for (const [what, certificate] of Object.entries(unsound)) {
    await assert.rejects(chain.applyBlock(blockOf(proposal), encodeCertificate(certificate)), { code: 'BLOCK_REFUSED' }, what);
    assert.deepEqual([tip.height, told.length], [0, 0], what);
  }
  assert.equal((await chain.applyBlock(blockOf(proposal), encodeCertificate(certify(digest, { nodes: ['b', 'c', 'd'] })))).height, 1);
  assert.deepEqual([tip.height, told.length], [1, 1]);
});

test('neither a proposal nor a block from sync is taken without the seal of its proposer', async () => {
  const { digest, proposal } = await build(await open('a'));
  const opened = await open('b');
  const unsound: Readonly<Record<string, Uint8Array>> = {
    forged: new Uint8Array(decodeProposal(proposal).seal.length),
    'of another validator': signers.get('b')!.sign(sealSigningBytes(digest)),
    'of another block': signers.get('a')!.sign(sealSigningBytes(keys.hash(digest))),
  };
  for (const [what, seal] of Object.entries(unsound)) {
    await assert.rejects(opened.chain.applyBlock(blockOf(proposal, seal), proofOf(digest)), { code: 'BLOCK_REFUSED' }, what);
    const request = {
      height: 1,
      engineData: encodeEngineData(0),
      digest,
      proposal: encodeProposal({ ...decodeProposal(proposal), seal }),
      from: 'a',
    };
    for (const fresh of [true, false]) assert.equal((await opened.chain.execute({ ...request, fresh })).code, 'BLOCK_REFUSED', what);
  }
  assert.deepEqual([opened.tip.now().height, opened.refused.length], [0, 6]);
});

test('a block that sync and consensus both bring is stored and told once, whichever comes first', async () => {
  const { digest, proposal } = await build(await open('a'));
  for (const order of ['sync, then consensus', 'consensus, then sync', 'both at once']) {
    let commits = 0;
    const opened = await open('b', {}, [], () => commits++);
    await opened.chain.execute({ height: 1, engineData: encodeEngineData(0), digest, proposal, from: 'a', fresh: true });
    const sync = () => opened.chain.applyBlock(blockOf(proposal), proofOf(digest));
    const consensus = () => opened.chain.commit({ height: 1, digest, finality: proofOf(digest) });
    const [first, second] = order.startsWith('consensus') ? [consensus, sync] : [sync, consensus];
    const answers = order === 'both at once' ? await Promise.all([first(), second()]) : [await first(), await second()];
    for (const answer of answers) assert.deepEqual([answer.height, toHex(answer.digest)], [1, toHex(digest)], order);
    assert.deepEqual([opened.told.length, commits, opened.tip.now().height], [1, 1, 1], order);
  }
});

test('of a final block every node charges all senders, with the time since its building or its execution; of one that came by sync no time is known', async () => {
  const transactions = [callOf(1), callOf(2, 3_000_000)];
  const primary = await open('a', {}, transactions);
  const { digest, proposal } = await build(primary);
  const backup = await open('b', { spreading: giving(transactions) });
  backup.clock.nowMs += 500;
  assert.equal(
    (await backup.chain.execute({ height: 1, engineData: encodeEngineData(0), digest, proposal, from: 'a', fresh: true })).code,
    'OK',
  );
  primary.clock.nowMs += 70;
  backup.clock.nowMs += 40;
  for (const node of [primary, backup]) await finish(node, digest);
  const behind = await open('c');
  await behind.chain.applyBlock(blockOf(proposal, undefined, transactions), proofOf(digest));
  for (const [node, tookMs] of [
    [primary, 70],
    [backup, 40],
    [behind, undefined],
  ] as const) {
    assert.deepEqual([node.settled.length, node.settled[0]!.height, node.settled[0]!.tookMs], [1, 1, tookMs]);
    const { included } = node.settled[0]!;
    assert.deepEqual(
      included.map(({ sender, gasLimit, idKey }) => [sender, gasLimit, toHex(fromByteText(idKey))]),
      transactions.map(entryOf).map(({ sender, gasLimit, id }) => [sender, gasLimit, toHex(id)]),
    );
    assert.ok(included.every(({ gasUsed, gasLimit }) => gasUsed > 0 && gasUsed <= gasLimit));
  }
});

test('what a proposal consists of is on disk before it can be voted for: execute answers no earlier, at the primary that built it neither', async () => {
  const transaction = callOf(0);
  const saved: string[] = [];
  let onDisk: () => void = () => {};
  const pending: ChainDependencies['pending'] = {
    save: (_proposal, { height, headerBytes, transactions }) =>
      new Promise((resolve) => {
        saved.push(`${height} ${toHex(headerHash(keys, headerBytes))} ${transactions.map(toHex)}`);
        onDisk = () => resolve(0);
      }),
    transaction: () => undefined,
    drop: () => {},
  };
  /** Waits longer than the work takes that does not wait for the disk. */
  const answeredEarly = async (answer: Promise<unknown>) => {
    let answered = false;
    void answer.then(() => {
      answered = true;
    });
    for (let i = 0; i < 100; i++) await new Promise((resolve) => setImmediate(resolve));
    return answered;
  };
  const primary = await open('a', { pending }, [transaction]);
  const { digest, proposal } = await build(primary);
  const own = primary.chain.execute({ height: 1, engineData: encodeEngineData(0), digest, proposal, from: 'a', fresh: true });
  assert.equal(await answeredEarly(own), false, 'built');
  onDisk();
  assert.equal((await own).code, 'OK');
  const backup = await open('b', { pending, spreading: giving([transaction]) });
  const executing = backup.chain.execute({ height: 1, engineData: encodeEngineData(0), digest, proposal, from: 'a', fresh: true });
  assert.equal(await answeredEarly(executing), false, 'executed');
  onDisk();
  assert.equal((await executing).code, 'OK');
  assert.deepEqual(saved, Array(2).fill(`1 ${toHex(digest)} ${toHex(transaction)}`));
});

test('a block whose bodies could not be written at its primary is executed and written anew', async () => {
  const transaction = callOf(0);
  let full = true;
  const pending: ChainDependencies['pending'] = {
    save: async () => {
      if (full) throw new ChainError('STORE_FULL');
      return 0;
    },
    transaction: () => undefined,
    drop: () => {},
  };
  const primary = await open('a', { pending, spreading: giving([transaction]) }, [transaction]);
  const { digest, proposal } = await build(primary);
  const execute = () => primary.chain.execute({ height: 1, engineData: encodeEngineData(0), digest, proposal, from: 'a', fresh: true });
  await assert.rejects(execute, { code: 'STORE_FULL' });
  await assert.rejects(execute, { code: 'STORE_FULL' });
  full = false;
  assert.equal((await execute()).code, 'OK');
  await finish(primary, digest);
  assert.equal(primary.tip.height, 1);
});

test('what was executed under a digest stands for no other body of it', async () => {
  const { digest, proposal } = await build(await open('a'));
  const { chain } = await open('b');
  const request = { height: 1, engineData: encodeEngineData(0), digest, from: 'a', fresh: false };
  assert.equal((await chain.execute({ ...request, proposal })).code, 'OK');
  const seal = signers.get('b')!.sign(sealSigningBytes(digest));
  const other = encodeProposal({ ...decodeProposal(proposal), seal });
  assert.equal((await chain.execute({ ...request, proposal: other })).code, 'BLOCK_REFUSED');
});

test('a synced block of 10,000 transactions is hashed with pauses, all of its tree', async () => {
  const PER_HASH_MS = 0.01;
  let [hashes, longest, since] = [0, 0, 0];
  const crypto: World['crypto'] = {
    verify: keys.verify,
    hasher: keys.hasher,
    hash(data) {
      hashes++;
      longest = Math.max(longest, hashes - since);
      return keys.hash(data);
    },
  };
  const world = {
    clock: { now: () => START_MS, monotonic: () => hashes * PER_HASH_MS },
    timers: {
      after(_ms: number, run: () => void) {
        since = hashes;
        setImmediate(run);
      },
    },
    crypto,
    log: silent,
  } as unknown as World;
  const opened = await open('a', { world });
  const { proposal } = await build(await open('a'));
  const { header, seal } = decodeProposal(proposal);
  const transactions = Array.from({ length: BLOCK_TRANSACTIONS_LIMIT }, (_, i) => utf8(`${i}`));
  const bytes = encodeBlock({ header: decodeHeader(header), seal, transactions });
  const finality = finalityOf(opened.tip.now().hash);
  hashes = since = longest = 0;
  await assert.rejects(opened.chain.applyBlock(bytes, finality), { code: 'BLOCK_REFUSED' });
  assert.ok(hashes >= 3 * BLOCK_TRANSACTIONS_LIMIT - 1, `${hashes}`); // each transaction, each leaf, each node
  assert.ok(longest * PER_HASH_MS <= 2 * SLICE_MS, `${longest} hashes in one go`);
});
