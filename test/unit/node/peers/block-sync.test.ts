import assert from 'node:assert/strict';
import { decodeCertificate, encodeCertificate } from '../../../../consensus/pbft/certificates.ts';
import { test } from 'node:test';
import { ChainError } from '../../../../node/errors/index.ts';
import { equalBytes, utf8 } from '../../../../node/format/index.ts';
import { type BlockSource, serveBlocks } from '../../../../node/peers/block-server.ts';
import { BlockSync } from '../../../../node/peers/block-sync.ts';
import { Requests } from '../../../../node/peers/requests.ts';
import { Chain, createHub, makeBlock, type MemoryNetwork, until, world } from './stand-in.ts';

interface Member {
  readonly network: MemoryNetwork;
  readonly requests: Requests;
  readonly chain: Chain;
  readonly sync: BlockSync;
  readonly served: number[];
}

async function join(
  hub: ReturnType<typeof createHub>,
  name: string,
  chain: Chain,
  source: Partial<BlockSource> = {},
  timeoutMs = 10_000,
): Promise<Member> {
  const network = hub.join(name);
  const requests = new Requests({ network, world, timeoutMs });
  const served: number[] = [];
  const full: BlockSource = {
    head: () => (source.head ?? (() => chain.head()))(),
    finality: (height) => (source.finality ?? ((h) => chain.finality(h)))(height),
    blockBytes: (height) => {
      served.push(height);
      return (source.blockBytes ?? ((h) => chain.blockBytes(h)))(height);
    },
  };
  serveBlocks(requests, full);
  const sync = new BlockSync({
    network,
    requests,
    world,
    source: full,
    localHeight: () => chain.entries.length,
    applyBlock: (block, finality) => chain.apply(block, finality),
  });
  await network.start();
  return { network, requests, chain, sync, served };
}

function stop(...members: Member[]): void {
  for (const member of members) {
    member.sync.stop();
    member.requests.stop();
  }
}

const same = (a: Chain, b: Chain) => a.entries.length === b.entries.length && equalBytes(a.head().hash, b.head().hash);

test('a node that was away fetches everything, from more than one peer', async () => {
  const hub = createHub();
  const chain = Chain.of(300);
  const peers = [await join(hub, 'p1', chain), await join(hub, 'p2', chain), await join(hub, 'p3', chain)];
  const away = await join(hub, 'away', new Chain());
  await until('synced', () => same(away.chain, chain));
  assert.ok(peers.filter((peer) => peer.served.length > 0).length >= 2);
  assert.deepEqual(away.network.reports, []);
  assert.deepEqual(away.sync.status(), { syncing: false, height: 300, target: 300 });
  assert.equal(
    peers.reduce((n, peer) => n + peer.served.length, 0),
    300,
    'no block is fetched twice',
  );
  stop(away, ...peers);
});

test('new final blocks that are announced are followed', async () => {
  const hub = createHub();
  const chain = Chain.of(3);
  const peer = await join(hub, 'p1', chain);
  const away = await join(hub, 'away', new Chain());
  await until('first three', () => same(away.chain, chain));
  for (let h = 4; h <= 10; h++) {
    chain.entries.push(makeBlock(h, chain.head().hash, utf8(`${h}`)));
    peer.sync.announce();
  }
  await until('ten', () => same(away.chain, chain));
  stop(away, peer);
});

test('large blocks that do not fit one answer come in several', async () => {
  const hub = createHub();
  const chain = Chain.of(24, 1_048_576);
  const peer = await join(hub, 'p1', chain);
  const away = await join(hub, 'away', new Chain());
  await until('synced', () => same(away.chain, chain));
  stop(away, peer);
});

