import assert from 'node:assert/strict';
import { test } from 'node:test';
import { encodeCertificate } from '../../../../consensus/pbft/certificates.ts';
import { ANSWERS_DUE_MAX, ANSWERS_PER_QUESTION } from '../../../../consensus/pbft/answers.ts';
import type { RecoveryQuery, Body, Fetch, Message, Status } from '../../../../consensus/pbft/messages.ts';
import { retransmitMs } from '../../../../consensus/pbft/recovery.ts';
import type { Replica } from '../../../../consensus/pbft/replica.ts';
import { decodeRecord, encodeRecord } from '../../../../consensus/pbft/vote-log.ts';
import {
  accepting,
  certificate,
  d,
  finality,
  recoveryReply,
  newView,
  PARAMETERS,
  prePrepare,
  rekeyed,
  said,
  signed,
  Table,
  validators,
  viewChange,
  vote,
} from './table.ts';

const restart = (self: string, before: Table) => new Table(self, { log: before.log });

test('after a restart a replica repeats its votes and signs no other digest for their places', () => {
  const b = new Table('b');
  b.hear(prePrepare('a', 0, 1, 'X'));
  b.executed('X');
  const again = restart('b', b);
  again.hear(prePrepare('a', 0, 1, 'Y'));
  again.executed('Y');
  assert.deepEqual(
    again.votesSent().filter((line) => !line.endsWith(' X')),
    [],
  );
  again.tick(600);
  assert.equal(again.status.votes.prepare, 0);
  assert.deepEqual(again.votesSent(), [], 'not before it has executed the block again: it may never have said it');
  again.executed('X');
  again.tick(600);
  assert.deepEqual([...new Set(again.votesSent())], ['prepare v0 h1 X']);
});

test('restarted after any prefix of its log, a replica never contradicts what that prefix lets others have seen', () => {
  const whole = new Table('b');
  whole.hear(prePrepare('a', 0, 1, 'X'));
  whole.executed('X');
  whole.hear(vote('prepare', 'a', 0, 1, 'X'));
  whole.hear(vote('prepare', 'c', 0, 1, 'X'));
  whole.work();
  whole.tick(10);
  whole.tick(1_000);
  assert.ok(whole.log.length >= 6);
  for (let kept = 0; kept <= whole.log.length; kept++) {
    const b = new Table('b', { log: whole.log.slice(0, kept) });
    const bound = kept > 2; // mark, body, and then the vote
    b.hear(prePrepare('a', 0, 1, 'Y'));
    b.executed('Y');
    b.executed('X');
    if (bound) assert.ok(!b.votesSent().includes('prepare v0 h1 Y'), `prefix ${kept}`);
    else assert.ok(b.votesSent().includes('prepare v0 h1 Y'), `prefix ${kept}`);
  }
});

test('a restart brings back the prepared certificate and the body: both go into the next view', () => {
  const b = new Table('b');
  b.hear(prePrepare('a', 0, 1, 'X'));
  b.executed('X');
  b.hear(vote('prepare', 'a', 0, 1, 'X'));
  b.hear(vote('prepare', 'c', 0, 1, 'X'));
  const again = restart('b', b);
  again.hear(viewChange('c', 1));
  const lines = again.hear(viewChange('d', 1));
  assert.ok(lines.includes('broadcast viewChange v1 final 0 prepared [v0 h1 X]'));
  assert.ok(again.executed('X').includes('broadcast prePrepare v1 h1 X'));
});

test('a restarted primary proposes the same block again and no other', () => {
  const a = new Table('a');
  a.work();
  a.built('X');
  const again = restart('a', a);
  assert.deepEqual(again.work(), []);
  assert.deepEqual(again.built('Y'), []);
  assert.ok(again.executed('X').includes('broadcast prePrepare v0 h1 X'));
  assert.deepEqual(
    again.sent.filter((message) => said(message).endsWith(' Y')),
    [],
  );
});

