/** The next block is built while the last one is voted on, and leaves once that is final. Node a is the primary of view 0. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { certificate, d, GENESIS, Table, viewChange, vote } from './table.ts';

/** What a primary says when it proposes a block. */
const proposing = (label: string, height: number, view = 0): string[] => [
  `persist body ${label}`,
  'persist proposed',
  `broadcast prePrepare v${view} h${height} ${label}`,
  `persist prepare v${view} h${height} ${label}`,
  `execute h${height} ${label} from a fresh`,
];

/** Node a, whose X is voted on and left enough for another block. */
function proposed(): Table {
  const a = new Table('a');
  a.work();
  assert.deepEqual(a.built('X', 1, 0, GENESIS, true), [...proposing('X', 1), 'build h2 v0 on X']);
  return a;
}

/** X becomes final by the votes of a, b and c. */
function decide(a: Table): void {
  a.executed('X');
  for (const phase of ['prepare', 'commit'] as const) for (const node of ['b', 'c']) a.hear(vote(phase, node, 0, 1, 'X'));
}

const onX = d('X');

test('a block built ahead waits for its parent, and leaves with the word that this is final', () => {
  const a = proposed();
  assert.deepEqual(a.built('Y', 2, 0, onX, true), []);
  decide(a);
  assert.ok(!a.sent.some((message) => message.kind === 'prePrepare' && message.height === 2));
  assert.deepEqual(a.delivered('X'), [...proposing('Y', 2), 'build h3 v0 on Y']);
});

test('a parent that is final before the block on it is built is no second build', () => {
  const a = proposed();
  decide(a);
  assert.deepEqual(a.delivered('X'), []);
  assert.equal(a.status.phase, 'building');
  assert.deepEqual(a.built('Y', 2, 0, onX), proposing('Y', 2));
});

test('a build ahead that found nothing is over, and the next height asks for its own', () => {
  const a = proposed();
  assert.deepEqual(a.notBuilt(2, 0, onX), []);
  assert.deepEqual(a.tick(200), [], 'once a height');
  decide(a);
  assert.deepEqual(a.delivered('X'), ['build h2 v0 on X']);
  const late = proposed();
  decide(late);
  late.delivered('X');
  assert.deepEqual(late.notBuilt(2, 0, onX), []);
  assert.deepEqual(late.tick(100), ['build h2 v0 on X'], 'asked for again as any other');
});

test('no block is built ahead on one that left nothing, nor by a backup', () => {
  const a = new Table('a');
  a.work();
  assert.deepEqual(a.built('X'), proposing('X', 1));
  const b = new Table('b');
  b.work();
  assert.deepEqual(b.built('X', 1, 0, GENESIS, true), [], 'it asked for none');
});

test('a view that fails takes along what was built ahead in it, though its parent becomes final in a view of the same primary', () => {
  for (const isBuilt of [true, false]) {
    const a = proposed();
    if (isBuilt) a.built('Y', 2, 0, onX);
    a.executed('X');
    for (const node of ['b', 'c']) a.hear(vote('prepare', node, 0, 1, 'X'));
    const changes = ['b', 'c', 'd'].flatMap((node) => a.hear(viewChange(node, 4, undefined, [certificate('prepare', 0, 1, 'X')])));
    assert.ok(changes.includes('broadcast prePrepare v4 h1 X'), changes.join(', '));
    for (const phase of ['prepare', 'commit'] as const) for (const node of ['b', 'c']) a.hear(vote(phase, node, 4, 1, 'X'));
    assert.deepEqual(a.delivered('X', 1, 4), ['build h2 v4 on X']);
    assert.deepEqual(a.built('Y', 2, 0, onX), []);
    assert.equal(a.status.phase, 'building');
  }
});

test('what was built ahead on a block that did not become final is let go', () => {
  const a = proposed();
  a.built('Y', 2, 0, onX, true);
  assert.deepEqual(a.delivered('Z'), ['build h2 v0 on Z']);
  assert.deepEqual(a.built('Y', 2, 0, onX), [], 'nor does it answer the build that was asked for since');
  assert.deepEqual(a.notBuilt(2, 0, onX), []);
  assert.equal(a.status.phase, 'building');
  assert.deepEqual(a.built('W', 2, 0, d('Z')), proposing('W', 2));
});

test('who is primary no more once the parent is final does not propose what it built', () => {
  for (const isBuilt of [true, false]) {
    const b = new Table('b');
    b.delivered('W', 1, 1); // certified in view 1, which is b's
    assert.deepEqual(b.work(), ['build h2 v1 on W']);
    b.built('X', 2, 1, d('W'), true);
    if (isBuilt) b.built('Y', 3, 1, onX);
    assert.deepEqual(b.delivered('X', 2, 1, ['b', 'c', 'd', 'e']), [], 'of these, view 1 is of c');
    if (!isBuilt) assert.deepEqual(b.built('Y', 3, 1, onX), []);
    assert.equal(b.status.producer, 'c');
  }
});
