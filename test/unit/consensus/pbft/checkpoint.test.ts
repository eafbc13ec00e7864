/** The cut of the vote log at a stable checkpoint, in the middle of a height: a restart from what is kept knows all that the whole log knew. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { encodeCertificate } from '../../../../consensus/pbft/certificates.ts';
import type { Fetch } from '../../../../consensus/pbft/messages.ts';
import {
  accepting,
  certificate,
  d,
  finality,
  newView,
  PARAMETERS,
  prePrepare,
  said,
  signed,
  Table,
  validators,
  viewChange,
  vote,
} from './table.ts';

const parameters = { ...PARAMETERS, checkpointIntervalBlocks: 2 };
const TWO = certificate('commit', 0, 2, 'two', ['a', 'b', 'c']);

/** A replica with two blocks final, whose checkpoint at the second is not stable yet. */
function beforeTheCut(self: string): Table {
  const table = new Table(self, { parameters });
  const others = ['a', 'b', 'c', 'd'].filter((node) => node !== self);
  for (const [height, label] of [
    [1, 'one'],
    [2, 'two'],
  ] as const)
    table.step({
      kind: 'delivered',
      height,
      digest: d(label),
      finality: finality(0, height, label, others),
      validators: validators(),
      parameters,
    });
  return table;
}

/** The checkpoint votes of the others arrive; then the replica starts again from the log that is left. */
function cutAndRestarted(table: Table): Table {
  const whole = table.log.length;
  const others = ['a', 'b', 'c', 'd'].filter((node) => node !== table.self);
  const lines = others.flatMap((node) => table.hear(vote('checkpoint', node, 0, 2, 'two')));
  assert.equal(lines.filter((line) => line.startsWith('truncate')).length, 1);
  assert.ok(table.log.length <= whole);
  return restarted(table);
}

const restarted = (table: Table): Table =>
  new Table(table.self, { parameters, height: 2, digest: d('two'), finality: encodeCertificate(TWO), log: table.log, signedHeight: 0 });

function hasPrepared(table: Table, label = 'X'): Table {
  table.hear(prePrepare('a', 0, 3, label));
  table.executed(label, 'OK', 3, d('two'));
  assert.ok(table.votesSent().includes(`prepare v0 h3 ${label}`));
  return table;
}

test('the cut keeps the votes of the height being decided, and their body', () => {
  const b = cutAndRestarted(hasPrepared(beforeTheCut('b')));
  b.hear(prePrepare('a', 0, 3, 'Y'));
  b.executed('Y', 'OK', 3, d('two'));
  b.executed('X', 'OK', 3, d('two'));
  b.tick(600);
  assert.deepEqual([...new Set(b.votesSent())], ['prepare v0 h3 X']);
  assert.deepEqual(b.hear(signed<Fetch>({ kind: 'fetch', height: 3, digest: d('X'), node: 'c' })), ['send c body h3 X']);
});

test('a vote kept counts towards its quorum after the restart', () => {
  const b = cutAndRestarted(hasPrepared(beforeTheCut('b')));
  b.executed('X', 'OK', 3, d('two'));
  b.hear(vote('prepare', 'a', 0, 3, 'X'));
  assert.ok(b.hear(vote('prepare', 'c', 0, 3, 'X')).includes('broadcast commit v0 h3 X'));
});

test('the cut keeps the prepared certificate: the next view change reports it', () => {
  const table = hasPrepared(beforeTheCut('b'));
  for (const node of ['a', 'c']) table.hear(vote('prepare', node, 0, 3, 'X'));
  assert.ok(table.votesSent().includes('commit v0 h3 X'));
  const b = cutAndRestarted(table);
  const final = certificate('commit', 0, 2, 'two');
  b.hear(viewChange('c', 1, final));
  assert.ok(b.hear(viewChange('d', 1, final)).includes('broadcast viewChange v1 final 2 prepared [v0 h3 X]'));
});

test('the cut keeps the one proposal of a primary', () => {
  const table = beforeTheCut('a');
  table.work();
  table.built('X', 3, 0, d('two'));
  const a = cutAndRestarted(table);
  assert.deepEqual(
    a.work().filter((line) => line.startsWith('build')),
    [],
  );
  assert.ok(a.executed('X', 'OK', 3, d('two')).includes('broadcast prePrepare v0 h3 X'));
  assert.ok(!a.sent.some((message) => said(message).endsWith(' Y')));
});

test('the cut keeps a view change under way', () => {
  const table = beforeTheCut('b');
  table.work();
  table.tick(10);
  table.tick(1_100);
  const b = cutAndRestarted(table);
  assert.equal(b.status.phase, 'viewChange');
  b.hear(prePrepare('a', 0, 3, 'X'));
  b.executed('X', 'OK', 3, d('two'));
  assert.deepEqual(b.votesSent(), []);
});

test('the cut keeps what a new view binds its height to', () => {
  const table = beforeTheCut('c');
  const final = certificate('commit', 0, 2, 'two');
  const bound = certificate('prepare', 0, 3, 'X', ['a', 'b', 'd']);
  table.hear(newView('b', 1, [viewChange('a', 1, final, [bound]), viewChange('b', 1, final), viewChange('d', 1, final)]));
  const c = cutAndRestarted(table);
  assert.equal(c.status.view, 1);
  assert.deepEqual(c.hear(prePrepare('b', 1, 3, 'Y')), []);
  assert.deepEqual(restarted(table).hear(prePrepare('b', 1, 3, 'X')), accepting('b', 1, 3, 'X', false));
});

test('the cut keeps that a key votes elsewhere', () => {
  const table = hasPrepared(beforeTheCut('b'));
  assert.ok(table.hear(vote('prepare', 'b', 0, 3, 'Z'), 'c').includes('persist excluded'));
  assert.equal(cutAndRestarted(table).engine.status().phase, 'excluded');
});
