import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  builtinClasses,
  checkContent,
  checkSource,
  device,
  EXT_SCHEMA,
  type FieldSchema,
  foldSingles,
  materialConsumption,
  nearestName,
  production,
  quality,
  MAP_NAMES_MAX,
  readClass,
  RECORD_FAULTS_MAX,
} from '../../../../contracts/classes/index.ts';
import type { JsonObject, TextStruct, TextTree } from '../../../../node/format/index.ts';
import { isErrorCode } from '../../../../node/errors/index.ts';
import { annexRecord } from '../../node/records/sample.ts';

function faultsOf(tree: TextStruct, definition = production): (string | Readonly<Record<string, string>>)[][] {
  return checkContent(definition, tree, 'clear').map(({ code, path, data }) => {
    assert.ok(isErrorCode(code), `${code} stands in the error table`);
    return [code, path.join('.'), data];
  });
}

const codes = (tree: TextStruct, definition = production): string[] =>
  faultsOf(tree, definition).map(([code, path]) => `${code as string} ${path as string}`);

test('a complete annex A record has no fault, with one material or with a hundred', () => {
  assert.deepEqual(faultsOf(annexRecord()), []);
  const material = annexRecord().pro_raw_material!;
  assert.deepEqual(faultsOf(annexRecord({ pro_raw_material: Array.from({ length: 100 }, () => material) })), []);
  assert.deepEqual(codes(annexRecord({ pro_raw_material: Array.from({ length: 101 }, () => material) })), [
    'RECORD_COUNT pro_raw_material',
  ]);
  assert.deepEqual(codes(annexRecord({ pro_raw_material: [] })), ['RECORD_COUNT pro_raw_material']);
});

test('an empty record misses the seven fields of the annex, all told at once', () => {
  assert.deepEqual(codes({}), [
    'RECORD_FIELD_MISSING production_time',
    'RECORD_FIELD_MISSING production_location',
    'RECORD_FIELD_MISSING product_uid',
    'RECORD_FIELD_MISSING pro_raw_material',
    'RECORD_FIELD_MISSING propara',
    'RECORD_FIELD_MISSING pro_op_info',
    'RECORD_FIELD_MISSING pro_factory_uid',
  ]);
});

test('missing, mistyped, empty and unknown fields are told together, with the name that was meant', () => {
  const faults = faultsOf(
    annexRecord({
      product_uid: '',
      production_time: '1754697600',
      pro_raw_material: { pro_supplier: 'S', pro_batch_number: ['B'], pro_report_qualify_eval: 'x' },
      propara: { pro_temperature: 'hot', pro_humidity: '45' },
      pro_factory_id: 'F-001',
      colour_of_the_box: 'red',
    }),
  );
  assert.deepEqual(faults, [
    ['RECORD_TIME_AMBIGUOUS', 'production_time', {}],
    ['RECORD_FIELD_EMPTY', 'product_uid', {}],
    ['RECORD_FIELD_MISSING', 'pro_raw_material.pro_Report_qualify_eval', { name: 'pro_Report_qualify_eval' }],
    ['RECORD_FIELD_TYPE', 'pro_raw_material.pro_batch_number', { expected: 'text', found: 'list' }],
    [
      'RECORD_FIELD_UNKNOWN',
      'pro_raw_material.pro_report_qualify_eval',
      { name: 'pro_report_qualify_eval', nearest: 'pro_Report_qualify_eval' },
    ],
    ['RECORD_FIELD_MISSING', 'propara.pro_pressure', { name: 'pro_pressure' }],
    ['RECORD_FIELD_TYPE', 'propara.pro_temperature', { expected: 'decimal' }],
    ['RECORD_FIELD_UNKNOWN', 'pro_factory_id', { name: 'pro_factory_id', nearest: 'pro_factory_uid' }],
    ['RECORD_FIELD_UNKNOWN', 'colour_of_the_box', { name: 'colour_of_the_box' }],
  ]);
});

test('a text field of any class that shows nothing is empty, in required fields and optional ones', () => {
  const blanks = ['', ' ', '\t', '\n', '\u00a0', '\u3000', '\u200b', '\u2003 \u2060', '\ufeff'];
  /** Every leaf that asks for a text, with the content that holds `value` there and nothing else. */
  function* leaves(schema: FieldSchema, value: string): Generator<TextTree> {
    if (schema.type === 'struct')
      for (const [name, field] of Object.entries(schema.properties)) for (const inner of leaves(field, value)) yield { [name]: inner };
    else if (schema.type === 'list') yield* leaves(schema.items, value);
    else if (schema.type === 'map') for (const inner of leaves(schema.values, value)) yield { x: inner };
    else if (schema.type === 'decimal' || (schema.minLength ?? 1) > 0) yield value;
  }
  for (const definition of Object.values(builtinClasses)) {
    const body = { ...definition.body, properties: { ...definition.body.properties, ext: EXT_SCHEMA } };
    let count = 0;
    for (const blank of blanks) {
      for (const content of leaves(body, blank)) {
        const told = checkContent(definition, content as TextStruct, 'clear').filter(({ code }) => code === 'RECORD_FIELD_EMPTY');
        assert.equal(told.length, 1, `${definition.name} ${JSON.stringify(content)}`);
        count++;
      }
    }
    assert.ok(count > 20 * blanks.length, definition.name);
  }
  assert.equal(checkSource({ system: '\u3000' })[0]!.code, 'RECORD_FIELD_EMPTY');
  assert.deepEqual(codes(annexRecord({ production_location: ' \u3000昆明 ' })), []);
});

