/** Whether a node still belongs, as its peers tell it: who must say so, which headers are believed, who is visited and when. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { encodeCertificate } from '../../../../consensus/pbft/certificates.ts';
import { ChainError } from '../../../../node/errors/index.ts';
import { consensusHashOf, type Digest, encodeHeader, type Header, headerHash, openGenesis } from '../../../../node/format/index.ts';
import { createStanding, type Standing } from '../../../../node/peers/index.ts';
import { decodeBulkMessage, encodeBulkMessage, type HeaderAnswer } from '../../../../node/peers/messages.ts';
import { VISIT_CHECK_MS, VISIT_EVERY_MS, VISIT_HEADERS_MAX, VISIT_QUIET_EVERY_MS } from '../../../../node/peers/standing.ts';
import type { Network } from '../../../../node/world.ts';
import { lonelyNetwork } from '../../../tools/lonely-network.ts';
import { crypto, VALIDATORS } from '../format/genesis-fixture.ts';
import { certify, chainId, genesisText } from '../ledger/small-chain.ts';
import { ManualTime, settle } from '../memory-world.ts';
import { quiet } from './stand-in.ts';

const [SELF, ...OTHERS] = VALIDATORS;
const [EAST, SOUTH, WEST] = OTHERS;
const OBSERVER = 'north-2'; // registered, no validator
const AT = 3;
const { configuration } = openGenesis(crypto, genesisText);
const OURS = consensusHashOf(crypto, configuration);
const FOREIGN = new Uint8Array(32).fill(9);
const HEAD = new Uint8Array(32).fill(AT);

interface Made extends HeaderAnswer {
  readonly hash: Digest;
}

/** A header as the validators of this chain certify it. */
function made(height: number, parentHash: Digest, changed: Partial<Header> = {}): Made {
  const header = encodeHeader({
    version: 1,
    chainId,
    era: 0,
    height,
    parentHash,
    timestampMs: height,
    proposer: EAST!,
    engine: 'pbft',
    engineData: new Uint8Array(8),
    txRoot: FOREIGN,
    receiptsRoot: FOREIGN,
    stateRoot: FOREIGN,
    consensusHash: OURS,
    nextConsensusHash: OURS,
    ...changed,
  });
  const hash = headerHash(crypto, header);
  return { header, hash, finality: encodeCertificate(certify(height, hash)) };
}

/** Headers above the node's head, each on the one before. */
function chainTo(height: number): Made[] {
  const chain: Made[] = [];
  for (let at = AT + 1; at <= height; at++) chain.push(made(at, chain.at(-1)?.hash ?? HEAD));
  return chain;
}

type Answer = Uint8Array | 'unreachable';
const holding = (headers: readonly HeaderAnswer[]): Answer => encodeBulkMessage({ kind: 'headersAnswer', id: 1, headers });
const EXPELLED = holding([]);

function watching(given: { readonly wasExpelled?: boolean } = {}) {
  const time = new ManualTime();
  const answers = new Map<string, Answer>();
  const connected = new Set<string>();
  const visits: string[] = [];
  const reports: string[] = [];
  const keptQuiet: boolean[] = [];
  const changes: Standing['state'][] = [];
  const tip = { height: AT, hash: HEAD };
  let onPeer: (node: string, state: 'up' | 'down') => void = () => assert.fail();
  let onVisit: (from: string, question: Uint8Array) => Promise<Uint8Array | undefined> = () => assert.fail();
  const network: Network = {
    ...lonelyNetwork(SELF!),
    peers: () => [...OTHERS, OBSERVER].map((node) => ({ node, connected: connected.has(node), lastSeenMs: 0, address: undefined })),
    onPeer: (handler) => {
      onPeer = handler;
    },
    onVisit: (handler) => {
      onVisit = handler;
    },
    async visit(node, bytes) {
      const question = decodeBulkMessage(bytes);
      visits.push(`${node} from ${question.kind === 'getHeaders' ? question.fromHeight : question.kind}`);
      const answer = answers.get(node) ?? 'unreachable';
      if (answer === 'unreachable') throw new ChainError('PEER_UNREACHABLE', { peer: node });
      return answer;
    },
    keepQuiet: (now) => void keptQuiet.push(now),
    report: (node, code) => void reports.push(`${node} ${code}`),
  };
  const watch = createStanding({
    world: { clock: time, timers: time, log: quiet, crypto },
    network,
    chainId,
    tip: () => ({ ...tip, configuration }),
    source: {
      head: () => ({ height: 200, hash: HEAD }),
      blockBytes: () => undefined,
      finality: () => undefined,
      headerBytes: () => FOREIGN,
    },
    onChange: ({ state }) => void changes.push(state),
    ...given,
  });
  /** Long enough for those who are due to be visited; and what was visited meanwhile. */
  async function pass(ms: number): Promise<string[]> {
    const before = visits.length;
    for (let passed = 0; passed < ms; passed += VISIT_CHECK_MS) {
      time.advance(VISIT_CHECK_MS);
      await settle();
    }
    return visits.slice(before);
  }
  return {
    watch,
    answers,
    tip,
    reports,
    keptQuiet,
    changes,
    pass,
    ask: (question: Uint8Array) => onVisit(EAST!, question),
    peer(node: string, state: 'up' | 'down') {
      if (state === 'up') connected.add(node);
      else connected.delete(node);
      onPeer(node, state);
    },
    /** Each of them is visited once. */
    async round() {
      await pass(VISIT_EVERY_MS + VISIT_CHECK_MS);
      return watch.standing();
    },
  };
}

