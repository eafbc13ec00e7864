/** Sealed values of one organisation at its nodes, over real libp2p and LevelDB; nothing for anyone else, nothing in clear. */
import assert from 'node:assert/strict';
import { pause, heldOf } from './memory-store.ts';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { Level } from 'level';
import { sealedCommitment } from '../../../../node/format/index.ts';
import { aesGcm } from '../../../../node/records/cipher.ts';
import type { SealedValue } from '../../../../node/records/prepare.ts';
import { createSealedReplication, type SealedReplication, type SealingKey } from '../../../../node/records/sealed-replication.ts';
import { createSealedStore, type SealedStore } from '../../../../node/records/sealed-store.ts';
import { type LevelStore, openLevelStore } from '../../../../node/store/level-store.ts';
import { Requests } from '../../../../node/peers/index.ts';
import { encodeBulkMessage } from '../../../../node/peers/messages.ts';
import { isUp, listing, realWorld, seedOf, startNode, stopAll, type TestNode, until } from '../network/cluster.ts';
import { crypto } from './sample.ts';

const ORGANISATION: Readonly<Record<string, string>> = { 'north-1': 'north', 'north-2': 'north', 'north-3': 'north', 'east-1': 'east' };
const SUSPENDED = 'north-3'; // and does not know it
const SEALED_HEAD = 12; // first byte of the frame on the bulk channel
const NAME = 'Li Lei of the night shift';
const PERIOD: SealingKey = { id: 'sealing-1', secret: seedOf('sealing key of north') };

interface Holder extends TestNode {
  readonly name: string;
  readonly requests: Requests;
  readonly reports: string[];
  readonly differ: string[];
  readonly fits: ((node: string) => boolean)[];
  readonly keys: SealingKey[];
  readonly path: string;
  sealed: SealedStore;
  store: LevelStore;
  replication: SealedReplication;
}

async function holder(name: string, directory: string, keys: SealingKey[] = [PERIOD]): Promise<Holder> {
  const node = await startNode(name);
  const path = join(directory, name);
  const reports: string[] = [];
  const differ: string[] = [];
  const report = node.network.report.bind(node.network);
  node.network.report = (peer, code) => {
    reports.push(`${peer} ${code}`);
    report(peer, code);
  };
  const requests = new Requests({ network: node.network, world: realWorld });
  const opened = { ...node, name, requests, reports, differ, fits: [], keys, path } as unknown as Holder;
  await open(opened);
  return opened;
}

/** Storage keys are each node's own. */
async function open(holder: Holder): Promise<void> {
  holder.store = await openLevelStore({ path: holder.path });
  holder.sealed = createSealedStore(holder.store, aesGcm, realWorld.random, seedOf(`storage of ${holder.name}`), pause);
  holder.replication = createSealedReplication({
    world: realWorld,
    network: holder.network,
    requests: holder.requests,
    sealed: holder.sealed,
    store: holder.store,
    aead: aesGcm,
    sealingKeys: () => holder.keys,
    isOwn: (peer) => ORGANISATION[peer] === ORGANISATION[holder.name] && peer !== SUSPENDED,
    isForeign: (peer) => ORGANISATION[peer] !== ORGANISATION[holder.name],
    onKeysDiffer: (peer, keyId) => holder.differ.push(`${peer} ${keyId}`),
    onKeysFit: (fits) => holder.fits.push(fits),
    pullEveryMs: 200,
  });
  holder.replication.start();
}

async function close(holder: Holder): Promise<void> {
  await holder.replication.stop();
  await holder.store.close();
}

const recordId = (number: number) => seedOf(`record ${number}`);

function value(path: string, text = NAME): SealedValue {
  const salt = seedOf(`salt ${path}`);
  return { path, value: text, salt, commitment: sealedCommitment(crypto, salt, path, text) };
}

const textsOf = (sealed: SealedStore, number: number) => heldOf(sealed, recordId(number)).map(({ path, value: text }) => `${path} ${text}`);

async function filesHold(directory: string, needle: string): Promise<boolean> {
  for (const entry of await readdir(directory, { withFileTypes: true, recursive: true })) {
    if (entry.isFile() && (await readFile(join(entry.parentPath, entry.name))).includes(needle)) return true;
  }
  return false;
}

