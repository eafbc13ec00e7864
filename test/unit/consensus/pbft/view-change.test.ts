import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Certificate, encodeCertificate } from '../../../../consensus/pbft/certificates.ts';
import { type Body, type Fetch, mint, type NewView, type PrePrepare, type ViewChange } from '../../../../consensus/pbft/messages.ts';
import { createReplica, enterView, type Replica } from '../../../../consensus/pbft/replica.ts';
import { startViewChange } from '../../../../consensus/pbft/view-change.ts';
import {
  accepting,
  body,
  CHAIN_ID,
  certificate,
  d,
  GENESIS,
  newView,
  PARAMETERS,
  prePrepare,
  signed,
  Table,
  validators,
  viewChange,
  vote,
} from './table.ts';

const VIEW_CHANGED = ['persist viewChange v1 final 0 prepared []', 'broadcast viewChange v1 final 0 prepared []'];

test('nothing owed, no timer: an idle replica keeps its view', () => {
  const b = new Table('b');
  b.tick(50_000);
  assert.equal(b.status.view, 0);
});

test('waiting work without a proposal ends the view, after the primary was handed it', () => {
  const b = new Table('b');
  b.work();
  b.tick(20);
  assert.deepEqual(b.tick(900), ['hand over to a']);
  assert.deepEqual(b.tick(200).slice(0, 2), VIEW_CHANGED);
});

test('a proposal that does not get prepared ends the view, and nothing is carried over', () => {
  const b = new Table('b');
  b.hear(prePrepare('a', 0, 1, 'X'));
  b.executed('X');
  b.tick(20);
  assert.deepEqual(
    b.tick(1_000).filter((line) => line.includes('viewChange')),
    VIEW_CHANGED,
  );
});

test('a prepared block that does not become final ends the view and is carried over', () => {
  const b = prepared();
  b.tick(20);
  assert.ok(b.tick(1_000).includes('broadcast viewChange v1 final 0 prepared [v0 h1 X]'));
});

test('a block that is final in the middle of a view change is reported in a further view change', () => {
  const b = new Table('b');
  b.work();
  b.tick(20);
  b.tick(1_000);
  assert.ok(b.delivered('X').includes('broadcast viewChange v1 final 1 prepared []'));
  assert.equal(b.status.phase, 'viewChange');
});

test('while a block is being stored the view does not end', () => {
  const b = prepared();
  b.hear(vote('commit', 'a', 0, 1, 'X'));
  b.hear(vote('commit', 'c', 0, 1, 'X'));
  b.work();
  b.tick(5_000);
  b.tick(5_000);
  assert.equal(b.status.phase, 'committing');
});

test('in a view change no vote for the old view leaves, but its commits still make a block final', () => {
  const b = prepared();
  b.tick(20);
  b.tick(1_000);
  const before = b.votesSent().length;
  assert.deepEqual(b.hear(vote('commit', 'a', 0, 1, 'X')), []);
  b.hear(vote('commit', 'c', 0, 1, 'X'));
  assert.equal(b.status.phase, 'committing'); // its own commit of view 0 counts with theirs
  assert.equal(b.votesSent().length, before);
});

test('f+1 view changes of others are joined, at the lowest of their views', () => {
  const b = new Table('b');
  assert.deepEqual(b.hear(viewChange('c', 3)), []);
  assert.ok(b.hear(viewChange('d', 5)).includes('broadcast viewChange v3 final 0 prepared []'));
});

test('time-outs double with every failed view up to the cap, and start anew after a final block', () => {
  const c = new Table('c');
  const spans: number[] = [];
  c.work();
  for (let round = 0; round < 5; round++) {
    const { view } = c.status;
    const startedMs = c.nowMs;
    while (c.status.view === view) c.tick(10);
    spans.push(c.nowMs - startedMs);
    const target = view + 1;
    for (const node of ['a', 'b', 'd']) if (c.status.view === target) c.hear(viewChange(node, target));
    if (target % 4 === 2) break; // c leads view 2: it starts it by itself
  }
  assert.deepEqual(
    spans.map((ms) => Math.round(ms / 100) * 100),
    [1_000, 2_000],
  );
  c.delivered('X', 1, 6);
  c.tick(10);
  const startedMs = c.nowMs;
  while (c.status.view === 6) c.tick(10);
  assert.equal(Math.round((c.nowMs - startedMs) / 100) * 100, 1_000);
});

