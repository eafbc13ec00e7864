import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CONTRACT } from '../../../../contracts/builtin/layout.ts';
import { builtinClasses, production } from '../../../../contracts/classes/index.ts';
import { encodeJson, encodeSubmissions, type Json, type TextStruct } from '../../../../node/format/index.ts';
import { annexRecord } from '../../node/records/sample.ts';
import { BLOCK_TIME_MS, Chain, sealed, raw, refused, type Result } from './records-chain.ts';

test('content that is clear, unsorted, of another class or version, or ahead of time is refused', () => {
  const chain = new Chain();
  assert.deepEqual(refused('RECORD_FIELD_NOT_SEALED', () => chain.run('submit', raw(annexRecord()))).path, ['pro_op_info', 'pro_op_id']);
  const content = sealed(annexRecord()).content;
  const unsorted = Buffer.from(content).toString().replace('{"ext"', '{ "ext"');
  refused('RECORD_NOT_CANONICAL', () =>
    chain.run('submit', encodeSubmissions([{ ...sealed(annexRecord()), content: Buffer.from(unsorted) }])),
  );
  const listOfOne = { ...(JSON.parse(Buffer.from(content).toString()) as TextStruct) };
  refused('RECORD_NOT_CANONICAL', () => chain.run('submit', raw({ ...listOfOne, pro_raw_material: [listOfOne.pro_raw_material!] })));
  refused('RECORD_CLASS_UNKNOWN', () => chain.run('submit', raw(listOfOne, 'toString')));
  refused('RECORD_CLASS_VERSION', () => chain.run('submit', raw(listOfOne, 'production', 2)));
  refused('RECORD_NONE', () => chain.run('submit', encodeSubmissions([])));
  refused('RECORD_ARGS_MALFORMED', () => chain.run('submit', new Uint8Array([1, 2, 3])));
  const ahead = new Date(BLOCK_TIME_MS + 86_400_001).toISOString();
  assert.deepEqual(refused('RECORD_TIME_AHEAD', () => chain.submit([annexRecord({ production_time: ahead })])).path, ['production_time']);
  assert.equal(chain.submit([annexRecord({ production_time: `${BLOCK_TIME_MS + 86_400_000}` })])[0]!.status, 'stored');
  assert.equal(chain.submit([annexRecord({ production_time: '0001-01-01T00:00:00Z' })])[0]!.status, 'stored');
});

test('arguments of get that are none are refused in words that do not differ by the version of the engine', () => {
  const id = '0'.repeat(64);
  const table: readonly (readonly [Json, string])[] = [
    [null, 'arguments are no object'],
    [[{ id }], 'arguments are no object'],
    [1, 'arguments are no object'],
    [{}, 'id is not 64 hex digits'],
    [{ id: 1 }, 'id is not 64 hex digits'],
    [{ id: id.slice(1) }, 'id is not 64 hex digits'],
    [{ id, version: 0 }, 'version is not a version'],
    [{ id, version: '1' }, 'version is not a version'],
  ];
  for (const [args, reason] of table)
    assert.equal(refused('RECORD_ARGS_MALFORMED', () => new Chain().run('get', encodeJson(args))).reason, reason);
});

test('the other built-in classes are stored too, and a class an organisation registered', () => {
  const chain = new Chain();
  const device = {
    device_id: 'D-1',
    status: 'fault',
    begin_time: '2025-01-01T00:00:00Z',
    factory_uid: 'F-001',
    measurements: [{ name: 'torque', value: '40.0', unit: 'N.m' }],
  };
  const quality = { report_id: 'QR-77', product_uid: 'SN-0001', start_time: '2025-01-01T00:00:00Z', checker_id: 'Q-1', verdict: 'pass' };
  const use = {
    material: 'steel',
    supplier: 'S-12',
    batch_number: 'B-1',
    product_uid: 'SN-0001',
    quantity: '1.5',
    unit: 'kg',
    begin_time: '1754697600000',
  };
  for (const [name, tree] of Object.entries({ device, quality, material_consumption: use }))
    assert.equal(chain.submit([tree], 'mes@alpha', name)[0]!.status, 'stored');
  const own = {
    name: 'heat',
    version: 3,
    key: ['id'],
    body: { type: 'struct', properties: { id: { type: 'text', maxLength: 9 } }, required: ['id'] },
    facts: {},
  };
  chain.register('class', 'heat', 'beta', own);
  assert.equal((chain.run('submit', raw({ id: 'x' }, 'heat', 3)) as Result[])[0]!.status, 'stored');
  refused('RECORD_LENGTH', () => chain.run('submit', raw({ id: 'x'.repeat(10) }, 'heat', 3)));
  chain.register('class', 'bad', 'beta', {
    ...own,
    name: 'bad',
    body: { type: 'struct', properties: { id: { type: 'text', pattern: '.*' } } },
  });
  refused('RECORD_CLASS_UNKNOWN', () => chain.run('submit', raw({ id: 'x' }, 'bad', 3)));
});

test('every fact path and key path of a built-in class names a field of it', () => {
  for (const definition of Object.values(builtinClasses)) {
    for (const path of [...definition.key, ...Object.values(definition.facts).filter((value) => typeof value === 'string')]) {
      if (!path.startsWith('ext.')) assert.ok(Object.hasOwn(definition.body.properties, path), `${definition.name}: ${path}`);
    }
  }
  assert.equal(CONTRACT.records, 'records');
  assert.equal(Object.keys(production.body.properties).length, 7);
});
