import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Probe, provedBefore, type Row, rows } from './clause.ts';
import { leaves, xmlLeaves } from './answers.ts';
import type { ProbeContext } from './context.ts';
import { canonical, write } from './records.ts';
import { filesUnder } from '../tools/source.ts';
import { loadProbes, reportOf, runProbes } from './verdicts.ts';

/** Owners of clauses by the longest prefix (DESIGN, "What comes after part 1"). */
const OWNERS: readonly (readonly [string, number, string])[] = [
  ['5.1.3', 2, 'consensus'],
  ['6.3', 2, 'consensus'],
  ['5.1.2', 3, 'contracts'],
  ['5.2.1.3.b', 3, 'contracts'],
  ['6.2', 3, 'contracts'],
  ['5.1.1', 4, 'data'],
  ['6.1.1', 4, 'data'],
  ['6.1.2', 4, 'data'],
  ['6.1.3', 4, 'data'],
  ['5.1.1.d', 5, 'rights'],
  ['5.2', 5, 'rights'],
  ['6.1.2.b', 5, 'rights'],
  ['6.1.4', 5, 'rights'],
  ['5.1.4', 6, 'network'],
  ['6.3.3.d', 6, 'network'],
  ['6.4', 6, 'network'],
  ['6.3.1.a', 7, 'engines'],
  ['5.1', 8, 'people'],
  ['A.1', 4, 'data'],
];

test('there are 105 rows: 17 of clause 5.1, 18 of 5.2, 69 of clause 6 and the table of annex A, each whole and told apart', () => {
  const all = rows();
  assert.equal(all.length, 105);
  assert.equal(new Set(all.map((row) => row.id)).size, 105);
  const count = (prefix: string) => all.filter((row) => row.id === prefix || row.id.startsWith(`${prefix}.`)).length;
  assert.deepEqual([count('5.1'), count('5.2'), count('6'), count('A')], [17, 18, 69, 1]);
  for (const row of all) {
    assert.match(row.id, /^(?:[56](?:\.\d+)+(?:\.[a-e](?:-\d)?)?|A\.1)$/);
    assert.match(row.level, /^(?:shall|should)$/);
    for (const text of [row.statement, row.original, row.shows]) assert.equal(text.length > 3, true, row.id);
    assert.match(row.original, /[\u4e00-\u9fff]/, row.id);
  }
});

test('each row has the owner that its clause has, and the layer of its clause', () => {
  for (const row of rows()) {
    const match = OWNERS.filter(([prefix]) => row.id === prefix || row.id.startsWith(`${prefix}.`)).sort(
      (a, b) => b[0].length - a[0].length,
    )[0];
    assert.deepEqual(row.owner, { part: match![1], name: match![2] }, row.id);
    const layers = { '1': 'application', '2': 'contract', '3': 'consensus', '4': 'network' } as const;
    const section = /^(?:5\.1|6)\.([1-4])/.exec(row.id)?.[1] as keyof typeof layers | undefined;
    const expected = row.id === 'A.1' ? 'application' : section === undefined ? 'all' : layers[section];
    assert.equal(row.layer, expected, row.id);
  }
});

test('every probe is named by a row, stands in the file of its name, and the floor holds no row without one', async () => {
  const ids = rows().map((row) => row.id);
  const probes = await loadProbes();
  const files = filesUnder('test/conformance/probes', '.ts');
  assert.deepEqual(files, probes.map((probe) => `test/conformance/probes/${probe.id.toLowerCase().replace(/\./g, '-')}.ts`).sort());
  for (const probe of probes) assert.equal(ids.includes(probe.id), true, probe.id);
  assert.equal(new Set(probes.map((probe) => probe.id)).size, probes.length);
  for (const id of provedBefore())
    assert.equal(
      probes.some((probe) => probe.id === id),
      true,
      `${id} is in the floor and has no probe`,
    );
});

test('a row counts only when its probe and its twin held, and a fallen row is told', async () => {
  const fail = async () => {
    throw new Error('it did not');
  };
  const hold = async () => {};
  const probes: Probe[] = [
    { id: '5.1.1.b', prove: hold, twin: hold },
    { id: '5.1.2.b', prove: hold, twin: fail },
    { id: '5.1.3.b', prove: fail, twin: hold },
    { id: '9.9', prove: hold, twin: hold },
  ];
  const verdicts = await runProbes(probes, {} as ProbeContext, () => {});
  const report = reportOf(rows(), verdicts, ['5.1.1.b', '5.1.3.b', '6.1.1.a'], (id) => id.startsWith('5'));
  assert.deepEqual(report.proved, ['5.1.1.b']);
  assert.deepEqual(report.fallen, ['5.1.3.b']);
  const lines = report.text.split('\n');
  assert.equal(lines.at(-1), '1 of 105 proved');
  assert.equal(lines.includes('✖ 5.1.2.b twin: it did not'), true);
  assert.equal(lines.includes('part 8 people (1): 5.1'), true);
  const listed = lines.filter((line) => line.startsWith('part ')).flatMap((line) => line.slice(line.indexOf(': ') + 2).split(' '));
  assert.equal(listed.length, 104);
});

test('answers compare by their leaves in both formats, and records are written alike in three', () => {
  const data = { a: '1 < 2', list: [{ b: 2 }, { b: true }], none: null };
  const xml =
    '<response><code>OK</code><data><a>1 &lt; 2</a><list><item><b>2</b></item><item><b>true</b></item></list><none/></data></response>';
  assert.deepEqual(xmlLeaves(xml, 'data'), leaves(data));
  assert.notDeepEqual(xmlLeaves(xml.replace('true', 'false'), 'data'), leaves(data));
  assert.equal(canonical({ b: 'x', a: { d: '"', c: '2' } }), '{"a":{"c":"2","d":"\\""},"b":"x"}');
  assert.equal(write({ a: 'x"y', s: { b: '1' } }, 'csv'), '"a","s.b"\r\n"x""y","1"\r\n');
  assert.equal(
    write({ a: '<&>', s: { b: '1' } }, 'xml'),
    '<?xml version="1.0" encoding="UTF-8"?>\n<record><a>&lt;&amp;&gt;</a><s><b>1</b></s></record>',
  );
});

test('the owner of a row is one of seven parts', () => {
  const parts = new Set(rows().map((row: Row) => row.owner.part));
  assert.deepEqual([...parts].sort(), [2, 3, 4, 5, 6, 7, 8]);
});
