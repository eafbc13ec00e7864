/** What must not pass unnoticed ends in an alarm of the node: raised by its own parts, kept, acknowledged. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { encodeMessage, type PrePrepare, signingBytes, type Vote } from '../../../consensus/pbft/messages.ts';
import { ChainError } from '../../../node/errors/index.ts';
import { CONTRACT, registryKey, stateKey } from '../../../contracts/index.ts';
import {
  decodeJson,
  encodeJson,
  encodeHeader,
  encodeProposal,
  hashTagged,
  type Header,
  headerHash,
  openGenesis,
} from '../../../node/format/index.ts';
import { createContracts } from '../../../node/ledger/contracts.ts';
import { ledgerKey } from '../../../node/ledger/keys.ts';
import { createExecutor } from '../../../node/ledger/executor.ts';
import { inlineExecutor } from '../../tools/inline-executor.ts';
import { lonelyNetwork } from '../../tools/lonely-network.ts';
import { createLedgerReader } from '../../../node/ledger/reader.ts';
import { asSnapshot } from '../../tools/store-snapshot.ts';
import { createReaderPort } from '../../../node/ledger/reader-port.ts';
import { createStateRows, inlineRow } from '../../../node/ledger/state-rows.ts';
import { createNode, type Node } from '../../../node/node.ts';
import { memoryBlockFiles } from '../../tools/memory-block-files.ts';
import { MemoryStore } from '../../tools/memory-store.ts';
import type { AppendLog, Channel, LogLoss, Network } from '../../../node/world.ts';
import { crypto, genesisFixture, testKey, VALIDATORS } from './format/genesis-fixture.ts';
import { FailingStore, ManualTime, MemoryLog, settle } from './memory-world.ts';

const SELF = 'north-1';
const STEP_MS = 100;
const STEPS_MAX = 600;

class VoteLog implements AppendLog {
  readonly records: readonly Uint8Array[] = [];
  full = false;
  lost: LogLoss | undefined;
  async append(): Promise<void> {
    if (this.full) throw new ChainError('STORE_FULL', {});
  }
  rewrite = () => this.append();
  async close(): Promise<void> {}
}

/** @param suspended nodes whose registry entry says so; written beside the executor, as if a block had. */
async function start(suspended: readonly string[] = [], lost?: LogLoss) {
  const time = new ManualTime();
  const log = new MemoryLog();
  const local = new FailingStore();
  const voteLog = new VoteLog();
  voteLog.lost = lost;
  const store = new MemoryStore();
  const genesisText = JSON.stringify(genesisFixture());
  const frames: ((from: string, channel: Channel, frame: Uint8Array) => void)[] = [];
  const admitted: string[][] = [];
  const visitors: string[][] = [];
  const quiet: boolean[] = [];
  const network: Network = {
    ...lonelyNetwork(SELF),
    visitors: (nodes) => void visitors.push(nodes.map(({ node }) => node)),
    keepQuiet: (now) => void quiet.push(now),
    onFrame: (handler) => void frames.push(handler),
    admit: (nodes) => void admitted.push(nodes.map(({ node }) => node)),
  };
  const contracts = await createContracts(crypto, 1);
  const files = memoryBlockFiles(openGenesis(crypto, genesisText).chainId);
  const node = await createNode({
    world: {
      clock: time,
      timers: time,
      log,
      crypto,
      random: { bytes: (count) => new Uint8Array(count) },
      verifier: { verify: async (...check) => crypto.verify(...check), verifyAll: async () => [], stop: async () => undefined },
    },
    network,
    store,
    files,
    local,
    voteLog,
    executor: inlineExecutor(
      createExecutor({ store, files, crypto, clock: time, genesisText, ...contracts }),
      contracts.machine.bundleDigest,
    ),
    reader: createReaderPort(createLedgerReader({ snapshot: () => asSnapshot(store), files, crypto, ...contracts }), {
      clock: time,
      timers: time,
    }),
    genesisText,
    node: SELF,
    organisation: 'north',
    signWithValidatorKey: (message) => testKey(`${SELF} validator`).sign(message),
    signWithCustodialKey: (message) => testKey(`${SELF} custodial`).sign(message),
    mempool: { countMax: 100, bytesMax: 1_000_000 },
  });
  for (const id of suspended) {
    const key = ledgerKey.state(stateKey(CONTRACT.registry, registryKey.entry('node', id)));
    const entry = decodeJson(createStateRows(store).get(key)!) as object;
    await store.batch([{ key, value: inlineRow(encodeJson({ ...entry, state: 'suspended' })) }]);
  }
  await node.start();
  const receive = async (from: string, frame: Uint8Array): Promise<void> => {
    for (const handler of frames) handler(from, 'votes', frame);
    await settle();
  };
  return { node, time, log, local, voteLog, receive, admitted, visitors, quiet };
}