test('a restart in a view change stays in it, counts itself, and starts its view as primary', () => {
  const b = new Table('b');
  b.work();
  b.tick(10);
  b.tick(1_000);
  const again = restart('b', b);
  assert.equal(again.status.phase, 'viewChange');
  again.hear(viewChange('c', 1));
  assert.ok(again.hear(viewChange('d', 1)).includes('broadcast newView v1 of 3'));
});

test('a restart in a bound view is bound still', () => {
  const c = new Table('c');
  const changes = [
    viewChange('a', 1, undefined, [certificate('prepare', 0, 1, 'X', ['a', 'b', 'd'])]),
    viewChange('b', 1),
    viewChange('d', 1),
  ];
  c.hear(newView('b', 1, changes));
  const again = restart('c', c);
  assert.equal(again.status.view, 1);
  assert.deepEqual(again.hear(prePrepare('b', 1, 1, 'Y')), []);
  assert.deepEqual(restart('c', c).hear(prePrepare('b', 1, 1, 'X')), accepting('b', 1, 1, 'X', false));
});

test('a restart is in the view of its last certificate, where its log knows only of earlier ones or of the way there', () => {
  const log = new Table('c').log;
  const at = (view: number, records = log) => new Table('c', { height: 1, digest: d('X'), finality: finality(view, 1, 'X'), log: records });
  const where = ({ status: { view, phase } }: Table) => [view, phase];
  assert.deepEqual(where(at(0)), [0, 'idle']);
  assert.deepEqual(where(at(3)), [3, 'idle']);
  const left = new Table('c');
  for (const node of ['a', 'b']) left.hear(viewChange(node, 3));
  assert.deepEqual(where(left), [3, 'viewChange']);
  assert.deepEqual(where(at(2, left.log)), [3, 'viewChange']);
  assert.deepEqual(where(at(3, left.log)), [3, 'idle']);
});

test('what is outside the water marks is not kept: final heights, views that are over, and heights above the next', () => {
  const log = [encodeRecord({ kind: 'mark', stableCheckpoint: 4 })];
  const c = new Table('c', { height: 5, digest: d('five'), finality: finality(1, 5, 'five'), log });
  assert.deepEqual([c.status.view, c.status.stableCheckpoint], [1, 4]);
  const code = (message: Message): string | undefined => c.hear(message)[0];
  const outside = [
    vote('prepare', 'b', 1, 5, 'five'),
    vote('commit', 'b', 1, 5, 'five'),
    prePrepare('b', 1, 5, 'five'),
    prePrepare('a', 0, 6, 'six'),
    vote('checkpoint', 'b', 0, 4, 'four'),
    vote('checkpoint', 'b', 1, 5, 'five'),
  ];
  for (const message of outside) assert.equal(code(message), 'ignore PBFT_OUTSIDE_WATERMARKS ' + ('node' in message && message.node));
  const ahead = [
    vote('prepare', 'b', 1, 8, 'X'),
    vote('commit', 'b', 1, 8, 'X'),
    prePrepare('b', 1, 8, 'X'),
    vote('checkpoint', 'b', 0, 7, 'X'),
  ];
  for (const message of ahead) assert.equal(code(message), 'ignore PBFT_AHEAD b');
  const kept = [
    vote('prepare', 'b', 1, 7, 'X'),
    vote('commit', 'b', 1, 7, 'X'),
    prePrepare('b', 1, 7, 'X'),
    vote('checkpoint', 'b', 0, 6, 'X'),
  ];
  for (const message of kept) assert.equal(code(message), undefined);
});

test('replicas one view behind others of a quorum catch up with them', () => {
  const c = new Table('c');
  c.work();
  c.tick(10);
  c.tick(1_000);
  c.hear(viewChange('b', 1));
  c.hear(viewChange('d', 2)); // d saw a quorum for view 1 that c no longer can
  c.tick(10);
  c.tick(2_100);
  assert.equal(c.status.view, 2);
});

