import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CONTRACT, registryKey } from '../../../../contracts/index.ts';
import { encodeJson, type TextStruct } from '../../../../node/format/index.ts';
import { fillingMappings } from '../../../../node/records/filled.ts';
import { annexRecord } from './sample.ts';

test('an answer tells of each mapping that filled in values who owns it and which document holds its rules', () => {
  const entry = { kind: 'mapping', id: 'mes/1', owner: 'alpha', version: 2, state: 'withdrawn', validFrom: null, validTo: null };
  const row = encodeJson({ ...entry, documentDigest: 'ab'.repeat(32), data: { name: 'Heats', class: 'production', format: 'text/csv' } });
  const read = (contract: string, key: string) =>
    contract === CONTRACT.registry && key === registryKey.entry('mapping', 'mes/1') ? row : undefined;
  const mappingsOf = (filled: TextStruct[string] | undefined) => {
    const steps = fillingMappings(read, annexRecord({ ext: filled === undefined ? undefined : { filled } }));
    for (;;) {
      const step = steps.next();
      if (step.done === true) return step.value;
    }
  };
  const told = { id: 'mes/1', owner: 'alpha', name: 'Heats', documentDigest: 'ab'.repeat(32) }; // withdrawn since: the rules of old records stay
  assert.deepEqual(mappingsOf({ mapping: 'mes/1', paths: 'product_uid' }), [told]);
  assert.deepEqual(
    mappingsOf([
      { path: 'product_uid', rule: 'r' },
      { mapping: 'mes/1', paths: 'product_uid' },
      { mapping: 'mes/1', paths: 'pro_op_info' },
    ]),
    [told],
  );
  assert.deepEqual(mappingsOf(undefined), []);
});
