import assert from 'node:assert/strict';
import { test } from 'node:test';
import { VALIDATORS_MAX } from '../../../../node/format/index.ts';
import {
  FrameInbox,
  INBOX_BYTES_MAX,
  INBOX_FRAMES_MAX,
  INBOX_FRAMES_PER_PEER_MAX,
  INBOX_OTHERS_BYTES_MAX,
  INBOX_OTHERS_FRAMES_MAX,
  INBOX_OTHERS_PER_PEER_MAX,
} from '../../../../node/chain/frame-inbox.ts';
import { FRAME_BYTES_MAX } from '../../../../node/world.ts';

const names = (count: number, prefix = 'v') => Array.from({ length: count }, (_, i) => `${prefix}${i}`);
const VOTE_BYTES = 160;
const honest = (i: number) => ({ from: 'v0', bytes: Uint8Array.of(i, 1, 2) });

function drained(inbox: FrameInbox): { from: string; bytes: Uint8Array }[] {
  const frames = [];
  for (let frame = inbox.take(); frame; frame = inbox.take()) frames.push(frame);
  return frames;
}

for (const validators of [4, 9, 40, VALIDATORS_MAX])
  for (const frameBytes of [VOTE_BYTES, FRAME_BYTES_MAX.votes])
    test(`of ${validators} validators all but one flood frames of ${frameBytes} bytes, and none of its share is lost`, () => {
      const all = names(validators);
      const inbox = new FrameInbox(all);
      const big = new Uint8Array(frameBytes);
      const flood = () => {
        for (const from of all.slice(1)) for (let i = 0; i < (frameBytes > VOTE_BYTES ? 20 : 600); i++) inbox.push({ from, bytes: big });
      };
      const share = Math.min(INBOX_FRAMES_PER_PEER_MAX, Math.floor(INBOX_FRAMES_MAX / validators));
      flood();
      for (let i = 0; i < share; i++) inbox.push(honest(i));
      flood();
      assert.ok(inbox.count <= INBOX_FRAMES_MAX);
      const frames = drained(inbox);
      assert.equal(frames.filter(({ from }) => from === 'v0').length, share);
      assert.ok(frames.reduce((sum, { bytes }) => sum + bytes.length, 0) <= INBOX_BYTES_MAX);
      assert.ok(frames.findIndex(({ from }) => from === 'v0') < validators, 'and the first of it is read in the first round');
    });

test('a longest frame finds place beside any number of others', () => {
  const all = names(VALIDATORS_MAX);
  const inbox = new FrameInbox(all);
  for (const from of all.slice(1)) for (let i = 0; i < 4; i++) inbox.push({ from, bytes: new Uint8Array(FRAME_BYTES_MAX.votes) });
  inbox.push({ from: 'v0', bytes: new Uint8Array(FRAME_BYTES_MAX.votes) });
  assert.ok(drained(inbox).some(({ from }) => from === 'v0'));
});

test('a thousand nodes that are no validators hold out none of them, and delay each by one frame a round', () => {
  const all = names(4);
  const inbox = new FrameInbox(all);
  for (const from of names(1_000, 'n')) for (let i = 0; i < 50; i++) inbox.push({ from, bytes: new Uint8Array(VOTE_BYTES) });
  for (const from of names(1_000, 'n')) inbox.push({ from, bytes: new Uint8Array(FRAME_BYTES_MAX.votes / 64) });
  for (let i = 0; i < INBOX_FRAMES_PER_PEER_MAX; i++) for (const from of all) inbox.push({ from, bytes: new Uint8Array(VOTE_BYTES) });
  const frames = drained(inbox);
  const others = frames.filter(({ from }) => from.startsWith('n'));
  assert.equal(frames.length - others.length, 4 * INBOX_FRAMES_PER_PEER_MAX);
  assert.ok(others.length <= INBOX_OTHERS_FRAMES_MAX);
  assert.ok(others.reduce((sum, { bytes }) => sum + bytes.length, 0) <= INBOX_OTHERS_BYTES_MAX);
  assert.equal(frames.slice(0, 500).filter(({ from }) => from.startsWith('n')).length, 100);
});

test('of one sender who says too much the newest is kept, in order', () => {
  const inbox = new FrameInbox(['v0']);
  for (let i = 0; i < INBOX_FRAMES_PER_PEER_MAX + 3; i++) inbox.push({ from: 'v0', bytes: Uint8Array.of(i >> 8, i & 255) });
  for (let i = 0; i < INBOX_OTHERS_PER_PEER_MAX + 2; i++) inbox.push({ from: 'x', bytes: Uint8Array.of(0, i) });
  assert.equal(inbox.dropped, 5);
  const frames = drained(inbox);
  const numbers = (of: string) => frames.filter(({ from }) => from === of).map(({ bytes }) => bytes[0]! * 256 + bytes[1]!);
  assert.deepEqual(
    numbers('v0'),
    Array.from({ length: INBOX_FRAMES_PER_PEER_MAX }, (_, i) => i + 3),
  );
  assert.deepEqual(
    numbers('x'),
    Array.from({ length: INBOX_OTHERS_PER_PEER_MAX }, (_, i) => i + 2),
  );
});

test('frames that wait follow their sender when the validators change', () => {
  const inbox = new FrameInbox(['v0', 'v1']);
  for (let i = 0; i < 3; i++) for (const from of ['v0', 'v1', 'x']) inbox.push({ from, bytes: Uint8Array.of(i) });
  inbox.setValidators(['v1', 'x']);
  assert.equal(inbox.isValidator('x'), true);
  assert.equal(inbox.isValidator('v0'), false);
  const frames = drained(inbox);
  assert.equal(frames.length, 9);
  for (const from of ['v0', 'v1', 'x'])
    assert.deepEqual(
      frames.filter((frame) => frame.from === from).map(({ bytes }) => bytes[0]),
      [0, 1, 2],
    );
});
