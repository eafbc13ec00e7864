/** Contents read and compared in steps: the verdicts are those of the contract. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { sameContentSteps } from '../../../../node/records/same-content.ts';
import { contentSteps } from '../../../../node/records/index.ts';
import { production, sameContent } from '../../../../contracts/index.ts';
import { decodeContent, encodeContent, type TextStruct } from '../../../../node/format/index.ts';
import { withSeals } from '../../../../node/records/index.ts';
import { annexRecord } from './sample.ts';

function ended<T>(steps: Generator<void, T, void>): T {
  for (;;) {
    const step = steps.next();
    if (step.done === true) return step.value;
  }
}

/** Short enough to be read at once, and too long for it. */
const SIZES = [1, 3_000];
const recordOf = (items: number, changes: Parameters<typeof annexRecord>[0] = {}): TextStruct =>
  annexRecord({
    ext: { list: Array.from({ length: items }, (_, i) => ({ 10: `${i}`, 9: '', toString: '\\"\n', a: '中😀' })) },
    ...changes,
  });

test('a content read in steps is what it is read at once', () => {
  for (const items of SIZES) {
    const bytes = encodeContent(recordOf(items));
    assert.deepEqual(ended(contentSteps(bytes)), decodeContent(bytes));
  }
});

test('contents compared in steps have the verdict of the contract', () => {
  for (const items of SIZES) {
    const stored = recordOf(items);
    const same = { production_time: '2025-08-09T00:00:00Z' };
    const { ext, ...rest } = stored;
    const table: readonly (readonly [TextStruct, boolean])[] = [
      [stored, true],
      [recordOf(items, same), true],
      [recordOf(items, { production_time: '2025-08-09T00:00:01Z' }), false],
      [recordOf(items, { ...same, production_location: 'elsewhere' }), false],
      [recordOf(items, { ...same, production_location: { a: 'b' } }), false],
      [recordOf(items, { ...same, more: 'x' }), false],
      [recordOf(items + 1, same), false],
      [{ ...rest, ...same }, false],
      [{ ...rest, ...same, ext: (ext as { list: readonly TextStruct[] }).list }, false],
    ];
    for (const [i, [content, alike]] of table.entries()) {
      const [own, held] = [encodeContent(content), encodeContent(stored)];
      assert.equal(sameContent(production, own, held), alike, `${i} of ${items}, the contract`);
      assert.equal(ended(sameContentSteps(production, own, held)), alike, `${i} of ${items}`);
      assert.equal(ended(sameContentSteps(production, held, own)), alike, `${i} of ${items}, the other way`);
    }
    assert.equal(ended(sameContentSteps(production, encodeContent(stored), new Uint8Array(0))), false, 'a tombstone');
  }
});

test('commitments are replaced where a seal stands, and in no text that looks like one', () => {
  const [own, other, kept] = ['a', 'b', 'c'].map((letter) => letter.repeat(64)) as [string, string, string];
  const tree = (seal: string): TextStruct => ({
    a: { sealed: seal },
    b: [{ sealed: kept }, { sealed: seal }, { sealed: own, z: '1' }, { sealed: `${own}f` }],
    c: `{"sealed":"${own}"}`,
    d: own,
    '{': { x: own },
  });
  assert.deepEqual(decodeContent(ended(withSeals(encodeContent(tree(own)), new Map([[own, other]])))), tree(other));
});
