import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect } from 'node:net';
import { test } from 'node:test';
import '../../../../node/network/shim.ts';
import { noise } from '@chainsafe/libp2p-noise';
import { yamux } from '@chainsafe/libp2p-yamux';
import { generateKeyPairFromSeed } from '@libp2p/crypto/keys';
import type { Connection, Libp2p, Stream } from '@libp2p/interface';
import { tcp } from '@libp2p/tcp';
import { multiaddr } from '@multiformats/multiaddr';
import { createLibp2p } from 'libp2p';
import { createEd25519Signer } from '../../../tools/ed25519-signer.ts';
import { ChainError } from '../../../../node/errors/index.ts';
import { utf8 } from '../../../../node/format/index.ts';
import { frameHeader } from '../../../../node/network/frames.ts';
import { encodeHello, PROTOCOL_VERSION } from '../../../../node/network/hello.ts';
import { HANDSHAKE_TIMEOUT_MS, HANDSHAKES_PER_ADDRESS_MAX } from '../../../../node/network/handshakes.ts';
import { CONNECTIONS_PER_PEER_MAX, STREAMS_PER_CONNECTION_MAX } from '../../../../node/network/host.ts';
import { createLibp2pNetwork, HELLO_TIMEOUT_MS } from '../../../../node/network/libp2p-network.ts';
import { LINK_STALL_MS } from '../../../../node/network/link.ts';
import { CUT_OFF_MS, REPORTS_MAX } from '../../../../node/network/penalties.ts';
import { FRAME_BYTES_MAX, SEND_QUEUE_BYTES_MAX } from '../../../../node/world.ts';
import { BlockSync, Requests, serveBlocks } from '../../../../node/peers/index.ts';
import { Chain } from '../peers/stand-in.ts';
import { isUp, listing, realWorld, seedOf, startNode, stopAll, type TestNode, until } from './cluster.ts';

async function pair(): Promise<[TestNode, TestNode]> {
  const nodes: [TestNode, TestNode] = [await startNode('a'), await startNode('b')];
  for (const node of nodes) node.network.admit(listing(nodes));
  await until('a and b connect', () => isUp(nodes[0], 'b') && isUp(nodes[1], 'a'));
  return nodes;
}

function hostAndPort(address: string): { address: string; port: number } {
  const [, , host, , port] = address.split('/');
  return { address: host!, port: Number(port) };
}

/** A registered peer that does not keep to the protocol. */
async function rawPeer(name: string): Promise<{ libp2p: Libp2p; key: Uint8Array }> {
  const privateKey = await generateKeyPairFromSeed('Ed25519', seedOf(name));
  const libp2p = await createLibp2p({
    privateKey,
    addresses: { listen: [] },
    transports: [tcp()],
    connectionEncrypters: [noise()],
    streamMuxers: [yamux({ streamOptions: { maxReadBufferLength: 1 << 28 } })],
    connectionGater: { denyDialMultiaddr: () => false },
  });
  return { libp2p, key: privateKey.publicKey.raw };
}

async function openRaw(libp2p: Libp2p, to: TestNode, channel: 'votes' | 'bulk', name: string): Promise<Stream> {
  const connection = await libp2p.dial(multiaddr(to.network.bootstrapAddresses[0]!), { force: true });
  const stream = await connection.newStream(`/tracemill/${channel}/1`);
  const hello = encodeHello({
    protocolVersion: PROTOCOL_VERSION,
    chainId: seedOf('chain'),
    genesisHash: seedOf('genesis'),
    node: name,
    channel,
    height: 0,
  });
  stream.send(frameHeader(hello.length));
  stream.send(hello);
  return stream;
}

test('the transport key is the Ed25519 key of the seed, as a signer makes it', async () => {
  const node = await startNode('a');
  assert.deepEqual(node.network.transportKey, createEd25519Signer(seedOf('a')).publicKey);
  await stopAll([node]);
});

