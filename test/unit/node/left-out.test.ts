/** Who is named for leaving out a transaction, and who is not. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Digest, utf8 } from '../../../node/format/index.ts';
import { createLeftOut, OVERDUE_AGE_MS, PASSED_OVER_BLOCKS } from '../../../node/left-out.ts';
import type { Waiting } from '../../../node/mempool/mempool.ts';

const idOf = (name: string): Digest => utf8(name.padEnd(32));

/** A mempool by hand beside it; `told` are the alarms that stand. */
function table() {
  const waiting = new Map<string, Waiting>();
  const told = new Set<string>();
  let nowMs = 0;
  let height = 0;
  const facts = { heldBack: 0, stands: true };
  const leftOut = createLeftOut({
    self: 'me',
    nowMs: () => nowMs,
    mempool: {
      byId: (id) => [...waiting.values()].find((entry) => entry.id === id),
      size: () => ({ count: waiting.size, bytes: 0 }),
      heldBack: () => facts.heldBack,
      verify: async () => (facts.stands ? (undefined as unknown as Waiting) : Promise.reject(new Error('TRANSACTION_KEY_UNKNOWN'))),
    },
    raise: (kind, _severity, detail) => void told.add(`${kind} ${(detail as { proposer: string }).proposer}`),
    resolve: (kind, about) => {
      for (const text of [...told]) if (about({ proposer: text.slice(kind.length + 1) })) told.delete(text);
    },
  });
  const admit = (name: string, sender = name): void => {
    const entry = { id: idOf(name), sender, addedMs: nowMs, bytes: utf8(name) } as unknown as Waiting;
    waiting.set(name, entry);
    leftOut.onAdmitted(entry);
  };
  /** Blocks of `proposer`, 100 ms apart, each with the named transactions. */
  const blocks = async (count: number, proposer: string, ...names: string[]): Promise<string[]> => {
    for (let i = 0; i < count; i++) {
      nowMs += 100;
      const ids = names.map((name) => waiting.get(name)?.id ?? idOf(name));
      for (const name of names) waiting.delete(name);
      leftOut.onBlock({ height: ++height, proposer, transactionIds: ids });
      await undefined;
      await undefined;
    }
    return [...told];
  };
  return { admit, blocks, facts, leftOut, waiting, told, passes: (ms: number) => (nowMs += ms) };
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

test('load names nobody: blocks of what is as old, a queue of one sender, senders held back for their gas', async () => {
  const { admit, blocks, passes, facts } = table();
  const many = PASSED_OVER_BLOCKS * 2;
  for (let i = 0; i < many; i++) admit(`old ${i}`);
  admit('x');
  passes(OVERDUE_AGE_MS);
  for (let i = 0; i < many; i++) assert.deepEqual(await blocks(1, 'p', `old ${i}`), []);

  facts.heldBack = 1;
  assert.deepEqual(await blocks(many, 'p'), []);
  facts.heldBack = 0;
  await blocks(1, 'p', 'x');

  for (let i = 0; i < many; i++) admit(`queued ${i}`, 'one sender');
  passes(OVERDUE_AGE_MS);
  for (let i = 0; i < many; i++) {
    admit(`late ${i}`);
    assert.deepEqual(await blocks(1, 'p', `queued ${i}`, `late ${i}`), []);
  }
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
