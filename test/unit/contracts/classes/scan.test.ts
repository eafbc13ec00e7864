import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import {
  type ClassDefinition,
  type ContentForm,
  factsOf,
  judgeByReading,
  judgeContent,
  production,
  quality,
  scanContent,
  sealContent,
} from '../../../../contracts/index.ts';
import { AI4I_FILE, ai4iRecords, readAi4iRows } from '../../../../devnet/ai4i.ts';
import { encodeContent, recordIdOf, recordIdOfKeyText, type TextStruct, type TextTree, utf8 } from '../../../../node/format/index.ts';
import { filesUnder, ROOT } from '../../../tools/source.ts';
import { annexRecord, crypto } from '../../node/records/sample.ts';
import { comparedClasses, compareFromSeed, compareOn } from './compare-scanner.ts';
import { encoded } from './mutants.ts';
import { wideClass } from './wide-class.ts';

const MUTANTS = 24_000;
const FORMS: readonly ContentForm[] = ['sealed', 'clear'];
const HEX = '0f'.repeat(32);

const sealedText = (content: TextStruct): Uint8Array => encodeContent(sealContent(production, content, () => ({ sealed: HEX })));
/** Canonical text in JSON order of the test's own, for what encodeContent does not write. */
const text = (json: string): Uint8Array => utf8(json);

test('scanner, reader and checker take the same texts and tell the same of them, on mutants of every class', () => {
  const { texts, accepted } = compareFromSeed(20_251_128, MUTANTS);
  assert.ok(texts >= MUTANTS && accepted > MUTANTS / 20, `${accepted} of ${texts}`);
});

test('they agree on the data sets: AI4I, and every file and text meant to trip readers', () => {
  const rows = readAi4iRows(readFileSync(join(ROOT, AI4I_FILE), 'utf8'));
  const factory = { id: 'F-1', organisation: 'o', location: '昆明', devices: ['D-1', 'D-2'] };
  for (const { record } of ai4iRecords(rows, [factory], 300)) {
    assert.equal(compareOn(production, sealedText(record), 'sealed'), true);
    assert.equal(compareOn(production, encodeContent(record), 'clear'), true);
  }
  const files = filesUnder('test/data', '.json').map((path) => readFileSync(join(ROOT, path)));
  const texts = JSON.parse(readFileSync(join(ROOT, 'test/data/strings-blns/blns.json'), 'utf8')) as readonly string[];
  for (const form of FORMS) {
    for (const definition of comparedClasses) for (const file of files) compareOn(definition, file, form);
    for (const file of files) {
      compareOn(production, Buffer.concat([text('{"ext":{"parameters":{"a":{"value":'), file, text('}}}}')]), form);
      compareOn(quality, Buffer.concat([text('{"method":'), file, text('}')]), form);
    }
    for (const naughty of texts) {
      const changed = {
        ...annexRecord({ product_uid: naughty, production_location: naughty, ext: { parameters: { a: { value: naughty } } } }),
      };
      const bytes = encoded(form === 'sealed' ? sealContent(production, changed, () => ({ sealed: HEX })) : changed);
      if (bytes) compareOn(production, bytes, form);
      compareOn(quality, text(`{"method":${JSON.stringify(naughty)}}`), form);
    }
  }
});

const keyOfText = (keyText: Uint8Array) => JSON.parse(Buffer.from(keyText).toString()) as { readonly [name: string]: string };

