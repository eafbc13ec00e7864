/** What repetition costs while views change: signatures of one thing are checked once. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import { encodeMessage, type Message } from '../../../../consensus/pbft/messages.ts';
import { createReplica } from '../../../../consensus/pbft/replica.ts';
import { voteSigningBytes } from '../../../../consensus/pbft/certificates.ts';
import type { Validator } from '../../../../node/format/index.ts';
import { isSigned, VERDICTS_MAX } from '../../../../consensus/pbft/verdicts.ts';
import { CHAIN_ID, certificate, d, newView, PARAMETERS, rekeyed, Table, validators, viewChange } from './table.ts';

/** Signatures checked while `table` hears the messages. */
function cost(table: Table, ...messages: Message[]): number {
  const before = table.signaturesChecked;
  for (const message of messages) table.hear(message);
  return table.signaturesChecked - before;
}

const PREPARED = certificate('prepare', 0, 1, 'X');
const FORGED = certificate('commit', 0, 1, 'X'); // commit votes are no prepare certificate

test('a view change repeated costs no signature, nor does its certificate at a primary that waits', () => {
  const b = new Table('b');
  const changes = [viewChange('a', 1, undefined, [PREPARED]), viewChange('c', 1, undefined, [FORGED])];
  cost(b, ...changes); // b joins, and lacks one that it can use
  assert.equal(b.status.phase, 'viewChange');
  assert.equal(cost(b, ...changes), 0);
  const before = b.signaturesChecked;
  for (let i = 0; i < 20; i++) b.tick(20);
  assert.equal(b.signaturesChecked, before);
});

test('a new view repeated, or made of view changes heard before, costs its own signature', () => {
  const c = new Table('c');
  const good = [viewChange('a', 1, undefined, [PREPARED]), viewChange('b', 1), viewChange('d', 1)];
  const bad = newView('b', 1, [...good.slice(0, 2), viewChange('d', 1, undefined, [FORGED])]);
  assert.ok(cost(c, bad) > 4);
  assert.equal(cost(c, bad), 1);
  assert.equal(cost(c, newView('b', 1, good)), 2); // of the view changes one is new
  assert.equal(c.status.view, 1);
});

test('certificates of one block by different voters cost each vote once', () => {
  const c = new Table('c');
  const [first, second] = [
    ['a', 'b', 'c'],
    ['b', 'c', 'd'],
  ].map((voters) => certificate('prepare', 0, 1, 'X', voters));
  const changes = [viewChange('a', 1, undefined, [first!]), viewChange('b', 1, undefined, [second!]), viewChange('d', 1)];
  assert.equal(cost(c, newView('b', 1, changes)), 1 + 3 + 4); // of the new view, of its view changes, of four votes
  assert.equal(c.status.view, 1);
});

test('a certificate that shows a height ahead is checked once, and anew under other validators', () => {
  const c = new Table('c');
  const ahead: Message = { kind: 'committed', certificate: certificate('commit', 0, 9, 'Y') };
  assert.equal(cost(c, ahead), 3);
  assert.equal(cost(c, ahead), 0);
  c.delivered('X');
  assert.equal(cost(c, ahead), 3);
});

test('a new view that waits for sync costs its own signature after it, and those of validators whose key is another', () => {
  const voters = ['a', 'b', 'd'];
  const final = certificate('commit', 0, 1, 'X');
  const prepared = certificate('prepare', 0, 2, 'Y', voters);
  const bytes = encodeMessage(
    newView(
      'b',
      1,
      voters.map((node) => viewChange(node, 1, final, [prepared])),
    ),
  );
  // Votes for a height above ours are first checked by the pool, where the frame is long.
  const keys = new Map(validators().map((validator) => [validator.node, validator]));
  const message = voteSigningBytes(CHAIN_ID, 'prepare', prepared.view, prepared.height, prepared.digest);
  const valid = prepared.votes.map(({ node, signature }) => ({ ...keys.get(node)!, message, signature }));
  const afterSync = (set: Validator[]): readonly [number, number] => {
    const c = new Table('c');
    c.step({ kind: 'message', from: 'b', bytes, valid });
    const before = c.signaturesChecked;
    c.delivered('X', 1, 0, undefined, voters, set);
    return [c.signaturesChecked - before, c.status.view];
  };
  assert.deepEqual(afterSync(validators()), [1, 1], 'its own');
  assert.deepEqual(afterSync(rekeyed('d')), [2, 0], 'and a view change that counts no longer');
});

test('verdicts are bounded: a flood of new ones only makes the old be judged again', () => {
  let judged = 0;
  const verify = () => ++judged > 0;
  const hash = (data: Uint8Array) => createHash('sha256').update(data).digest();
  const start = { chainId: CHAIN_ID, self: 'c', validators: validators(), height: 0, digest: d('genesis'), finality: undefined };
  const replica = createReplica({ ...start, parameters: PARAMETERS, log: [] }, { hash, verify, sign: () => new Uint8Array(32) });
  const signed = (view: number) => isSigned(replica, viewChange('d', view), encodeMessage(viewChange('d', view)));
  judged = 0;
  for (let view = 1; view <= 2 * VERDICTS_MAX; view++) {
    assert.ok(signed(view));
    assert.ok(replica.verdicts.size <= VERDICTS_MAX);
  }
  assert.equal(judged, 2 * VERDICTS_MAX);
  signed(2 * VERDICTS_MAX);
  assert.equal(judged, 2 * VERDICTS_MAX);
  signed(1);
  assert.equal(judged, 2 * VERDICTS_MAX + 1);
});
