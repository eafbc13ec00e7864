/** Governance replaces a validator's key in place: the name stays, votes belong to the key. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { RecoveryQuery, Status } from '../../../../consensus/pbft/messages.ts';
import { d, newView, prePrepare, rekeyed, rekeyedVote, signed, Table, viewChange, vote } from './table.ts';

/** Block 1 replaces the key of `node`. */
const replaces = (table: Table, node: string) => table.delivered('X', 1, 0, undefined, undefined, rekeyed(node));

test('a vote received under a key that the block in between replaces is not counted, one under the new key is', () => {
  const c = new Table('c');
  for (const kind of ['prepare', 'commit'] as const) assert.deepEqual(c.hear(vote(kind, 'd', 0, 2, 'Y')), []);
  c.delivered('X', 1, 0, undefined, ['a', 'b', 'd'], rekeyed('d'));
  c.hear(prePrepare('a', 0, 2, 'Y'));
  c.executed('Y', 'OK', 2, d('X'));
  c.hear(vote('prepare', 'a', 0, 2, 'Y'));
  assert.deepEqual(c.votesSent(), ['prepare v0 h2 Y']);
  assert.ok(c.hear(rekeyedVote('prepare', 'd', 0, 2, 'Y')).includes('broadcast commit v0 h2 Y'));
  assert.deepEqual(c.hear(vote('commit', 'a', 0, 2, 'Y')), []);
  assert.deepEqual(c.hear(vote('commit', 'd', 0, 2, 'Y')), ['reject PBFT_SIGNATURE_INVALID d']);
  assert.deepEqual(c.hear(rekeyedVote('commit', 'd', 0, 2, 'Y')), ['commit h2 Y by acd']);
});

test('a vote under the old key is no evidence against the new one, nor handed out as its word', () => {
  const c = new Table('c');
  c.hear(vote('commit', 'd', 0, 2, 'Z'));
  c.hear(viewChange('d', 1));
  replaces(c, 'd');
  assert.deepEqual(c.hear(rekeyedVote('commit', 'd', 0, 2, 'Y')), []);
  assert.equal(c.status.votes.viewChange, 0);
  assert.ok(
    !c
      .hear(signed<RecoveryQuery>({ kind: 'recoveryQuery', round: 0, node: 'a' }))
      .join()
      .includes('v1'),
  );
});

test('what a validator said below the block that replaces its key blames nobody who says or hands it on; what it says above does', () => {
  const c = new Table('c');
  replaces(c, 'd');
  const status = (height: number) => signed<Status>({ kind: 'status', height, view: 0, changing: false, node: 'd' });
  assert.deepEqual(c.hear(status(0)), ['ignore PBFT_SIGNATURE_INVALID d']);
  assert.deepEqual(c.hear(signed<RecoveryQuery>({ kind: 'recoveryQuery', round: 0, node: 'd' })), ['ignore PBFT_SIGNATURE_INVALID d']);
  assert.deepEqual(c.hear(newView('b', 1, [viewChange('a', 1), viewChange('b', 1), viewChange('d', 1)])), [
    'ignore PBFT_NEW_VIEW_INVALID b',
  ]);
  assert.deepEqual(c.hear(status(1)), ['reject PBFT_SIGNATURE_INVALID d']);
});

test('with the key the set no longer names a validator says nothing; started with the new one it votes', () => {
  const old = new Table('b');
  replaces(old, 'b');
  assert.equal(old.status.phase, 'excluded');
  const said = old.sent.length;
  old.hear(prePrepare('a', 0, 2, 'Y'));
  old.executed('Y', 'OK', 2, d('X'));
  old.work();
  for (let i = 0; i < 50; i++) old.tick(200);
  old.hear(signed<RecoveryQuery>({ kind: 'recoveryQuery', round: 0, node: 'd' }));
  assert.equal(old.sent.length, said);

  const early = new Table('b', { log: old.log }, true); // the operator was faster than governance
  assert.equal(early.status.phase, 'excluded');
  early.hear(prePrepare('a', 0, 1, 'X'));
  early.executed('X');
  assert.deepEqual(early.sent, []);
  replaces(early, 'b');
  early.hear(prePrepare('a', 0, 2, 'Y'));
  early.executed('Y', 'OK', 2, d('X'));
  assert.deepEqual(early.votesSent(), ['prepare v0 h2 Y']);
  assert.equal(early.status.phase, 'proposed');
});

test('a key that excluded itself stays excluded when the set comes back to it', () => {
  const b = new Table('b');
  assert.ok(b.hear(vote('prepare', 'b', 0, 1, 'X'), 'c').includes('persist excluded'));
  const again = new Table('b', { log: b.log, validators: rekeyed('b') }, true);
  assert.equal(again.status.phase, 'idle');
  assert.ok(again.hear(rekeyedVote('prepare', 'b', 0, 1, 'X'), 'c').includes('persist excluded'));
  for (const newKey of [false, true]) {
    const set = newKey ? rekeyed('b') : undefined;
    const third = new Table('b', { log: again.log, ...(set ? { validators: set } : {}) }, newKey);
    assert.equal(third.status.phase, 'excluded');
  }
});
