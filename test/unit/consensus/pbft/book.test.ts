import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Book } from '../../../../consensus/pbft/book.ts';
import { mint, type PrePrepare, type ViewChange, type Vote } from '../../../../consensus/pbft/messages.ts';
import { certificate, d, prePrepare, viewChange, vote } from './table.ts';

const addVote = (book: Book, v: Vote) => book.addVote(mint(v)).kind;

test('a vote is new once, known again, and another digest in its place a conflict with the first', () => {
  const book = new Book();
  assert.equal(addVote(book, vote('commit', 'a', 0, 1, 'X')), 'new');
  assert.equal(addVote(book, vote('commit', 'a', 0, 1, 'X')), 'known');
  assert.equal(addVote(book, vote('commit', 'a', 0, 1, 'Y')), 'conflict');
  assert.equal(addVote(book, vote('prepare', 'a', 0, 1, 'Y')), 'new');
  assert.equal(book.votes('commit', { height: 1, view: 0 }).length, 1);
});

test("a signer that votes without end pushes out its own votes of the lowest places, and no other signer's", () => {
  const book = new Book(3);
  addVote(book, vote('prepare', 'b', 5, 1, 'X'));
  const places = [
    { height: 2, view: 0 },
    { height: 1, view: 9 },
    { height: 2, view: 1 },
    { height: 1, view: 5 },
  ];
  for (const { height, view } of places) assert.equal(addVote(book, vote('prepare', 'a', view, height, 'X')), 'new');
  assert.deepEqual(
    places.map((place) => book.votes('prepare', place).map((v) => v.node)),
    [['a'], ['a'], ['a'], ['b']],
  );
  assert.deepEqual(
    book.latestMessagesOf('a').map((v) => [v.height, v.view]),
    [[2, 1]],
  );
});

test('a vote is held with its digest and its signature', () => {
  const book = new Book();
  const held = vote('commit', 'a', 0, 1, 'X');
  assert.equal(book.holds(held), false);
  addVote(book, held);
  assert.equal(book.holds(held), true);
  assert.equal(book.holds({ ...held, signature: new Uint8Array(held.signature.length) }), false);
  for (const other of [vote('commit', 'a', 0, 1, 'Y'), vote('commit', 'a', 1, 1, 'X'), vote('prepare', 'a', 0, 1, 'X')])
    assert.equal(book.holds(other), false);
});

test('commits add up only for one view and one digest', () => {
  const book = new Book();
  addVote(book, vote('commit', 'a', 0, 1, 'X'));
  addVote(book, vote('commit', 'b', 0, 1, 'X'));
  addVote(book, vote('commit', 'c', 1, 1, 'X'));
  addVote(book, vote('commit', 'd', 0, 1, 'Y'));
  assert.equal(book.committed(1, 3), undefined);
  addVote(book, vote('commit', 'c', 0, 1, 'X'));
  assert.deepEqual(
    book.committed(1, 3)?.map((v) => v.node),
    ['a', 'b', 'c'],
  );
});

test('commits of the next height make no block of this one final', () => {
  const book = new Book();
  for (const node of ['a', 'b', 'c']) addVote(book, vote('commit', node, 0, 2, 'Y'));
  assert.equal(book.committed(1, 3), undefined);
  for (const [node, label] of Object.entries({ a: 'X', b: 'X', c: 'Z' })) addVote(book, vote('commit', node, 0, 1, label));
  assert.equal(book.committed(1, 3), undefined);
  assert.equal(book.committed(2, 3)?.length, 3);
});

test('of the proposals of one signer at a height the newest is held, whatever others proposed', () => {
  const book = new Book();
  const add = (node: string, view: number) => book.addProposal(mint<PrePrepare>(prePrepare(node, view, 1, 'X'))).kind;
  for (let view = 0; view <= 40; view++) assert.equal(add('abcd'[view % 4]!, view), 'new');
  assert.ok(book.proposal('a', { height: 1, view: 40 }));
  assert.equal(book.proposal('a', { height: 1, view: 36 }), undefined);
  assert.equal(add('a', 36), 'known'); // a primary does not go back
  assert.ok(book.proposal('b', { height: 1, view: 37 }));
  book.leaveViewsBelow(39);
  assert.equal(book.proposal('b', { height: 1, view: 37 }), undefined);
  assert.ok(book.proposal('d', { height: 1, view: 39 }));
});

test('of view changes the highest view counts, and in one view the one that reports more', () => {
  const book = new Book();
  const add = (message: ViewChange) => book.addViewChange(mint(message));
  assert.equal(add(viewChange('a', 2)), true);
  assert.equal(add(viewChange('a', 1)), false);
  assert.equal(add(viewChange('a', 2, certificate('commit', 0, 1, 'X'))), true);
  assert.equal(add(viewChange('a', 2)), false);
  assert.equal(book.viewChanges().length, 1);
});

test('what is final, over, or said by a node that left, is forgotten', () => {
  const book = new Book();
  addVote(book, vote('prepare', 'a', 0, 1, 'X'));
  addVote(book, vote('prepare', 'a', 0, 2, 'Y'));
  addVote(book, vote('prepare', 'b', 0, 2, 'Y'));
  book.addProposal(mint<PrePrepare>(prePrepare('a', 0, 2, 'Y')));
  book.addViewChange(mint(viewChange('a', 1)));
  book.prune(1, 2, (node) => node === 'a');
  assert.deepEqual(
    book.votes('prepare', { height: 2, view: 0 }, d('Y')).map((v) => v.node),
    ['a'],
  );
  assert.equal(book.votes('prepare', { height: 1, view: 0 }).length, 0);
  assert.equal(book.proposal('a', { height: 2, view: 0 }), undefined);
  assert.equal(book.viewChanges().length, 0);
});
