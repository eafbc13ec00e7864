import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { formatOfName, type RawRow, type RowFormat, rowSource } from '../../../../../api/cli/import/rows.ts';
import { ChainError } from '../../../../../node/errors/index.ts';

async function* pieces(text: string, size: number): AsyncGenerator<string> {
  for (let i = 0; i < text.length; i += size) yield text.slice(i, i + size);
}

async function read(format: RowFormat, text: string, size = 7): Promise<{ rows: RawRow[]; body: string }> {
  const source = rowSource(format, pieces(text, size));
  const rows: RawRow[] = [];
  for await (const row of source.rows()) rows.push(row);
  return { rows, body: source.body(rows) };
}
const texts = async (format: RowFormat, text: string, size?: number) => (await read(format, text, size)).rows.map((row) => row.text);
const malformed = (error: unknown) => error instanceof ChainError && error.code === 'CLI_FILE_MALFORMED';

test('items of a JSON array keep every character of their own', async () => {
  const text = '\ufeff [ {"a": 40.0, "b": "x,]}\\"[{"} ,\n[1, [2]], "t\\\\", -1e5 ] \n';
  assert.deepEqual(await texts('json', text), ['{"a": 40.0, "b": "x,]}\\"[{"}', '[1, [2]]', '"t\\\\"', '-1e5']);
  assert.deepEqual(await texts('json', '{"a": {"b": 1.50}}'), ['{"a": {"b": 1.50}}']);
  assert.deepEqual(await texts('json', ' [ ] '), []);
});

test('a body made of the rows of an array is an array of the same values', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.jsonValue(), { maxLength: 5 }), fc.integer({ min: 1, max: 9 }), async (values, size) => {
      const { rows, body } = await read('json', JSON.stringify(values, undefined, 1), size);
      assert.equal(rows.length, values.length);
      assert.deepEqual(JSON.parse(body), JSON.parse(JSON.stringify(values)));
    }),
    { numRuns: 200 },
  );
});

test('a JSON file whose frame is broken is refused', async () => {
  for (const text of ['', '[1', '[1]]', '[1] 2', '{"a": 1', 'x', '[,]', '{} {}'])
    await assert.rejects(texts('json', text), malformed, text);
});

test('JSON lines are rows, blank lines are none', async () => {
  assert.deepEqual(await texts('jsonl', '{"a":1}\r\n\n  {"a":2}\n{"a":3}'), ['{"a":1}', '{"a":2}', '{"a":3}']);
});

test('a CSV row may hold line ends in quotes, and is numbered as a spreadsheet shows it', async () => {
  const text = '\ufeffname,note\r\nA,"two\r\nlines, ""quoted"""\r\nB,\r\n\r\nC,"end"';
  const { rows, body } = await read('csv', text, 3);
  assert.deepEqual(
    rows.map((row) => [row.index, row.number, row.text]),
    [
      [0, 2, 'A,"two\r\nlines, ""quoted"""'],
      [1, 3, 'B,'],
      [2, 5, 'C,"end"'],
    ],
  );
  assert.equal(body, 'name,note\r\nA,"two\r\nlines, ""quoted"""\r\nB,\r\nC,"end"\r\n');
  await assert.rejects(texts('csv', 'a,b\n"open'), malformed);
  for (const size of [1, 7]) // a bare quote opens nothing
    assert.deepEqual(await texts('csv', 'a,b\n12 1/2",x\n"",y"\n"",""""\n', size), ['12 1/2",x', '"",y"', '"",""""']);
  await assert.rejects(texts('csv', ''), malformed);
});

test('children of <records> are rows, comments and CDATA inside them are kept', async () => {
  const first = '<record><!-- a > b --><a x="1>2">1</a><b><![CDATA[</record>]]></b></record>';
  const text = `<?xml version="1.0"?>\n<!-- head -->\n<records>\n ${first}\n<record/>\n</records>\n`;
  for (const size of [1, 2, 5, 1000]) assert.deepEqual(await texts('xml', text, size), [first, '<record/>']);
  const { body } = await read('xml', text);
  assert.equal(body, `<records>${first}\n<record/></records>`);
});

test('an XML file that is one record is one row', async () => {
  const { rows, body } = await read('xml', '<?xml version="1.0"?>\n<record><a>1</a></record>\n', 4);
  assert.equal(rows.length, 1);
  assert.equal(body, '<record><a>1</a></record>');
  await assert.rejects(texts('xml', '<records><record>'), malformed);
  await assert.rejects(texts('xml', '<!DOCTYPE a [<!ENTITY b "c">]><record/>'), malformed);
});

test('the format is told by the ending of the name', () => {
  assert.deepEqual(['a.JSON', 'a.ndjson', 'a.b.csv', 'a.xml', 'a.txt', 'json'].map(formatOfName), [
    'json',
    'jsonl',
    'csv',
    'xml',
    undefined,
    'json',
  ]);
});