test('a view change alone starts no second one: the time-out of a view runs only with a quorum behind it', () => {
  const b = new Table('b');
  b.work();
  for (let i = 0; i < 200; i++) b.tick(100);
  assert.equal(b.status.view, 1);
});

test('the new primary proposes the prepared block of the highest view again, byte for byte, without clock rules', () => {
  const b = new Table('b');
  b.hear(prePrepare('a', 0, 1, 'X'));
  b.executed('X');
  b.hear(viewChange('c', 1, undefined, [certificate('prepare', 0, 1, 'X', ['a', 'c', 'd'])]));
  const lines = b.hear(viewChange('d', 1));
  assert.deepEqual(lines, [
    'persist viewChange v1 final 0 prepared []',
    'broadcast viewChange v1 final 0 prepared []',
    'persist entered v1 h1 X',
    'broadcast newView v1 of 3',
    'persist proposed',
    'broadcast prePrepare v1 h1 X',
    'persist prepare v1 h1 X',
    'broadcast prepare v1 h1 X',
  ]);
});

test('a new primary without the body fetches it, and takes only one that executes', () => {
  const b = new Table('b');
  b.hear(viewChange('c', 1, undefined, [certificate('prepare', 0, 1, 'X', ['a', 'c', 'd'])]));
  b.hear(viewChange('d', 1));
  assert.deepEqual(
    b.tick(20).filter((line) => line.includes('fetch')),
    ['send a fetch h1 X', 'send c fetch h1 X', 'send d fetch h1 X'],
  );
  const body = prePrepare('c', 0, 1, 'X').proposal;
  const answer = (node: string) => b.hear(bodyOf(node, body));
  assert.deepEqual(answer('a'), ['execute h1 X from a']);
  b.executed('X', 'BLOCK_DIGEST');
  assert.deepEqual(answer('a'), []);
  assert.deepEqual(answer('c'), ['execute h1 X from c']);
  assert.ok(b.executed('X').includes('broadcast prePrepare v1 h1 X'));
});

test('a new primary executes the body of the block it is bound to alone, and of its height', () => {
  const b = new Table('b');
  b.hear(viewChange('c', 1, undefined, [certificate('prepare', 0, 1, 'X', ['a', 'c', 'd'])]));
  b.hear(viewChange('d', 1));
  b.tick(20);
  const given = (parts: Partial<Body>) =>
    b.hear(signed<Body>({ kind: 'body', height: 1, digest: d('X'), proposal: body('X'), node: 'c', ...parts }));
  assert.deepEqual(given({ digest: d('Y'), proposal: body('Y') }), []);
  b.tick(600); // it asks again, and may be answered again
  assert.deepEqual(given({ height: 2 }), []);
  b.tick(600);
  assert.deepEqual(given({}), ['execute h1 X from c']);
});

test('of two prepared blocks the one of the higher view wins', () => {
  const c = new Table('c');
  c.hear(viewChange('a', 2, undefined, [certificate('prepare', 0, 1, 'X')]));
  const lines = c.hear(viewChange('b', 2, undefined, [certificate('prepare', 1, 1, 'Y')]));
  assert.ok(lines.includes('persist entered v2 h1 Y'));
});

test('what was prepared below the highest final height reported decides nothing', () => {
  const final = certificate('commit', 1, 1, 'Y');
  const c = new Table('c', { height: 1, digest: d('Y'), finality: encodeCertificate(final), log: new Table('c').log });
  c.hear(viewChange('a', 2, undefined, [certificate('prepare', 0, 1, 'X')]));
  c.hear(viewChange('b', 2, final));
  assert.equal(c.status.phase, 'viewChange'); // two of one base are no quorum, whatever a said below it
  assert.ok(c.hear(viewChange('a', 2, final)).includes('persist entered v2 h2 free')); // synced, and said again
});

