/**
 * How long one message of a peer holds the thread that votes: each kind at its largest, well-formed and hostile, from the chunks of the stream to
 * where the work leaves the thread. A kind without a row does not compile. The best of some tries counts, in
 * time of this thread: the machine is shared.
 */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import { createEngine, type Engine, type SignatureCheck } from '../../../../consensus/index.ts';
import { type Certificate, certificateOf, encodeCertificate } from '../../../../consensus/pbft/certificates.ts';
import {
  type RecoveryQuery,
  type Body,
  encodeMessage,
  type Fetch,
  type RecoveryReply,
  type Message,
  type NewView,
  type Plain,
  type PrePrepare,
  PROPOSAL_BYTES_MAX,
  signingBytes,
  type Status,
  type ViewChange,
  type Vote,
} from '../../../../consensus/pbft/messages.ts';
import { createCrypto } from '../../../../node/crypto/real-crypto.ts';
import { createEd25519Signer } from '../../../tools/ed25519-signer.ts';
import {
  defaultParameters,
  hashTagged,
  openGenesis,
  signTransaction,
  SUITE,
  TRANSACTION_BYTES_MAX,
} from '../../../../node/format/index.ts';
import type { BlockStore } from '../../../../node/ledger/block-store.ts';
import { CHECKS_AT_ONCE, inGroups } from '../../../../node/chain/long-frames.ts';
import { createMempool } from '../../../../node/chain/mempool/mempool.ts';
import { FrameReader, frameHeader } from '../../../../node/network/frames.ts';
import { encodeHello, judgeHello, PROTOCOL_VERSION } from '../../../../node/network/hello.ts';
import { ANSWER_BYTES_MAX, type BulkMessage, decodeBulkMessage, encodeBulkMessage } from '../../../../node/peers/messages.ts';
import { createSpreading, Requests } from '../../../../node/peers/index.ts';
import { createPeering } from '../../../../node/peers/peering.ts';
import { TRANSACTIONS_FRAME_BYTES } from '../../../../node/peers/requests.ts';
import { FRAME_BYTES_MAX } from '../../../../node/world.ts';
import { asUsual } from '../../api/rest/thread-hold.ts';
import { genesisFixture } from '../format/genesis-fixture.ts';
import { createHub, type MemoryNetwork, world } from './stand-in.ts';

const HELD_MS_MAX = 20;
const TRIES = 40;
/** Bytes of one read from a socket. */
const CHUNK_BYTES = 65_536;
/** A new view holds a view change of two in three of them, each with two certificates: of many more it outgrows a frame. */
const VALIDATORS = 100;

const crypto = createCrypto();
const bytesOf = (text: string) => new Uint8Array(createHash('sha256').update(text).digest());
const [chainId, X, FINAL] = [bytesOf('chain'), bytesOf('X'), bytesOf('final')];
const names = Array.from({ length: VALIDATORS }, (_, i) => `validator-${String(i).padStart(3, '0')}`);
const signers = new Map(names.map((node) => [node, createEd25519Signer(bytesOf(node))]));
const validators = names.map((node) => ({ node, publicKey: signers.get(node)!.publicKey, suite: SUITE.ed25519, weight: 1 }));
const quorum = Math.ceil((VALIDATORS + Math.floor((VALIDATORS - 1) / 3) + 1) / 2);
const parameters = { viewTimeoutMs: 1_000, viewTimeoutMaxMs: 4_000, idleBlockIntervalMs: 100_000, checkpointIntervalBlocks: 16 };
const [self, peer] = [names[1]!, names[2]!];

const votes = new Map<string, Vote>();
function vote(kind: Vote['kind'], node: string, height: number, digest = X): Vote {
  const key = `${kind} ${node} ${height} ${digest}`;
  const unsigned = { kind, view: 0, height, digest, node } as const;
  const made = votes.get(key) ?? { ...unsigned, signature: signers.get(node)!.sign(signingBytes(chainId, unsigned)) };
  votes.set(key, made);
  return made;
}
/** The votes of a quorum, another one for each `from`: what each replica has seen first. */
function certificate(kind: 'prepare' | 'commit', height: number, digest = X, from = 0): Certificate {
  return certificateOf(Array.from({ length: quorum }, (_, i) => vote(kind, names[(from + i) % VALIDATORS]!, height, digest)));
}
function signed<M extends Plain>(message: Omit<M, 'signature'>): M {
  return { ...message, signature: signers.get(message.node)!.sign(signingBytes(chainId, message as unknown as M)) } as unknown as M;
}

