/** Who may connect, as the register of the last final state says: the active nodes of active organisations, and for a while those that left. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CONTRACT, registryKey, stateKey } from '../../../../contracts/index.ts';
import { ChainError } from '../../../../node/errors/index.ts';
import { type ByteText, decodeJson, encodeJson, fromByteText, toHex } from '../../../../node/format/index.ts';
import { createFinalState } from '../../../../node/ledger/final-state.ts';
import { ledgerKey } from '../../../../node/ledger/keys.ts';
import { createStateRows, inlineRow } from '../../../../node/ledger/state-rows.ts';
import { EXPEL_AFTER_MS } from '../../../../node/peers/leaving.ts';
import { createMembership } from '../../../../node/peers/index.ts';
import type { AdmittedNode } from '../../../../node/world.ts';
import { MemoryStore } from '../../../tools/memory-store.ts';
import { testKey, VALIDATORS } from '../format/genesis-fixture.ts';
import { executorOn } from '../ledger/small-chain.ts';
import { ManualTime, MemoryLog, settle } from '../memory-world.ts';

const [SELF, EAST, SOUTH, WEST] = VALIDATORS;
const RETRY_MS = 1_000;
const damageOf = (key: ByteText): ChainError => new ChainError('STORE_DAMAGED', { key: toHex(fromByteText(key)) });
const entryKey = (kind: 'node' | 'organisation', id: string): ByteText =>
  ledgerKey.state(stateKey(CONTRACT.registry, registryKey.entry(kind, id)));

/** The register of a new chain, where rows can be damaged, and what the membership makes of it. */
async function registered() {
  const store = new MemoryStore();
  await executorOn(store).open();
  const damagedRows = new Set<ByteText>();
  /** `held`: reads of the register that wait to be let go on; none waits while it is undefined. */
  const reading: { count: number; fault?: ChainError | undefined; held?: (() => void)[] } = { count: 0 };
  const rows = createStateRows({
    get(key) {
      if (damagedRows.has(key)) throw damageOf(key);
      return store.get(key);
    },
    async range(options) {
      reading.count++;
      if (reading.fault) throw reading.fault;
      const found = await store.range(options);
      const { held } = reading;
      if (held) await new Promise<void>((resolve) => void held.push(resolve));
      const hit = found.find(({ key }) => damagedRows.has(key));
      if (hit) throw damageOf(hit.key);
      return found;
    },
  });
  const time = new ManualTime();
  const log = new MemoryLog();
  const admitted: (readonly AdmittedNode[])[] = [];
  const visitors: string[] = [];
  const self: boolean[] = [];
  const told: ByteText[] = [];
  let announced = 0;
  const state = createFinalState(rows);
  const membership = createMembership({
    world: { clock: time, timers: time, log },
    network: {
      admit: (nodes) => void admitted.push(nodes),
      visitors: (nodes) => void visitors.push(names(nodes)),
    },
    rows,
    state,
    self: SELF,
    onSelf: (active) => void self.push(active),
    onExpelled: () => void announced++,
    damaged: (key) => void told.push(key),
  });
  return {
    membership,
    time,
    log,
    self,
    told,
    damagedRows,
    announced: () => announced,
    reading,
    /** Who is let in, and who may visit, as the network heard it last. */
    now: () => [names(admitted.at(-1)!), visitors.at(-1)],
    admitted,
    /** An entry is written as a block would, and the membership hears of it. */
    async write(kind: 'node' | 'organisation', id: string, standing: 'active' | 'suspended'): Promise<void> {
      const key = entryKey(kind, id);
      const entry = decodeJson(createStateRows(store).get(key)!) as object;
      await store.batch([{ key, value: inlineRow(encodeJson({ ...entry, state: standing })) }]);
      state.changed();
      membership.changed();
      await settle();
    },
  };
}

const names = (nodes: readonly { readonly node: string }[]): string => nodes.map(({ node }) => node).join(' ');
const ALL = [...VALIDATORS].sort().join(' ');
const without = (id: string): string =>
  ALL.split(' ')
    .filter((node) => node !== id)
    .join(' ');