test('a node is expelled when more validators say so than may be faulty, and a member again when one of them lets it in', async () => {
  const { watch, answers, round, peer, changes, keptQuiet } = watching();
  watch.start();
  answers.set(EAST!, EXPELLED).set(OBSERVER, EXPELLED);
  assert.deepEqual(await round(), { state: 'member', by: undefined, peers: [EAST], seen: undefined, barrier: false });
  assert.deepEqual([changes, keptQuiet], [[], []]);
  answers.set(SOUTH!, EXPELLED);
  assert.deepEqual(await round(), { state: 'expelled', by: 'peers', peers: [EAST, SOUTH], seen: undefined, barrier: false });
  assert.deepEqual([changes, keptQuiet], [['expelled'], [true]]);
  peer(SOUTH!, 'up');
  assert.deepEqual([watch.standing().peers, changes, keptQuiet], [[EAST], ['expelled', 'member'], [true, false]]);
  watch.stop();
});

test('the own chain of a node expels it, is asked before any peer, and lets it in again', async () => {
  const { watch, answers, pass, changes } = watching();
  watch.start();
  for (const node of OTHERS) answers.set(node, EXPELLED);
  watch.namedByChain(false);
  assert.deepEqual([watch.standing().state, watch.standing().by], ['expelled', 'chain']);
  assert.deepEqual(await pass(3 * VISIT_EVERY_MS), [], 'nobody need say it');
  watch.namedByChain(true);
  assert.deepEqual([watch.standing().state, changes], ['member', ['expelled', 'member']]);
  watch.stop();
});

test('a node that was expelled when it stopped is let in again by a peer that connects, not by visits that nobody answers', async () => {
  for (const [said, change] of [
    [[], undefined],
    [[EAST], undefined],
    [[EAST, WEST], 'expelled'],
  ] as const) {
    const { watch, answers, round, peer, changes } = watching({ wasExpelled: true });
    watch.start();
    watch.namedByChain(true); // its chain ends where it was a member
    for (const node of said) answers.set(node!, EXPELLED);
    await round();
    assert.deepEqual(changes, change ? [change] : [], `${said.length} say so`);
    peer(EAST!, 'up');
    assert.deepEqual(changes, change ? [change, 'member'] : ['member'], `${said.length} said so`);
    watch.stop();
  }
});

test('headers are believed as far as each stands on the one before and validators known here have certified it', async () => {
  const chain = chainTo(8);
  const [four, five, six, seven] = chain as [Made, Made, Made, Made];
  const forged = (header: Made): HeaderAnswer => ({
    ...header,
    finality: encodeCertificate({ ...certify(7, header.hash), votes: certify(7, header.hash).votes.slice(0, 2) }),
  });
  const other = made(5, four.hash, { timestampMs: 1 });
  const barrier = made(6, five.hash, { nextConsensusHash: FOREIGN });
  const cases: Record<string, readonly [headers: readonly HeaderAnswer[], height: number | undefined, isBarrier?: boolean]> = {
    all: [chain, 8],
    none: [[], undefined],
    'not from the head on': [chain.slice(1), undefined],
    'one left out': [[four, five, seven], 5],
    'of another height': [[four, made(7, four.hash)], 4],
    'on another parent': [[four, made(5, FOREIGN)], 4],
    'one that nobody certified': [[four, { ...five, finality: undefined }, six], 4],
    'one that too few certified': [[four, five, six, forged(seven)], 6],
    'one under the proof of another': [[four, { ...other, finality: five.finality }], 4],
    'one under other validators': [[four, made(5, four.hash, { consensusHash: FOREIGN })], 4],
    'past a barrier': [[four, five, barrier, made(7, barrier.hash)], 6, true],
  };
  for (const [what, [headers, height, isBarrier = false]] of Object.entries(cases)) {
    const { watch, answers, round, pass, reports, tip } = watching();
    watch.start();
    answers.set(EAST!, holding(headers));
    const { seen, barrier, peers } = await round();
    assert.deepEqual([seen?.height, barrier, peers, reports], [height, isBarrier, [EAST], []], what);
    if (seen) assert.deepEqual(seen.hash, headerHash(crypto, headers[height! - AT - 1]!.header), what);
    tip.height = 8;
    assert.deepEqual([watch.standing().seen, watch.standing().barrier], [undefined, false], `${what}: the node has them itself`);
    answers.set(EAST!, holding([made(9, HEAD)]));
    const [visit] = await pass(VISIT_EVERY_MS + VISIT_CHECK_MS);
    assert.deepEqual([visit, watch.standing().seen?.height], [`${EAST} from 9`, 9], `${what}: and goes on from its own head`);
    watch.stop();
  }
});