test('a record is told apart from the one before: nothing of that stands in its facts or key', () => {
  const full = sealedText(
    annexRecord({ ext: { device_id: 'D', step_code: 's', links: { rel: 'contains', type: 'product', id: 'p', org: 'o' } } }),
  );
  const bare = sealedText(annexRecord({ ext: undefined }));
  scanContent(production, full, 'sealed');
  const { facts, keyText } = scanContent(production, bare, 'sealed')!;
  assert.deepEqual([facts.devices, facts.links, facts.productionBatch], [[], [], undefined]);
  assert.deepEqual(Object.keys(keyOfText(keyText)), ['pro_factory_uid', 'product_uid', 'production_time'].sort());
  const materials = [
    { pro_supplier: 'S', pro_batch_number: 'B', pro_Report_qualify_eval: 'Q' },
    { pro_supplier: 'S', pro_batch_number: 'C', pro_Report_qualify_eval: 'UNAVAILABLE' },
    { pro_supplier: 'S', pro_batch_number: 'B', pro_Report_qualify_eval: 'R' },
  ];
  assert.deepEqual(scanContent(production, sealedText(annexRecord({ pro_raw_material: materials })), 'sealed')!.facts.materials, [
    { supplier: 'S', batch: 'B', report: 'Q' },
    { supplier: 'S', batch: 'C', report: undefined },
  ]);
  const links = [
    { rel: 'contains', type: 'product', id: 'p', org: 'o' },
    { rel: 'consumes', type: 'order', id: 'q' },
  ];
  assert.deepEqual(scanContent(production, sealedText(annexRecord({ ext: { links } })), 'sealed')!.facts.links[1], {
    ...links[1],
    org: undefined,
  });
});

test('what a record repeats of the one before says the same of this one', () => {
  const filled = { mapping: 'm/1', paths: ['ext.step_code', 'propara.pro_pressure'] };
  const units = { 'propara.pro_pressure': 'Pa' };
  const record = (propara: TextStruct, ext: TextStruct) => sealedText(annexRecord({ propara, ext }));
  const all = { pro_temperature: '1', pro_humidity: '1', pro_pressure: '2' };
  const few = { pro_temperature: '1', pro_humidity: '1' };
  const contents = [
    [record(all, { filled, step_code: 's', units }), true],
    [record(all, { filled, step_code: 's', units }), true],
    [record(all, { filled, units }), false], // no step
    [record(few, { filled, step_code: 's', units }), false], // no pressure, which the units name as well
    [record(few, { step_code: 's', units }), false],
    [record(all, { filled, step_code: 't', units }), true],
    [record(all, { filled: { path: 'ext.filled.path', rule: 'r' } }), true], // names a field of its own
    [record(all, { filled: { path: 'ext.filled.path', rule: 'r' } }), true],
    [record(all, { filled: { path: 'ext.filled.path', rule: 'other' }, units: { 'ext.filled.rule': 'K' } }), true],
    [record(all, { units: { 'ext.filled.rule': 'K' } }), false],
  ] as const;
  for (const [i, [content, ok]] of [...contents, ...contents.toReversed()].entries()) {
    let trees = 0;
    const judged = judgeContent(production, content, () => void trees++);
    const read = judgeByReading(production, content);
    assert.equal(judged.ok, ok, `content ${i}`);
    if (judged.ok && read.ok) assert.deepEqual([judged.content.facts, trees], [read.content.facts, 0], `content ${i}`);
    else assert.deepEqual(judged, read);
  }
});

test('times of one instant, and numbers of one value, give one key and one identity', () => {
  const idOf = (production_time: string): string => {
    const { keyText } = scanContent(production, sealedText(annexRecord({ production_time })), 'sealed')!;
    const id = recordIdOfKeyText(crypto, 'production', 'o', keyText);
    assert.deepEqual(id, recordIdOf(crypto, 'production', 'o', keyOfText(keyText)));
    return Buffer.from(id).toString('hex');
  };
  const same = ['2025-08-09T08:00:00+08:00', '2025-08-09T00:00:00Z', '2025-08-09T00:00:00.000Z', '2025-08-09t00:00:00.0z', '1754697600000'];
  assert.equal(new Set(same.map(idOf)).size, 1);
  assert.notEqual(idOf('2016-12-31T23:59:60Z'), idOf('2017-01-01T00:00:00Z'));
  const numbers = ['40', '+040.0', '4e1'].map((mass) => scanContent(wideClass, text(`{"mass":"${mass}","number":"7"}`), 'sealed')!.keyText);
  assert.deepEqual(numbers, [numbers[0], numbers[0], numbers[0]]);
});

