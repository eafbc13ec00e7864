import assert from 'node:assert/strict';
import { decodeCertificate, encodeCertificate } from '../../../../consensus/pbft/certificates.ts';
import { test } from 'node:test';
import { ChainError } from '../../../../node/errors/index.ts';
import { DecodeError, equalBytes, utf8 } from '../../../../node/format/index.ts';
import { type BlockSource, serveBlocks } from '../../../../node/peers/block-server.ts';
import { BlockSync, type BlockSyncOptions, DISTRUST_MS, REST_MS, SYNC_LIMITS } from '../../../../node/peers/block-sync.ts';
import { Requests } from '../../../../node/peers/requests.ts';
import { ManualTime, settle } from '../memory-world.ts';
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
  more: Partial<Pick<BlockSyncOptions, 'world' | 'applyBlock'>> = {},
): Promise<Member> {
  const network = hub.join(name);
  const requests = new Requests({ network, world: { ...world, ...more.world }, timeoutMs });
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
    ...more,
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

/** A node that is away and asks one peer, at a time that the test moves on. */
async function asking(own: Chain, chain: Chain, source: Partial<BlockSource> = {}, apply?: BlockSyncOptions['applyBlock']) {
  const time = new ManualTime();
  const hub = createHub();
  const peer = await join(hub, 'p1', chain, source);
  const applyBlock = apply ?? ((block: Uint8Array, finality: Uint8Array | undefined) => own.apply(block, finality));
  const away = await join(hub, 'away', own, {}, 10_000, { world: { ...world, clock: time, timers: time }, applyBlock });
  await settle();
  /** Heights the peer was asked for meanwhile. */
  const pass = async (ms: number): Promise<readonly number[]> => {
    peer.served.length = 0;
    time.advance(ms);
    await settle();
    return peer.served;
  };
  return { peer, away, pass, stop: () => stop(away, peer) };
}

test('an answer that does not fit together is false as a whole: nothing of it is applied', async () => {
  const chain = Chain.of(5);
  const apart = makeBlock(4, chain.entries[0]!.hash, utf8('on another parent'));
  const answers: Record<string, readonly (typeof apart)[]> = {
    'blocks that do not stand on one another': [...chain.entries.slice(0, 3), apart, chain.entries[4]!],
    'blocks with one left out': [...chain.entries.slice(0, 3), chain.entries[4]!],
    'a proof of another block': [...chain.entries.slice(0, 3), { ...chain.entries[3]!, finality: chain.entries[4]!.finality }],
    'a proof of another block of its height': [...chain.entries.slice(0, 3), { ...chain.entries[3]!, finality: apart.finality }],
    'a block that does not decode': [...chain.entries.slice(0, 3), { ...apart, block: utf8('none') }],
    'more blocks than were asked for': Chain.of(6).entries,
  };
  for (const [what, entries] of Object.entries(answers)) {
    const own = new Chain();
    const hub = createHub();
    const network = hub.join('liar');
    const requests = new Requests({ network, world });
    requests.serve('getBlocks', () => ({ kind: 'blocksAnswer', blocks: entries }));
    const away = await join(hub, 'away', own);
    requests.sendStatus({ height: 5, hash: chain.head().hash });
    await until(what, () => away.network.reports.length > 0);
    await settle();
    assert.deepEqual([away.network.reports, own.entries], [[{ node: 'liar', code: 'SYNC_BLOCK_FALSE' }], []], what);
    away.sync.stop();
    away.requests.stop();
    requests.stop();
  }
});

test('a peer is blamed for a block that is false, and for no trouble of the own node nor a block that consensus stored meanwhile', async () => {
  const chain = Chain.of(1);
  const cases: readonly (readonly [error: Error, blamed: boolean])[] = [
    [new ChainError('BLOCK_MALFORMED', {}), true],
    [new ChainError('BLOCK_REFUSED', { failed: [] }), true],
    [new DecodeError('a field'), true],
    [new ChainError('STORE_FULL', {}), false],
    [new ChainError('STORE_DAMAGED', {}), false],
    [new Error('a bug'), false],
  ];
  for (const [error, blamed] of cases)
    for (const stored of [false, true]) {
      const own = new Chain();
      const { away, stop } = await asking(own, chain, {}, async () => {
        if (stored) own.entries.push(chain.entries[0]!);
        throw error;
      });
      const expected = blamed && !stored ? [{ node: 'p1', code: 'SYNC_BLOCK_FALSE' }] : [];
      assert.deepEqual(away.network.reports, expected, `${error.message}${stored ? ', stored meanwhile' : ''}`);
      stop();
    }
});

test('a peer that gave a false block is asked again only after a while, whatever it states meanwhile', async () => {
  const chain = Chain.of(3);
  const lie = { on: true };
  const blockBytes = (height: number) => chain.blockBytes(lie.on ? height + 1 : height);
  const { peer, away, pass, stop } = await asking(new Chain(), chain, { blockBytes });
  assert.deepEqual(away.network.reports, [{ node: 'p1', code: 'SYNC_BLOCK_FALSE' }]);
  assert.deepEqual(away.sync.status(), { syncing: false, height: 0, target: 0 }, 'nor is it believed to be further on');
  lie.on = false;
  peer.sync.announce();
  assert.deepEqual(await pass(DISTRUST_MS - 1), []);
  peer.sync.announce();
  assert.deepEqual(await pass(1), [1, 2, 3]);
  assert.equal(away.chain.entries.length, 3);
  stop();
});

test('a peer that did not answer in time rests, and is not reported', async () => {
  const chain = Chain.of(3);
  const own = new Chain();
  own.entries.push(...chain.entries);
  const { peer, away, pass, stop } = await asking(own, chain);
  chain.entries.push(makeBlock(4, chain.head().hash, utf8('4')));
  peer.network.hears = false;
  peer.sync.announce();
  await pass(0);
  await pass(10_000);
  peer.network.hears = true;
  peer.sync.announce();
  assert.deepEqual(await pass(REST_MS - 1), []);
  peer.sync.announce();
  assert.deepEqual(await pass(1), [4]);
  assert.deepEqual([own.entries.length, away.network.reports], [4, []]);
  stop();
});

test('no more blocks are asked for than so many ranges hold, however many there are, until those are applied', async () => {
  const chain = Chain.of(1_000);
  const own = new Chain();
  const held: (() => void)[] = [];
  const { peer, away, stop } = await asking(own, chain, {}, async (block, finality) => {
    await new Promise<void>((resolve) => void held.push(resolve));
    await own.apply(block, finality);
  });
  const { rangeBlocks, rangesMax } = SYNC_LIMITS;
  assert.equal(Math.max(...peer.served), rangeBlocks * rangesMax);
  assert.deepEqual(away.sync.status(), { syncing: true, height: 0, target: 1_000 });
  for (let i = 0; i < rangeBlocks; i++) {
    held[i]!();
    await settle();
  }
  assert.equal(own.entries.length, rangeBlocks);
  assert.ok(Math.max(...peer.served) <= rangeBlocks * (rangesMax + 1));
  peer.network.leave();
  assert.deepEqual(away.sync.status(), { syncing: false, height: rangeBlocks, target: rangeBlocks }, 'what it stated leaves with it');
  stop();
});

test('trouble of the own disk is tried again after a pause that grows up to a bound, and not once the node stopped', async () => {
  let tries = 0;
  const { away, pass, stop } = await asking(new Chain(), Chain.of(2), {}, async () => {
    tries++;
    throw new ChainError('STORE_FULL');
  });
  for (const pauseMs of [250, 500, 1_000, 2_000, 4_000, 5_000, 5_000]) {
    const before = tries;
    await pass(pauseMs - 1);
    assert.equal(tries, before, `${pauseMs} ms`);
    await pass(1);
    assert.equal(tries, before + 1, `${pauseMs} ms`);
  }
  assert.deepEqual(away.network.reports, []);
  away.sync.stop();
  const before = tries;
  await pass(5_000);
  assert.equal(tries, before);
  stop();
});