test('a new view is refused when one of its view changes has another base', () => {
  const final = certificate('commit', 0, 1, 'X');
  const c = new Table('c');
  c.delivered('X');
  const mixed = [viewChange('a', 1, final), viewChange('b', 1, final), viewChange('d', 1)];
  assert.deepEqual(c.hear(newView('b', 1, mixed)), ['reject PBFT_NEW_VIEW_INVALID b']);
  const level = [...mixed.slice(0, 2), viewChange('d', 1, final)];
  assert.deepEqual(c.hear(newView('b', 1, level)), ['persist entered v1 h2 free']);
});

test('a view change that states more than it proves is rejected, by itself and in a new view', () => {
  const final = certificate('commit', 0, 1, 'X');
  const stating = (node: string, parts: Partial<ViewChange>): ViewChange =>
    signed<ViewChange>({ kind: 'viewChange', view: 1, height: 0, certificate: undefined, prepared: [], node, ...parts });
  const wrong: Partial<ViewChange>[] = [
    { view: 0 }, // where nothing has failed
    { height: 1 }, // a final height without its certificate
    { height: 2, certificate: final },
    { height: 0, certificate: final },
    { prepared: [certificate('prepare', 0, 2, 'Y')] }, // not just above what is final
    { prepared: [certificate('prepare', 1, 1, 'Y')] }, // in the view that is only beginning
  ];
  for (const parts of wrong) {
    assert.deepEqual(new Table('c').hear(stating('d', parts)), ['reject PBFT_VIEW_CHANGE_INVALID d'], JSON.stringify(Object.keys(parts)));
    const changes = [viewChange('a', 1), viewChange('b', 1), stating('d', parts)];
    assert.match(new Table('c').hear(newView('b', 1, changes)).join(), /^(?:reject|ignore) PBFT_NEW_VIEW_INVALID b$/);
  }
  const good = [stating('d', {}), stating('d', { height: 1, certificate: final, prepared: [certificate('prepare', 0, 2, 'Y')] })];
  for (const message of good) assert.deepEqual(new Table('c').hear(message), []);
});

test('a new view is refused when one of its view changes calls another block final', () => {
  const c = new Table('c');
  c.delivered('X');
  const [final, other] = ['X', 'Z'].map((label) => certificate('commit', 0, 1, label));
  const changes = (ofD: typeof final) => [viewChange('a', 1, final), viewChange('b', 1, final), viewChange('d', 1, ofD)];
  assert.deepEqual(c.hear(newView('b', 1, changes(other))), ['reject PBFT_NEW_VIEW_INVALID b']);
  assert.deepEqual(c.hear(newView('b', 1, changes(final))), ['persist entered v1 h2 free']);
});

test('a new view of a base we have passed opens nothing here', () => {
  const c = new Table('c');
  c.delivered('X');
  assert.deepEqual(c.hear(newView('b', 1, [viewChange('a', 1), viewChange('b', 1), viewChange('d', 1)])), []);
  assert.equal(c.status.view, 0);
});

test('a new primary behind its view changes syncs first, says its own again, and then starts the view', () => {
  const final = certificate('commit', 0, 1, 'X');
  const b = new Table('b');
  b.hear(viewChange('c', 1, final));
  assert.ok(b.hear(viewChange('d', 1, final)).includes('sync h1 from c'));
  assert.equal(b.status.phase, 'viewChange');
  assert.deepEqual(b.delivered('X').slice(0, 4), [
    'persist viewChange v1 final 1 prepared []',
    'broadcast viewChange v1 final 1 prepared []',
    'persist entered v1 h2 free',
    'broadcast newView v1 of 3',
  ]);
});

test('in a view whose height becomes final below it a replica says its view change again at the new base, and follows a second new view', () => {
  const c = new Table('c');
  c.hear(newView('b', 1, [viewChange('a', 1), viewChange('b', 1), viewChange('d', 1)]));
  assert.equal(c.status.phase, 'idle');
  const lines = c.delivered('X'); // certified in view 0 after all
  assert.deepEqual(lines, ['persist viewChange v1 final 1 prepared []', 'broadcast viewChange v1 final 1 prepared []']);
  c.hear(prePrepare('b', 1, 2, 'Y'));
  c.executed('Y', 'OK', 2, d('X'));
  assert.deepEqual(c.votesSent(), []); // the promises below speak of height 1 alone
  const final = certificate('commit', 0, 1, 'X');
  const again = newView('b', 1, [viewChange('a', 1, final), viewChange('b', 1, final), viewChange('d', 1, final)]);
  assert.ok(c.hear(again).includes('persist entered v1 h2 free'));
});

