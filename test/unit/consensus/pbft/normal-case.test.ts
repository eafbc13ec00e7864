import assert from 'node:assert/strict';
import { test } from 'node:test';
import { accepting, certificate, d, prePrepare, Table, validators, vote } from './table.ts';

test('a primary takes a block through the three phases, each step on disk before it is said', () => {
  const a = new Table('a');
  assert.deepEqual(a.work(), ['build h1 v0 on genesis']);
  assert.deepEqual(a.built('X'), [
    'persist body X',
    'persist proposed',
    'broadcast prePrepare v0 h1 X',
    'persist prepare v0 h1 X',
    'execute h1 X from a fresh',
  ]);
  assert.deepEqual(a.executed('X'), ['broadcast prepare v0 h1 X']);
  assert.deepEqual(a.hear(vote('prepare', 'b', 0, 1, 'X')), []);
  assert.deepEqual(a.hear(vote('prepare', 'c', 0, 1, 'X')), [
    'persist prepared v0 h1 X',
    'persist commit v0 h1 X',
    'broadcast commit v0 h1 X',
  ]);
  assert.deepEqual(a.hear(vote('prepare', 'd', 0, 1, 'X')), []);
  assert.deepEqual(a.hear(vote('commit', 'd', 0, 1, 'X')), []);
  assert.deepEqual(a.hear(vote('commit', 'b', 0, 1, 'X')), ['commit h1 X by abd']);
  assert.deepEqual(a.delivered('X'), ['build h2 v0 on X']); // work still waits
  assert.equal(a.status.height, 2);
});

test('a primary does not vote for its own block before that is on disk, whatever the others say', () => {
  const a = new Table('a');
  a.work();
  a.built('X');
  assert.deepEqual(a.executed('X', 'STORE_FULL'), []);
  for (const node of ['b', 'c', 'd']) assert.deepEqual(a.hear(vote('prepare', node, 0, 1, 'X')), []);
  assert.deepEqual(a.tick(200), ['execute h1 X from a fresh'], 'tried again');
  for (const node of ['b', 'c', 'd']) assert.deepEqual(a.hear(vote('commit', node, 0, 1, 'X')), [], 'nor does it store it');
  const lines = a.executed('X');
  assert.deepEqual([lines[0], lines.at(-1)], ['broadcast prepare v0 h1 X', 'commit h1 X by abcd']);
});

test('a backup writes its Prepare while it executes, says it when that agrees, then commits', () => {
  const b = new Table('b');
  assert.deepEqual(b.hear(prePrepare('a', 0, 1, 'X')), accepting('a', 0, 1, 'X'));
  assert.deepEqual(b.hear(vote('prepare', 'a', 0, 1, 'X')), []);
  assert.deepEqual(b.hear(vote('prepare', 'c', 0, 1, 'X')), []);
  assert.deepEqual(b.tick(600), [], 'nor is it repeated before');
  assert.deepEqual(b.executed('X'), [
    'broadcast prepare v0 h1 X',
    'persist prepared v0 h1 X',
    'persist commit v0 h1 X',
    'broadcast commit v0 h1 X',
  ]);
  b.hear(vote('commit', 'a', 0, 1, 'X'));
  assert.deepEqual(b.hear(vote('commit', 'c', 0, 1, 'X')), ['commit h1 X by abc']);
});

test('a replica whose execution disagrees votes for nothing, whatever the others say', () => {
  const b = new Table('b');
  b.hear(prePrepare('a', 0, 1, 'X'));
  assert.deepEqual(b.executed('X', 'BLOCK_STATE_ROOT'), []);
  for (const node of ['a', 'c', 'd']) b.hear(vote('prepare', node, 0, 1, 'X'));
  b.tick(600);
  assert.deepEqual(b.votesSent(), []);
});

test('a refused execution is tried again a few times in a view, then left alone', () => {
  const b = new Table('b');
  b.hear(prePrepare('a', 0, 1, 'X'));
  let executions = 1;
  for (let i = 0; i < 5; i++) {
    b.executed('X', 'TRANSACTION_MISSING');
    executions += b.tick(150).filter((line) => line.startsWith('execute')).length;
  }
  assert.equal(executions, 3);
});

test('a block on another parent is not voted for', () => {
  const b = new Table('b');
  b.hear(prePrepare('a', 0, 1, 'X'));
  b.executed('X', 'OK', 1, d('elsewhere'));
  assert.deepEqual(b.votesSent(), []);
});

test('a quorum of commits for a block this replica never executed asks for sync', () => {
  const b = new Table('b');
  b.hear(vote('commit', 'a', 0, 1, 'X'));
  b.hear(vote('commit', 'c', 0, 1, 'X'));
  assert.deepEqual(b.hear(vote('commit', 'd', 0, 1, 'X')), ['sync h1 from acd']);
});

test('messages for the next height that come early count once it starts', () => {
  const b = new Table('b');
  b.hear(prePrepare('a', 0, 2, 'Y'));
  b.hear(vote('prepare', 'a', 0, 2, 'Y'));
  b.hear(vote('prepare', 'c', 0, 2, 'Y'));
  assert.deepEqual(b.delivered('X'), accepting('a', 0, 2, 'Y'));
  assert.ok(b.executed('Y', 'OK', 2, d('X')).includes('broadcast commit v0 h2 Y'));
});