test('frames arrive in order, both ways, on both channels, each on a connection of its own', async () => {
  const nodes = await pair();
  const [a, b] = nodes;
  for (let n = 0; n < 300; n++) {
    for (const channel of ['votes', 'bulk'] as const) {
      assert.ok(a.network.send('b', channel, utf8(`a ${channel} ${n}`)));
      assert.ok(b.network.send('a', channel, utf8(`b ${channel} ${n}`)));
    }
  }
  await until('600 frames each', () => a.frames.length === 600 && b.frames.length === 600);
  for (const [node, other] of [
    [a, 'b'],
    [b, 'a'],
  ] as const) {
    for (const channel of ['votes', 'bulk'] as const) {
      const seen = node.frames.filter((f) => f.channel === channel).map((f) => new TextDecoder().decode(f.frame));
      assert.deepEqual(
        seen,
        Array.from({ length: 300 }, (_, n) => `${other} ${channel} ${n}`),
      );
    }
    assert.ok(node.frames.every((f) => f.from === other));
  }
  const status = a.network.peers()[0]!;
  assert.deepEqual([status.node, status.connected, status.height, status.refusal], ['b', true, 5, undefined]);
  assert.ok(status.lastSeenMs > 0);
  assert.equal(a.network.send('nobody', 'votes', utf8('x')), false);
  assert.equal(a.network.send('b', 'votes', new Uint8Array(FRAME_BYTES_MAX.votes + 1)), false);
  await stopAll(nodes);
});

test('a handler that fails at a frame keeps it from no other handler, and the link open', async () => {
  const nodes = await pair();
  const [a, b] = nodes;
  b.network.onFrame(() => {
    throw new Error('a bug of one handler');
  });
  const seen: string[] = [];
  b.network.onFrame((_, __, frame) => seen.push(new TextDecoder().decode(frame)));
  for (const text of ['one', 'two']) a.network.send('b', 'votes', utf8(text));
  await until('both frames', () => seen.length === 2);
  assert.deepEqual([seen, b.peerEvents], [['one', 'two'], ['a up']]);
  await stopAll(nodes);
});

test('votes keep flowing while 8 MiB frames cross', async () => {
  const nodes = await pair();
  const [a, b] = nodes;
  const large = new Uint8Array(8 * 1_048_576).fill(7);
  large[0] = 1;
  large[large.length - 1] = 9;
  const arrived: string[] = [];
  b.network.onFrame((_, channel) => arrived.push(channel));
  for (let n = 0; n < 3; n++) assert.ok(a.network.send('b', 'bulk', large));
  for (let n = 0; n < 50; n++) a.network.send('b', 'votes', utf8(`vote ${n}`));
  await until('all frames', () => arrived.length === 53);
  assert.ok(arrived.indexOf('bulk') >= 50, `all votes overtook the second bulk frame: ${arrived.indexOf('bulk')}`);
  const got = b.frames.filter((f) => f.channel === 'bulk');
  assert.equal(got.length, 3);
  for (const { frame } of got) assert.ok(Buffer.from(frame).equals(large));
  await stopAll(nodes);
});

test('four nodes form a full mesh, and a broadcast reaches the other three once', async () => {
  const nodes = await Promise.all(['a', 'b', 'c', 'd'].map((name) => startNode(name)));
  for (const node of nodes) node.network.admit(listing(nodes));
  await until('mesh', () => nodes.every((node) => node.network.peers().length === 3 && node.network.peers().every((p) => p.connected)));
  nodes[1]!.network.broadcast('votes', utf8('hello'));
  await until('broadcast', () => [0, 2, 3].every((i) => nodes[i]!.frames.length === 1));
  assert.equal(nodes[1]!.frames.length, 0);
  for (const node of nodes)
    assert.deepEqual(
      [...node.peerEvents].sort(),
      node.network
        .peers()
        .map((p) => `${p.node} up`)
        .sort(),
    );
  await stopAll(nodes);
});