test('UNAVAILABLE stands in propara and in the quality report only', () => {
  const none = 'UNAVAILABLE';
  const material = { pro_supplier: 'S', pro_batch_number: 'B', pro_Report_qualify_eval: none };
  assert.deepEqual(
    faultsOf(annexRecord({ propara: { pro_temperature: none, pro_humidity: none, pro_pressure: none }, pro_raw_material: material })),
    [],
  );
  assert.deepEqual(
    codes(
      annexRecord({
        product_uid: none,
        pro_op_info: { pro_op_name: none, pro_op_id: 'x', pro_op_record: 'y' },
        ext: { parameters: { a: { value: none } } },
      }),
    ),
    [
      'RECORD_UNAVAILABLE_NOT_ALLOWED product_uid',
      'RECORD_UNAVAILABLE_NOT_ALLOWED pro_op_info.pro_op_name',
      'RECORD_UNAVAILABLE_NOT_ALLOWED ext.parameters.a.value',
    ],
  );
});

test('ext takes its own names only, and filled and units must name fields that are there', () => {
  const ext = {
    production_batch: 'PB',
    parameters: { torque: { value: '', unit: 'N.m' }, 温度: { value: '1' } },
    units: { 'propara.pro_temperature': 'Cel', 'ext.parameters.torque.value': 'N.m' },
    links: { rel: 'consumes', type: 'product', id: 'SN-0' },
    documents: [{ digest: 'a'.repeat(64), bytes: '12', mediaType: 'application/pdf', name: 'x' }],
    filled: [
      { path: 'pro_raw_material.1.pro_supplier', rule: 'invented' },
      { path: 'pro_op_info', rule: 'roster' },
    ],
  };
  assert.deepEqual(faultsOf(annexRecord({ ext })), []);
  assert.deepEqual(
    codes(annexRecord({ ext: { ...ext, filled: { path: 'propara.pro_speed', rule: 'x' }, units: { 'ext.order_id': '1' } } })),
    ['RECORD_PATH_UNKNOWN ext.filled.path', 'RECORD_PATH_UNKNOWN ext.units.ext.order_id'],
  );
  assert.deepEqual(
    codes(
      annexRecord({
        ext: {
          parameters: { 'a b': { value: '1' }, '1a': { value: '1' } },
          units: { 'a b': 'K' },
          device: 'x',
          links: { rel: 'eats', type: 'product', id: 'x' },
        },
      }),
    ),
    [
      'RECORD_NAME_MALFORMED ext.parameters.a b',
      'RECORD_NAME_MALFORMED ext.parameters.1a',
      'RECORD_NAME_MALFORMED ext.units.a b',
      'RECORD_FIELD_UNKNOWN ext.device',
      'RECORD_VALUE_UNKNOWN ext.links.rel',
    ],
  );
  assert.deepEqual(codes(annexRecord({ ext: {} })), ['RECORD_COUNT ext']);
});

test('filled values are told by path and rule, or by a mapping and its paths', () => {
  const filled = (entries: TextTree): string[] => codes(annexRecord({ ext: { filled: entries } }));
  const byMapping = { mapping: 'mes/heat-csv', paths: ['product_uid', 'propara.pro_pressure'] };
  assert.deepEqual(filled(byMapping), []);
  assert.deepEqual(filled({ ...byMapping, paths: 'product_uid' }), []);
  assert.deepEqual(filled([byMapping, { path: 'pro_op_info', rule: 'roster' }]), []);
  assert.deepEqual(filled({ mapping: 'mes/heat-csv', path: 'product_uid' }), [
    'RECORD_FIELD_MISSING ext.filled.paths',
    'RECORD_FIELD_UNKNOWN ext.filled.path',
  ]);
  assert.deepEqual(filled({ paths: ['product_uid'] }), [
    'RECORD_FIELD_MISSING ext.filled.path',
    'RECORD_FIELD_MISSING ext.filled.rule',
    'RECORD_FIELD_UNKNOWN ext.filled.paths',
  ]);
  assert.deepEqual(filled([byMapping, { ...byMapping, paths: ['product_uid', 'propara.pro_speed'] }]), [
    'RECORD_PATH_UNKNOWN ext.filled.1.paths.1',
  ]);
  const folded = foldSingles(production, annexRecord({ ext: { filled: [{ mapping: 'm', paths: ['product_uid'] }] } }));
  assert.deepEqual(folded.ext, { filled: { mapping: 'm', paths: 'product_uid' } });
});