test('a restart at a height that became final below the view entered comes back in its view change', () => {
  const c = new Table('c');
  c.hear(newView('b', 1, [viewChange('a', 1), viewChange('b', 1), viewChange('d', 1)]));
  const final = certificate('commit', 0, 1, 'X', ['a', 'b', 'd']);
  const again = new Table('c', { height: 1, digest: d('X'), finality: encodeCertificate(final), log: c.log });
  assert.equal(again.status.view, 1);
  assert.equal(again.status.phase, 'viewChange');
  const words = again.sent.filter((message) => message.kind === 'viewChange');
  assert.ok(words.length > 0 && words.every((message) => message.height === 1));
});

test('view changes that never share a base do not hold the view: its time-out runs and the next one is asked for', () => {
  const b = new Table('b');
  b.hear(viewChange('c', 1, certificate('commit', 0, 1, 'X')));
  b.hear(viewChange('d', 1, certificate('commit', 0, 1, 'X')));
  b.tick(10);
  b.tick(2_100);
  assert.equal(b.status.view, 2);
});

test('a backup in a bound view takes the bound block only', () => {
  const d1 = new Table('d');
  const changes = [viewChange('a', 1, undefined, [certificate('prepare', 0, 1, 'X')]), viewChange('b', 1), viewChange('c', 1)];
  assert.deepEqual(d1.hear(newView('b', 1, changes)), ['persist entered v1 h1 X']);
  assert.deepEqual(d1.hear(prePrepare('b', 1, 1, 'Y')), []);
  const d2 = new Table('d');
  d2.hear(newView('b', 1, changes));
  assert.deepEqual(d2.hear(prePrepare('b', 1, 1, 'X')), accepting('b', 1, 1, 'X', false));
});

test('a wrong body of an earlier primary for the bound digest does not stand in the way of the right one', () => {
  const d1 = new Table('d');
  const wrong = { ...prePrepare('a', 0, 1, 'Y'), digest: d('X') };
  d1.hear(signed<PrePrepare>(wrong)); // says X, carries the body of Y
  d1.hear(newView('b', 1, [viewChange('a', 1, undefined, [certificate('prepare', 0, 1, 'X')]), viewChange('b', 1), viewChange('c', 1)]));
  assert.deepEqual(d1.hear(prePrepare('b', 1, 1, 'X')), accepting('b', 1, 1, 'X', false).slice(0, 2)); // the wrong one still runs
  assert.deepEqual(d1.executed('X', 'BLOCK_DIGEST'), ['execute h1 X from b']);
  assert.ok(d1.executed('X').includes('broadcast prepare v1 h1 X'));
});

test('the right body from before a restart is not lost to another that a traitor gives under its digest', () => {
  const before = new Table('b');
  before.hear(prePrepare('a', 0, 1, 'X'));
  before.executed('X');
  before.work();
  before.tick(10);
  before.tick(1_100);
  assert.equal(before.status.phase, 'viewChange');
  const b = new Table('b', { log: before.log });
  const changes = [viewChange('a', 2, undefined, [certificate('prepare', 0, 1, 'X')]), viewChange('c', 2), viewChange('d', 2)];
  b.hear(newView('c', 2, changes));
  const wrong = signed<PrePrepare>({ ...prePrepare('c', 2, 1, 'Y'), digest: d('X') });
  assert.ok(b.hear(wrong).includes('execute h1 X from c'));
  assert.ok(b.executed('X').includes('broadcast prepare v2 h1 X'));
  const again = new Table('b', { log: b.log });
  const ask = signed<Fetch>({ kind: 'fetch', height: 1, digest: d('X'), node: 'd' });
  assert.deepEqual(again.hear(ask), ['send d body h1 X']);
  for (const table of [b, again]) {
    table.hear(ask);
    const given = table.sent.find((message) => message.kind === 'body');
    assert.deepEqual(given?.kind === 'body' && given.proposal, body('X'), 'the right one');
  }
});