test('a status from behind is answered with the commit certificate, one from a lower view with the new view', () => {
  const b = new Table('b');
  b.delivered('X');
  const status = (node: string, height: number, view: number, changing = false) =>
    b.hear(signed<Status>({ kind: 'status', height, view, changing, node }));
  assert.deepEqual(status('c', 0, 0), ['send c committed h1']);
  assert.deepEqual(status('c', 0, 0), []); // not again at once
  b.tick(100);
  assert.deepEqual(status('c', 1, 0), []);
  const final = certificate('commit', 0, 1, 'X');
  b.hear(newView('c', 2, [viewChange('a', 2, final), viewChange('c', 2, final), viewChange('d', 2, final)]));
  assert.deepEqual(status('d', 1, 0), ['send d newView v2 of 3']);
  assert.deepEqual(status('a', 1, 2, true), ['send a newView v2 of 3']);
  b.tick(100);
  assert.deepEqual(status('c', 1, 2), [], 'who stands where b does lacks nothing');
  assert.deepEqual(status('c', 1, 3), [], 'nor who is further on');
});

test('who is behind in a view that b has left gets the view change of b, and who waits in the view of the last certificate gets that', () => {
  const b = new Table('b');
  b.delivered('X', 1, 2);
  const status = (node: string, view: number, changing: boolean) =>
    b.hear(signed<Status>({ kind: 'status', height: 1, view, changing, node }));
  assert.deepEqual(status('c', 2, true), ['send c committed h1']);
  assert.deepEqual(status('d', 1, false), ['send d committed h1']);
  b.work();
  b.tick(10);
  b.tick(1_100);
  assert.deepEqual([b.status.view, b.status.phase], [3, 'viewChange']);
  assert.deepEqual(status('a', 2, false), ['send a viewChange v3 final 1 prepared []']);
});

test('the own block certified in a later view opens that view; another block, an earlier view or no proof opens none', () => {
  const c = new Table('c');
  c.delivered('X');
  const opening = (label: string, view: number, voters?: string[]) =>
    c.hear({ kind: 'committed', certificate: certificate('commit', view, 1, label, voters) }, 'b');
  assert.deepEqual(opening('Y', 3), []);
  assert.deepEqual(opening('X', 3, ['a', 'b']), []);
  assert.deepEqual(opening('X', 3), ['persist entered v3 h2 free']);
  assert.deepEqual(opening('X', 2), []);
  assert.deepEqual(opening('X', 3), []);
  assert.equal(c.status.view, 3);
});

test('who left the validators with a block hands the proof of it to those who have not got there, and says nothing else', () => {
  const a = new Table('a');
  a.delivered('X', 1, 0, ['b', 'c', 'd', 'e']);
  assert.equal(a.status.phase, 'observing');
  const status = (height: number, view: number) => a.hear(signed<Status>({ kind: 'status', height, view, changing: true, node: 'c' }));
  assert.deepEqual(status(0, 3), ['send c committed h1']);
  a.tick(100);
  assert.deepEqual(status(1, 0), []);
});

test('a forwarded commit certificate makes an executed block final and asks for sync otherwise', () => {
  const b = new Table('b');
  b.hear(prePrepare('a', 0, 1, 'X'));
  b.executed('X');
  assert.deepEqual(b.hear({ kind: 'committed', certificate: certificate('commit', 0, 1, 'X') }, 'c'), ['commit h1 X by abc']);
  const c = new Table('c');
  const ahead = { kind: 'committed', certificate: certificate('commit', 0, 7, 'X') } as const;
  assert.deepEqual(c.hear(ahead, 'b'), ['sync h7 from b']);
  assert.deepEqual(c.hear(ahead, 'd'), [], 'blocks are on their way');
  c.tick(PARAMETERS.viewTimeoutMs);
  assert.deepEqual(c.hear(ahead, 'd'), ['sync h7 from d']);
});

test('a certificate of a block that is being stored, or final, stores nothing a second time', () => {
  const b = new Table('b');
  b.hear(prePrepare('a', 0, 1, 'X'));
  b.executed('X');
  const final = { kind: 'committed', certificate: certificate('commit', 0, 1, 'X') } as const;
  b.hear(final, 'c');
  assert.equal(b.status.phase, 'committing');
  assert.deepEqual(b.hear(final, 'd'), []);
  b.delivered('X');
  assert.deepEqual(b.hear(final, 'd'), []);
});

