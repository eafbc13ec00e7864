import assert from 'node:assert/strict';
import { test } from 'node:test';
import { encodeJson } from '../../../../node/format/index.ts';
import { registryKey } from '../../../../contracts/builtin/layout.ts';
import { createClassLookup } from '../../../../node/records/class-lookup.ts';
import { stateKey } from '../../../../contracts/types.ts';

test('a registered class is looked up in the version its record was written by', () => {
  const state = new Map<string, Uint8Array>();
  const definition = (version: number) => ({
    name: 'heat',
    version,
    key: ['id'],
    body: { type: 'struct', properties: { id: { type: 'text', maxLength: version } } },
    facts: { product: 'id' },
  });
  const entry = (version: number) =>
    encodeJson({
      kind: 'class',
      id: 'heat',
      owner: 'alpha',
      version,
      state: 'active',
      validFrom: null,
      validTo: null,
      documentDigest: null,
      data: definition(version + 10),
    });
  state.set(stateKey('registry', registryKey.entry('class', 'heat')), entry(2));
  for (const version of [1, 2]) state.set(stateKey('registry', registryKey.version('class', 'heat', version)), entry(version));
  const lookup = createClassLookup({ get: (key) => state.get(key) });
  assert.deepEqual(
    [lookup('heat', 11)?.version, lookup('heat', 12)?.version, lookup('heat', 13), lookup('cold', 1)],
    [11, 12, undefined, undefined],
  );
  assert.deepEqual([lookup('production', 1)?.name, lookup('production', 2)], ['production', undefined]);
});
