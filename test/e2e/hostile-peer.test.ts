/** What peers and disks may do to a node: a stranger at the door, garbage from a registered peer, a stored value with a flipped bit. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { Level } from 'level';
import { CONTRACT, recordKey, stateKey } from '../../contracts/index.ts';
import { decodeAll, fromHex, signTransaction, toByteText } from '../../node/format/index.ts';
import { decodeTransaction } from '../../node/format/transaction.ts';
import { NODE_KEY } from '../../node/keystore/index.ts';
import { BLOCK_FILES_DIRECTORY } from '../../node/ledger/block-files.ts';
import { ledgerKey } from '../../node/ledger/keys.ts';
import { indexKeyspace } from '../../node/records/query/keys.ts';
import { keyspace, offsetOf, openLevelStore, segmentOf } from '../../node/store/index.ts';
import { segmentName } from '../../node/store/segments/form.ts';
import type { Channel } from '../../node/world.ts';
import { PATIENCE_MS, type ProbeContext } from '../conformance/context.ts';
import { production, submit } from '../conformance/records.ts';
import { keystoreOf, oneHead, operators, realCrypto, startTestNet, type TestNet } from './net.ts';
import { outsider } from './outsider.ts';

const DAMAGED = 2; // index of the node whose disk lies
const GARBAGE = 3; // index of the node whose key the attacker holds
const GARBAGE_FRAMES = 40; // above what a peer may send before it is cut off
const STRANGER_WATCH_MS = 4_000;

let testNet: TestNet;
let context: ProbeContext;

before(async () => {
  testNet = await startTestNet('hostile-peer');
  context = testNet.context;
});
after(() => testNet?.stop());

const peerOn = async (node: number, id: string) =>
  (await context.get(node, 'peers')).items.find((peer: { node: string }) => peer.node === id) as { connected: boolean } | undefined;

test('a peer with a key that nobody registered is let in nowhere, whatever name it gives', async () => {
  const stranger = await outsider(context, await context.get(0, 'consensus'), 'stranger-1', randomBytes(32));
  try {
    const logOf = (node: number) => readFileSync(testNet.net.nodes[node]!.logPath, 'utf8');
    await context.until('the stranger to be turned away', PATIENCE_MS, async () => /PEER_UNREGISTERED/.test(logOf(0)));
    await sleep(STRANGER_WATCH_MS);
    assert.deepEqual(
      stranger.peers().filter((peer) => peer.connected),
      [],
    );
    for (const node of testNet.net.nodes.keys()) assert.equal(await peerOn(node, 'stranger-1'), undefined);
  } finally {
    await stranger.stop();
  }
  await submit(context, production(context));
});

test('garbage from a registered peer, on votes and on bulk, is counted and cuts it off; the others go on', async () => {
  const { id } = context.genesis.nodes[GARBAGE]!;
  const keystore = await keystoreOf(testNet.net, GARBAGE);
  await testNet.net.nodes[GARBAGE]!.kill('SIGKILL');
  const attacker = await outsider(context, await context.get(0, 'consensus'), id, keystore.secret(NODE_KEY.transport));
  const aims: readonly [number, Channel][] = [
    [0, 'votes'],
    [1, 'bulk'],
  ];
  try {
    for (const [node] of aims)
      await context.until(
        `the attacker to be connected to node ${node}`,
        PATIENCE_MS,
        async () => (await peerOn(node, id))?.connected === true,
      );
    for (const [node, channel] of aims) {
      const to = context.genesis.nodes[node]!.id;
      for (let i = 0; i < GARBAGE_FRAMES; i++) {
        attacker.send(to, channel, new Uint8Array(randomBytes(1 + (i % 5) * 300)));
        await sleep(10);
      }
    }
    for (const [node, channel] of aims) {
      await context.until(
        `the attacker to be cut off by node ${node} for ${channel}`,
        PATIENCE_MS,
        async () => (await peerOn(node, id))?.connected === false,
      );
      assert.match(readFileSync(testNet.net.nodes[node]!.logPath, 'utf8'), /"event":"peer cut off for a while"/);
    }
    await submit(context, production(context));
    await sleep(2_000);
    for (const [node] of aims) assert.equal((await peerOn(node, id))?.connected, false, 'it dials again and is not let in');
  } finally {
    await attacker.stop();
  }
  await testNet.net.nodes[GARBAGE]!.restart();
});

test('stored values with a flipped bit are never served, found by doctor, said in alarms, and repaired from peers while the node runs', async () => {
  const { net } = testNet;
  const node = net.nodes[DAMAGED]!;
  const receipt = await submit(context, production(context));
  const actor = operators(context)[DAMAGED]!;
  const other = await submit(context, production(context, actor), { actor }); // through this node, which keeps the sealed fields
  await context.until('the node to hold both records', PATIENCE_MS, async () => (await node.head()).height >= other.height);
  await node.kill('SIGTERM'); // its query index writes then what it had in memory alone
  await context.until('the node to end', PATIENCE_MS, async () => !node.running);
  const id = receipt.records[0].id as string;
  const { height } = receipt as { height: number };
  const row = ledgerKey.state(stateKey(CONTRACT.records, recordKey.version(toByteText(fromHex(id)), 1)));
  const blockRows = [ledgerKey.body(height), ledgerKey.certificate(height), ledgerKey.receipts(height)];
  const chain = join(node.dir, 'data/chain');
  // Of the map all change sets but that of the damaged value: with that one too only peers could say what the state is, before a start.
  const mapRows = (await keysUnder(chain, keyspace.mapChanges)).filter((key) => key !== ledgerKey.mapChanges(height));
  assert.ok(mapRows.length >= 2);
  const lostBody = ledgerKey.body(other.height as number);
  await flipBody(join(node.dir, 'data'), other.height as number);
  for (const key of [row, ...blockRows, ...mapRows]) await flipStored(chain, Buffer.from(key, 'latin1'));
  await flipStored(
    join(node.dir, 'data/index'),
    Buffer.from((await keysUnder(join(node.dir, 'data/index'), indexKeyspace.kept.prefix))[0]!, 'latin1'),
  );
  await flipInTable(join(node.dir, 'data/sealed'));

  const doctor = await context.cli(DAMAGED, ['doctor', '--config', node.configPath]);
  assert.equal(doctor.exitCode, 4, doctor.stderr);
  const problems = (JSON.parse(doctor.stdout) as { subject: string; state: string; what: string }[]).filter(
    ({ state }) => state === 'problem',
  );
  for (const store of ['chain', 'block files', 'index', 'sealed'])
    assert.equal(
      problems.some(({ subject, what }) => subject.includes(store) && what.includes('STORE_DAMAGED')),
      true,
      doctor.stdout,
    );

  await node.restart();
  const { pid } = node;
  const truth = (await context.get(0, `records/${id}`)).recordDigest as string;
  // Until it is repaired the value is refused; what is answered is right.
  const read = async (path: string): Promise<{ recordDigest?: string; hash?: string } | undefined> => {
    const answer = await context.call(DAMAGED, 'GET', path);
    if (answer.status === 200) return answer.json.data;
    assert.deepEqual([answer.status, answer.json.code, answer.json.data?.content], [500, 'STORE_DAMAGED', undefined], answer.text);
    return undefined;
  };
  const record = await context.until('the record to be repaired', PATIENCE_MS, () => read(`records/${id}`));
  assert.equal(record.recordDigest, truth);
  const block = await context.until('the block to be repaired', PATIENCE_MS, () => read(`blocks/${height}`));
  assert.equal(block.hash, (await context.get(0, `blocks/${height}`)).hash);
  type Alarm = {
    readonly id: number;
    readonly kind: string;
    readonly detail: { readonly store: string; readonly key?: string; readonly file?: string };
    readonly acknowledgedBy: string | null;
    readonly resolvedAtMs: number | null;
    readonly resolution: { readonly by: string; readonly peer?: string } | null;
  };
  const alarms = async () =>
    ((await context.get(DAMAGED, 'alarms', { limit: 1_000 })).items as Alarm[]).filter(({ kind }) => kind === 'STORE_DAMAGED');
  const about = async (key: string) => (await alarms()).find(({ detail }) => detail.key === Buffer.from(key, 'latin1').toString('hex'));
  for (const key of [row, ...blockRows, lostBody]) {
    const alarm = await context.until('the alarm of a repaired row', PATIENCE_MS, async () => {
      const found = await about(key);
      return found?.resolvedAtMs != null && found;
    });
    const peers = context.genesis.nodes.map((entry) => entry.id);
    assert.deepEqual([alarm.detail.store, alarm.resolution?.by, peers.includes(alarm.resolution?.peer ?? '')], ['chain', 'peer', true]);
  }
  await context.until('the alarm of the sealed store', PATIENCE_MS, async () =>
    (await alarms()).some(({ detail }) => detail.store === 'sealed' && detail.file?.endsWith('.ldb') === true),
  );
  const query = async (at: number) => (await context.get(at, 'records', { class: 'production', count: 'exact', limit: 1 })).count as number;
  await context.until('the query index to be made anew', PATIENCE_MS, async () => {
    const answer = await context.call(DAMAGED, 'GET', 'records', { query: { class: 'production', count: 'exact', limit: 1 } });
    return answer.status === 200 && answer.json.data.count === (await query(0));
  });

  // A call whose execution walks the damaged map: it is made anew row by row, and the node keeps up.
  const first = await context.get(0, `transactions/${receipt.transactionId}`);
  const keystore = await keystoreOf(net, 0);
  const { signature: _signature, ...body } = decodeTransaction(new Uint8Array(Buffer.from(first.transaction.bytes, 'base64')));
  const again = signTransaction(realCrypto(), { ...body, salt: new Uint8Array(randomBytes(16)) }, (message) =>
    keystore.sign(NODE_KEY.custodial, message),
  );
  const final = await context.call(0, 'POST', 'transactions', { body: again.bytes, type: 'application/octet-stream' });
  assert.equal(final.status < 500, true, final.text);
  const last = await submit(context, production(context));
  await oneHead(net, context, last.height);
  assert.deepEqual([node.running, node.pid], [true, pid], 'the node with the damaged rows lives');

  const admin = context.genesis.accounts.find((account) => account.organisation === node.organisation && account.roles.includes('admin'))!;
  const found = (await about(row))!;
  const acknowledged = await context.post(DAMAGED, `alarms/${found.id}/acknowledge`, {}, { token: net.tokens[admin.id]! });
  assert.equal(acknowledged.status, 200, acknowledged.text);
  const after = (await context.get(DAMAGED, 'alarms', { state: 'all', limit: 1_000 })).items as Alarm[];
  assert.equal(after.find((alarm) => alarm.id === found.id)?.acknowledgedBy, admin.id);
});

async function keysUnder(path: string, prefix: string): Promise<string[]> {
  const db = new Level<Buffer, Buffer>(path, { keyEncoding: 'buffer', valueEncoding: 'buffer' });
  const keys: string[] = [];
  for await (const key of db.keys({ gte: Buffer.from(prefix, 'latin1'), lt: Buffer.from(`${prefix}\xff`, 'latin1') }))
    keys.push(key.toString('latin1'));
  await db.close();
  return keys;
}

/** Flips a bit of a body where its row says that it stands. */
async function flipBody(dataDir: string, height: number): Promise<void> {
  const store = await openLevelStore({ path: join(dataDir, 'chain') });
  const location = decodeAll(store.get(ledgerKey.body(height))!, (reader) => reader.u64());
  await store.close();
  const path = join(dataDir, BLOCK_FILES_DIRECTORY, segmentName(segmentOf(location)));
  const bytes = readFileSync(path);
  bytes[offsetOf(location) + 200]! ^= 1;
  writeFileSync(path, bytes);
}

async function flipStored(path: string, key: Buffer): Promise<void> {
  const db = new Level<Buffer, Buffer>(path, { keyEncoding: 'buffer', valueEncoding: 'buffer' });
  await db.open();
  const value = await db.get(key);
  assert.notEqual(value, undefined, 'the row is there');
  value![value!.length >> 1]! ^= 0x10;
  await db.put(key, value!);
  await db.close();
}

/** Makes a table of all rows, and flips a bit in it as a failing disk would. */
async function flipInTable(path: string): Promise<void> {
  const db = new Level<Buffer, Buffer>(path, { keyEncoding: 'buffer', valueEncoding: 'buffer' });
  await db.open();
  await (db as unknown as { compactRange(from: Buffer, to: Buffer): Promise<void> }).compactRange(Buffer.of(0), Buffer.of(0xff));
  await db.close();
  const [table] = readdirSync(path).filter((name) => name.endsWith('.ldb'));
  assert.notEqual(table, undefined, 'the store has a table');
  const file = join(path, table!);
  const bytes = readFileSync(file);
  bytes[20]! ^= 0x04;
  writeFileSync(file, bytes);
}
