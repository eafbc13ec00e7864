import assert from 'node:assert/strict';
import { test } from 'node:test';
import { checkContent, type ClassDefinition, nearestName } from '../../../../contracts/index.ts';

/** The whole table of Levenshtein. */
function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) next.push(Math.min(row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1), row[j]! + 1, next[j - 1]! + 1));
    row = next;
  }
  return row[b.length]!;
}

function nearestByTable(name: string, known: readonly string[]): string | undefined {
  let least = Math.min((name.length + 1) >>> 1, 4);
  let nearest: string | undefined;
  for (const candidate of known) {
    if (distance(name, candidate) >= least) continue;
    least = distance(name, candidate);
    nearest = candidate;
  }
  return nearest;
}

test('the nearest name is the one of the whole table', () => {
  let seed = 7;
  const draw = (below: number): number => {
    seed = (seed * 48_271) % 2_147_483_647;
    return seed % below;
  };
  const word = (): string => Array.from({ length: draw(9) }, () => 'abc'[draw(3)]).join('');
  let found = 0;
  for (let i = 0; i < 3_000; i++) {
    const [name, known] = [word(), Array.from({ length: 4 }, word)];
    const nearest = nearestName(name, known);
    assert.equal(nearest, nearestByTable(name, known), `${name} among ${known.join(' ')}`);
    if (nearest !== undefined) found++;
  }
  assert.ok(found > 300, `${found}`);
});

test('names are compared up to a bound: a record of many unknown names gets suggestions for the first of them', () => {
  const names = Array.from({ length: 1_000 }, (_, i) => `${'n'.repeat(50)}${i}`);
  const definition: ClassDefinition = {
    ...{ name: 'wide', version: 1, key: [], facts: {} },
    body: { type: 'struct', properties: Object.fromEntries(names.map((name) => [name, { type: 'text' } as const])) },
  };
  const content = Object.fromEntries(Array.from({ length: 100 }, (_, i) => [`${'n'.repeat(49)}m${i}`, 'x']));
  const faults = checkContent(definition, content, 'clear');
  assert.equal(faults.length, 100);
  const suggested = faults.filter(({ data }) => data.nearest !== undefined).length;
  assert.ok(suggested > 0 && suggested < 20, `${suggested}`);
});