test('the active nodes of active organisations are let in, and suspended ones may visit', async () => {
  const { membership, now, write, self, admitted } = await registered();
  await membership.start();
  assert.deepEqual([now(), self], [[ALL, ''], [true]]);
  const east = { node: EAST, transportKey: testKey(`${EAST} transport`).publicKey, addresses: ['/ip4/127.0.0.1/tcp/4001'] };
  assert.deepEqual(admitted[0]![0], east, 'by its key, at its addresses');
  await write('organisation', 'north', 'suspended');
  assert.deepEqual([now()[1], self], [ALL, [true, false]]);
  await write('organisation', 'north', 'active');
  assert.deepEqual(
    [now(), self],
    [
      [ALL, ''],
      [true, false, true],
    ],
  );
  membership.stop();
});

test('a node that is expelled is told the head and stays connected for a while; the node itself is not told', async () => {
  const { membership, now, write, announced, time } = await registered();
  await membership.start();
  await write('node', EAST, 'suspended');
  assert.deepEqual([now(), announced()], [[`${without(EAST)} ${EAST}`, EAST], 1]);
  time.advance(EXPEL_AFTER_MS - 1);
  assert.deepEqual(now(), [`${without(EAST)} ${EAST}`, EAST]);
  time.advance(1);
  assert.deepEqual([now(), announced()], [[without(EAST), EAST], 1]);
  await write('node', EAST, 'active');
  assert.deepEqual([now(), announced()], [[ALL, ''], 1]);
  await write('node', SELF, 'suspended');
  assert.deepEqual([now(), announced()], [[without(SELF), SELF], 1]);
  membership.stop();
});

test('a node whose entry is damaged stays out until it is repaired, and the others are let in', async () => {
  for (const key of [entryKey('node', SOUTH), entryKey('organisation', 'north')]) {
    const { membership, now, told, damagedRows, time, log, reading } = await registered();
    damagedRows.add(key);
    await membership.start();
    assert.deepEqual([now()[0], new Set(told)], [key === entryKey('node', SOUTH) ? without(SOUTH) : '', new Set([key])]);
    assert.equal(log.lines.filter(({ level }) => level === 'error').length, 1);
    const before = reading.count;
    time.advance(RETRY_MS - 1);
    await settle();
    assert.equal(reading.count, before);
    damagedRows.clear();
    time.advance(1);
    await settle();
    assert.deepEqual(now(), [ALL, '']);
    time.advance(RETRY_MS);
    await settle();
    assert.equal(log.lines.length, 1, 'it is not read again');
    membership.stop();
  }
});

test('a register that cannot be read is read again once a second, however often it changes meanwhile, and not after the node stopped', async () => {
  const { membership, now, reading, time } = await registered();
  await membership.start();
  reading.fault = new ChainError('STORE_IO', {});
  for (let i = 0; i < 5; i++) membership.changed();
  await settle();
  const pass = async (): Promise<number> => {
    const before = reading.count;
    time.advance(RETRY_MS);
    await settle();
    return reading.count - before;
  };
  assert.deepEqual([await pass(), await pass()], [1, 1]);
  assert.deepEqual(now(), [ALL, ''], 'those that were let in stay');
  membership.changed();
  membership.stop();
  await settle();
  assert.equal(await pass(), 0);
});

test('a start whose register cannot be read fails', async () => {
  const { membership, reading } = await registered();
  reading.fault = new ChainError('STORE_IO', {});
  await assert.rejects(membership.start(), { code: 'STORE_IO' });
});

test('a register that was read before a change does not take the place of the one after it, and none is taken once the node stopped', async () => {
  const { membership, reading, write, now, admitted } = await registered();
  await membership.start();
  const held: (() => void)[] = [];
  reading.held = held;
  membership.changed();
  await write('node', WEST, 'suspended');
  const [before, after] = held;
  after!();
  await settle();
  before!();
  await settle();
  assert.deepEqual(now()[1], WEST);
  const taken = admitted.length;
  membership.changed();
  membership.stop();
  held.at(-1)!();
  await settle();
  assert.equal(admitted.length, taken);
});