const proposal = new Uint8Array(PROPOSAL_BYTES_MAX);
const final = certificate('commit', 5, FINAL);
const viewChange = (node: string, from: number, prepared = certificate('prepare', 6, X, from)): ViewChange =>
  signed<ViewChange>({
    kind: 'viewChange',
    view: 1,
    height: 5,
    certificate: certificate('commit', 5, FINAL, from),
    prepared: [prepared],
    node,
  });
const viewChanges = names.slice(0, quorum).map((node, i) => encodeMessage(viewChange(node, i)));

const consensus: Record<Message['kind'], () => Message> = {
  prepare: () => vote('prepare', peer, 6),
  commit: () => vote('commit', peer, 6),
  checkpoint: () => vote('checkpoint', peer, 6),
  prePrepare: () =>
    signed<PrePrepare>({
      kind: 'prePrepare',
      view: 0,
      height: 6,
      digest: X,
      bodyHash: hashTagged(crypto, 'engine-message', proposal),
      node: names[0]!,
      proposal,
    }),
  viewChange: () => viewChange(peer, 2),
  newView: () => signed<NewView>({ kind: 'newView', view: 1, viewChanges, node: names[1]! }),
  status: () => signed<Status>({ kind: 'status', height: 3, view: 0, changing: true, node: peer }),
  committed: () => ({ kind: 'committed', certificate: certificate('commit', 6) }),
  fetch: () => signed<Fetch>({ kind: 'fetch', height: 6, digest: X, node: peer }),
  body: () => signed<Body>({ kind: 'body', height: 6, digest: X, proposal, node: peer }),
  recoveryQuery: () => signed<RecoveryQuery>({ kind: 'recoveryQuery', round: 5, node: peer }),
  recoveryReply: () =>
    signed<RecoveryReply>({
      kind: 'recoveryReply',
      about: self,
      round: 5,
      certificate: certificate('commit', 7),
      messages: [encodeMessage(vote('commit', self, 6)), encodeMessage(viewChange(self, 1))],
      node: peer,
    }),
};

/** The last byte differs: what ends in a signature fails at the end of the work, what ends in a body has another body. */
function spoilt(bytes: Uint8Array): Uint8Array {
  const out = bytes.slice();
  out[out.length - 1]! ^= 1;
  return out;
}

/** A new view whose last view change holds a false vote: everything before is checked. */
function spoiltInside(): Uint8Array {
  const whole = certificate('prepare', 6, X, quorum - 1);
  const forged = { ...whole, votes: whole.votes.map((v, i) => (i === quorum - 1 ? { ...v, signature: spoilt(v.signature) } : v)) };
  const last = encodeMessage(viewChange(names[quorum - 1]!, quorum - 1, forged));
  return encodeMessage(signed<NewView>({ kind: 'newView', view: 1, viewChanges: [...viewChanges.slice(0, -1), last], node: names[1]! }));
}

function engine(node: string): Engine {
  const made = createEngine(
    'pbft',
    { chainId, self: node, validators, height: 5, digest: FINAL, finality: encodeCertificate(final), parameters, log: [] },
    { hash: crypto.hash, verify: crypto.verify, sign: (message) => signers.get(node)!.sign(message) },
  );
  made.step({ kind: 'tick', nowMs: 0 });
  return made;
}

/** Starts a watch that says how long the thread has worked, ms: of time passed and CPU used the less, since others use the machine as well. */
function watch(): () => number {
  const begin = performance.now();
  const cpu = process.cpuUsage();
  return () => {
    const { user, system } = process.cpuUsage(cpu);
    return Math.min(performance.now() - begin, (user + system) / 1_000);
  };
}