test('a text is not taken for that of the record before, which spells an escape with the same letters', () => {
  const factory = (text: string) => scanContent(production, sealedText(annexRecord({ pro_factory_uid: text })), 'sealed')!.facts.factory;
  assert.deepEqual(['C:n', 'C:\n', 'C:\\n', 'C:\n'].map(factory), ['C:n', 'C:\n', 'C:\\n', 'C:\n']);
});

test('reading a record as a tree is told of before it is done, and a record that one pass takes is not read so', () => {
  const treesOf = (content: Uint8Array): readonly [boolean, number] => {
    let trees = 0;
    const { ok } = judgeContent(production, content, () => void trees++);
    return [ok, trees];
  };
  const filled = (path: string) => sealedText(annexRecord({ ext: { filled: { path, rule: 'r' }, parameters: { heat: { value: '1' } } } }));
  assert.deepEqual(treesOf(sealedText(annexRecord({}))), [true, 0]);
  assert.deepEqual(treesOf(filled('ext.parameters.heat')), [true, 1]);
  assert.deepEqual(treesOf(filled('ext.parameters.cold')), [false, 2]);
  assert.deepEqual(treesOf(text('{"no":"record"}')), [false, 1]);
});

test('a long record is not held when it is judged, nor when gas for its tree ran out', async () => {
  const LONG_BYTES = 3_000_000;
  const LOOKS = 20;
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  /** Least of several looks: the engine gives such memory back some time after it has collected. */
  const heldBytes = async (): Promise<number> => {
    let least = Number.POSITIVE_INFINITY;
    for (let look = 0; look < LOOKS; look++) {
      collect();
      await new Promise((resolve) => setTimeout(resolve, 5));
      least = Math.min(least, process.memoryUsage().arrayBuffers);
    }
    return least;
  };
  const judgeLong = (beforeTree: () => void): void => {
    const ext = { filled: { path: 'ext.parameters.a', rule: 'r' }, parameters: { a: { value: 'v'.repeat(LONG_BYTES) } } };
    const content = sealedText(annexRecord({ ext }));
    assert.ok(judgeContent(production, content, beforeTree).ok);
  };
  const before = await heldBytes();
  judgeLong(() => undefined);
  assert.ok((await heldBytes()) - before < LONG_BYTES / 2, 'judged');
  const refuse = (): never => {
    throw new RangeError('no gas');
  };
  assert.throws(() => judgeLong(refuse), /no gas/);
  assert.ok((await heldBytes()) - before < LONG_BYTES / 2, 'given up');
});

test('each of many allowed texts is taken, and what lies beside them is not', () => {
  const allowed = Array.from({ length: 129 }, (_, i) => `w${i}`).concat('名', 'z\n', 'w');
  const field = { type: 'text', enum: allowed } as const;
  const definition = {
    ...wideClass,
    body: { ...wideClass.body, properties: { ...wideClass.body.properties, state: field } },
    provable: [],
  };
  const takes = (state: string): boolean => scanContent(definition, encodeContent({ number: '7', state }), 'sealed') !== undefined;
  assert.deepEqual(allowed.filter(takes), allowed);
  for (const beside of ['v', 'w00', 'w129', 'w1280', 'x', '名名', 'z', 'z\\n']) assert.equal(takes(beside), false, beside);
});

test('a key of several fields is respelled where they stand, whatever order the class names them in', () => {
  const judged = judgeContent({ ...wideClass, key: ['number', 'mass'] }, text('{"mass":"+040.0","number":"07"}'));
  assert.ok(judged.ok);
  const hashed = judged.content.normalDigest({ hash: (data) => data.slice() });
  assert.equal(Buffer.from(hashed!).toString(), '{"mass":"40","number":"7"}');
});

