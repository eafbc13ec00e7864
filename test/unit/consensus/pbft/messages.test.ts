import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  type RecoveryQuery,
  type Body,
  decodeMessage,
  encodeMessage,
  type Fetch,
  HEIGHTS_IN_FLIGHT_MAX,
  type Message,
  type Status,
} from '../../../../consensus/pbft/messages.ts';
import { decodeRecord, encodeRecord, type LogRecord } from '../../../../consensus/pbft/vote-log.ts';
import { DecodeError, Writer } from '../../../../node/format/index.ts';
import { body, certificate, d, newView, prePrepare, recoveryReply, signed, Table, viewChange, vote } from './table.ts';

const samples: Message[] = [
  vote('prepare', 'a', 3, 4, 'X'),
  vote('commit', 'a', 3, 4, 'X'),
  vote('checkpoint', 'a', 0, 4, 'X'),
  prePrepare('a', 0, 1, 'X'),
  viewChange('b', 2, certificate('commit', 0, 1, 'X'), [certificate('prepare', 1, 2, 'Y')]),
  newView('c', 2, [viewChange('a', 2), viewChange('b', 2)]),
  { kind: 'committed', certificate: certificate('commit', 0, 1, 'X') },
  signed<Status>({ kind: 'status', height: 1, view: 2, changing: true, node: 'a' }),
  signed<Fetch>({ kind: 'fetch', height: 1, digest: d('X'), node: 'a' }),
  signed<Body>({ kind: 'body', height: 1, digest: d('X'), proposal: body('X'), node: 'a' }),
  signed<RecoveryQuery>({ kind: 'recoveryQuery', round: 1, node: 'a' }),
  recoveryReply('a', 'd', 1, undefined),
  recoveryReply('a', 'd', 1, certificate('commit', 3, 7, 'X'), [vote('commit', 'd', 3, 8, 'Y'), viewChange('d', 4)]),
];

test('every message reads back as it was written', () => {
  for (const message of samples) assert.deepEqual(plain(decodeMessage(encodeMessage(message))), plain(message));
});

test('no cut, no added byte and no other kind of damage gets past decoding as an exception of another kind', () => {
  for (const message of samples) {
    const bytes = encodeMessage(message);
    for (let length = 0; length < bytes.length; length++) assert.throws(() => decodeMessage(bytes.subarray(0, length)), DecodeError);
    assert.throws(() => decodeMessage(new Uint8Array([...bytes, 0])), DecodeError);
  }
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
      try {
        decodeMessage(bytes);
      } catch (error) {
        return error instanceof DecodeError;
      }
      return true;
    }),
    { numRuns: 500 },
  );
});

test('bytes of a kind that no message or record has are refused', () => {
  for (const kind of [0, samples.length + 1, 255]) {
    assert.throws(() => decodeMessage(new Writer().u8(kind).text('a').finish()), DecodeError);
    assert.throws(() => decodeRecord(Uint8Array.of(kind)), DecodeError);
  }
});

test('a view change has room for the heights in flight, whatever room it states', () => {
  const message = viewChange('b', 2, undefined, Array(HEIGHTS_IN_FLIGHT_MAX + 1).fill(certificate('prepare', 1, 1, 'Y')));
  const bytes = encodeMessage(message).slice();
  assert.throws(() => decodeMessage(bytes), DecodeError);
  const stated = encodeMessage(viewChange('b', 2)).length - message.signature.length - 4 - 4 - 4; // ahead of two lengths and itself
  assert.equal(new DataView(bytes.buffer).getUint32(stated), HEIGHTS_IN_FLIGHT_MAX);
  new DataView(bytes.buffer).setUint32(stated, HEIGHTS_IN_FLIGHT_MAX + 1);
  assert.throws(() => decodeMessage(bytes), DecodeError);
});

test('a record of a vote holds a vote, and one of a view change a view change', () => {
  const [aVote, aViewChange] = [vote('commit', 'a', 0, 1, 'X'), viewChange('a', 1)];
  assert.throws(() => decodeRecord(encodeRecord({ kind: 'vote', vote: aVote, frame: encodeMessage(aViewChange) })), DecodeError);
  const bytes = encodeRecord({ kind: 'vote', vote: aVote }).slice();
  bytes[0] = encodeRecord({ kind: 'viewChange', message: aViewChange })[0]!;
  assert.throws(() => decodeRecord(bytes), DecodeError);
});

test('a replica bears any bytes from anyone', () => {
  const table = new Table('b');
  const sampleBytes = samples.map(encodeMessage);
  fc.assert(
    fc.property(fc.nat(), fc.nat(), fc.nat(255), fc.constantFrom('a', 'c', 'd', 'stranger'), (which, at, value, from) => {
      const bytes = sampleBytes[which % sampleBytes.length]!.slice();
      bytes[at % bytes.length] = value;
      table.step({ kind: 'message', from, bytes });
      return table.votesSent().length === 0;
    }),
    { numRuns: 500 },
  );
});

test('every vote log record reads back as it was written, and damage is seen', () => {
  const records: LogRecord[] = [
    { kind: 'mark', stableCheckpoint: 16 },
    { kind: 'body', height: 1, digest: d('X'), proposal: body('X') },
    { kind: 'proposed', height: 1, view: 0, digest: d('X'), signature: new Uint8Array(64) },
    { kind: 'vote', vote: vote('commit', 'a', 0, 1, 'X') },
    { kind: 'prepared', certificate: certificate('prepare', 0, 1, 'X') },
    { kind: 'viewChange', message: viewChange('a', 1) },
    { kind: 'entered', view: 1, height: 1, digest: undefined },
    { kind: 'entered', view: 1, height: 1, digest: d('X') },
    { kind: 'floor', height: 9, view: 3 },
  ];
  for (const record of records) {
    const bytes = encodeRecord(record);
    assert.deepEqual(plain(decodeRecord(bytes)), plain(record));
    assert.throws(() => decodeRecord(bytes.subarray(0, bytes.length - 1)), DecodeError);
  }
});

/** Views on a frame and arrays of their own compare alike. */
function plain(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value, (_, v: unknown) => (v instanceof Uint8Array ? [...v] : v)));
}