function best(run: () => () => void): number {
  let least = Number.POSITIVE_INFINITY;
  for (let i = 0; i < TRIES && (i < 3 || least > HELD_MS_MAX); i++) {
    const work = run();
    const worked = watch();
    work();
    least = Math.min(least, asUsual(worked(), HELD_MS_MAX));
  }
  return least;
}

for (const [kind, make] of Object.entries(consensus)) {
  test(`consensus message ${kind} at its largest holds the thread less than ${HELD_MS_MAX} ms, well-formed and hostile`, (t) => {
    const bytes = encodeMessage(make());
    assert.ok(bytes.length <= FRAME_BYTES_MAX.votes);
    const forms = { wellFormed: bytes, hostile: kind === 'newView' ? spoiltInside() : spoilt(bytes) };
    for (const [form, frame] of Object.entries(forms)) {
      const ms = best(() => {
        const fresh = engine(kind === 'newView' ? names[3]! : self);
        const valid = validOf(fresh, frame);
        return () => fresh.step({ kind: 'message', from: kind === 'newView' ? names[1]! : peer, bytes: frame, valid });
      });
      t.diagnostic(`${kind} ${form}: ${frame.length} bytes, ${ms.toFixed(1)} ms`);
      assert.ok(ms <= HELD_MS_MAX, `${form}: ${ms} ms`);
    }
  });
}

/** What the pool finds before the step of a long frame, which is handed its signatures in groups: none of them may take long to list either. */
function validOf(fresh: Engine, frame: Uint8Array): readonly SignatureCheck[] {
  const checks = [...(fresh.signatures(frame) ?? [])];
  const bad = checks.findIndex(({ suite, publicKey, message, signature }) => !crypto.verify(suite, publicKey, message, signature));
  return bad < 0 ? checks : checks.slice(0, bad);
}

test(`signatures of a new view at its largest are listed in pieces of less than ${HELD_MS_MAX} ms, and a long frame leaves one to its step`, (t) => {
  const frame = encodeMessage(consensus.newView());
  const ms = best(() => {
    const groups = inGroups(engine(names[3]!).signatures(frame)!, CHECKS_AT_ONCE);
    return () => groups.next();
  });
  t.diagnostic(`${ms.toFixed(1)} ms`);
  assert.ok(ms <= HELD_MS_MAX);
  let checked = 0;
  const counted = createEngine(
    'pbft',
    { chainId, self: names[3]!, validators, height: 5, digest: FINAL, finality: encodeCertificate(final), parameters, log: [] },
    { hash: crypto.hash, verify: (...check) => ++checked > 0 && crypto.verify(...check), sign: () => new Uint8Array(64) },
  );
  counted.step({ kind: 'tick', nowMs: 0 });
  const valid = [...counted.signatures(frame)!];
  assert.ok(valid.length > 2 * quorum);
  checked = 0;
  const effects = counted.step({ kind: 'message', from: names[1]!, bytes: frame, valid });
  assert.deepEqual([effects.filter(({ kind }) => kind === 'drop'), checked], [[], 1]);
  assert.deepEqual(counted.signatures(encodeMessage(vote('commit', peer, 6))), undefined);
});

let salts = 0;
function transaction(argsBytes: number): Uint8Array {
  const salt = new Uint8Array(16);
  new DataView(salt.buffer).setUint32(0, ++salts);
  const body = {
    chainId,
    sender: 'ann@plant',
    keyId: 'k1',
    salt,
    expiryHeight: 50,
    calls: [{ contract: 'c', method: 'm', args: new Uint8Array(argsBytes) }],
    gasLimit: 5,
    suite: SUITE.ed25519,
  };
  return signTransaction(crypto, body, () => new Uint8Array(64)).bytes;
}
const large = transaction(TRANSACTION_BYTES_MAX - 400);
const many = Array.from({ length: 3_500 }, () => transaction(50));
const block = (bytes: number) => ({ block: new Uint8Array(bytes), finality: encodeCertificate(certificate('commit', 6)) });
const log = new Uint8Array(16);
const { configuration } = openGenesis(crypto, JSON.stringify(genesisFixture()));