test('scanner, reader and checker agree on each rule of a class at its bound', () => {
  const cases: readonly (readonly [string, boolean])[] = [
    ['"state":"on"', true],
    ['"state":"off"', false], // of the list, but not the constant
    ['"state":"UNAVAILABLE"', true],
    ['"until":"UNAVAILABLE"', false],
    ['"where":{"hall":""}', true],
    ['"where":{"hall":"abcd"}', false],
    ['"where":{}', false],
    ['"loose":{}', false],
    ['"loose":{"b-2":"x\\"y\\n"}', true],
    ['"loose":{"c_3":"UNAVAILABLE"}', false],
    [`"sealed":{"amount":{"sealed":"${HEX}"}}`, true],
    ['"sealed":{"amount":"9"}', false],
    [`"sealed":{"amount":{"sealed":"${HEX.slice(2)}"}}`, false],
    ['"more":{"mass":"2000.0","name":"x"}', true],
    ['"more":{"mass":"2000.0001","name":"x"}', false],
    ['"more":{"mass":"-1.5","name":"x"}', true],
    ['"more":{"mass":"-15001e-4","name":"x"}', false],
    ['"more":{"name":"x","notes":[]}', true],
    ['"more":{"name":"x","notes":["ab"]}', false],
    ['"more":{"name":"x","notes":["ab","abcd"]}', true],
    ['"more":{"name":"x","notes":["ab","a"]}', false],
    ['"more":{"name":"x","notes":["ab","ab","ab","ab"]}', false],
    ['"more":{"name":"x","tags":{"a":["1","UNAVAILABLE"],"温度":"1"}}', true],
    ['"more":{"name":"x","tags":{"温度":"1","a":"1"}}', false],
    ['"more":{"name":"x","tags":{"a":"1","a":"1"}}', false],
    ['"more":{"name":"x","tags":{"__proto__":"1"}}', false],
    ['"more":{"name":"x","tags":{"a":"1","b":"1","c":"1","d":"1"}}', false],
    ['"parts":{"name":"x"}', false],
    ['"parts":[{"name":"x"},{"name":"昆昆昆昆昆昆昆昆昆昆昆昆"}]', true],
    ['"parts":[{"name":"x"},{"name":"昆昆昆昆昆昆昆昆昆昆昆昆x"}]', false],
  ];
  for (const [member, accepted] of cases) {
    const json = member < '"number"' ? `{${member},"number":"7"}` : `{"number":"7",${member}}`;
    assert.equal(compareOn(wideClass, text(json), 'sealed'), accepted, json);
  }
  const material = { pro_supplier: 'S', pro_batch_number: 'B', pro_Report_qualify_eval: 'Q' };
  const filled = (path: string, pro_raw_material: TextTree): boolean =>
    compareOn(production, sealedText(annexRecord({ pro_raw_material, ext: { filled: { path, rule: 'r' } } })), 'sealed');
  assert.equal(filled('pro_raw_material.pro_supplier', material), true);
  assert.equal(filled('pro_raw_material.pro_supplier', [material, material]), false); // of which of the two?
  assert.equal(filled('pro_raw_material.2.pro_supplier', [material, material]), true);
  assert.equal(filled('pro_raw_material.3.pro_supplier', [material, material]), false);
  const byMapping = (mapping: TextTree, paths: TextTree): boolean =>
    compareOn(production, sealedText(annexRecord({ ext: { filled: { mapping, paths } } })), 'sealed');
  assert.equal(byMapping('m/1', ['product_uid', 'propara.pro_pressure']), true);
  assert.equal(byMapping('m/1', 'product_uid'), true);
  assert.equal(byMapping('m/1', ['product_uid', 'propara.pro_speed']), false);
  assert.equal(byMapping(['m/1', 'm/2'], 'product_uid'), false);
  const report = { checker_id: { sealed: HEX }, report_id: 'Q', start_time: '2025-08-09T08:00:00Z', verdict: 'pass' };
  assert.equal(compareOn(quality, encodeContent({ ...report, production_batch: 'PB' }), 'sealed'), true);
  assert.equal(compareOn(quality, encodeContent(report), 'sealed'), false); // neither product nor batch
});