test('an unregistered peer is refused, admitted once it is registered, and cut when it no longer is', async () => {
  const [a, b] = [await startNode('a'), await startNode('b')];
  a.network.admit(listing([a, b]));
  await new Promise((resolve) => setTimeout(resolve, 400));
  assert.ok(!isUp(a, 'b') && !isUp(b, 'a'));
  assert.equal(a.network.send('b', 'votes', utf8('x')), false);
  b.network.admit(listing([a, b]));
  await until('admitted', () => isUp(a, 'b') && isUp(b, 'a'));
  b.network.admit(listing([b]));
  await until('cut', () => !isUp(a, 'b'));
  assert.deepEqual(b.peerEvents, ['a up']);
  assert.deepEqual(a.peerEvents, ['b up', 'b down']);
  await stopAll([a, b]);
});

test('a node of another genesis is refused by both sides, and both say why', async () => {
  const [a, b] = [await startNode('a'), await startNode('b', { genesisHash: seedOf('another genesis') })];
  for (const node of [a, b]) node.network.admit(listing([a, b]));
  await until('said on both sides', () => [a, b].every((n) => n.network.peers()[0]!.refusal === 'PEER_CHAIN_FOREIGN'));
  assert.deepEqual([...a.peerEvents, ...b.peerEvents, ...a.frames, ...b.frames], []);
  await stopAll([a, b]);
});

test('a peer that claims the name of another node is refused', async () => {
  const a = await startNode('a');
  const raw = await rawPeer('mallory');
  a.network.admit([...listing([a]), { node: 'm', transportKey: raw.key, addresses: [] }]);
  await openRaw(raw.libp2p, a, 'votes', 'b');
  await until('refused', () => a.network.peers()[0]!.refusal === 'PEER_HELLO_INVALID');
  assert.equal(a.network.peers()[0]!.reports, 1);
  assert.deepEqual([a.frames, a.peerEvents], [[], []]);
  await raw.libp2p.stop();
  await stopAll([a]);
});

test('garbage from a registered peer closes its link and harms nobody', async () => {
  const nodes = await pair();
  const [a, b] = nodes;
  const raw = await rawPeer('mallory');
  a.network.admit([...listing(nodes), { node: 'm', transportKey: raw.key, addresses: [] }]);
  const random = seedOf('garbage');
  const closed: string[] = [];
  for (const [i, bytes] of [
    Uint8Array.of(0, 0, 0, 0),
    frameHeader(FRAME_BYTES_MAX.votes + 1),
    frameHeader(0xffff_ffff),
    random,
  ].entries()) {
    const stream = await openRaw(raw.libp2p, a, 'votes', 'm');
    stream.addEventListener('close', () => closed.push(`stream ${i}`));
    stream.send(bytes);
    await until(`garbage ${i} ends the link`, () => closed.includes(`stream ${i}`));
  }
  const { refusal, reports } = a.network.peers().find((p) => p.node === 'm')!;
  assert.deepEqual([refusal, reports], ['PEER_FRAME_TOO_LARGE', 4], 'each of them counts towards a cut-off');
  assert.ok(a.network.send('b', 'votes', utf8('still here')));
  await until('b hears a', () => b.frames.length === 1);
  assert.ok(a.frames.every((f) => f.from !== 'm'));
  await raw.libp2p.stop();
  await stopAll(nodes);
});

test('a peer reported too often is cut off and not let back in at once', async () => {
  const nodes = await pair();
  const [a, b] = nodes;
  const cutOff: unknown[] = [];
  a.network.onCutOff((...said) => cutOff.push(said));
  for (let n = 1; n < REPORTS_MAX; n++) a.network.report('b', 'PEER_MESSAGE_MALFORMED');
  assert.ok(isUp(a, 'b'));
  a.network.report('b', 'PEER_MESSAGE_MALFORMED');
  await until('cut', () => !isUp(a, 'b') && !isUp(b, 'a'));
  await new Promise((resolve) => setTimeout(resolve, 700)); // several back-offs
  assert.ok(!isUp(a, 'b') && !isUp(b, 'a'));
  const { refusal, reports, cutOffMs } = a.network.peers()[0]!;
  assert.deepEqual([refusal, reports], ['PEER_MESSAGE_MALFORMED', REPORTS_MAX]);
  assert.ok(cutOffMs! > 0 && cutOffMs! <= CUT_OFF_MS);
  assert.deepEqual(cutOff, [['b', 'PEER_MESSAGE_MALFORMED', CUT_OFF_MS]]);
  await stopAll(nodes);
});