test('one validator far ahead proves nothing; f+1 do, after a moment of grace', () => {
  const b = new Table('b');
  b.hear(signed<Status>({ kind: 'status', height: 50, view: 0, changing: false, node: 'd' }));
  b.tick(20);
  assert.deepEqual(b.tick(500), []);
  b.hear(signed<Status>({ kind: 'status', height: 7, view: 0, changing: false, node: 'c' }));
  assert.deepEqual(b.tick(20), []);
  assert.deepEqual(b.tick(120), ['sync h7 from dc']);
});

test('the primary sends its proposal again only to those who have not prepared', () => {
  const a = new Table('a');
  a.work();
  a.built('X');
  a.executed('X');
  a.hear(vote('prepare', 'b', 0, 1, 'X'));
  assert.deepEqual(a.tick(600), ['send c prePrepare v0 h1 X', 'send d prePrepare v0 h1 X', 'broadcast prepare v0 h1 X']);
});

test('whoever may have prepared a block hands out its body', () => {
  const b = new Table('b');
  const ask = signed<Fetch>({ kind: 'fetch', height: 1, digest: d('X'), node: 'c' });
  assert.deepEqual(b.hear(ask), []);
  b.hear(prePrepare('a', 0, 1, 'X'));
  assert.deepEqual(b.hear(ask), ['send c body h1 X']);
});

test('one asker gets a body as often as an honest one repeats its question, and no oftener; others wait for none of it', () => {
  const b = new Table('b');
  b.hear(prePrepare('a', 0, 1, 'X'));
  b.executed('X');
  const fetch = (node: string) => b.hear(signed<Fetch>({ kind: 'fetch', height: 1, digest: d('X'), node }));
  let answers = 0;
  for (let i = 0; i < 1_000; i++) answers += fetch('c').length;
  assert.equal(answers, 1);
  assert.deepEqual(fetch('d'), ['send d body h1 X']);
  for (let i = 0; i < 20; i++) {
    b.tick(retransmitMs({ parameters: PARAMETERS } as Replica));
    assert.ok(fetch('c').includes('send c body h1 X'));
  }
});

test('who lost its vote log is answered as often as an honest one repeats its question, and no oftener', () => {
  const b = new Table('b');
  const ask = (node: string) => b.hear(signed<RecoveryQuery>({ kind: 'recoveryQuery', round: 0, node }));
  let answers = 0;
  for (let i = 0; i < 1_000; i++) answers += ask('c').length;
  assert.equal(answers, 1);
  assert.deepEqual(ask('d'), ['send d recoveryReply d final 0 messages []']);
  for (let i = 0; i < 20; i++) {
    b.tick(retransmitMs({ parameters: PARAMETERS } as Replica));
    assert.ok(ask('c').includes('send c recoveryReply c final 0 messages []'));
  }
});

test('a body and words held that nobody asked for cost their sender, before a signature is checked; answers to a question never do', () => {
  const b = new Table('b');
  const bodyOf = (node: string) =>
    signed<Body>({ kind: 'body', height: 1, digest: d('X'), proposal: prePrepare('c', 0, 1, 'X').proposal, node });
  const checked = b.signaturesChecked;
  assert.deepEqual(b.hear(bodyOf('c')), ['reject PBFT_BODY_UNASKED c']);
  assert.deepEqual(b.hear(recoveryReply('c', 'b', 0, undefined)), ['reject PBFT_HELD_UNASKED c']);
  assert.equal(b.signaturesChecked, checked);

  b.hear(viewChange('c', 1, undefined, [certificate('prepare', 0, 1, 'X', ['a', 'c', 'd'])]));
  b.hear(viewChange('d', 1));
  assert.equal(b.tick(20).filter((line) => line.includes('fetch')).length, 3);
  b.hear(bodyOf('a'));
  assert.ok(b.executed('X').includes('broadcast prePrepare v1 h1 X'));
  b.delivered('X'); // the height is final before the others have answered
  for (const late of ['c', 'd', 'd']) assert.deepEqual(b.hear(bodyOf(late)), []); // and one frame came twice
  for (let i = 2; i < ANSWERS_PER_QUESTION; i++) b.hear(bodyOf('d'));
  assert.deepEqual(b.hear(bodyOf('d')), ['reject PBFT_BODY_UNASKED d']);
});