test('a second vote of one node for one place is evidence, once, and is not counted', () => {
  const b = new Table('b');
  b.hear(prePrepare('a', 0, 1, 'X'));
  b.executed('X');
  b.hear(vote('prepare', 'c', 0, 1, 'Y'));
  assert.deepEqual(b.hear(vote('prepare', 'c', 0, 1, 'X')), [
    'evidence PBFT_DOUBLE_VOTE c',
    'send c prepare v0 h1 Y', // should somebody else have its key, it learns of it
    'send c prepare v0 h1 X',
  ]);
  assert.deepEqual(b.hear(vote('prepare', 'c', 0, 1, 'Z')), []);
  b.hear(vote('prepare', 'a', 0, 1, 'X'));
  assert.ok(!b.votesSent().includes('commit v0 h1 X'));
});

test('two proposals of one primary for one place are evidence and end its view', () => {
  const b = new Table('b');
  b.hear(prePrepare('a', 0, 1, 'X'));
  assert.deepEqual(b.hear(prePrepare('a', 0, 1, 'Y')), [
    'evidence PBFT_DOUBLE_PROPOSAL a',
    'send a prePrepare v0 h1 X',
    'send a prePrepare v0 h1 Y',
    'persist viewChange v1 final 0 prepared []',
    'broadcast viewChange v1 final 0 prepared []',
  ]);
});

test('what lies outside the window or outside a right is not used, with a verdict on its sender', () => {
  const b = new Table('b');
  b.delivered('X');
  assert.deepEqual(b.hear(vote('prepare', 'a', 0, 1, 'X')), ['ignore PBFT_OUTSIDE_WATERMARKS a']);
  assert.deepEqual(b.hear(vote('prepare', 'a', 0, 9, 'X')), ['ignore PBFT_AHEAD a']);
  assert.deepEqual(b.hear(prePrepare('c', 0, 2, 'Y')), ['reject PBFT_NOT_PRIMARY c']);
  assert.deepEqual(b.hear(vote('prepare', 'a', 0, 2, 'Y'), 'c'), ['reject PBFT_NOT_SENDER c']);
  assert.deepEqual(b.hear(vote('prepare', 'e', 0, 2, 'Y')), ['ignore PBFT_NOT_VALIDATOR e']);
  assert.deepEqual(b.hear({ ...vote('prepare', 'a', 0, 2, 'Y'), view: 1 }), ['reject PBFT_SIGNATURE_INVALID a']);
  assert.deepEqual(b.hear({ ...prePrepare('a', 0, 2, 'Y'), proposal: new Uint8Array(3) }), ['reject PBFT_BODY_FOREIGN a']);
  assert.deepEqual(b.step({ kind: 'message', from: 'c', bytes: new Uint8Array([1, 2, 3]) }), ['reject PBFT_MALFORMED c']);
  assert.deepEqual(b.hear({ kind: 'committed', certificate: certificate('prepare', 0, 2, 'Y') }, 'd'), [
    'reject PBFT_CERTIFICATE_INVALID d',
  ]);
});

test('an idle chain is due its block after the idle interval, and not before', () => {
  const parameters = { viewTimeoutMs: 1_000, viewTimeoutMaxMs: 4_000, idleBlockIntervalMs: 3_000, checkpointIntervalBlocks: 16 };
  const a = new Table('a', { parameters });
  assert.deepEqual(a.tick(2_900), []);
  assert.deepEqual(a.tick(100), ['build h1 v0 on genesis empty']);
});

test('a build that found nothing is asked for again later, and at once when work comes', () => {
  const a = new Table('a');
  a.work();
  assert.deepEqual(a.notBuilt(), []);
  assert.deepEqual(a.tick(20), []);
  assert.deepEqual(a.tick(80), ['build h1 v0 on genesis']);
  a.notBuilt();
  a.work(false);
  assert.deepEqual(a.work(), ['build h1 v0 on genesis']);
});

test('an observer follows by certificates and says nothing', () => {
  const e = new Table('e');
  for (const node of ['a', 'b', 'c']) e.hear(vote('commit', node, 0, 1, 'X'));
  assert.equal(e.status.phase, 'observing');
  e.delivered('X');
  e.work();
  e.tick(50_000);
  assert.deepEqual(e.sent, []);
  assert.equal(e.status.height, 2);
});

test('a single validator agrees with itself', () => {
  const a = new Table('a', { validators: validators(['a']) });
  a.work();
  a.built('X');
  assert.equal(a.executed('X').at(-1), 'commit h1 X by a');
});

test('votes of a flood of views are bounded per signer and do not push out others', () => {
  const b = new Table('b');
  b.hear(prePrepare('a', 0, 1, 'X'));
  b.executed('X');
  for (let view = 1; view < 500; view++) b.hear(vote('prepare', 'd', view, 1, 'X'));
  b.hear(vote('prepare', 'a', 0, 1, 'X'));
  assert.ok(b.hear(vote('prepare', 'c', 0, 1, 'X')).includes('broadcast commit v0 h1 X'));
});