const lies: Record<string, (chain: Chain) => Partial<BlockSource>> = {
  'another payload under a true header': (chain) => ({
    blockBytes: (height) => {
      const block = chain.blockBytes(height)?.slice();
      if (block !== undefined && height === 40) block[block.length - 1]! ^= 1;
      return block;
    },
  }),
  'a certificate nobody signed': (chain) => ({
    finality: (height) => {
      const certificate = decodeCertificate(chain.finality(height)!);
      return encodeCertificate({ ...certificate, votes: [{ node: 'n0', signature: utf8('forged') }] });
    },
  }),
  'a certificate of another block': (chain) => ({ finality: () => chain.finality(1) }),
  'bytes that are no certificate': () => ({ finality: () => utf8('not a certificate') }),
  'no certificate': () => ({ finality: () => undefined }),
  'blocks of other heights': (chain) => ({
    blockBytes: (height) => chain.blockBytes(height + 1),
    finality: (height) => chain.finality(height + 1),
  }),
  'bytes that are no block': () => ({ blockBytes: () => utf8('not a block') }),
};

for (const [what, lie] of Object.entries(lies)) {
  test(`a peer that gives ${what} is reported, and the blocks come from others`, async () => {
    const hub = createHub();
    const chain = Chain.of(100);
    const liar = await join(hub, 'liar', chain, lie(chain));
    const honest = await join(hub, 'p1', chain);
    const away = await join(hub, 'away', new Chain());
    await until('synced', () => same(away.chain, chain));
    assert.ok(away.network.reports.length > 0);
    for (const report of away.network.reports) assert.deepEqual(report, { node: 'liar', code: 'SYNC_BLOCK_FALSE' });
    stop(away, liar, honest);
  });
}

test('a whole false chain from a peer leaves the node where it was', async () => {
  const hub = createHub();
  const forged = new Chain();
  for (let h = 1; h <= 50; h++) forged.entries.push(makeBlock(h, forged.head().hash, utf8(`forged ${h}`), utf8('nobody')));
  const liar = await join(hub, 'liar', forged);
  const away = await join(hub, 'away', new Chain());
  await until('reported', () => away.network.reports.length > 0);
  await new Promise((resolve) => setTimeout(resolve, 50));
  assert.equal(away.chain.entries.length, 0);
  stop(away, liar);
});

test('a peer that boasts of a height it does not hold delays nobody', async () => {
  const hub = createHub();
  const chain = Chain.of(80);
  const boaster = await join(hub, 'boaster', chain, { head: () => ({ height: 1_000_000, hash: new Uint8Array(32) }) });
  const honest = await join(hub, 'p1', chain);
  const away = await join(hub, 'away', new Chain());
  await until('synced', () => same(away.chain, chain));
  await until('the boast is forgotten', () => !away.sync.status().syncing);
  stop(away, boaster, honest);
});

test('a silent peer times out, a peer that leaves is replaced', async () => {
  const hub = createHub();
  const chain = Chain.of(200);
  const silent = await join(hub, 'silent', chain);
  const leaver = await join(hub, 'leaver', chain);
  const honest = await join(hub, 'p1', chain);
  const away = await join(hub, 'away', new Chain(), {}, 80);
  silent.network.hears = false;
  await new Promise((resolve) => setImmediate(resolve));
  leaver.network.leave();
  await until('synced', () => same(away.chain, chain));
  assert.deepEqual(away.network.reports, []);
  stop(away, silent, leaver, honest);
});

test('trouble of the own disk blames no peer and is tried again', async () => {
  const hub = createHub();
  const chain = Chain.of(40);
  const peer = await join(hub, 'p1', chain);
  const own = new Chain();
  own.trouble = new ChainError('STORE_FULL');
  const away = await join(hub, 'away', own);
  await new Promise((resolve) => setTimeout(resolve, 100));
  assert.equal(own.entries.length, 0);
  own.trouble = undefined;
  await until('synced', () => same(own, chain));
  assert.deepEqual(away.network.reports, []);
  stop(away, peer);
});

test('blocks that consensus stores meanwhile are skipped', async () => {
  const hub = createHub();
  const chain = Chain.of(64);
  const peer = await join(hub, 'p1', chain);
  const own = new Chain();
  const away = await join(hub, 'away', own);
  await until('some blocks', () => own.entries.length > 3);
  for (const entry of chain.entries.slice(own.entries.length, own.entries.length + 5)) own.entries.push(entry);
  await until('synced', () => same(own, chain));
  stop(away, peer);
});
