import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BoundedMap } from '../../../../node/pace/bounded-map.ts';

test('a bounded map forgets what was set longest ago, and nothing while it has room', () => {
  const map = new BoundedMap<string, number>(3);
  for (const [i, key] of ['a', 'b', 'c', 'a', 'd'].entries()) map.set(key, i);
  assert.deepEqual(
    [...map],
    [
      ['c', 2],
      ['a', 3],
      ['d', 4],
    ],
  );
  map.delete('a');
  map.set('c', 5).set('e', 6);
  assert.deepEqual([...map.keys()], ['d', 'c', 'e']);
});
