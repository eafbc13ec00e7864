import assert from 'node:assert/strict';
import { test } from 'node:test';
import { keyspace, keyspaceRange, keyspaceTable, u64Key, type KeyspaceName } from '../../../../node/store/keyspace.ts';

test('every row of the keyspace has a prefix of one byte that no other row has or had', () => {
  const rows = Object.entries(keyspaceTable);
  const seen = new Map<string, string>();
  for (const [name, row] of rows) {
    assert.equal(row.prefix.length, 1, name);
    assert.ok(row.prefix.charCodeAt(0) < 0xff, `${name}: a range needs an end`);
    assert.equal(seen.get(row.prefix), undefined, `${name} and ${seen.get(row.prefix)} share ${row.prefix}`);
    seen.set(row.prefix, name);
    assert.equal(keyspace[name as KeyspaceName], row.prefix);
    assert.ok(row.key.length > 0 && row.value.length > 0);
  }
});

test('the range of a row holds its keys and no others', () => {
  const { from, to } = keyspaceRange('header');
  const inside = keyspace.header + u64Key(5);
  assert.ok(inside >= from && inside < to);
  for (const name of Object.keys(keyspaceTable) as KeyspaceName[]) {
    if (name === 'header') continue;
    const other = keyspace[name] + u64Key(Number.MAX_SAFE_INTEGER);
    assert.ok(other < from || other >= to, name);
  }
});

test('heights as keys sort as they count', () => {
  const heights = [0, 1, 255, 256, 65_535, 65_536, 2 ** 32 - 1, 2 ** 32, 2 ** 40 + 3, Number.MAX_SAFE_INTEGER];
  for (let i = 1; i < heights.length; i++) assert.ok(u64Key(heights[i - 1]!) < u64Key(heights[i]!));
  assert.equal(u64Key(258), '\0\0\0\0\0\0\x01\x02');
  assert.throws(() => u64Key(-1), RangeError);
  assert.throws(() => u64Key(1.5), RangeError);
});
