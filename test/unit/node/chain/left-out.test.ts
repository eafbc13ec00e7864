/** Who is named for leaving out a transaction, and who is not. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Digest, toByteText, utf8 } from '../../../../node/format/index.ts';
import { createLeftOut, LOOKED_AT_MAX, OVERDUE_AGE_MS, PASSED_OVER_BLOCKS } from '../../../../node/chain/left-out.ts';
import {
  createGasShares,
  SENDER_GAS_FORGOTTEN_MS,
  SENDER_GAS_OWED_MAX,
  SENDER_GAS_SAVED,
  SENDER_GAS_SAVED_MS,
} from '../../../../node/chain/mempool/gas-shares.ts';
import type { Waiting } from '../../../../node/chain/mempool/mempool.ts';

const idOf = (name: string): Digest => utf8(name.padEnd(32));

/** A mempool by hand beside it; `told` are the alarms that stand. */
function table({ started }: { readonly started: 'now' | 'before' } = { started: 'before' }) {
  const waiting = new Map<string, Waiting>();
  const told = new Set<string>();
  let nowMs = 0;
  let height = 0;
  let youngestFinalMs = 0;
  const facts = { heldBack: 0, stands: true };
  const shares = createGasShares({ monotonic: () => nowMs }, () => true);
  const leftOut = createLeftOut({
    self: 'me',
    nowMs: () => nowMs,
    mempool: {
      byId: (id) => [...waiting.values()].find((entry) => entry.id === id),
      oldest: (sender) => [...waiting.values()].find((entry) => sender === undefined || entry.sender === sender),
      youngestFinalMs: () => youngestFinalMs,
      size: () => ({ count: waiting.size, bytes: 0 }),
      heldBack: () => facts.heldBack,
      goesFirst: (entry) => shares.goesFirst(entry),
      verify: async () => (facts.stands ? (undefined as unknown as Waiting) : Promise.reject(new Error('TRANSACTION_KEY_UNKNOWN'))),
    },
    raise: (kind, _severity, detail) => void told.add(`${kind} ${(detail as { proposer: string }).proposer}`),
    resolve: (kind, about) => {
      for (const text of [...told]) if (about({ proposer: text.slice(kind.length + 1) })) told.delete(text);
    },
  });
  if (started === 'before') nowMs += SENDER_GAS_FORGOTTEN_MS;
  const admit = (name: string, sender = name, gasLimit = 1): void => {
    const id = idOf(name);
    const entry = { id, idKey: toByteText(id), sender, gasLimit, addedMs: nowMs, bytes: utf8(name) } as unknown as Waiting;
    waiting.set(name, entry);
    leftOut.onAdmitted(entry);
  };
  /** Blocks of `proposer`, 100 ms apart, each with the named transactions. */
  const blocks = async (count: number, proposer: string, ...names: string[]): Promise<string[]> => {
    for (let i = 0; i < count; i++) {
      nowMs += 100;
      const ids = names.map((name) => waiting.get(name)?.id ?? idOf(name));
      youngestFinalMs = Math.max(Number.NEGATIVE_INFINITY, ...names.map((name) => waiting.get(name)?.addedMs ?? Number.NEGATIVE_INFINITY));
      for (const name of names) waiting.delete(name);
      leftOut.onBlock({ height: ++height, proposer, transactionIds: ids });
      await undefined;
      await undefined;
    }
    return [...told];
  };
  const uses = (sender: string, gasUsed: number): void => shares.charge([{ sender, gasLimit: gasUsed, gasUsed }], 0);
  return { admit, blocks, facts, leftOut, waiting, told, uses, passes: (ms: number) => (nowMs += ms) };
}

const NAMED = ['TRANSACTION_LEFT_OUT p'];

test('a proposer of empty blocks is named once it has passed an overdue transaction over often enough, until it is in', async () => {
  const { admit, blocks, passes, leftOut } = table();
  admit('x');
  assert.deepEqual(await blocks(PASSED_OVER_BLOCKS + 1, 'p'), [], 'it is not overdue yet');
  passes(OVERDUE_AGE_MS);
  assert.deepEqual(await blocks(PASSED_OVER_BLOCKS - 1, 'p'), []);
  assert.deepEqual(await blocks(1, 'p'), NAMED);
  assert.equal(leftOut.count(), 1);
  assert.deepEqual(await blocks(3, 'p'), NAMED);
  assert.deepEqual(await blocks(1, 'p', 'x'), []);
  assert.equal(leftOut.count(), 0);
});

test('so is one whose blocks hold what came long after', async () => {
  const { admit, blocks, passes } = table();
  admit('x');
  passes(OVERDUE_AGE_MS);
  for (let i = 0; i < PASSED_OVER_BLOCKS; i++) {
    admit(`late ${i}`);
    assert.deepEqual(await blocks(1, 'p', `late ${i}`), i === PASSED_OVER_BLOCKS - 1 ? NAMED : []);
  }
});

