import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { canonicalTextOf } from '../../../api/cli/canonical.ts';
import { type Sample, sampleText } from '../../../devnet/sample-record.ts';
import { searchFiles, searchStores } from '../../../devnet/search-bytes.ts';
import { expect, runSteps } from '../../../devnet/steps.ts';
import { planTopology, worksOf } from '../../../devnet/topology.ts';
import { openLevelStore } from '../../../node/store/index.ts';

const directory = mkdtempSync(join(tmpdir(), 'scenario-'));
after(() => rmSync(directory, { recursive: true }));

test('every step is printed, a failed one does not end the scenario, one that needs it is not tried', async () => {
  const lines: string[] = [];
  let tried = false;
  const outcomes = await runSteps(
    [
      { name: 'first', run: async () => 'well' },
      { name: 'second', run: async () => expect(false, 'it did not hold') as never },
      {
        name: 'third',
        needs: ['first', 'second'],
        run: async () => {
          tried = true;
          return '';
        },
      },
      { name: 'fourth', needs: ['first'], run: async () => '' },
    ],
    (line) => lines.push(line.replace(/\d+ ms/, 'N ms')),
  );
  assert.deepEqual(
    outcomes.map((outcome) => outcome.held),
    [true, false, false, true],
  );
  assert.equal(tried, false);
  assert.deepEqual(lines, [
    'ok     first: well (N ms)',
    'FAILED second: it did not hold (N ms)',
    'FAILED third: not tried, because this did not hold: second (N ms)',
    'ok     fourth (N ms)',
  ]);
});

const sample: Sample = {
  productUid: 'P & <1>',
  productionTime: '2025-01-01T00:00:00Z',
  ...worksOf('machining'),
  productionBatch: 'PB "7", a',
  supplier: 'Steel, "Special"\nLtd.',
  materialBatch: 'RM-1',
  operatorName: 'Qian 钱',
  operatorId: 'E-1',
};

test('the sample record is one record in all three formats', () => {
  const texts = (['json', 'xml', 'csv'] as const).map((format) =>
    canonicalTextOf(format, Buffer.from(sampleText(sample, format)), 'production'),
  );
  assert.equal(texts[0]!.length, 1);
  assert.deepEqual(texts[1], texts[0]);
  assert.deepEqual(texts[2], texts[0]);
  assert.ok(texts[0]![0]!.includes('"pro_temperature":"21.50"'));
});

test('a name is found in any file in UTF-8, UTF-16LE, as JSON escapes, in hex and base64, and a digest as it is', () => {
  const home = join(directory, 'files');
  mkdirSync(join(home, 'deep'), { recursive: true });
  const name = 'Qian 钱钟书';
  writeFileSync(join(home, 'clean.log'), 'nothing');
  assert.deepEqual(searchFiles(home, [name]), { files: 1, found: [] });
  writeFileSync(join(home, 'deep', 'a.log'), `x${name}y`);
  writeFileSync(join(home, 'deep', 'b.bin'), Buffer.from(`x${name}`, 'utf16le'));
  writeFileSync(join(home, 'deep', 'c.json'), '{"n":"Qian \\u94b1\\u949f\\u4e66"}');
  writeFileSync(join(home, 'd.hex'), Buffer.from(`x${name}`).toString('hex'));
  for (const before of ['', 'x', 'xy']) writeFileSync(join(home, `e${before}.b64`), Buffer.from(`${before}${name}yz`).toString('base64'));
  const { files, found } = searchFiles(home, [name]);
  assert.equal(files, 8);
  assert.deepEqual(found.map((row) => row.form).sort(), ['JSON escapes', 'UTF-16LE', 'UTF-8', 'base64', 'base64', 'base64', 'hex']);
  const digest = 'a7'.repeat(32);
  writeFileSync(join(home, 'f.bin'), Buffer.from(`x${digest}`.slice(1), 'hex'));
  assert.deepEqual(
    searchFiles(home, [digest]).found.map((row) => row.form),
    ['digest'],
  );
});

test('a name is found in a stored value although the file on disk is compressed', async () => {
  const path = join(directory, 'stores', 'ledger');
  const store = await openLevelStore({ path });
  const value = Buffer.from(`Qian ${'Qian Zhong '.repeat(40)}Zhongshu-42`);
  await store.batch(
    Array.from({ length: 3 }, (_, i) => ({ key: `k${i}`, value: i === 1 ? value : Buffer.from('clean') })),
    { sync: true },
  );
  await store.close();
  const { values, found } = await searchStores(join(directory, 'stores'), ['Zhong Zhongshu-42']);
  assert.equal(values, 3);
  assert.equal(found.length, 1);
  assert.equal((await searchStores(join(directory, 'stores'), ['Zhongshu-43'])).found.length, 0);
});

test('a devnet has at least four nodes, and each organisation a factory and a device of its own', () => {
  const plan = planTopology(4);
  for (const { id } of plan.organisations) {
    const { factory, device } = worksOf(id);
    assert.ok(plan.factories.some((row) => row.id === factory && row.organisation === id));
    assert.ok(plan.devices.some((row) => row.id === device && row.organisation === id && row.factory === factory));
  }
  assert.throws(() => planTopology(3), RangeError);
});