test('who answers a visit with bytes that cannot be read is reported, and with something else says nothing', async () => {
  const { watch, answers, round, reports } = watching();
  watch.start();
  answers.set(EAST!, new Uint8Array(40));
  answers.set(SOUTH!, encodeBulkMessage({ kind: 'blocksAnswer', id: 1, blocks: [] }));
  answers.set(WEST!, holding([{ header: new Uint8Array(4), finality: undefined }]));
  const { state, peers } = await round();
  assert.deepEqual([state, peers, reports], ['member', [WEST], [`${EAST} PEER_MESSAGE_MALFORMED`, `${WEST} PEER_MESSAGE_MALFORMED`]]);
  watch.stop();
});

test('a peer is visited after it was out of reach for a while, from the last header that is certified on, and less often once the node knows', async () => {
  const { watch, answers, pass, peer } = watching();
  watch.start();
  for (const node of [SOUTH!, WEST!, OBSERVER]) peer(node, 'up');
  assert.deepEqual(await pass(VISIT_EVERY_MS), []);
  assert.deepEqual(await pass(VISIT_CHECK_MS), [`${EAST} from ${AT + 1}`]);
  answers.set(EAST!, holding(chainTo(6)));
  assert.deepEqual(await pass(VISIT_EVERY_MS), [`${EAST} from ${AT + 1}`]);
  peer(SOUTH!, 'down');
  answers.set(SOUTH!, EXPELLED);
  assert.deepEqual(await pass(VISIT_EVERY_MS - VISIT_CHECK_MS), [], 'it may come back');
  answers.set(EAST!, holding(chainTo(8).slice(3)));
  assert.deepEqual(await pass(VISIT_CHECK_MS), [`${EAST} from 7`, `${SOUTH} from 9`]);
  assert.deepEqual([watch.standing().state, watch.standing().seen?.height], ['expelled', 8]);
  assert.deepEqual(await pass(VISIT_QUIET_EVERY_MS - VISIT_CHECK_MS), []);
  watch.stop();
  assert.deepEqual(await pass(VISIT_QUIET_EVERY_MS), [], 'stopped');
});

test('a visit is over before the next begins, and none begins once the watch has stopped', async () => {
  const time = new ManualTime();
  const visited: string[] = [];
  const ends: (() => void)[] = [];
  const watch = createStanding({
    world: { clock: time, timers: time, log: quiet, crypto },
    network: {
      ...lonelyNetwork(SELF!),
      peers: () => OTHERS.map((node) => ({ node, connected: false, lastSeenMs: 0, address: undefined })),
      async visit(node) {
        visited.push(node);
        await new Promise<void>((resolve) => void ends.push(resolve));
        return new Uint8Array(0);
      },
    },
    chainId,
    tip: () => ({ height: AT, hash: HEAD, configuration }),
    source: { head: () => ({ height: AT, hash: HEAD }), blockBytes: () => undefined, finality: () => undefined },
    onChange: () => assert.fail(),
  });
  watch.start();
  const step = async (ms: number): Promise<string[]> => {
    time.advance(ms);
    await settle();
    return visited;
  };
  await step(VISIT_EVERY_MS);
  assert.deepEqual(await step(VISIT_EVERY_MS), [EAST]);
  assert.deepEqual(await step(VISIT_EVERY_MS), [EAST]);
  ends[0]!();
  assert.deepEqual(await step(0), [EAST, SOUTH]);
  watch.stop();
  ends[1]!();
  assert.deepEqual(await step(VISIT_EVERY_MS), [EAST, SOUTH]);
});

test('a visitor gets so many headers at a time, and no answer to anything else', async () => {
  const { ask } = watching();
  const answer = decodeBulkMessage((await ask(encodeBulkMessage({ kind: 'getHeaders', id: 7, fromHeight: 1, count: 1_000 })))!);
  assert.ok(answer.kind === 'headersAnswer');
  assert.deepEqual([answer.id, answer.headers.length], [7, VISIT_HEADERS_MAX]);
  assert.equal(await ask(encodeBulkMessage({ kind: 'getTransactions', id: 7, hashes: [] })), undefined);
  assert.equal(await ask(new Uint8Array(10)), undefined);
});