test('the judge says of what the scanner refuses what reader and checker say', () => {
  const cases: readonly (readonly [string, string, string])[] = [
    ['{"a":"b"} ', 'RECORD_NOT_CANONICAL', ''],
    ['{"number":"7","path":"x"}', '', ''],
    ['{"number":"7","path":"a..b"}', 'RECORD_FIELD_TYPE', 'path'],
    ['{"byPath":{},"number":"7"}', 'RECORD_COUNT', 'byPath'],
    ['{"ext":{"filled":{"path":"at","rule":"r"}},"number":"7"}', 'RECORD_PATH_UNKNOWN', 'ext.filled.path'],
    ['{"more":[{"name":"x"}],"number":"7"}', 'RECORD_NOT_CANONICAL', 'more'],
    ['{"number":"7","where":{"line":"\\u00e9"}}', 'RECORD_NOT_CANONICAL', ''],
  ];
  for (const [json, code, path] of cases) {
    const judged = judgeContent(wideClass, text(json));
    const read = judgeByReading(wideClass, text(json));
    assert.deepEqual(judged.ok ? undefined : judged.fault, read.ok ? undefined : read.fault, json);
    assert.deepEqual(judged.ok ? ['', ''] : [judged.fault.code, judged.fault.path.join('.')], [code, path], json);
  }
});

test('a class that the scanner cannot lay out is judged by reader and checker', () => {
  const text_ = { type: 'text' } as const;
  const inList: ClassDefinition = {
    ...{ name: 'in_list', version: 1, key: ['parts.1.name'], facts: {} },
    body: { type: 'struct', properties: { parts: { type: 'list', maxItems: 2, items: { type: 'struct', properties: { name: text_ } } } } },
  };
  const content = { parts: [{ name: 'a' }, { name: 'b' }] };
  assert.equal(scanContent(inList, encodeContent(content), 'sealed'), undefined);
  const judged = judgeContent(inList, encodeContent(content));
  assert.deepEqual(judged.ok && [keyOfText(judged.content.keyText), judged.content.facts], [
    { 'parts.1.name': 'a' },
    factsOf(inList, content),
  ]);
});

test('work is bounded by the text: as deep, as wide and as long as content may be', () => {
  const deep = '{"a":'.repeat(200_000);
  for (const definition of comparedClasses) assert.equal(scanContent(definition, text(deep), 'sealed'), undefined);
  const names = Array.from({ length: 1_900 }, (_, i) => `f${String(i).padStart(4, '0')}`);
  const wide: ClassDefinition = {
    ...{ name: 'many', version: 1, key: [names[0]!], facts: {} },
    body: {
      type: 'struct',
      properties: Object.fromEntries(names.map((name) => [name, { type: 'text' } as const])),
      required: names.slice(5),
    },
  };
  const all = Object.fromEntries(names.map((name) => [name, 'x']));
  assert.equal(compareOn(wide, encodeContent(all), 'sealed'), true);
  const { [names[1_000]!]: _, ...most } = all;
  assert.equal(compareOn(wide, encodeContent(most), 'sealed'), false);
  const long = annexRecord({ production_location: 'x', ext: { parameters: { a: { value: '\u00e9"\n'.repeat(700_000) } } } });
  assert.equal(compareOn(production, sealedText(long), 'sealed'), true);
  const longParameters = Object.fromEntries(Array.from({ length: 10_001 }, (_, i) => [`p${i}`, { value: '1' }]));
  assert.equal(compareOn(production, sealedText(annexRecord({ ext: { parameters: longParameters } })), 'sealed'), false);
});