test('a peer that restarts is connected again, whichever side dials', async () => {
  for (const restarted of [0, 1] as const) {
    const nodes = await pair();
    const stays = nodes[1 - restarted]!;
    const name = nodes[restarted]!.network.self;
    const [address] = nodes[restarted]!.network.addresses;
    await nodes[restarted]!.network.stop();
    await until('seen to leave', () => !isUp(stays, name));
    const again = await startNode(name, { listen: [address!] });
    again.network.admit(listing([stays, again]));
    await until('back', () => isUp(stays, name) && isUp(again, stays.network.self));
    assert.ok(stays.network.send(name, 'votes', utf8('welcome')));
    await until('frame', () => again.frames.length === 1);
    await stopAll([stays, again]);
  }
});

test('the other side dials when the one whose turn it is cannot', async () => {
  const [a, b] = [await startNode('a'), await startNode('b', { fallbackDialMs: 100 })];
  a.network.admit(listing([b]).map((entry) => ({ ...entry, addresses: [] })));
  b.network.admit(listing([a]));
  await until('connected by b', () => isUp(a, 'b') && isUp(b, 'a'));
  await stopAll([a, b]);
});

test('when both dial at once one link a channel remains', async () => {
  const nodes = [await startNode('a', { fallbackDialMs: 0 }), await startNode('b', { fallbackDialMs: 0 })];
  for (const node of nodes) node.network.admit(listing(nodes));
  await until('up', () => isUp(nodes[0]!, 'b') && isUp(nodes[1]!, 'a'));
  await new Promise((resolve) => setTimeout(resolve, 500));
  assert.ok(isUp(nodes[0]!, 'b') && isUp(nodes[1]!, 'a'));
  for (let n = 0; n < 20; n++) {
    assert.ok(nodes[0]!.network.send('b', 'votes', utf8(`${n}`)) && nodes[1]!.network.send('a', 'bulk', utf8(`${n}`)));
  }
  await until('each frame once', () => nodes.every((node) => node.frames.length === 20));
  await stopAll(nodes);
});

test('a reader that stops reading fills its queue, is told no, and slows nobody else', async () => {
  const nodes = await pair();
  const [a, b] = nodes;
  const raw = await rawPeer('slow');
  a.network.admit([...listing(nodes), { node: 's', transportKey: raw.key, addresses: [] }]);
  const votes = await openRaw(raw.libp2p, a, 'votes', 's');
  const bulk = await openRaw(raw.libp2p, a, 'bulk', 's');
  votes.addEventListener('message', () => undefined);
  bulk.pause();
  await until('slow peer is up', () => isUp(a, 's'));
  const frame = new Uint8Array(8 * 1_048_576);
  let taken = 0;
  while (taken < 40 && a.network.send('s', 'bulk', frame)) taken++;
  assert.ok(taken * frame.length <= SEND_QUEUE_BYTES_MAX.bulk && taken >= 15, `${taken} frames`);
  assert.equal(a.network.send('s', 'bulk', frame), false);
  assert.ok(a.network.send('b', 'bulk', utf8('quick')));
  await until('b is served', () => b.frames.length === 1);
  assert.ok(a.network.send('s', 'votes', utf8('v')), 'its votes still go');
  await raw.libp2p.stop();
  await until('gone', () => !isUp(a, 's'));
  await stopAll(nodes);
});

