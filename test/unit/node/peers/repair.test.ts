/** In which order damaged rows are repaired, which peers are asked for them, when again, and when no more. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ChainError } from '../../../../node/errors/index.ts';
import { type ByteText, toByteText, utf8 } from '../../../../node/format/index.ts';
import type { RepairAnswer } from '../../../../node/ledger/index.ts';
import { createRepairer } from '../../../../node/peers/index.ts';
import { REPAIR_RETRY_MAX_MS, REPAIR_RETRY_MIN_MS, REPAIRS_MAX } from '../../../../node/peers/repair.ts';
import { ManualTime, MemoryLog, settle } from '../memory-world.ts';

const TRUE = utf8('true');
const FALSE = utf8('false');
const HEIGHT = 7;
const REPAIRED: RepairAnswer = { outcome: 'repaired', from: 'own' };
const REFUSED: RepairAnswer = { outcome: 'refused' };

type Answers = (key: string, value: Uint8Array | undefined) => RepairAnswer | Promise<RepairAnswer>;
type Row = Uint8Array | 'none' | 'unreachable';

/** A ledger that answers like this, and peers that hold these rows; `absent` is not connected. */
function repairing(repair: Answers, rows: Readonly<Record<string, Row>> = {}) {
  const time = new ManualTime();
  /** What happened, in order: `key` tried, `peer:key` asked, `peer!` reported, `key=by` repaired or lost. */
  const said: string[] = [];
  let onPeer: (node: string, state: 'up' | 'down') => void = () => assert.fail();
  const repairer = createRepairer({
    world: { timers: time, log: new MemoryLog() },
    network: {
      onPeer: (handler) => {
        onPeer = handler;
      },
      peers: () => Object.keys(rows).map((node) => ({ node, connected: node !== 'absent', lastSeenMs: 0, address: undefined })),
      report: (node, code) => void said.push(`${node}! ${code}`),
    },
    async repair(key, value) {
      if (!value) said.push(key);
      return await repair(key, value);
    },
    async getRow(peer, key, height) {
      said.push(`${peer}:${toByteText(key)}@${height}`);
      const row = rows[peer]!;
      if (row === 'unreachable') throw new ChainError('PEER_UNREACHABLE', { peer });
      return row === 'none' ? undefined : row;
    },
    onRepaired: (key, by) => void said.push(`${key}=${'peer' in by ? by.peer : by.by}`),
    onLost: (key) => void said.push(`${key}=lost`),
  });
  return {
    repairer,
    time,
    onPeer: (node: string, state: 'up' | 'down') => onPeer(node, state),
    /** What happened since it was asked last. */
    async since(): Promise<string[]> {
      await settle();
      return said.splice(0);
    },
  };
}

const wanted = (key: ByteText): RepairAnswer => ({ outcome: 'wanted', key, height: HEIGHT });
const asksPeers: Answers = (key, value) => (!value ? wanted(key) : value === TRUE ? REPAIRED : REFUSED);

test('connected peers are asked one after the other until a row holds; whoever gave a false one is reported, and nobody else', async () => {
  for (const [rows, expected] of [
    [{ a: TRUE, b: TRUE }, ['a:k@7', 'k=a']],
    [{ absent: TRUE, a: 'none', b: 'unreachable', c: TRUE }, ['a:k@7', 'b:k@7', 'c:k@7', 'k=c']],
    [{ a: FALSE, b: TRUE }, ['a:k@7', 'a! REPAIR_ROW_FALSE', 'b:k@7', 'k=b']],
    [{ a: 'none', b: FALSE }, ['a:k@7', 'b:k@7', 'b! REPAIR_ROW_FALSE']],
    [{ absent: TRUE }, []],
  ] as const) {
    const { repairer, since } = repairing(asksPeers, rows);
    repairer.damaged('k');
    assert.deepEqual(await since(), ['k', ...expected]);
    assert.equal(repairer.waiting(), expected.some((text) => text.startsWith('k=')) ? 0 : 1);
    await repairer.stop();
  }
});

test('what the ledger makes of a row by itself is told, and what is lost is asked about no more', async () => {
  const cases: readonly (readonly [answer: RepairAnswer, expected: readonly string[]])[] = [
    [{ outcome: 'sound' }, ['k', 'k=itself']],
    [REPAIRED, ['k', 'k=own rows']],
    [{ outcome: 'lost' }, ['k', 'k=lost']],
    [REFUSED, ['k']],
  ];
  for (const [answer, expected] of cases) {
    const { repairer, since } = repairing(() => answer, { a: TRUE });
    repairer.damaged('k');
    repairer.damaged('k');
    assert.deepEqual(await since(), expected);
    repairer.damaged('k');
    assert.deepEqual(await since(), answer.outcome === 'lost' || answer === REFUSED ? [] : expected, 'it may be damaged again');
    await repairer.stop();
  }
});

test('a row that a block wrote anew while a peer was asked needs no repair, and no blame falls on what the peer gave', async () => {
  const { repairer, since } = repairing((key, value) => (value ? { outcome: 'sound' } : wanted(key)), { a: FALSE });
  repairer.damaged('k');
  assert.deepEqual(await since(), ['k', 'a:k@7', 'k=itself']);
  await repairer.stop();
});

