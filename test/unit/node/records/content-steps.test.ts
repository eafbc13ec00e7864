/** Contents read and compared in steps: the verdicts are those of the contract. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { sameAsStoredSteps } from '../../../../node/records/same-content.ts';
import { contentSteps } from '../../../../node/records/index.ts';
import { production, respell } from '../../../../contracts/index.ts';
import { decodeContent, encodeContent, textAt, type TextStruct } from '../../../../node/format/index.ts';
import { withSeals } from '../../../../node/records/index.ts';
import { annexRecord, crypto } from './sample.ts';
import { normalDigestOf } from './shelf.ts';

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

function versionOf(content: Uint8Array) {
  return { recordDigest: crypto.hash(content), normalDigest: normalDigestOf(production, content) };
}

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
      assert.equal(ended(sameAsStoredSteps(crypto, production, own, versionOf(held))), alike, `${i} of ${items}`);
      assert.equal(ended(sameAsStoredSteps(crypto, production, held, versionOf(own))), alike, `${i} of ${items}, the other way`);
    }
    assert.equal(ended(sameAsStoredSteps(crypto, production, new Uint8Array(0), versionOf(encodeContent(stored)))), false, 'a tombstone');
  }
});

/** Names and texts that look like a path, quotes and all. */
const struct = fc.letrec<{ tree: TextStruct[string]; struct: TextStruct }>((tie) => ({
  tree: fc.oneof(
    { maxDepth: 3 },
    fc.constantFrom('x', '"', '\\', '"t":"x"', ',t', '}'),
    fc.array(tie('tree'), { maxLength: 3 }),
    tie('struct'),
  ),
  struct: fc.dictionary(fc.constantFrom('s', 't', 'u', 't"', 's.t', '10'), tie('tree'), { maxKeys: 4 }),
})).struct;

test('texts are replaced at their paths and nowhere else', () => {
  fc.assert(
    fc.property(struct, fc.constantFrom('s', 't', 's.t', 's.t.u', 't.t'), fc.constantFrom('', 'new', '"\\'), (tree, path, text) => {
      const [bytes, held] = [encodeContent(tree), textAt(tree, path)];
      fc.pre(held !== undefined && path.split('.').every((_, i, parts) => isStructAt(tree, parts.slice(0, i))));
      assert.deepEqual(ended(respell(bytes, new Map([[path, text]]))), encodeContent(withText(tree, path.split('.'), text)));
    }),
    { numRuns: 2_000 },
  );
});

function isStructAt(tree: TextStruct, path: readonly string[]): boolean {
  let value: TextStruct[string] | undefined = tree;
  for (const part of path) value = (value as TextStruct)[part];
  return typeof value === 'object' && !Array.isArray(value);
}

function withText(content: TextStruct, [name, ...rest]: readonly string[], text: string): TextStruct {
  return { ...content, [name!]: rest.length === 0 ? text : withText(content[name!] as TextStruct, rest, text) };
}

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