test('lengths count code points, and faults of one record are bounded', () => {
  assert.deepEqual(codes(annexRecord({ product_uid: '😀'.repeat(256) })), []);
  assert.deepEqual(codes(annexRecord({ product_uid: '😀'.repeat(257) })), ['RECORD_LENGTH product_uid']);
  const many = Object.fromEntries(Array.from({ length: 1_000 }, (_, i) => [`x${i}`, 'y']));
  assert.equal(checkContent(production, annexRecord(many), 'clear').length, RECORD_FAULTS_MAX);
});

test('a list of one is folded only where the class expects a list', () => {
  const one = annexRecord({ pro_raw_material: [annexRecord().pro_raw_material!], ext: { filled: [{ path: 'product_uid', rule: 'r' }] } });
  assert.deepEqual(foldSingles(production, one), annexRecord({ ext: { filled: { path: 'product_uid', rule: 'r' } } }));
  assert.deepEqual(foldSingles(production, { product_uid: ['x'] }), { product_uid: ['x'] });
});

test('quality needs a product or a batch, device a known status, consumption a quantity that is not negative', () => {
  const report = { report_id: 'Q', start_time: '2025-01-01T00:00:00Z', checker_id: 'c', verdict: 'pass' };
  assert.deepEqual(codes(report, quality), ['RECORD_FIELD_MISSING product_uid']);
  assert.deepEqual(codes({ ...report, production_batch: 'PB' }, quality), []);
  assert.deepEqual(faultsOf({ device_id: 'D', status: 'runing', begin_time: '2025-01-01T00:00:00Z', factory_uid: 'F' }, device)[0]![2], {
    allowed: 'running, idle, stopped, fault, maintenance',
    nearest: 'running',
  });
  const use = {
    material: 'm',
    supplier: 's',
    batch_number: 'b',
    production_batch: 'p',
    quantity: '-0.001',
    unit: 'kg',
    begin_time: '1754697600000',
  };
  assert.deepEqual(codes(use, materialConsumption), ['RECORD_VALUE_RANGE quantity']);
});

test('names far from any known one are not guessed at', () => {
  assert.equal(nearestName('production_tme', ['production_time', 'product_uid']), 'production_time');
  assert.equal(nearestName('x', ['y', 'ext']), undefined);
  assert.equal(nearestName('unti', ['unit']), undefined);
  assert.equal(nearestName('unitt', ['unit']), 'unit');
  assert.equal(nearestName('temperature', ['product_uid', 'ext']), undefined);
  assert.equal(nearestName('a'.repeat(100_000), ['a']), undefined);
});

test('every built-in class is itself a class of the closed language, and anything else is refused', () => {
  for (const definition of Object.values(builtinClasses))
    assert.deepEqual(readClass(definition as unknown as JsonObject), { ok: true, definition });
  const base = { name: 'x', version: 1, key: ['a'], facts: {} };
  const body = (a: object): JsonObject => ({ ...base, body: { type: 'struct', properties: { a } } }) as unknown as JsonObject;
  assert.equal(readClass(body({ type: 'text' })).ok, true);
  for (const field of [
    { type: 'text', pattern: '.' },
    { type: 'text', $ref: '#' },
    { type: 'number' },
    { type: 'text', format: 'email' },
    { type: 'text', sealed: true },
    { type: 'decimal', minimum: 1 },
    { type: 'text', maxLength: -1 },
    { type: 'list', items: { type: 'text' } },
  ])
    assert.equal(readClass(body(field)).ok, false, JSON.stringify(field));
  assert.equal(readClass({ ...body({ type: 'text' }), key: ['b'] }).ok, false);
  const map = (maxItems: number) => {
    const properties = { a: { type: 'text' }, m: { type: 'map', names: 'name', values: { type: 'text' }, maxItems } };
    return readClass({ ...base, body: { type: 'struct', properties } } as unknown as JsonObject, MAP_NAMES_MAX);
  };
  assert.equal(map(MAP_NAMES_MAX).ok, true);
  assert.deepEqual(map(MAP_NAMES_MAX + 1), { ok: false, reason: 'body.m.maxItems' });
  for (const key of [['a', 'ext.a'], ['ext.record_key'], ['a', 'a']]) // names of a key are what its identity is made of
    assert.deepEqual(readClass({ ...body({ type: 'text' }), key }), { ok: false, reason: 'key' });
  const forbidden = JSON.parse('{"type":"struct","properties":{"a":{"type":"text"},"__proto__":{"type":"text"}}}') as JsonObject;
  assert.deepEqual(readClass({ ...base, body: forbidden } as unknown as JsonObject), { ok: false, reason: 'body.__proto__' });
  assert.equal(
    readClass({ ...base, body: { type: 'struct', properties: { token: { type: 'text' } } } } as unknown as JsonObject).ok,
    false,
  );
});

test('a replica stops at the first fault and looks for no likely names; the door tells all', () => {
  const broken = annexRecord({ product_uid: '', pro_factory_id: 'F' });
  const whole = checkContent(production, broken, 'clear');
  assert.ok(whole.length > 1 && whole.some(({ data }) => data.nearest !== undefined));
  assert.equal(checkContent(production, broken, 'clear', 1).length, 1);
  const sealed = checkContent(production, broken, 'sealed');
  assert.ok(sealed.every(({ data }) => data.nearest === undefined));
});
