import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { createCrypto } from '../../../../node/crypto/index.ts';
import type { ByteText } from '../../../../node/format/index.ts';
import { createStateMap, type MapWrite } from '../../../../node/ledger/state-map.ts';

const valueHash = new Uint8Array(32).fill(1);
/** Few and short, so that keys meet, are prefixes of one another and share buckets. */
const key = fc
  .array(fc.constantFrom('\0', '\u0001', '\u0010', 'a'), { minLength: 1, maxLength: 3 })
  .map((letters) => letters.join('') as ByteText);
const block = fc.array(fc.record({ key, present: fc.boolean() }), { minLength: 1, maxLength: 12 });

test('staging names exactly those written keys that the map held before', () => {
  fc.assert(
    fc.property(fc.array(block, { minLength: 1, maxLength: 8 }), (chain) => {
      const rows = new Map<ByteText, Uint8Array>();
      const map = createStateMap({ get: (row) => rows.get(row) }, createCrypto(), 'n');
      const held = new Set<ByteText>();
      for (const writes of chain) {
        const last = new Map(writes.map((write) => [write.key, write.present]));
        const staged = map.stage(writes.map(({ key, present }): MapWrite => ({ key, valueHash: present ? valueHash : undefined })));
        assert.deepEqual([...staged.replaced].sort(), [...last.keys()].filter((name) => held.has(name)).sort());
        for (const { key, value } of staged.operations) value ? rows.set(key, value) : rows.delete(key);
        map.commit(staged);
        for (const [name, present] of last) present ? held.add(name) : held.delete(name);
      }
    }),
    { numRuns: 300 },
  );
});