test('a row that stands in the way is repaired before the one that needs it, also when a row of a peer is judged by it', async () => {
  const sound = new Set<string>();
  const { repairer, since } = repairing(
    (key, value) => {
      if (key === 'body' && !sound.has('header')) return wanted('header');
      if (key === 'body' && value && !sound.has('map')) return wanted('map');
      if (key !== 'map' && !value) return wanted(key);
      sound.add(key);
      return REPAIRED;
    },
    { a: TRUE },
  );
  repairer.damaged('body');
  assert.deepEqual(await since(), ['body', 'header', 'a:header@7', 'body', 'a:body@7', 'map', 'body=a']);
  await repairer.stop();
});

test('a row whose need is lost is lost too, unless a peer has given it: then it waits, and the peer is not blamed', async () => {
  const needs = repairing((key) => (key === 'header' ? { outcome: 'lost' } : wanted('header')), { a: TRUE });
  needs.repairer.damaged('body');
  assert.deepEqual(await needs.since(), ['body', 'header', 'body=lost']);
  await needs.repairer.stop();
  const judged = repairing((key, value) => (key === 'map' ? { outcome: 'lost' } : value ? wanted('map') : wanted(key)), {
    a: TRUE,
    b: TRUE,
  });
  judged.repairer.damaged('body');
  assert.deepEqual(await judged.since(), ['body', 'a:body@7', 'map']);
  assert.equal(judged.repairer.waiting(), 1);
  await judged.repairer.stop();
});

test('rows that need one another without end are left for later', async () => {
  const endless: Answers[] = [
    (key) => wanted(key === 'k' ? 'l' : 'k'),
    (key) => wanted(`${key}.`),
    (key) => (key === 'k' ? wanted('l') : REPAIRED),
    (key, value) => (key === 'l' ? REPAIRED : value ? wanted('l') : wanted(key)),
  ];
  for (const answers of endless) {
    const { repairer, since } = repairing(answers, { a: TRUE });
    repairer.damaged('k');
    const tried = await since();
    assert.ok(tried.length > 0 && tried.length < 200, `${tried.length} tries`);
    assert.ok(tried.every((text) => !text.includes('=') && !text.includes('!')));
    assert.equal(repairer.waiting(), 1);
    await repairer.stop();
  }
});

test('what could not be had is tried again after a pause that grows; a further row and a peer that comes make it short again', async () => {
  const { repairer, time, since, onPeer } = repairing(asksPeers, { a: 'none' });
  repairer.damaged('k');
  const TRY = ['k', 'a:k@7'];
  assert.deepEqual(await since(), TRY);
  const after = async (ms: number): Promise<void> => {
    time.advance(ms - 1);
    assert.deepEqual(await since(), [], `${ms} ms`);
    time.advance(1);
    assert.notDeepEqual(await since(), [], `${ms} ms`);
  };
  let pauseMs = REPAIR_RETRY_MIN_MS;
  for (; pauseMs < REPAIR_RETRY_MAX_MS; pauseMs *= 2) await after(pauseMs);
  for (let i = 0; i < 2; i++) await after(REPAIR_RETRY_MAX_MS);
  onPeer('a', 'down');
  assert.deepEqual(await since(), []);
  onPeer('b', 'up');
  assert.deepEqual(await since(), TRY);
  await after(REPAIR_RETRY_MIN_MS);
  repairer.damaged('l');
  assert.deepEqual(await since(), [...TRY, 'l', 'a:l@7']);
  await after(REPAIR_RETRY_MIN_MS);
  await repairer.stop();
  time.advance(REPAIR_RETRY_MAX_MS);
  onPeer('b', 'up');
  repairer.damaged('m');
  assert.deepEqual(await since(), [], 'stopped');
});

test('trouble with one row keeps no other from being repaired, and nobody is blamed for it', async () => {
  const { repairer, time, since } = repairing(
    (key) => {
      if (key === 'k') throw new ChainError('STORE_IO', {});
      return REPAIRED;
    },
    { a: TRUE },
  );
  for (const key of ['k', 'l']) repairer.damaged(key);
  assert.deepEqual(await since(), ['k']);
  time.advance(REPAIR_RETRY_MIN_MS);
  assert.deepEqual(await since(), ['k', 'l', 'l=own rows']);
  assert.equal(repairer.waiting(), 1);
  await repairer.stop();
});

test('a stop waits for the repair that is under way, and begins no other', async () => {
  const ends: ((answer: RepairAnswer) => void)[] = [];
  const { repairer, time, since } = repairing(() => new Promise((resolve) => void ends.push(resolve)));
  for (const key of ['k', 'l']) repairer.damaged(key);
  await settle();
  ends[0]!(REFUSED);
  await settle();
  time.advance(REPAIR_RETRY_MIN_MS);
  assert.deepEqual(await since(), ['k', 'k'], 'both are due');
  let stopped = false;
  const stop = repairer.stop().then(() => {
    stopped = true;
  });
  await settle();
  assert.equal(stopped, false);
  ends[1]!(REPAIRED);
  await stop;
  assert.deepEqual(await since(), ['k=own rows']);
});

test('so many damaged rows are known at a time', async () => {
  const { repairer } = repairing(() => new Promise(() => undefined));
  for (let i = 0; i <= REPAIRS_MAX; i++) repairer.damaged(`${i}`);
  assert.equal(repairer.waiting(), REPAIRS_MAX);
});