test('who was silent while it was asked many times may not send all those answers later', () => {
  const mute = lostLog();
  for (let i = 0; i < 4 * ANSWERS_DUE_MAX; i++) mute.tick(retransmitMs({ parameters: PARAMETERS } as Replica));
  const answer = recoveryReply('c', 'b', 0, undefined);
  for (let i = 0; i < ANSWERS_DUE_MAX; i++) assert.ok(!mute.hear(answer).includes('reject PBFT_HELD_UNASKED c'), `${i}`);
  assert.deepEqual(mute.hear(answer), ['reject PBFT_HELD_UNASKED c']);
});

test('a checkpoint vote is cast every interval, and a quorum of them cuts the vote log down to what is live', () => {
  const parameters = { viewTimeoutMs: 1_000, viewTimeoutMaxMs: 4_000, idleBlockIntervalMs: 100_000, checkpointIntervalBlocks: 2 };
  const b = new Table('b', { parameters });
  const deliver = (label: string, height: number) =>
    b.step({
      kind: 'delivered',
      height,
      digest: d(label),
      finality: finality(0, height, label, ['a', 'c', 'd']),
      validators: validators(),
      parameters,
    });
  assert.deepEqual(deliver('X', 1), []);
  assert.deepEqual(deliver('Y', 2), ['persist checkpoint v0 h2 Y', 'broadcast checkpoint v0 h2 Y']);
  b.hear(vote('checkpoint', 'a', 0, 2, 'Y'));
  assert.deepEqual(b.hear(vote('checkpoint', 'd', 0, 2, 'Y')), ['truncate to mark,entered']);
  assert.equal(b.status.stableCheckpoint, 2);
  assert.equal(b.log.length, 2);
});

const FIVE = certificate('commit', 0, 5, 'five');

function lostLog(log: Uint8Array[] = []): Table {
  return new Table('d', { height: 5, digest: d('five'), finality: encodeCertificate(FIVE), log });
}

test('a replica whose vote log is gone is mute until a height nobody can hold a vote of it for is final', () => {
  const mute = lostLog();
  assert.equal(mute.status.phase, 'mute');
  mute.hear(prePrepare('a', 0, 6, 'six'));
  mute.work();
  mute.tick(5_000);
  assert.deepEqual(mute.votesSent(), []);
  assert.ok(mute.sent.some((message) => message.kind === 'recoveryQuery'));
  assert.deepEqual(mute.status.unanswered, ['a', 'b', 'c']);
  for (const node of ['a', 'b']) mute.hear(recoveryReply(node, 'd', 5, FIVE));
  assert.deepEqual(mute.log, []);
  assert.deepEqual(mute.status.unanswered, ['c'], 'whoever watches sees on whom it waits');
  assert.deepEqual(mute.hear(recoveryReply('c', 'd', 5, certificate('commit', 0, 6, 'six'))), ['truncate to mark,floor,entered']); // silent up to 8
  assert.equal(mute.status.unanswered, undefined);
  mute.delivered('seven', 7);
  assert.equal(mute.status.phase, 'mute');
  mute.delivered('eight', 8);
  mute.hear(prePrepare('a', 0, 9, 'nine'));
  assert.ok(mute.executed('nine', 'OK', 9, d('eight')).includes('broadcast prepare v0 h9 nine'));
});

test('a view change of its own that others hold stretches the silence over the height above it', () => {
  const mute = lostLog();
  for (const node of ['a', 'b']) mute.hear(recoveryReply(node, 'd', 5, FIVE));
  mute.hear(recoveryReply('c', 'd', 5, FIVE, [viewChange('d', 2, certificate('commit', 0, 7, 'X7'))]));
  for (let height = 6; height <= 8; height++) mute.delivered(`X${height}`, height, 3);
  assert.equal(mute.status.phase, 'mute'); // it may have voted at height 8, and for the one in flight above
  mute.delivered('X9', 9, 3);
  assert.equal(mute.status.phase, 'idle');
});