const kinds = async (node: Node) => (await node.alarms()).map((alarm) => alarm.kind);

function prepareVote(node: Node, from: string, digest: Uint8Array): Uint8Array {
  const vote = { kind: 'prepare', view: 0, height: 1, digest, node: from } as const;
  const signature = testKey(`${from} validator`).sign(signingBytes(node.info.chainId, vote));
  return encodeMessage({ ...vote, signature } as Vote);
}

/** A proposal for height 1 that its primary signed, with a seal that is not the proposer's. */
function forgedProposal(node: Node, primary: string): Uint8Array {
  const none = new Uint8Array(32);
  const { hash } = node.head();
  const header: Header = {
    version: 1,
    chainId: node.info.chainId,
    era: 0,
    height: 1,
    parentHash: hash,
    timestampMs: 1_700_000_000_000,
    proposer: primary,
    engine: 'pbft',
    engineData: new Uint8Array(8),
    txRoot: none,
    receiptsRoot: none,
    stateRoot: none,
    consensusHash: none,
    nextConsensusHash: none,
  };
  const headerBytes = encodeHeader(header);
  const proposal = encodeProposal({ header: headerBytes, seal: new Uint8Array(64), transactionHashes: [] });
  const message = {
    kind: 'prePrepare',
    view: 0,
    height: 1,
    digest: headerHash(crypto, headerBytes),
    bodyHash: hashTagged(crypto, 'engine-message', proposal),
    node: primary,
    proposal,
  } as const;
  const signature = testKey(`${primary} validator`).sign(signingBytes(node.info.chainId, message));
  return encodeMessage({ ...message, signature } as PrePrepare);
}

test('two votes of one validator for one place raise EQUIVOCATION with both, once, and it can be acknowledged', async () => {
  const { node, receive } = await start();
  const other = VALIDATORS.find((id) => id !== SELF)!;
  const [first, second] = [1, 2].map((value) => prepareVote(node, other, new Uint8Array(32).fill(value)));
  await receive(other, first!);
  assert.deepEqual(await kinds(node), []);
  await receive(other, second!);
  await receive(other, second!);
  const [alarm, ...more] = await node.alarms();
  assert.deepEqual([alarm!.kind, alarm!.severity, more.length], ['EQUIVOCATION', 'critical', 0]);
  const detail = alarm!.detail as { node: string; first: string; second: string };
  assert.equal(detail.node, other);
  assert.notEqual(detail.first, detail.second);
  const done = await node.acknowledgeAlarm(alarm!.id, 'admin@north');
  assert.equal(done.acknowledgedBy, 'admin@north');
  await node.stop();
});

test('a proposal whose checks fail raises BLOCK_CHECK_FAILED that names the check', async () => {
  const { node, receive } = await start();
  for (const primary of VALIDATORS.filter((id) => id !== SELF)) await receive(primary, forgedProposal(node, primary));
  const alarms = await node.alarms();
  assert.deepEqual(
    alarms.map(({ kind }) => kind),
    ['BLOCK_CHECK_FAILED'],
    'of the three only the primary of the view may propose',
  );
  const detail = alarms[0]!.detail as { height: number; failed: { check: string }[] };
  assert.deepEqual([detail.height, detail.failed.map(({ check }) => check)], [1, ['producerSeal']]);
  await node.stop();
});