test('load names nobody: blocks of what is as old, a queue of one sender', async () => {
  const { admit, blocks, passes } = table();
  const many = PASSED_OVER_BLOCKS * 2;
  for (let i = 0; i < many; i++) admit(`old ${i}`);
  admit('x');
  passes(OVERDUE_AGE_MS);
  for (let i = 0; i < many; i++) assert.deepEqual(await blocks(1, 'p', `old ${i}`), []);
  await blocks(1, 'p', 'x');

  for (let i = 0; i < many; i++) admit(`queued ${i}`, 'one sender');
  passes(OVERDUE_AGE_MS);
  for (let i = 0; i < many; i++) {
    admit(`late ${i}`);
    assert.deepEqual(await blocks(1, 'p', `queued ${i}`, `late ${i}`), []);
  }
});

test('a flood of senders held back hides nothing of who has used no gas, and names nobody for what an honest proposer may keep waiting', async () => {
  const { admit, blocks, passes, facts, uses } = table();
  facts.heldBack = 1;
  for (let i = 0; i < 2 * LOOKED_AT_MAX; i++) admit(`flood ${i}`, 'flooder');
  uses('flooder', SENDER_GAS_OWED_MAX);
  admit('dear', 'dear', SENDER_GAS_SAVED + 1);
  passes(OVERDUE_AGE_MS);
  const many = PASSED_OVER_BLOCKS * 2;
  const flood = async (at: number): Promise<string[]> => {
    let told: string[] = [];
    for (let i = 0; i < many; i++) {
      admit(`late ${at} ${i}`, 'flooder');
      uses('flooder', SENDER_GAS_OWED_MAX);
      told = await blocks(1, 'p', `late ${at} ${i}`);
    }
    return told;
  };
  assert.deepEqual(await flood(0), [], 'who owes gas waits, and so does what costs more than one can save up');
  admit('quiet', 'quiet');
  uses('quiet', SENDER_GAS_SAVED);
  passes(OVERDUE_AGE_MS);
  assert.deepEqual(await flood(1), [], 'who saves up again may go after others');
  passes(SENDER_GAS_SAVED_MS);
  assert.deepEqual(await flood(2), NAMED);
  assert.deepEqual(await blocks(1, 'p', 'quiet'), []);
});

test('of more senders than are looked at after one block each has his turn', async () => {
  const { admit, blocks, passes } = table();
  for (let i = 0; i < 2 * LOOKED_AT_MAX; i++) admit(`other ${i}`);
  admit('x');
  passes(OVERDUE_AGE_MS);
  for (let i = 0; i < 2 * LOOKED_AT_MAX; i++) await blocks(1, 'me'); // passed over here: nobody is to blame for those
  assert.deepEqual(await blocks(PASSED_OVER_BLOCKS, 'p'), []);
  admit('y');
  passes(OVERDUE_AGE_MS);
  assert.deepEqual(await blocks(3 * PASSED_OVER_BLOCKS, 'p'), NAMED);
});

test('a node that has just started names nobody for what others may owe', async () => {
  const { admit, blocks, passes } = table({ started: 'now' });
  admit('x');
  passes(OVERDUE_AGE_MS);
  assert.deepEqual(await blocks(PASSED_OVER_BLOCKS * 2, 'p'), []);
  passes(SENDER_GAS_FORGOTTEN_MS);
  assert.deepEqual(await blocks(PASSED_OVER_BLOCKS, 'p'), NAMED);
});

test('what could not stand, what this node passes over itself and what another proposer takes names nobody', async () => {
  const bad = table();
  bad.facts.stands = false;
  bad.admit('x');
  bad.passes(OVERDUE_AGE_MS);
  assert.deepEqual(await bad.blocks(PASSED_OVER_BLOCKS * 2, 'p'), []);
  assert.equal(bad.leftOut.count(), 0);

  const own = table();
  own.admit('x');
  own.passes(OVERDUE_AGE_MS);
  await own.blocks(1, 'me');
  assert.deepEqual(await own.blocks(PASSED_OVER_BLOCKS * 2, 'p'), []);

  const changed = table();
  changed.admit('x');
  changed.passes(OVERDUE_AGE_MS);
  assert.deepEqual(await changed.blocks(PASSED_OVER_BLOCKS, 'p'), NAMED);
  assert.deepEqual(await changed.blocks(1, 'q'), [], 'the view has moved on');
});

test('an alarm from before a restart is over at the first block, and what left unseen is forgotten', async () => {
  const { admit, blocks, told, waiting, passes, leftOut } = table();
  told.add('TRANSACTION_LEFT_OUT p');
  assert.deepEqual(await blocks(1, 'p'), []);
  admit('x');
  passes(OVERDUE_AGE_MS);
  assert.deepEqual(await blocks(PASSED_OVER_BLOCKS, 'p'), NAMED);
  waiting.delete('x'); // expired
  assert.deepEqual(await blocks(1, 'p'), []);
  assert.equal(leftOut.count(), 0);
});