test('a certificate with a vote of its own from below the end of its silence begins no new silence', () => {
  const waits = lostLog();
  for (const node of ['a', 'b', 'c']) waits.hear(recoveryReply(node, 'd', 5, FIVE, node === 'c' ? [vote('commit', 'd', 0, 6, 'X6')] : []));
  waits.delivered('X6', 6, 0, undefined, ['a', 'b', 'd']);
  waits.delivered('X7', 7);
  assert.equal(waits.status.phase, 'idle');
});

/** What binds its sender, out of all that d says while others propose, prepare, equivocate, leave the view for that of d, and time passes. */
function boundBy(d5: Table): string[] {
  const said = d5.sent.length;
  d5.hear(prePrepare('a', 0, 6, 'six'));
  d5.executed('six', 'OK', 6, d('five'));
  for (const node of ['a', 'b', 'c']) d5.hear(vote('prepare', node, 0, 6, 'six'));
  d5.hear(prePrepare('a', 0, 6, 'other'));
  for (const node of ['a', 'b', 'c']) d5.hear(viewChange(node, 3, FIVE));
  d5.hear(
    newView(
      'a',
      4,
      ['a', 'b', 'c'].map((node) => viewChange(node, 4, FIVE)),
    ),
  );
  d5.hear(prePrepare('a', 4, 6, 'six'));
  d5.executed('six', 'OK', 6, d('five'));
  d5.work();
  for (let i = 0; i < 4; i++) d5.tick(5_000);
  const free = ['status', 'fetch', 'body', 'committed', 'recoveryQuery', 'recoveryReply'];
  const own = d5.sent.slice(said).filter((message) => 'node' in message && message.node === 'd'); // it hands on what proves another guilty
  return [...new Set(own.map(({ kind }) => kind))].filter((kind) => !free.includes(kind)).sort();
}

test('who may not vote says nothing that binds it, whatever it hears and however long it waits', () => {
  const at5 = { height: 5, digest: d('five'), finality: encodeCertificate(FIVE), log: new Table('d').log };
  assert.deepEqual(boundBy(new Table('d', at5)), ['commit', 'newView', 'prePrepare', 'prepare', 'viewChange'], 'one that may');
  const waits = lostLog();
  for (const node of ['a', 'b', 'c']) waits.hear(recoveryReply(node, 'd', 5, FIVE));
  const excluded = new Table('d', at5);
  excluded.hear(vote('commit', 'd', 0, 6, 'of another'), 'c');
  const silent = {
    'its log is gone': lostLog(),
    'its silence lasts': waits,
    'another votes with its key': excluded,
    'it holds another key': new Table('d', { ...at5, validators: rekeyed('d') }),
    'it observes': new Table('d', { ...at5, validators: validators(['a', 'b', 'c', 'e']) }),
  };
  for (const [why, table] of Object.entries(silent)) assert.deepEqual(boundBy(table), [], why);
});

test('a mute replica enters no view below one it may have promised to leave', () => {
  const mute = lostLog();
  mute.hear(recoveryReply('a', 'd', 5, FIVE));
  mute.hear(recoveryReply('b', 'd', 5, FIVE, [viewChange('d', 3, FIVE)]));
  mute.hear(recoveryReply('c', 'd', 5, FIVE));
  assert.ok(mute.delivered('seven', 7).includes('broadcast viewChange v3 final 7 prepared []'));
});

test('the silence outlasts a restart', () => {
  const mute = lostLog();
  for (const node of ['a', 'b', 'c']) mute.hear(recoveryReply(node, 'd', 5, FIVE));
  const again = lostLog(mute.log);
  assert.equal(again.status.phase, 'mute');
  assert.ok(again.delivered('seven', 7).includes('persist entered v0 h8 free'));
});

test('a log that does not decode is no log', () => {
  const b = new Table('b', { log: [new Uint8Array([99, 1, 2])] });
  assert.equal(b.status.phase, 'mute');
});