test('one address begins so many handshakes at a time, slow ones end, and a peer holds so many connections', async () => {
  const nodes = await pair();
  const [a, b] = nodes;
  const raw = await rawPeer('m');
  a.network.admit([...listing([b]), { node: 'm', transportKey: raw.key, addresses: [] }]);
  const { address, port } = hostAndPort(a.network.addresses[0]!);
  const silent = await Promise.all(
    Array.from({ length: HANDSHAKES_PER_ADDRESS_MAX + 8 }, async () => {
      const socket = connect({ host: address, port });
      const seen = { closedMs: Number.POSITIVE_INFINITY };
      const begin = performance.now();
      socket.on('error', () => undefined).on('close', () => (seen.closedMs = performance.now() - begin));
      socket.resume();
      await once(socket, 'connect');
      return seen;
    }),
  );
  await until('the ones too many are refused', () => silent.filter(({ closedMs }) => closedMs < HANDSHAKE_TIMEOUT_MS / 2).length >= 8);
  assert.ok(silent.filter(({ closedMs }) => closedMs < HANDSHAKE_TIMEOUT_MS / 2).length < HANDSHAKES_PER_ADDRESS_MAX);
  await until('slow handshakes end', () => silent.every(({ closedMs }) => closedMs < Number.POSITIVE_INFINITY));
  assert.ok(isUp(a, 'b') && isUp(b, 'a'), 'who is connected stays so');

  const dialled: (Connection | undefined)[] = [];
  for (let i = 0; i < CONNECTIONS_PER_PEER_MAX + 4; i++)
    dialled.push(await raw.libp2p.dial(multiaddr(a.network.bootstrapAddresses[0]!), { force: true }).catch(() => undefined));
  const open = (): number => dialled.filter((connection) => connection?.status === 'open').length;
  await until('the ones too many are closed', () => open() <= CONNECTIONS_PER_PEER_MAX, HANDSHAKE_TIMEOUT_MS / 2); // idle ones end later by themselves
  assert.ok(open() > 0);
  await raw.libp2p.stop();
  await stopAll(nodes);
});

test('a stream on which a peer says nothing is closed after the time for a greeting, and the peer may greet on another', async () => {
  const [a, raw] = [await startNode('a'), await rawPeer('m')];
  a.network.admit([{ node: 'm', transportKey: raw.key, addresses: [] }]);
  const connection = await raw.libp2p.dial(multiaddr(a.network.bootstrapAddresses[0]!), { force: true });
  const began = performance.now();
  const silent = await connection.newStream('/tracemill/bulk/1');
  await until('it is closed', () => silent.status !== 'open', 3 * HELLO_TIMEOUT_MS);
  assert.ok(performance.now() - began > HELLO_TIMEOUT_MS / 2, 'it had time to greet');
  for (const channel of ['votes', 'bulk'] as const) await openRaw(raw.libp2p, a, channel, 'm');
  await until('m is connected', () => isUp(a, 'm'));
  await raw.libp2p.stop();
  await stopAll([a]);
});

test('a peer has so many streams on one connection that say not even what they are for', async () => {
  const [a, raw] = [await startNode('a'), await rawPeer('m')];
  a.network.admit([{ node: 'm', transportKey: raw.key, addresses: [] }]);
  const connection = await raw.libp2p.dial(multiaddr(a.network.bootstrapAddresses[0]!), { force: true });
  const { muxer } = connection as unknown as { readonly muxer: { createStream(): Promise<Stream> } }; // below the choice of a protocol
  const streams: Stream[] = [];
  for (let i = 0; i < STREAMS_PER_CONNECTION_MAX + 8; i++) streams.push(await muxer.createStream());
  const open = (): number => streams.filter(({ status }) => status === 'open').length;
  await until('the ones too many are closed', () => open() <= STREAMS_PER_CONNECTION_MAX, HELLO_TIMEOUT_MS / 2);
  await raw.libp2p.stop();
  await stopAll([a]);
});

