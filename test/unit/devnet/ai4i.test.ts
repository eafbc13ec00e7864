import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { checkContent, checkSource, production } from '../../../contracts/classes/index.ts';
import { allRoutes } from '../../../api/rest/routes/index.ts';
import { AI4I_FILE, AI4I_INTERFACE, AI4I_MAPPING_FILE, AI4I_ROWS, ai4iRecords, readAi4iRows } from '../../../devnet/ai4i.ts';
import { encodeContent, type TextStruct, textAt, toHex } from '../../../node/format/index.ts';
import { crypto } from '../node/records/sample.ts';

const factories = [
  { id: 'F-1', organisation: 'alpha', location: 'Kunming', devices: ['D-1', 'D-2'] },
  { id: 'F-2', organisation: 'beta', location: 'Qujing', devices: ['D-3'] },
];

test('all 10,000 rows become annex A records that pass their class, the same on every run', () => {
  const rows = readAi4iRows(readFileSync(AI4I_FILE, 'utf8'));
  const products = new Set<string>();
  const organisations = new Map<string, number>();
  let failures = 0;
  let first = '';
  let seq = 0;
  for (const { organisation, record, source } of ai4iRecords(rows, factories)) {
    assert.deepEqual(checkSource(source), []);
    assert.equal(source.seq, `${++seq}`);
    assert.deepEqual(checkContent(production, record, 'clear'), []);
    products.add(textAt(record, 'product_uid')!);
    organisations.set(organisation, (organisations.get(organisation) ?? 0) + 1);
    if (textAt(record, 'ext.parameters.machine_failure.value') === '1') failures++;
    if (first === '') first = toHex(crypto.hash(encodeContent(record)));
  }
  assert.equal(products.size, AI4I_ROWS);
  assert.equal(failures, 339);
  assert.deepEqual(
    [...organisations],
    [
      ['alpha', 5_000],
      ['beta', 5_000],
    ],
  );
  assert.equal(toHex(crypto.hash(encodeContent(ai4iRecords(rows, factories).next().value!.record))), first);
});

test('the source of a row names an interface of the registry', () => {
  assert.ok(allRoutes().some((route) => route.operationId === AI4I_INTERFACE));
});

test('invented values are named beside the registered mapping, whose document tells the rule of each', () => {
  const rows = readAi4iRows(readFileSync(AI4I_FILE, 'utf8'));
  const { record } = ai4iRecords(rows, factories).next().value!;
  const { mapping, paths } = (record.ext as TextStruct).filled as { readonly mapping: string; readonly paths: readonly string[] };
  const document = readFileSync(AI4I_MAPPING_FILE, 'utf8');
  assert.ok(document.includes(`\`${mapping}\``));
  const rules = document.slice(document.indexOf('Invented'));
  for (const path of paths) assert.ok(rules.includes(`\`${path}\``), path);
  assert.ok(JSON.stringify((record.ext as TextStruct).filled).length < 250, 'rules in words are not repeated in every record');
});

test('rows repeat under new product ids when more are asked for', () => {
  const rows = readAi4iRows(readFileSync(AI4I_FILE, 'utf8'));
  const ids = Array.from(ai4iRecords(rows, factories, 10_001), ({ record }) => record.product_uid);
  assert.equal(ids.at(-1), 'M14860-2');
});