test('an answer whose signed words do not prove it counts as nothing, and a later one that does ends the silence', () => {
  const mute = lostLog();
  for (const node of ['a', 'b']) mute.hear(recoveryReply(node, 'd', 5, FIVE));
  const forged = { ...vote('commit', 'd', 4_000_000_000, 9e15, 'X'), signature: new Uint8Array(32) };
  const lies = [
    recoveryReply('c', 'd', 5, certificate('commit', 0, 9e15, 'X', ['c'])),
    recoveryReply('c', 'd', 5, certificate('prepare', 0, 9e15, 'X')),
    recoveryReply('c', 'd', 5, FIVE, [forged]),
    recoveryReply('c', 'd', 5, FIVE, [vote('commit', 'c', 4_000_000_000, 9e15, 'X')]),
    recoveryReply('c', 'd', 5, FIVE, [viewChange('c', 4_000_000_000, FIVE)]),
    recoveryReply('c', 'd', 5, FIVE, [prePrepare('d', 3, 6, 'X')]),
  ];
  for (const lie of lies) {
    assert.deepEqual(mute.hear(lie), ['ignore PBFT_HELD_UNPROVEN c']);
    mute.tick(500); // it asks again, and may be answered again
  }
  assert.deepEqual(mute.hear(recoveryReply('c', 'd', 4, certificate('commit', 0, 9, 'X'))), []); // of another question
  assert.deepEqual(mute.hear(recoveryReply('c', 'd', 5, FIVE)), ['truncate to mark,floor,entered']);
  for (let height = 6; height <= 8; height++) mute.delivered(`X${height}`, height);
  assert.equal(mute.status.phase, 'idle');
});

test('its own highest word stretches the silence: a vote of a height nobody else has reached', () => {
  const mute = lostLog();
  for (const node of ['a', 'b']) mute.hear(recoveryReply(node, 'd', 5, FIVE));
  mute.hear(recoveryReply('c', 'd', 5, FIVE, [vote('prepare', 'd', 0, 7, 'X')]));
  for (let height = 6; height <= 7; height++) mute.delivered(`X${height}`, height);
  assert.equal(mute.status.phase, 'mute');
  mute.delivered('X8', 8);
  assert.equal(mute.status.phase, 'idle');
});

test('a peer answers with its certificate and the latest words of the mute replica it holds', () => {
  const b = new Table('b');
  b.delivered('X');
  const ask = signed<RecoveryQuery>({ kind: 'recoveryQuery', round: 0, node: 'd' });
  assert.deepEqual(b.hear(ask), ['send d recoveryReply d final 1 messages []']);
  b.hear(vote('prepare', 'd', 4, 3, 'Y'));
  b.hear(vote('commit', 'd', 0, 2, 'Z'));
  b.hear(viewChange('d', 5));
  b.tick(500);
  assert.deepEqual(b.hear(ask), ['send d recoveryReply d final 1 messages [prepare v4 h3 Y, viewChange v5 final 0 prepared []]']);
});

test('a vote log that lacks a vote which stands in a stored certificate is too old: mute; one that holds it is not', () => {
  const d1 = new Table('d');
  d1.hear(prePrepare('a', 0, 1, 'X'));
  d1.executed('X');
  for (const node of ['a', 'b']) d1.hear(vote('prepare', node, 0, 1, 'X'));
  assert.ok(d1.votesSent().includes('commit v0 h1 X'));
  const certified = { height: 1, digest: d('X'), finality: finality(0, 1, 'X', ['a', 'b', 'd']), signedHeight: 1 };
  assert.notEqual(new Table('d', { ...certified, log: d1.log }).engine.status().phase, 'mute');
  const commit = d1.log.findIndex((record) => {
    const decoded = decodeRecord(record);
    return decoded.kind === 'vote' && decoded.vote.kind === 'commit';
  });
  const older = new Table('d', { ...certified, log: d1.log.slice(0, commit) });
  assert.equal(older.status.phase, 'mute');
  older.tick(500);
  assert.ok(older.sent.some((message) => message.kind === 'recoveryQuery'));
  assert.deepEqual(
    older.votesSent().filter((line) => line.includes('h2')),
    [],
  );
});