test('a peer that takes nothing of what waits for it has its link cut after a while, and one that is slow has not', async () => {
  let aheadMs = 0;
  const clock = { ...realWorld.clock, monotonic: () => realWorld.clock.monotonic() + aheadMs };
  const a = await startNode('a', { world: { ...realWorld, clock } });
  const raw = await rawPeer('m');
  a.network.admit([{ node: 'm', transportKey: raw.key, addresses: [] }]);
  await openRaw(raw.libp2p, a, 'votes', 'm');
  await openRaw(raw.libp2p, a, 'bulk', 'm').then((stream) => stream.pause());
  await until('m is up', () => isUp(a, 'm'));
  const frame = new Uint8Array(FRAME_BYTES_MAX.bulk);
  for (let i = 0; i < 3; i++) a.network.send('m', 'bulk', frame);
  const queued = () => a.network.queuedBytes('m', 'bulk');
  let last = -1;
  await until('nothing moves', () => {
    const same = queued() === last;
    last = queued();
    return same && last > 0;
  });
  await new Promise((resolve) => setTimeout(resolve, 500)); // looked at
  aheadMs += LINK_STALL_MS - 5_000;
  await new Promise((resolve) => setTimeout(resolve, 500));
  assert.ok(isUp(a, 'm'));
  aheadMs += 10_000;
  await until('the link is cut', () => !isUp(a, 'm'));
  assert.equal(a.network.peers()[0]!.refusal, 'PEER_TIMEOUT');
  await raw.libp2p.stop();
  await stopAll([a]);
});

test('bootstrap addresses find a registered node whose addresses are out of date', async () => {
  const b = await startNode('b');
  const a = await startNode('a', { bootstrap: b.network.bootstrapAddresses });
  b.network.admit(listing([a]));
  a.network.admit([{ node: 'b', transportKey: b.network.transportKey, addresses: ['/ip4/127.0.0.1/tcp/9'] }]);
  await until('found', () => isUp(a, 'b') && isUp(b, 'a'));
  await stopAll([a, b]);
});

test('a node brings its blocks over real connections', async () => {
  const nodes = await pair();
  const [a, b] = nodes;
  const chain = Chain.of(120, 20_000);
  const own = new Chain();
  const requests = [a, b].map(({ network }) => new Requests({ network, world: realWorld }));
  serveBlocks(requests[0]!, chain);
  const sync = new BlockSync({
    network: b.network,
    requests: requests[1]!,
    world: realWorld,
    source: own,
    localHeight: () => own.entries.length,
    applyBlock: (block, finality) => own.apply(block, finality),
  });
  requests[0]!.sendStatus(chain.head(), 'b');
  await until('synced', () => own.entries.length === 120);
  assert.deepEqual(own.head(), chain.head());
  sync.stop();
  for (const each of requests) each.stop();
  await stopAll(nodes);
});

test('an address that is taken is said by name', async () => {
  const a = await startNode('a');
  await assert.rejects(
    startNode('b', { listen: a.network.addresses }),
    (error) => error instanceof ChainError && error.code === 'NETWORK_LISTEN_FAILED',
  );
  await stopAll([a]);
});

test('a registered key that is none is left out, and new addresses are dialled soon', async () => {
  const [a, b] = [await startNode('a'), await startNode('b')];
  b.network.admit(listing([a]));
  a.network.admit([
    { node: 'odd', transportKey: new Uint8Array(33), addresses: [] },
    { node: 'none', transportKey: new Uint8Array(32), addresses: [] },
    { node: 'b', transportKey: b.network.transportKey, addresses: ['/ip4/127.0.0.1/tcp/9', 'no multiaddr'] },
  ]);
  assert.deepEqual(
    a.network.peers().map((peer) => peer.node),
    ['b'],
  );
  a.network.admit(listing([b]));
  await until('dialled', () => isUp(a, 'b') && isUp(b, 'a'));
  await stopAll([a, b]);
});

test('a network that never started stops', async () => {
  const network = await createLibp2pNetwork({
    self: 'a',
    transportSeed: seedOf('a'),
    listen: ['/ip4/127.0.0.1/tcp/0'],
    chainId: seedOf('chain'),
    genesisHash: seedOf('genesis'),
    height: () => 0,
    world: realWorld,
  });
  await network.stop();
  assert.equal(network.send('b', 'votes', utf8('x')), false);
});