async function within(run: (directory: string) => Promise<void>): Promise<void> {
  const directory = await mkdtemp(join(tmpdir(), 'sealed-test-'));
  try {
    await run(directory);
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

function meet(...holders: readonly Holder[]): void {
  for (const { network } of holders) network.admit(listing(holders));
}

test(
  'values put at one node of an organisation are at its other node, after a restart of either too; erasing reaches both; nothing lies or travels in clear',
  {
    timeout: 60_000,
  },
  () =>
    within(async (directory) => {
      const [first, second, foreign] = await Promise.all(['north-1', 'north-2', 'east-1'].map((name) => holder(name, directory)));
      const all = [first!, second!, foreign!];
      try {
        await first!.sealed.put([{ recordId: recordId(1), sealed: [value('pro_op_info.pro_op_name')] }]); // before they have met
        meet(...all);
        await until('all to connect', () => all.every((node) => all.every((other) => node === other || isUp(node, other.name))));
        await until('what was there before', () => textsOf(second!.sealed, 1).length === 1);
        await second!.sealed.put([{ recordId: recordId(2), sealed: [value('checker_id')] }]);
        await first!.sealed.put([{ recordId: recordId(2), sealed: [value('pro_op_info.pro_op_id', 'E-1')] }]);
        await until('both values of one record at both', () => [first!, second!].every(({ sealed }) => textsOf(sealed, 2).length === 2));
        assert.deepEqual(textsOf(second!.sealed, 1), [`pro_op_info.pro_op_name ${NAME}`]);

        // The second is away while the first goes on; its cursor stands on disk.
        await close(second!);
        for (let i = 10; i < 10 + 300; i++) await first!.sealed.put([{ recordId: recordId(i), sealed: [value('checker_id')] }]);
        await first!.sealed.erase(recordId(1));
        await open(second!);
        await until('what it missed', () => textsOf(second!.sealed, 309).length === 1 && second!.sealed.isErased(recordId(1)));
        assert.deepEqual([textsOf(second!.sealed, 1), textsOf(second!.sealed, 10)], [[], [`checker_id ${NAME}`]]);
        await second!.sealed.put([{ recordId: recordId(1), sealed: [value('pro_op_info.pro_op_name')] }]);
        assert.deepEqual(textsOf(second!.sealed, 1), [], 'a late retry brings nothing back');
        await second!.sealed.erase(recordId(2));
        await until('the erasing to reach the other', () => first!.sealed.isErased(recordId(2)) && textsOf(first!.sealed, 2).length === 0);

        const before = (await first!.sealed.head()).sequence;
        await new Promise((resolve) => setTimeout(resolve, 600)); // three rounds of asking
        assert.equal((await first!.sealed.head()).sequence, before, 'what came from the other is not sent back and forth');
        assert.deepEqual([(await foreign!.sealed.head()).sequence, foreign!.reports, first!.differ, second!.differ], [0, [], [], []]);
        for (const { frames } of all)
          assert.equal(
            frames.some(({ frame }) => Buffer.from(frame).includes(NAME)),
            false,
          );
      } finally {
        await Promise.all(all.map(close));
        await stopAll(all);
      }
      assert.equal(await filesHold(directory, NAME), false);
    }),
);

test(
  'a node of another organisation is told nothing, answered nothing and heard in nothing, even with the sealing key in its hands',
  {
    timeout: 60_000,
  },
  () =>
    within(async (directory) => {
      const [own, foreign] = [await holder('north-1', directory), await holder('east-1', directory)];
      const nodes = [own, foreign];
      try {
        await own.sealed.put([{ recordId: recordId(1), sealed: [value('checker_id')] }]);
        meet(...nodes);
        await until('both to connect', () => isUp(own, 'east-1') && isUp(foreign, 'north-1'));
        await assert.rejects(foreign.requests.getSealed('north-1', new Uint8Array(16), 0), { code: 'PEER_DECLINED' });
        await own.sealed.put([{ recordId: recordId(2), sealed: [value('checker_id')] }]);
        foreign.network.send('north-1', 'bulk', encodeBulkMessage({ kind: 'sealedHead', log: new Uint8Array(16), sequence: 9 }));
        await until('both offences to be counted', () => own.reports.length === 2);
        assert.deepEqual(own.reports, ['east-1 SEALED_PEER_FOREIGN', 'east-1 SEALED_PEER_FOREIGN']);
        assert.equal((await foreign.sealed.head()).sequence, 0);
        const sealedFrames = foreign.frames.filter(({ channel, frame }) => channel === 'bulk' && (frame[0] === 12 || frame[0] === 14));
        assert.deepEqual(sealedFrames, [], 'not even that there is a change');
      } finally {
        await Promise.all(nodes.map(close));
        await stopAll(nodes);
      }
    }),
);

test('a suspended node of the organisation is answered nothing and heard in nothing, and it is no offence', { timeout: 60_000 }, () =>
  within(async (directory) => {
    const nodes = [await holder('north-1', directory), await holder(SUSPENDED, directory)];
    const [own, suspended] = nodes as [Holder, Holder];
    try {
      await own.sealed.put([{ recordId: recordId(1), sealed: [value('checker_id')] }]);
      meet(...nodes);
      await until('both to connect', () => isUp(own, SUSPENDED) && isUp(suspended, 'north-1'));
      suspended.network.send('north-1', 'bulk', encodeBulkMessage({ kind: 'sealedHead', log: new Uint8Array(16), sequence: 9 }));
      await assert.rejects(suspended.requests.getSealed('north-1', new Uint8Array(16), 0), { code: 'PEER_DECLINED' });
      const bulk = (holder: Holder, kind: number) => holder.frames.filter(({ channel, frame }) => channel === 'bulk' && frame[0] === kind);
      await until('the head to be there', () => bulk(own, SEALED_HEAD).length > 0);
      assert.deepEqual([own.reports, textsOf(suspended.sealed, 1)], [[], []]);
    } finally {
      await Promise.all(nodes.map(close));
      await stopAll(nodes);
    }
  }),
);

test(
  'a node without the sealing key says so, takes nothing, and goes on from there once the operator has brought it',
  { timeout: 60_000 },
  () =>
    within(async (directory) => {
      const first = await holder('north-1', directory);
      const second = await holder('north-2', directory, [{ id: 'sealing-1', secret: seedOf('another key') }]);
      const nodes = [first, second];
      try {
        await first.sealed.put([{ recordId: recordId(1), sealed: [value('checker_id')] }]);
        meet(...nodes);
        await until('the second to say so', () => second.differ.includes('north-1 sealing-1'));
        assert.deepEqual(textsOf(second.sealed, 1), []);
        assert.ok(second.fits.every((fits) => !fits('north-1')));
        second.keys.splice(0, 1, PERIOD);
        await until('the value', () => textsOf(second.sealed, 1).length === 1);
        await until('the second to say that the keys fit', () => second.fits.some((fits) => fits('north-1')));
      } finally {
        await Promise.all(nodes.map(close));
        await stopAll(nodes);
      }
    }),
);

test(
  'a store from before there was a log has its records numbered, once, and a store made anew is fetched from the beginning',
  { timeout: 60_000 },
  () =>
    within(async (directory) => {
      const first = await holder('north-1', directory);
      const second = await holder('north-2', directory);
      const nodes = [first, second];
      try {
        for (let i = 1; i <= 3; i++) await first.sealed.put([{ recordId: recordId(i), sealed: [value('checker_id')] }]);
        await first.sealed.erase(recordId(3));
        await close(first);
        const raw = await openLevelStore({ path: first.path });
        const rows = (await raw.range({ from: 'i', to: 'm', limit: 100 })).filter(({ key }) => key.startsWith('i') || key.startsWith('l'));
        await raw.batch(
          rows.map(({ key }) => ({ key, value: undefined })),
          { sync: true },
        );
        await raw.close();
        await open(first);
        assert.equal((await first.sealed.head()).sequence, 3);
        meet(...nodes);
        await until('all three', () => textsOf(second.sealed, 2).length === 1 && second.sealed.isErased(recordId(3)));

        await close(first);
        await rm(first.path, { recursive: true });
        await open(first);
        await first.sealed.put([{ recordId: recordId(7), sealed: [value('checker_id')] }]);
        await until('the new log', () => textsOf(second.sealed, 7).length === 1);
        await until('what the second holds to be back', () => textsOf(first.sealed, 1).length === 1);
        assert.equal(textsOf(second.sealed, 1).length, 1);
      } finally {
        await Promise.all(nodes.map(close));
        await stopAll(nodes);
      }
    }),
);

test(
  'a damaged value of the sealed store is fetched again from the organisation, and while it is damaged the rest is still sent',
  { timeout: 60_000 },
  () =>
    within(async (directory) => {
      const [first, second] = [await holder('north-1', directory), await holder('north-2', directory)];
      const nodes = [first, second];
      try {
        for (let i = 1; i <= 3; i++) await first.sealed.put([{ recordId: recordId(i), sealed: [value('checker_id')] }]);
        meet(...nodes);
        await until('all three', () => textsOf(second.sealed, 3).length === 1);
        await close(first);
        const raw = new Level<Buffer, Buffer>(first.path, { keyEncoding: 'buffer', valueEncoding: 'buffer' });
        const keys = ['v', 'k'].map((prefix, i) => Buffer.concat([Buffer.from(prefix), recordId(i + 1)]));
        for (const key of keys) await raw.put(key, Buffer.from('not what was stored'));
        await raw.close();
        await open(first);
        for (const number of [1, 2]) assert.throws(() => heldOf(first.sealed, recordId(number)), { code: 'STORE_DAMAGED' });
        const sequences: number[] = [];
        for await (const { sequence } of first.sealed.changesAfter(0, 10)) sequences.push(sequence);
        assert.deepEqual(sequences, [3]);
        for (const key of keys) assert.equal(await first.replication.mend(key.toString('latin1')), true);
        for (const number of [1, 2]) assert.deepEqual(textsOf(first.sealed, number), [`checker_id ${NAME}`]);
        assert.equal(await first.replication.mend('e'), false);
      } finally {
        await Promise.all(nodes.map(close));
        await stopAll(nodes);
      }
    }),
);

test('a value that does not fit its commitment is refused, and the sender is reported', { timeout: 60_000 }, () =>
  within(async (directory) => {
    const [first, second] = [await holder('north-1', directory), await holder('north-2', directory)];
    const nodes = [first, second];
    try {
      await first.sealed.put([{ recordId: recordId(1), sealed: [{ ...value('checker_id'), value: 'somebody else' }] }]);
      meet(...nodes);
      await until('the report', () => second.reports.includes('north-1 PEER_MESSAGE_MALFORMED'));
      assert.deepEqual(textsOf(second.sealed, 1), []);
    } finally {
      await Promise.all(nodes.map(close));
      await stopAll(nodes);
    }
  }),
);