test('a vote log that cannot be written raises VOTE_LOG_UNWRITABLE, also when the alarm itself finds the disk full, and the alarm is on disk later', async () => {
  const { node, time, receive, voteLog, local, log } = await start();
  for (const primary of VALIDATORS.filter((id) => id !== SELF)) await receive(primary, forgedProposal(node, primary));
  voteLog.full = true;
  const full = new ChainError('STORE_FULL', {});
  for (let step = 0; step < STEPS_MAX && !(await kinds(node)).includes('VOTE_LOG_UNWRITABLE'); step++) {
    local.fault = full;
    time.advance(STEP_MS);
    await settle();
  }
  const alarm = (await node.alarms()).find(({ kind }) => kind === 'VOTE_LOG_UNWRITABLE');
  assert.deepEqual([alarm?.severity, (alarm?.detail as { code: string } | undefined)?.code], ['critical', 'STORE_FULL']);
  local.fault = undefined;
  voteLog.full = false;
  for (let step = 0; step < 50; step++) {
    time.advance(STEP_MS);
    await settle();
  }
  const onDisk = (await local.range({ from: '', to: undefined, limit: 1_000 })).some(({ value }) =>
    Buffer.from(value).toString('utf8').includes('VOTE_LOG_UNWRITABLE'),
  );
  assert.equal(onDisk, true);
  assert.equal(
    log.lines.some(({ event }) => event === 'consensus fault over'),
    true,
    'it votes again by itself',
  );
  assert.equal(
    (await node.alarms()).find(({ kind }) => kind === 'VOTE_LOG_UNWRITABLE')?.resolvedAtMs !== undefined,
    true,
    'the alarm says so',
  );
  await node.stop();
});

test('what was put right while the disk takes nothing is told at once, rejects nobody, and is on disk later', async () => {
  const { node, time, local } = await start();
  const detail = { store: 'chain' };
  await node.raiseAlarm('STORE_DAMAGED', 'critical', detail);
  await settle();
  local.fault = new ChainError('STORE_IO', {});
  await node.resolveAlarm('STORE_DAMAGED', detail, { by: 'a peer' });
  assert.deepEqual((await node.alarms()).at(-1)?.resolution, { by: 'a peer' });
  const isOnDisk = async () =>
    (await local.range({ from: '', to: undefined, limit: 1_000 })).some(({ value }) =>
      Buffer.from(value).toString('utf8').includes('a peer'),
    );
  local.fault = undefined;
  assert.equal(await isOnDisk(), false);
  for (let step = 0; step < 50; step++) {
    time.advance(STEP_MS);
    await settle();
  }
  assert.equal(await isOnDisk(), true);
  await node.stop();
});

test('without a quorum the node says so by an alarm and its checks, and takes no transaction that no block can hold', async () => {
  const { node, time } = await start();
  await assert.rejects(node.submit(new Uint8Array(8)), { code: 'TRANSACTION_MALFORMED' });
  for (let step = 0; step < 80 && !(await kinds(node)).includes('NO_FINAL_BLOCK'); step++) {
    time.advance(1_000);
    await settle();
  }
  const { stalled, checks } = node.health!();
  assert.equal(stalled?.height, 0);
  assert.ok(checks.some(({ check, passed }) => check === 'finality' && !passed));
  await assert.rejects(node.submit(new Uint8Array(8)), (error: ChainError) => {
    const { code, data } = error;
    assert.deepEqual([code, data.height, data.validators, data.withinReach, data.needed], ['CHAIN_STALLED', 0, 4, 1, 3]);
    return true;
  });
  await node.stop();
});

test('a vote log that was lost is an alarm that says why and where the old file is', async () => {
  const { node } = await start([], { cause: 'damaged', setAside: 'votes.log.damaged-00', offset: 56 });
  const alarms = (await node.alarms()).map(({ kind, severity, detail }) => ({ kind, severity, detail }));
  assert.deepEqual(alarms, [
    { kind: 'VOTE_LOG_LOST', severity: 'critical', detail: { cause: 'damaged', setAside: 'votes.log.damaged-00', offset: 56 } },
  ]);
  await node.stop();
});

test('a node that its own chain names as suspended says NODE_EXPELLED, takes no transactions, dials nobody; other suspended ones may visit', async () => {
  const [other, ...rest] = VALIDATORS.filter((id) => id !== SELF);
  const { node, log, admitted, visitors, quiet } = await start([SELF, other!]);
  assert.deepEqual([admitted.at(-1)?.toSorted(), visitors.at(-1)?.toSorted()], [rest.toSorted(), [SELF, other!].toSorted()]);
  assert.deepEqual([node.standing!().state, node.standing!().by, quiet], ['expelled', 'chain', [true]]);
  assert.deepEqual(await kinds(node), ['NODE_EXPELLED']);
  assert.equal(log.lines.filter(({ fields }) => fields.code === 'NODE_EXPELLED').length, 1);
  await assert.rejects(node.submit(new Uint8Array(8)), { code: 'NODE_EXPELLED' });
  await node.stop();
  const member = await start([other!]);
  assert.deepEqual([member.node.standing!().state, member.quiet, await kinds(member.node)], ['member', [], []]);
  await member.node.stop();
});
