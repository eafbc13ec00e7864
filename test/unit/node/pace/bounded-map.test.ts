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

test('where values differ in size, it holds so many bytes, and the newest value in any case', () => {
  const map = new BoundedMap<string, Uint8Array>(3, { bytesMax: 10, bytesOf: ({ length }) => length });
  const set = (key: string, bytes: number): string => [...map.set(key, new Uint8Array(bytes)).keys()].join('');
  assert.equal(set('a', 6), 'a');
  assert.equal(set('b', 4), 'ab');
  assert.equal(set('c', 1), 'bc');
  assert.equal(set('b', 9), 'cb', 'set again, it counts once');
  assert.equal(set('d', 20), 'd');
  assert.equal(set('e', 1), 'e');
  map.delete('e');
  assert.equal([set('f', 5), set('g', 5)].at(-1), 'fg');
  map.clear();
  assert.equal([set('a', 3), set('b', 3), set('c', 3), set('d', 1)].at(-1), 'bcd', 'and no more than so many');
});
