/**
 * One traitor, b, and d, which lost its vote log and came back by the protocol's own procedure. In its first life d promised view 1 at height 5 and
 * only b heard it. Were that word counted in a new view of height 7, view 1 would be free of the block that a, b and d made final at 8.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { encodeCertificate } from '../../../../consensus/pbft/certificates.ts';
import type { Message, ViewChange, Vote } from '../../../../consensus/pbft/messages.ts';
import { encodeRecord } from '../../../../consensus/pbft/vote-log.ts';
import { certificate, d, newView, prePrepare, recoveryReply, Table, viewChange, vote } from './table.ts';

const MARK = [encodeRecord({ kind: 'mark', stableCheckpoint: 4 })];
const finalAt = (height: number) => certificate('commit', 0, height, `B${height}`);
const at = (height: number, log: Uint8Array[] = MARK) => ({
  height,
  digest: d(`B${height}`),
  finality: encodeCertificate(finalAt(height)),
  log,
});

function last<K extends Message['kind']>(table: Table, kind: K): Extract<Message, { kind: K }> {
  const found = table.sent.filter((message) => message.kind === kind).at(-1);
  assert.ok(found, `${table.self} said no ${kind}`);
  return found as Extract<Message, { kind: K }>;
}

function timesOut(table: Table): ViewChange {
  table.work();
  table.tick(0);
  table.tick(1_100);
  table.tick(1_100);
  return last(table, 'viewChange');
}

/** Both hear everything said of one phase, except by themselves. */
function exchange(tables: readonly Table[], messages: readonly Message[]): string[] {
  return tables.flatMap((table) => messages.flatMap((m) => ('node' in m && m.node !== table.self ? table.hear(m) : [])));
}

function secondLife(): { readonly d1: Table; readonly oldWord: ViewChange } {
  const oldWord = timesOut(new Table('d', at(5)));
  assert.deepEqual([oldWord.view, oldWord.height], [1, 5]);
  const d1 = new Table('d', at(5, []));
  assert.equal(d1.status.phase, 'mute');
  for (const node of ['a', 'b', 'c']) d1.hear(recoveryReply(node, 'd', 5, finalAt(5)));
  d1.delivered('B6', 6);
  d1.delivered('B7', 7);
  assert.deepEqual([d1.status.view, d1.status.phase], [0, 'idle']);
  return { d1, oldWord };
}

test('a word spoken before a vote log was lost frees no new view: one block is final at the height, not two', () => {
  const { d1, oldWord } = secondLife();
  const a = new Table('a', at(7));
  a.work();
  a.tick(10);
  a.built('X', 8, 0, d('B7'));
  a.executed('X', 'OK', 8, d('B7'));
  d1.hear(prePrepare('a', 0, 8, 'X'));
  d1.executed('X', 'OK', 8, d('B7'));
  exchange([a, d1], [last(a, 'prepare'), vote('prepare', 'b', 0, 8, 'X'), last(d1, 'prepare')]);
  assert.ok(exchange([a], [vote('commit', 'b', 0, 8, 'X'), last(d1, 'commit')]).includes('commit h8 X by abd'));

  const c = new Table('c', at(7)); // cut off until now
  const traitor = viewChange('b', 1, finalAt(7));
  const made = newView('b', 1, [traitor, timesOut(c), oldWord]);
  assert.deepEqual(c.hear(made), ['reject PBFT_NEW_VIEW_INVALID b']);
  assert.deepEqual(d1.hear(made), ['reject PBFT_NEW_VIEW_INVALID b']);
  for (const table of [c, d1]) {
    table.hear(prePrepare('b', 1, 8, 'Y'));
    table.executed('Y', 'OK', 8, d('B7'));
  }
  const votes: Vote[] = [vote('prepare', 'b', 1, 8, 'Y'), vote('commit', 'b', 1, 8, 'Y')];
  const lines = exchange([c, d1], votes);
  assert.deepEqual(
    lines.filter((line) => line.includes('h8 Y')),
    [],
  );
  assert.deepEqual(
    [...c.votesSent(), ...d1.votesSent()].filter((line) => line.endsWith('h8 Y')),
    [],
  );
});

test('with what d says now, the same view change carries the final block over', () => {
  const { d1 } = secondLife();
  d1.hear(prePrepare('a', 0, 8, 'X'));
  d1.executed('X', 'OK', 8, d('B7'));
  exchange([d1], [vote('prepare', 'a', 0, 8, 'X'), vote('prepare', 'b', 0, 8, 'X')]);
  const c = new Table('c', at(7));
  const word = timesOut(c);
  d1.hear(word);
  d1.hear(viewChange('b', 1, finalAt(7)));
  assert.ok(c.hear(newView('b', 1, [viewChange('b', 1, finalAt(7)), word, last(d1, 'viewChange')])).includes('persist entered v1 h8 X'));
});
