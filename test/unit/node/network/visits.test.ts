/** An expelled node over real libp2p: headers and certificates on request, nothing else; it notices, and keeps quiet. A stranger gets no connection. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import '../../../../node/network/shim.ts';
import { noise } from '@chainsafe/libp2p-noise';
import { yamux } from '@chainsafe/libp2p-yamux';
import { generateKeyPairFromSeed } from '@libp2p/crypto/keys';
import { tcp } from '@libp2p/tcp';
import { multiaddr } from '@multiformats/multiaddr';
import { createLibp2p, type Libp2p } from 'libp2p';
import { openFinality } from '../../../../consensus/index.ts';
import { decodeHeader, type Digest } from '../../../../node/format/index.ts';
import type { BlockStore } from '../../../../node/ledger/block-store.ts';
import { askOnce, VISIT_PROTOCOL, VISITS_BURST } from '../../../../node/network/visits.ts';
import { decodeBulkMessage, encodeBulkMessage, type Question } from '../../../../node/peers/messages.ts';
import { MemoryStore } from '../../../tools/memory-store.ts';
import { createStanding, type Standing, type StandingWatch } from '../../../../node/peers/index.ts';
import { VALIDATORS } from '../format/genesis-fixture.ts';
import { chainId, blocksOn, executorOn, grow } from '../ledger/small-chain.ts';
import { isUp, listing, realWorld, seedOf, startNode, stopAll, type TestNode, until } from './cluster.ts';

const [EXPELLED, ...MEMBERS] = [...VALIDATORS].sort() as [string, string, string, string];
const HEIGHT = 6;
const AWAY_AT = 3;
const EVERY_MS = 100;

interface Member extends TestNode {
  readonly blocks: BlockStore;
  readonly watch: StandingWatch;
  readonly changes: Standing[];
}

async function member(name: string, height: number, world = realWorld): Promise<Member> {
  const store = new MemoryStore();
  const executor = executorOn(store);
  await grow(executor, height, 1);
  const blocks = blocksOn(store);
  const configuration = await blocks.configuration(1);
  const node = await startNode(name, { world });
  const head = (): { height: number; hash: Digest } => blocks.head()!;
  const changes: Standing[] = [];
  const watch = createStanding({
    world: { ...realWorld },
    network: node.network,
    chainId,
    tip: () => ({ ...head(), configuration }),
    source: { head, blockBytes: blocks.blockBytes, finality: blocks.finality, headerBytes: blocks.headerBytes },
    onChange: (standing) => changes.push(standing),
    visitEveryMs: EVERY_MS,
  });
  return { ...node, blocks, watch, changes };
}

const visitorOf = ({ network }: TestNode) => ({ node: network.self, transportKey: network.transportKey });

async function visitor(name: string): Promise<Libp2p> {
  return createLibp2p({
    privateKey: await generateKeyPairFromSeed('Ed25519', seedOf(name)),
    addresses: { listen: [] },
    transports: [tcp()],
    connectionEncrypters: [noise()],
    streamMuxers: [yamux()],
    connectionGater: { denyDialMultiaddr: () => false },
  });
}

async function visit(
  libp2p: Libp2p,
  to: TestNode,
  question: Omit<Extract<Question, { kind: 'getHeaders' }>, 'id'> | Uint8Array,
): Promise<Uint8Array> {
  const connection = await libp2p.dial(multiaddr(to.network.bootstrapAddresses[0]!), { force: true });
  try {
    const bytes = question instanceof Uint8Array ? question : encodeBulkMessage({ ...question, id: 7 });
    return await askOnce(await connection.newStream(VISIT_PROTOCOL), bytes, realWorld.timers);
  } finally {
    connection.abort(new Error('over'));
  }
}

test('a node that was away when it was expelled learns it from the others, keeps quiet, and is back when it is let in again', {
  timeout: 300_000,
}, async () => {
  const others = await Promise.all(MEMBERS.map((name) => member(name, HEIGHT)));
  const expelled = await member(EXPELLED, AWAY_AT);
  const nodes = [expelled, ...others];
  try {
    for (const node of others) {
      node.network.admit(listing(others));
      node.network.visitors([visitorOf(expelled)]);
    }
    expelled.network.admit(listing(nodes)); // its own chain says that all four belong
    for (const node of nodes) node.watch.start();
    await until('the members to connect', () =>
      others.every((node) => others.every((other) => node === other || isUp(node, other.network.self))),
    );
    await until('the expelled node to know', () => expelled.changes.length > 0);
    const standing = expelled.watch.standing();
    assert.deepEqual([standing.state, standing.by, standing.peers.length >= 2], ['expelled', 'peers', true]);
    assert.deepEqual([standing.seen?.height, standing.barrier], [HEIGHT, false], 'as far as validators it knows have certified');
    assert.deepEqual(standing.seen?.hash, others[0]!.blocks.head()!.hash);
    assert.deepEqual([expelled.frames.length, expelled.peerEvents], [0, []], 'nothing else has come through');
    for (const node of others) {
      assert.equal(isUp(node, EXPELLED), false);
      assert.equal(
        node.frames.some(({ from }) => from === EXPELLED),
        false,
      );
      assert.deepEqual(node.changes, [], 'members hold themselves to belong');
    }

    for (const node of others) {
      node.network.visitors([]);
      node.network.admit(listing(nodes));
    }
    await until('the node to be let in again', () => expelled.changes.length > 1);
    assert.deepEqual([expelled.changes.at(-1)!.state, expelled.watch.standing().by], ['member', undefined]);
    await until('it to be connected to all', () => others.every((node) => isUp(expelled, node.network.self)));
  } finally {
    for (const node of nodes) node.watch.stop();
    await stopAll(nodes);
  }
});

test('one peer that says so is no expulsion: more must say it than may lie', { timeout: 300_000 }, async () => {
  const [liar, honest] = await Promise.all([member(MEMBERS[0]!, HEIGHT), member(MEMBERS[1]!, HEIGHT)]);
  const node = await member(EXPELLED, AWAY_AT);
  const nodes = [liar, honest, node];
  try {
    liar.network.visitors([visitorOf(node)]);
    honest.network.admit(listing([honest, node]));
    node.network.admit(listing(nodes));
    node.watch.start();
    await until('the honest peer to connect', () => isUp(node, honest.network.self));
    await until('the liar to have spoken', () => node.watch.standing().seen?.height === HEIGHT);
    assert.deepEqual([node.watch.standing().state, node.changes], ['member', []]);
    node.watch.namedByChain(false);
    assert.deepEqual([node.watch.standing().state, node.watch.standing().by], ['expelled', 'chain']);
  } finally {
    for (const each of nodes) each.watch.stop();
    await stopAll(nodes);
  }
});

test('an expelled node gets headers with certificates, no blocks, rows or transactions, no votes or bulk, and only so often', {
  timeout: 300_000,
}, async () => {
  const clock = { ...realWorld.clock, monotonic: () => 0 }; // no further visit is earned while the test lasts
  const host = await member(MEMBERS[0]!, HEIGHT, { ...realWorld, clock });
  const guest = await visitor(EXPELLED);
  host.network.visitors([
    { node: EXPELLED, transportKey: guest.peerId.type === 'Ed25519' ? guest.peerId.publicKey.raw : new Uint8Array() },
  ]);
  try {
    const CONNECTIONS_BEFORE = 7; // one with headers, four unanswered, two of members' protocols
    const answer = decodeBulkMessage(await visit(guest, host, { kind: 'getHeaders', fromHeight: 2, count: 1_000 }));
    assert.equal(answer.kind, 'headersAnswer');
    const headers = (answer as Extract<typeof answer, { kind: 'headersAnswer' }>).headers;
    assert.deepEqual(
      headers.map(({ header, finality }) => [decodeHeader(header).height, finality && openFinality('pbft', finality).height]),
      [2, 3, 4, 5, 6].map((height) => [height, height]),
    );
    const unanswered = { code: 'PEER_UNREACHABLE' };
    for (const question of [
      { kind: 'getBlocks', id: 1, fromHeight: 1, count: 1, bytesMax: 1_000_000 },
      { kind: 'getTransactions', id: 1, hashes: [new Uint8Array(32)] },
      { kind: 'getRow', id: 1, key: Uint8Array.of(0x68), height: 1 },
    ] as const)
      await assert.rejects(visit(guest, host, encodeBulkMessage(question)), unanswered, question.kind);
    await assert.rejects(visit(guest, host, new Uint8Array(10_000)), unanswered);
    for (const protocol of ['/tracemill/votes/1', '/tracemill/bulk/1']) {
      const connection = await guest.dial(multiaddr(host.network.bootstrapAddresses[0]!), { force: true });
      const ended = new Promise<void>((resolve) => connection.addEventListener('close', () => resolve()));
      await connection.newStream(protocol).catch(() => undefined);
      await ended;
    }
    assert.deepEqual([host.frames, host.peerEvents], [[], []]);
    let answered = 0;
    for (let i = 0; i < 2 * VISITS_BURST; i++)
      await visit(guest, host, { kind: 'getHeaders', fromHeight: 1, count: 1 }).then(
        () => answered++,
        () => undefined,
      );
    assert.equal(answered, VISITS_BURST - CONNECTIONS_BEFORE);
  } finally {
    await guest.stop();
    await stopAll([host]);
  }
});

test('a stranger whose key was never registered gets no connection, and a member nothing by a visit', { timeout: 300_000 }, async () => {
  const host = await member(MEMBERS[0]!, HEIGHT);
  const stranger = await visitor('nobody');
  const other = await visitor(MEMBERS[1]!);
  host.network.admit([
    { node: MEMBERS[1]!, transportKey: other.peerId.type === 'Ed25519' ? other.peerId.publicKey.raw : new Uint8Array(), addresses: [] },
  ]);
  try {
    await assert.rejects(
      visit(stranger, host, { kind: 'getHeaders', fromHeight: 1, count: 1 }),
      (error) => !(error instanceof assert.AssertionError),
    );
    await assert.rejects(
      visit(other, host, { kind: 'getHeaders', fromHeight: 1, count: 1 }),
      (error) => !(error instanceof assert.AssertionError),
    );
    assert.deepEqual([host.frames, host.peerEvents], [[], []]);
  } finally {
    await Promise.all([stranger.stop(), other.stop()]);
    await stopAll([host]);
  }
});
