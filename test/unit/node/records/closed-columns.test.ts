/** A closed column answers the same however often it is asked: looked through at first, by what was made of it from the second time on. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { Steps } from '../../../../node/pace/index.ts';
import { GrowingDictionary, GrowingItems, itemColumn, type ItemColumn } from '../../../../node/records/query/columns.ts';

const ARITY = 2;

function run<T>(steps: Steps<T>): T {
  for (;;) {
    const step = steps.next();
    if (step.done === true) return step.value;
  }
}

/** @param rows items of each row, each of ARITY texts; an empty text is none */
function closed(rows: readonly (readonly (readonly string[])[])[]): ItemColumn {
  const dictionary = new GrowingDictionary();
  const growing = new GrowingItems(dictionary, ARITY);
  for (const items of rows) {
    for (const texts of items) for (const text of texts) growing.add(text === '' ? 0 : dictionary.code(text));
    growing.end();
  }
  return itemColumn(run(growing.encode()), ARITY);
}

function rowsWith(column: ItemColumn, rows: number, text: string, place: number): number[] {
  const has = new Uint8Array(rows);
  const code = column.codeOf(text);
  if (code !== 0) {
    assert.equal(column.text(code), text);
    column.mark(has, code, place);
  }
  return [...has.keys()].filter((row) => has[row] === 1);
}

function agrees(rows: readonly (readonly (readonly string[])[])[], wanted: readonly string[]): void {
  const column = closed(rows);
  for (let asked = 0; asked < 3; asked++)
    for (const text of wanted)
      for (let place = 0; place < ARITY; place++) {
        const expected = [...rows.keys()].filter((row) => rows[row]!.some((texts) => texts[place] === text));
        assert.deepEqual(rowsWith(column, rows.length, text, place), expected, `${text} at ${place}`);
      }
}

test('rows with a text are the same at every asking, in columns of few texts and of many', () => {
  const text = fc.oneof(fc.constant(''), fc.integer({ min: 0, max: 2_000 }).map(String), fc.constantFrom('批次', 'a', 'aa'));
  const rows = fc.array(fc.array(fc.tuple(text, text), { maxLength: 20 }), { minLength: 1, maxLength: 120 });
  fc.assert(
    fc.property(rows, fc.array(text, { minLength: 1, maxLength: 8 }), (made, other) => {
      const first = made.flat().slice(0, 8).flat();
      agrees(
        made,
        [...first, ...other].filter((wanted) => wanted !== ''),
      );
    }),
    { numRuns: 60 },
  );
});

/** The slot of a text among 1,024. */
function slotOf(value: string): number {
  let hash = 0x811c9dc5;
  for (const byte of Buffer.from(value)) hash = Math.imul(hash ^ byte, 0x01000193);
  return hash & 0x3ff;
}

test('texts made to collide are found, and those that are not there are not', () => {
  const alike: string[] = [];
  for (let i = 0; alike.length < 400; i++) if (slotOf(`${i}`) === 7) alike.push(`${i}`);
  agrees(
    alike.slice(0, 399).map((value) => [[value, 'x']]),
    [alike[0]!, alike[200]!, alike[398]!, alike[399]!, 'x', 'y'],
  );
});

test('a text is not found in the slot of one that ends with it', () => {
  const short = 'LOT-7';
  let longer = '';
  for (let i = 0; slotOf(longer) !== slotOf(short); i++) longer = `${i}${short}`;
  const others = Array.from({ length: 300 }, (_, i) => `other ${i}`);
  agrees(
    [longer, short, ...others].map((value) => [[value, 'x']]),
    [short, longer],
  );
});