test('a wrong body in the log of before a restart gives way to the right one, at a backup and at a primary', () => {
  const wrong = signed<PrePrepare>({ ...prePrepare('a', 0, 1, 'Y'), digest: d('X') });
  const restarted = (self: string): Table => {
    const before = new Table(self);
    before.hear(wrong);
    return new Table(self, { log: before.log });
  };
  const changes = [
    viewChange('a', 1, undefined, [certificate('prepare', 0, 1, 'X', ['a', 'c', 'd'])]),
    viewChange('c', 1),
    viewChange('d', 1),
  ];
  const c = restarted('c');
  c.hear(newView('b', 1, changes));
  assert.ok(c.hear(prePrepare('b', 1, 1, 'X')).includes('persist prepare v1 h1 X'));
  assert.deepEqual(c.executed('X', 'BLOCK_REFUSED'), ['execute h1 X from b'], 'the other one');
  assert.ok(c.executed('X').includes('broadcast prepare v1 h1 X'));
  const b = restarted('b');
  for (const change of changes) b.hear(change);
  assert.equal(b.status.view, 1);
  b.executed('X', 'BLOCK_REFUSED');
  assert.ok(b.tick(600).includes('send c fetch h1 X'));
  assert.deepEqual(b.hear(bodyOf('c', body('X'))), ['execute h1 X from c']);
  assert.ok(b.executed('X').includes('broadcast prePrepare v1 h1 X'));
  assert.deepEqual(b.sent.findLast((message) => message.kind === 'prePrepare')?.proposal, body('X'));
});

test('a body refused in one view is executed again in a later one that is bound to it', () => {
  const c = new Table('c');
  c.hear(prePrepare('a', 0, 1, 'X'));
  for (let i = 0; i < 3; i++) {
    c.executed('X', 'TRANSACTION_MISSING');
    c.tick(150);
  }
  const prepared = certificate('prepare', 0, 1, 'X', ['a', 'b', 'd']);
  c.hear(newView('b', 1, [viewChange('a', 1, undefined, [prepared]), viewChange('b', 1), viewChange('d', 1)]));
  assert.deepEqual(c.hear(prePrepare('b', 1, 1, 'X')), accepting('b', 1, 1, 'X', false).slice(1));
  assert.ok(c.executed('X').includes('broadcast prepare v1 h1 X'));
});

test('with nothing prepared the new primary is free', () => {
  const c = new Table('c');
  assert.deepEqual(c.hear(newView('b', 1, [viewChange('a', 1), viewChange('b', 1), viewChange('d', 1)])), ['persist entered v1 h1 free']);
  assert.deepEqual(c.hear(prePrepare('b', 1, 1, 'Y')), accepting('b', 1, 1, 'Y'));
});

test('a new view that does not prove itself is refused', () => {
  const good = [viewChange('a', 1), viewChange('b', 1), viewChange('d', 1)];
  const refused = (message: ReturnType<typeof newView>, code: string) =>
    assert.deepEqual(new Table('c').hear(message), [`reject ${code} ${message.node}`]);
  assert.deepEqual(new Table('c').hear(newView('d', 1, good)), ['ignore PBFT_NOT_PRIMARY d']);
  refused(newView('b', 1, good.slice(1)), 'PBFT_NEW_VIEW_INVALID');
  refused(newView('b', 1, [good[0]!, good[0]!, good[1]!]), 'PBFT_NEW_VIEW_INVALID');
  refused(newView('b', 1, [...good.slice(1), viewChange('a', 2)]), 'PBFT_NEW_VIEW_INVALID');
  refused(newView('b', 1, [...good.slice(1), { ...good[0]!, signature: new Uint8Array(32) }]), 'PBFT_NEW_VIEW_INVALID');
  // Too few votes, one vote counted twice, one of a node that is no validator.
  for (const voters of ['ab', 'aab', 'abe']) {
    const unproven = certificate('prepare', 0, 1, 'X', [...voters]);
    refused(newView('b', 1, [...good.slice(1), viewChange('a', 1, undefined, [unproven])]), 'PBFT_NEW_VIEW_INVALID');
  }
  const forged = certificate('commit', 0, 1, 'X'); // commit votes are no prepare certificate
  refused(newView('b', 1, [...good.slice(1), viewChange('a', 1, undefined, [forged])]), 'PBFT_NEW_VIEW_INVALID');
  const late = certificate('prepare', 1, 1, 'X'); // prepared in the view that is only beginning
  refused(newView('b', 1, [...good.slice(1), viewChange('a', 1, undefined, [late])]), 'PBFT_NEW_VIEW_INVALID');
});