test('an emptied validator notices by the first synced block that it has signed before, and is mute from there', () => {
  const synced = (signers: readonly string[], log: readonly Uint8Array[] = []) => {
    const table = new Table('d', { log });
    table.delivered('X', 1, 0, undefined, [...signers]);
    return table;
  };
  const emptied = synced(['a', 'b', 'd']);
  assert.equal(emptied.status.phase, 'mute');
  emptied.hear(prePrepare('a', 0, 2, 'Y'));
  emptied.executed('Y', 'OK', 2, d('X'));
  assert.deepEqual(emptied.votesSent(), []);
  assert.notEqual(synced(['a', 'b', 'c']).engine.status().phase, 'mute', 'it was slow, others decided');
  const before = new Table('d');
  before.hear(prePrepare('a', 0, 1, 'X'));
  before.executed('X');
  for (const node of ['a', 'b']) before.hear(vote('prepare', node, 0, 1, 'X'));
  assert.notEqual(synced(['a', 'b', 'd'], before.log).engine.status().phase, 'mute', 'it remembers the vote');
});

test('a validator that the barrier leaves out signs nothing more, and one that it takes in again decides', () => {
  const b = new Table('b');
  b.delivered('one', 1, 0, ['a', 'c', 'd', 'e']);
  assert.equal(b.status.phase, 'observing');
  b.hear(prePrepare('a', 0, 2, 'two'));
  b.executed('two', 'OK', 2, d('one'));
  b.work();
  b.tick(60_000);
  assert.deepEqual(b.votesSent(), []);
  b.delivered('two', 2, 0, ['a', 'b', 'c', 'd']);
  b.hear(prePrepare('a', 0, 3, 'three'));
  assert.ok(b.executed('three', 'OK', 3, d('two')).includes('broadcast prepare v0 h3 three'));
});

test('a log that only saw blocks come by sync is as old as its last vote, which is no reason for silence', () => {
  const synced = new Table('d');
  synced.delivered('one', 1);
  synced.delivered('two', 2);
  const again = new Table('d', {
    height: 2,
    digest: d('two'),
    finality: finality(0, 2, 'two'),
    signedHeight: 0,
    log: synced.log,
  });
  assert.notEqual(again.status.phase, 'mute');
});

test('a replica that meets another vote under its own key excludes itself, for good, until it has another key', () => {
  const b = new Table('b');
  b.hear(prePrepare('a', 0, 1, 'X'));
  b.executed('X');
  assert.ok(b.votesSent().includes('prepare v0 h1 X'));
  assert.deepEqual(b.hear(vote('prepare', 'b', 0, 1, 'X'), 'c'), []); // its own word
  const forged = { ...vote('prepare', 'b', 0, 1, 'Y'), signature: new Uint8Array(32) };
  assert.deepEqual(b.hear(forged, 'c'), []);
  const lines = b.hear(vote('prepare', 'b', 0, 1, 'Y'), 'c');
  assert.ok(lines.includes('evidence PBFT_KEY_USED_ELSEWHERE b'), lines.join());
  assert.ok(lines.includes('persist excluded'), lines.join());
  for (const node of ['a', 'c']) b.hear(vote('prepare', node, 0, 1, 'X'));
  assert.ok(!b.votesSent().includes('commit v0 h1 X'));
  const again = restart('b', b);
  assert.equal(again.status.phase, 'excluded');
  again.hear(prePrepare('a', 0, 1, 'X'));
  again.executed('X');
  again.work();
  again.tick(5_000);
  assert.deepEqual(again.votesSent(), []);
  assert.equal(new Table('b', { log: b.log, validators: rekeyed('b') }, true).engine.status().phase, 'proposed');
});

test('another proposal under the key of a primary excludes it as well', () => {
  const a = new Table('a');
  a.work();
  a.built('X');
  a.executed('X');
  assert.ok(a.hear(prePrepare('a', 0, 1, 'Y'), 'c').includes('evidence PBFT_KEY_USED_ELSEWHERE a'));
});
