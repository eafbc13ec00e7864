import assert from 'node:assert/strict';
import { test } from 'node:test';
import { EXPEL_AFTER_MS, Leaving } from '../../../../node/peers/leaving.ts';

const listed = (names: string) =>
  Array.from(names, (node) => ({ node, transportKey: new Uint8Array(32).fill(node.charCodeAt(0)), addresses: [] }));
const names = (nodes: readonly { readonly node: string }[]): string => nodes.map(({ node }) => node).join('');

test('a node that left is heard for its whole time, whatever else changes, and no longer', () => {
  const leaving = new Leaving();
  const steps: readonly (readonly [nowMs: number, after: string, left: string, heard: string, nextMs: number | undefined])[] = [
    [0, 'abcd', '', '', undefined],
    [100, 'abc', 'd', 'd', 100 + EXPEL_AFTER_MS],
    [200, 'abc', '', 'd', 100 + EXPEL_AFTER_MS], // a change that is of none of them
    [300, 'ab', 'c', 'dc', 100 + EXPEL_AFTER_MS],
    [99 + EXPEL_AFTER_MS, 'ab', '', 'dc', 100 + EXPEL_AFTER_MS],
    [100 + EXPEL_AFTER_MS, 'ab', '', 'c', 300 + EXPEL_AFTER_MS],
    [200 + EXPEL_AFTER_MS, 'abc', '', '', undefined], // taken back: it is admitted by name again
    [250 + EXPEL_AFTER_MS, 'ab', 'c', 'c', 250 + 2 * EXPEL_AFTER_MS],
    [250 + 3 * EXPEL_AFTER_MS, 'ab', '', '', undefined],
  ];
  let before = listed('abcd');
  for (const [nowMs, after, left, heard, nextMs] of steps) {
    const now = listed(after);
    assert.equal(names(leaving.change(before, now, nowMs)), left, `left at ${nowMs}`);
    assert.equal(names(leaving.heard(nowMs)), heard, `heard at ${nowMs}`);
    assert.equal(leaving.nextMs(), nextMs, `next at ${nowMs}`);
    before = now;
  }
});