test('a new view that starts above our head waits for sync', () => {
  const c = new Table('c');
  const final = certificate('commit', 0, 1, 'X');
  assert.deepEqual(c.hear(newView('b', 1, [viewChange('a', 1, final), viewChange('b', 1, final), viewChange('d', 1, final)])), [
    'sync h1 from ba',
  ]);
  assert.ok(c.delivered('X').includes('persist entered v1 h2 free'));
});

test('a new view above our head whose final block nobody proves asks nobody for it', () => {
  const changes = (final: Certificate) => ['a', 'b', 'd'].map((node) => viewChange(node, 1, final));
  for (const voters of ['ab', 'aab', 'abe']) {
    const unproven = certificate('commit', 0, 1, 'X', [...voters]);
    assert.deepEqual(new Table('c').hear(newView('b', 1, changes(unproven))), []);
    const b = new Table('b'); // the same at the primary of that view
    for (const node of ['a', 'c', 'd']) assert.ok(!b.hear(viewChange(node, 1, unproven)).some((line) => line.startsWith('sync')));
  }
});

test('a view change of a quorum is made a new view by the primary of that view alone', () => {
  const c = new Table('c');
  for (const node of ['a', 'b', 'd']) c.hear(viewChange(node, 1));
  assert.deepEqual([c.status.view, c.status.phase], [1, 'viewChange']);
  assert.ok(!c.sent.some(({ kind }) => kind === 'newView'));
});

test('a new view of a view that is over, or that is open already, changes nothing', () => {
  const c = new Table('c');
  const opening = (view: number, prepared?: Certificate): NewView =>
    newView(
      'abcd'[view]!,
      view,
      ['a', 'b', 'd'].map((node) => viewChange(node, view, undefined, prepared && [prepared])),
    );
  assert.deepEqual(c.hear(opening(3)), ['persist entered v3 h1 free']);
  assert.deepEqual(c.hear(opening(1)), []);
  assert.deepEqual(c.hear(opening(3, certificate('prepare', 0, 1, 'X'))), []);
  assert.deepEqual(c.hear(prePrepare('d', 3, 1, 'Y')), accepting('d', 3, 1, 'Y'), 'free still');
  for (const view of [1, 3]) for (const node of ['a', 'b', 'd']) c.hear(viewChange(node, view));
  assert.deepEqual([c.status.view, c.status.phase], [3, 'proposed']);
});

test('a block certified in a later view brings a replica into that view', () => {
  const c = new Table('c');
  assert.ok(c.delivered('X', 1, 5).includes('persist entered v5 h2 free'));
  assert.equal(c.status.producer, 'b');
});

test('a change of validators at a barrier takes effect with the next height', () => {
  const b = new Table('b');
  b.delivered('X', 1, 0, ['b', 'c', 'd', 'e']);
  assert.equal(b.status.producer, 'b');
  assert.deepEqual(b.hear(vote('prepare', 'a', 0, 2, 'Y')), ['ignore PBFT_NOT_VALIDATOR a']);
  b.work();
  b.built('Y', 2, 0, d('X'));
  b.executed('Y', 'OK', 2, d('X'));
  b.hear(vote('prepare', 'c', 0, 2, 'Y'));
  assert.ok(b.hear(vote('prepare', 'e', 0, 2, 'Y')).includes('broadcast commit v0 h2 Y'));
});

function prepared(): Table {
  const b = new Table('b', { validators: validators() });
  b.hear(prePrepare('a', 0, 1, 'X'));
  b.executed('X', 'OK', 1, GENESIS);
  b.hear(vote('prepare', 'a', 0, 1, 'X'));
  b.hear(vote('prepare', 'c', 0, 1, 'X'));
  return b;
}