/** Largest well-formed messages of each kind, and what a hostile peer could send instead. */
const bulk: Record<BulkMessage['kind'], () => readonly BulkMessage[]> = {
  transactions: () => [
    { kind: 'transactions', transactions: [large] },
    { kind: 'transactions', transactions: many },
    { kind: 'transactions', transactions: Array.from({ length: 10_000 }, (_, i) => Uint8Array.of(i >> 8, i & 255)) },
    { kind: 'transactions', transactions: Array.from({ length: 7 }, () => large) },
  ],
  status: () => [{ kind: 'status', height: Number.MAX_SAFE_INTEGER, hash: X }],
  sealedHead: () => [{ kind: 'sealedHead', log, sequence: Number.MAX_SAFE_INTEGER }],
  getTransactions: () => [{ kind: 'getTransactions', id: 1, hashes: Array.from({ length: 10_000 }, (_, i) => bytesOf(`${i}`)) }],
  getBlocks: () => [{ kind: 'getBlocks', id: 1, fromHeight: 1, count: 4_000_000_000, bytesMax: 4_000_000_000 }],
  getHeaders: () => [{ kind: 'getHeaders', id: 1, fromHeight: 1, count: 4_000_000_000 }],
  getRow: () => [{ kind: 'getRow', id: 1, key: new Uint8Array(1_024), height: 5 }],
  getSealed: () => [{ kind: 'getSealed', id: 1, log, after: 0 }],
  transactionsAnswer: () => [
    { kind: 'transactionsAnswer', id: 1, transactions: [large, large.slice(0, -100)] },
    { kind: 'transactionsAnswer', id: 1, transactions: Array.from({ length: 10_000 }, () => new Uint8Array(800)) },
    { kind: 'transactionsAnswer', id: 1, transactions: Array.from({ length: 7 }, () => large) },
  ],
  blocksAnswer: () => [
    { kind: 'blocksAnswer', id: 1, blocks: [block(FRAME_BYTES_MAX.bulk - 20_000)] },
    { kind: 'blocksAnswer', id: 1, blocks: Array.from({ length: 256 }, () => block(32_000)) },
  ],
  headersAnswer: () => [
    {
      kind: 'headersAnswer',
      id: 1,
      headers: Array.from({ length: 256 }, () => ({ header: new Uint8Array(500), finality: encodeCertificate(certificate('commit', 6)) })),
    },
  ],
  sealedAnswer: () => [
    {
      kind: 'sealedAnswer',
      id: 1,
      log,
      boxes: Array.from({ length: 256 }, (_, i) => ({ sequence: i, keyId: 'k', box: new Uint8Array(32_000) })),
    },
  ],
  rowAnswer: () => [{ kind: 'rowAnswer', id: 1, row: new Uint8Array(FRAME_BYTES_MAX.bulk - 100) }],
  declined: () => [{ kind: 'declined', id: 1, code: 'C'.repeat(64) }],
};

/** A node with its real peering and mempool, and 256 blocks to serve of together as much as an answer holds. */
function node(): { network: MemoryNetwork; from: MemoryNetwork; ask: (kind: BulkMessage['kind']) => void; stop: () => void } {
  const hub = createHub();
  const [network, from] = [hub.join('a'), hub.join('b')];
  const served = new Uint8Array(ANSWER_BYTES_MAX / 256);
  const mempool = createMempool({
    crypto,
    verifier: { verify: async () => true, verifyAll: async (checks) => checks.map(() => true), stop: async () => undefined },
    clock: world.clock,
    limits: { countMax: 50_000, bytesMax: 67_108_864 },
    context: () => ({
      chainId,
      height: 10,
      timestampMs: 1_000,
      parameters: defaultParameters(),
      account: () => undefined,
      spent: () => false,
    }),
  });
  const requests = new Requests({ network, world });
  const given = { world: { ...world, crypto }, network, requests, mempool };
  const spreading = createSpreading({ ...given, parameters: defaultParameters });
  const peering = createPeering({
    ...given,
    spreading,
    blocks: {
      blockBytes: () => served,
      headerBytes: () => served.subarray(0, 500),
      finality: () => encodeCertificate(final),
    } as unknown as BlockStore,
    chainId,
    tip: () => ({ height: 300, hash: X, configuration }),
    onStanding: () => undefined,
    wasExpelled: false,
    heldTransaction: () => undefined,
    applyBlock: async () => undefined,
    sharedRow: async () => undefined,
    onAdmitted: () => undefined,
  });
  const ignore = (): void => undefined;
  const ask = (kind: BulkMessage['kind']): void => {
    if (kind === 'transactionsAnswer' || kind === 'declined') void spreading.fetchTransactions('b', [X], 500);
    if (kind === 'blocksAnswer') peering.sync(600, ['b']);
    if (kind === 'headersAnswer') requests.getHeaders('b', 1, 256).catch(ignore);
    if (kind === 'sealedAnswer') requests.getSealed('b', log, 0).catch(ignore);
    if (kind === 'rowAnswer') requests.getRow('b', log, 5).catch(ignore);
  };
  return { network, from, ask, stop: () => peering.stop() };
}

