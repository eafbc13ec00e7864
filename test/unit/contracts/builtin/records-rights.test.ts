import assert from 'node:assert/strict';
import { test } from 'node:test';
import { accessKey, registryKey } from '../../../../contracts/builtin/layout.ts';
import { encodeAmendment, encodeJson, encodeSubmissions, fromHex, type TextStruct } from '../../../../node/format/index.ts';
import { annexRecord } from '../../node/records/sample.ts';
import { BLOCK_TIME_MS, Chain, sealed, refused, faultsBefore } from './records-chain.ts';

test("another's factory or device is refused until its owner grants it", () => {
  const chain = new Chain();
  const foreign = annexRecord({ pro_factory_uid: 'F-900' });
  assert.deepEqual(refused('RECORD_FACTORY_FOREIGN', () => chain.submit([foreign])).path, ['pro_factory_uid']);
  chain.others.set(`access${accessKey.grant('beta', 'record:submit', 'factory/F-900', 'alpha')}`, encodeJson({ until: BLOCK_TIME_MS - 1 }));
  refused('RECORD_FACTORY_FOREIGN', () => chain.submit([foreign]));
  chain.others.set(`access${accessKey.grant('beta', 'record:submit', 'factory/F-900', 'alpha')}`, encodeJson({ until: null }));
  assert.equal(chain.submit([foreign])[0]!.status, 'stored');
  refused('RECORD_FACTORY_UNKNOWN', () => chain.submit([annexRecord({ pro_factory_uid: 'F-404' })]));
  refused('RECORD_DEVICE_UNKNOWN', () => chain.submit([annexRecord({ ext: { device_id: 'D-404' } })]));
  chain.register('device', 'D-9', 'beta', {});
  assert.deepEqual(refused('RECORD_DEVICE_FOREIGN', () => chain.submit([annexRecord({ ext: { device_id: 'D-9' } })])).path, [
    'ext',
    'device_id',
  ]);
  const report = { device_id: 'D-9', status: 'fault', begin_time: '2025-01-01T00:00:00Z', factory_uid: 'F-001' };
  assert.deepEqual(refused('RECORD_DEVICE_FOREIGN', () => chain.submit([report], 'mes@alpha', 'device')).path, ['device_id']);
  chain.others.set(`access${accessKey.grant('beta', 'record:submit', 'device/D-9', 'alpha')}`, encodeJson({ until: null }));
  assert.equal(chain.submit([report], 'mes@alpha', 'device')[0]!.status, 'stored');
  chain.register('device', 'D-9', 'beta', {}, 'suspended');
  refused('RECORD_DEVICE_UNKNOWN', () => chain.submit([{ ...report, begin_time: '2025-01-02T00:00:00Z' }], 'mes@alpha', 'device'));
  chain.register('factory', 'F-001', 'alpha', {}, 'suspended');
  refused('RECORD_FACTORY_UNKNOWN', () => chain.submit([annexRecord({ product_uid: 'SN-3' })]));
});

test('what ends at a moment no longer holds at it: grants and entries of factories alike, and one on * counts', () => {
  const foreign = annexRecord({ pro_factory_uid: 'F-900' });
  const granted = (until: number | null, object = 'factory/F-900'): Chain => {
    const chain = new Chain();
    chain.others.set(`access${accessKey.grant('beta', 'record:submit', object, 'alpha')}`, encodeJson({ until }));
    return chain;
  };
  refused('RECORD_FACTORY_FOREIGN', () => granted(BLOCK_TIME_MS).submit([foreign]));
  assert.equal(granted(BLOCK_TIME_MS + 1).submit([foreign])[0]!.status, 'stored');
  assert.equal(granted(BLOCK_TIME_MS + 1, '*').submit([foreign])[0]!.status, 'stored');
  const chain = granted(null);
  chain.register('organisation', 'beta', 'beta', { name: 'beta', roles: [], governs: true }, 'suspended');
  refused('RECORD_FACTORY_FOREIGN', () => chain.submit([foreign]));
  for (const [validFrom, validTo, held] of [
    [BLOCK_TIME_MS, BLOCK_TIME_MS + 1, true],
    [BLOCK_TIME_MS - 1, BLOCK_TIME_MS, false],
    [BLOCK_TIME_MS + 1, null, false],
  ] as const) {
    const own = new Chain();
    const entry = {
      kind: 'factory',
      id: 'F-001',
      owner: 'alpha',
      version: 1,
      state: 'active',
      validFrom,
      validTo,
      documentDigest: null,
      data: {},
    };
    own.others.set(`registry${registryKey.entry('factory', 'F-001')}`, encodeJson(entry));
    if (held) assert.equal(own.submit([annexRecord()])[0]!.status, 'stored');
    else refused('RECORD_FACTORY_UNKNOWN', () => own.submit([annexRecord()]));
  }
});

test('the writer needs the right and speaks for himself', () => {
  const chain = new Chain();
  refused('RECORD_RIGHT_MISSING', () => chain.submit([annexRecord()], 'audit@alpha'));
  refused('RECORD_RIGHT_MISSING', () => chain.submit([annexRecord()], 'nobody@alpha'));
  const args = encodeSubmissions([sealed(annexRecord())]);
  chain.register('organisation', 'alpha', 'alpha', { name: 'alpha', roles: [], governs: true }, 'suspended');
  refused('RECORD_RIGHT_MISSING', () => chain.submit([annexRecord()]));
  chain.register('organisation', 'alpha', 'alpha', { name: 'alpha', roles: [], governs: true });
  refused('RECORD_CALLER_CONTRACT', () => chain.run('submit', args, 'mes@alpha', `0x${'1'.repeat(40)}`));
});

test('a mapping that filled in values is registered, in force and for the class of the record: contract and node say the same', () => {
  const chain = new Chain();
  const filled = (mapping: string, product_uid: string): TextStruct =>
    annexRecord({ product_uid, ext: { device_id: 'D-1', filled: { mapping, paths: ['product_uid', 'propara.pro_pressure'] } } });
  chain.register('mapping', 'mes/1', 'beta', { name: 'x', class: 'production', format: 'text/csv' }); // anybody's will do
  chain.register('mapping', 'mes/2', 'alpha', { name: 'x', class: 'device', format: 'text/csv' });
  chain.register('mapping', 'mes/3', 'alpha', { name: 'x', class: 'production', format: 'text/csv' }, 'suspended');
  assert.equal(chain.submit([filled('mes/1', 'SN-1')])[0]!.status, 'stored');
  assert.deepEqual(faultsBefore(chain, [filled('mes/1', 'SN-2')]), []);
  for (const mapping of ['mes/2', 'mes/3', 'mes/4']) {
    const detail = refused('RECORD_MAPPING_UNKNOWN', () => chain.submit([filled('mes/1', 'SN-3'), filled(mapping, 'SN-4')]));
    assert.deepEqual(detail, { record: 1, path: ['ext', 'filled'], mapping });
    const [fault] = faultsBefore(chain, [filled('mes/1', 'SN-3'), filled(mapping, 'SN-4')]);
    assert.deepEqual([fault!.code, fault!.mapping], ['RECORD_MAPPING_UNKNOWN', mapping]);
  }
  const { id } = chain.submit([filled('mes/1', 'SN-1')])[0]!;
  const amendment = { recordId: fromHex(id as string), expectedVersion: 1, reason: 'r', source: {} };
  refused('RECORD_MAPPING_UNKNOWN', () =>
    chain.run('amend', encodeAmendment({ ...amendment, content: sealed(filled('mes/4', 'SN-1')).content })),
  );
});