function bodyOf(node: string, proposal: Uint8Array): Body {
  return signed<Body>({ kind: 'body', height: 1, digest: d('X'), proposal, node });
}

const FAILED_VIEWS = 48; // more than executions are remembered

/** b takes part in views that fail one after the other: each has a proposal of its own, which it prepares. Views of b itself stay without one. */
function failedViews(): Table {
  const b = new Table('b');
  for (let view = 0; view < FAILED_VIEWS; view++) {
    if (view > 0) enter(b, view);
    if (view % 4 === 1) continue;
    b.hear(prePrepare('abcd'[view % 4]!, view, 1, `X${view}`));
    b.executed(`X${view}`);
    assert.ok(b.votesSent().includes(`prepare v${view} h1 X${view}`), `view ${view}`);
  }
  return b;
}

function enter(b: Table, view: number): void {
  const changes = ['a', 'c', 'd'].map((node) => viewChange(node, view));
  const primary = 'abcd'[view % 4]!;
  if (primary === 'b') for (const change of changes) b.hear(change);
  else b.hear(newView(primary, view, changes));
}

test('views that failed at a height hold nothing out: the next one prepares and decides', () => {
  const b = failedViews();
  enter(b, FAILED_VIEWS);
  b.hear(prePrepare('a', FAILED_VIEWS, 1, 'Y'));
  b.executed('Y');
  for (const node of ['a', 'c']) b.hear(vote('prepare', node, FAILED_VIEWS, 1, 'Y'));
  b.hear(vote('commit', 'a', FAILED_VIEWS, 1, 'Y'));
  assert.ok(b.hear(vote('commit', 'c', FAILED_VIEWS, 1, 'Y')).includes('commit h1 Y by abc'));
});

test('a block of many views ago that turns out to be final is executed again from the body kept, not waited for', () => {
  const b = failedViews();
  const final = { kind: 'committed', certificate: certificate('commit', 0, 1, 'X0', ['a', 'c', 'd']) } as const;
  assert.deepEqual(b.hear(final, 'c'), ['execute h1 X0 from b']);
  b.executed('X0');
  assert.deepEqual(b.hear(final, 'c'), ['commit h1 X0 by acd']); // who is ahead repeats it
});

test('however many views fail in a row, none lasts longer than the cap', () => {
  const c = new Table('c');
  c.work();
  const spans: number[] = [];
  while (spans.length < 8) {
    const { view } = c.status;
    const startedMs = c.nowMs;
    while (c.status.view === view) c.tick(20);
    spans.push(Math.round((c.nowMs - startedMs) / 100) * 100);
    for (const node of ['a', 'b', 'd']) c.hear(viewChange(node, view + 1));
  }
  assert.deepEqual(spans, [1_000, 2_000, 4_000, 4_000, 4_000, 4_000, 4_000, 4_000]);
});

test('what belongs to a view that is over is let go as soon as it is left or another is entered', () => {
  const start = { chainId: CHAIN_ID, self: 'c', validators: validators(), height: 0, digest: GENESIS, finality: undefined };
  const crypto = { hash: (data: Uint8Array) => data.slice(0, 32), verify: () => true, sign: () => new Uint8Array(32) };
  for (const leave of [startViewChange, (replica: Replica, view: number) => enterView(replica, view, undefined)]) {
    const replica = createReplica({ ...start, parameters: PARAMETERS, log: [] }, crypto);
    for (const view of [0, 1, 2]) replica.book.addProposal(mint(prePrepare('abc'[view]!, view, 1, `X${view}`)));
    replica.book.addViewChange(mint(viewChange('d', 1)));
    leave(replica, 2);
    assert.equal(replica.book.proposal('a', { height: 1, view: 0 }), undefined);
    assert.equal(replica.book.proposal('b', { height: 1, view: 1 }), undefined);
    assert.ok(replica.book.proposal('c', { height: 1, view: 2 }));
    assert.ok(replica.book.viewChanges().every((message) => message.view === 2));
  }
});