/** Longest time between two turns of the event loop, from the first chunk of the frame until nothing has happened for some turns. */
async function longestTurn(kind: BulkMessage['kind'], frame: Uint8Array): Promise<number> {
  const { network, from, ask, stop } = node();
  ask(kind);
  const stream = new Uint8Array(4 + frame.length);
  stream.set(frameHeader(frame.length));
  stream.set(frame, 4);
  const reader = new FrameReader(FRAME_BYTES_MAX.bulk);
  let longest = 0;
  const turn = async (work: () => void): Promise<void> => {
    const worked = watch();
    work();
    await new Promise((resolve) => setImmediate(resolve));
    longest = Math.max(longest, worked());
  };
  for (let at = 0; at < stream.length; at += CHUNK_BYTES)
    await turn(() => {
      for (const whole of reader.push(stream.subarray(at, at + CHUNK_BYTES)) ?? []) network.hear('b', 'bulk', whole);
    });
  for (let i = 0; i < 300; i++) await turn(() => undefined);
  stop();
  from.leave();
  return longest;
}

for (const [kind, make] of Object.entries(bulk) as [BulkMessage['kind'], () => readonly BulkMessage[]][]) {
  test(`bulk message ${kind} at its largest holds the thread less than ${HELD_MS_MAX} ms, well-formed and hostile`, async (t) => {
    for (const [i, message] of make().entries()) {
      const encoded = encodeBulkMessage(message);
      assert.ok(encoded.length <= FRAME_BYTES_MAX.bulk);
      for (const frame of [encoded, spoilt(encoded)]) {
        let least = Number.POSITIVE_INFINITY;
        for (let n = 0; n < TRIES && (n < 2 || least > HELD_MS_MAX); n++)
          least = Math.min(least, asUsual(await longestTurn(kind, frame), HELD_MS_MAX));
        t.diagnostic(`${kind} ${i}: ${frame.length} bytes, ${least.toFixed(1)} ms`);
        assert.ok(least <= HELD_MS_MAX, `form ${i}: ${least} ms`);
      }
    }
  });
}

test('a greeting at its largest, and one that is none, hold the thread less than a millisecond', () => {
  const hello = { protocolVersion: PROTOCOL_VERSION, chainId, genesisHash: X, node: 'n'.repeat(128), channel: 'bulk', height: 1 } as const;
  for (const frame of [encodeHello(hello), new Uint8Array(FRAME_BYTES_MAX.bulk)])
    assert.ok(best(() => () => judgeHello(frame, hello, hello.node)) < 1);
});

test('a frame of many transactions is longer than whoever keeps to the rules makes it: refused unopened', async () => {
  const { network, from, stop } = node();
  from.send('a', 'bulk', encodeBulkMessage({ kind: 'transactions', transactions: [large, large] }));
  for (let turns = 0; network.reports.length === 0 && turns < 10_000; turns++) await new Promise((resolve) => setImmediate(resolve));
  assert.deepEqual(network.reports, [{ node: 'b', code: 'PEER_MESSAGE_MALFORMED' }]);
  assert.ok(encodeBulkMessage({ kind: 'transactions', transactions: many }).length <= TRANSACTIONS_FRAME_BYTES);
  assert.equal(decodeBulkMessage(encodeBulkMessage({ kind: 'transactions', transactions: many })).kind, 'transactions');
  stop();
});
