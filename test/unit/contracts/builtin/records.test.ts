import assert from 'node:assert/strict';
import { test } from 'node:test';
import { GAS_PER_RECORD } from '../../../../contracts/builtin/records.ts';
import { recordKey } from '../../../../contracts/builtin/layout.ts';
import { keyOf, production } from '../../../../contracts/classes/index.ts';
import {
  decodeContent,
  decodeRecordVersion,
  defaultParameters,
  encodeAmendment,
  fromHex,
  type TextStruct,
  toByteText,
  u32Text,
  recordDigest,
  recordTextsOf,
  toHex,
} from '../../../../node/format/index.ts';
import { checkRows } from '../../node/records/checked-rows.ts';
import { createGuesses } from '../../../../node/records/guesses.ts';
import { annexRecord, crypto } from '../../node/records/sample.ts';
import { BLOCK_TIME_MS, Chain, sealed, raw, refused, type Result } from './records-chain.ts';

test('an annex A record writes four authenticated keys, an event and its receipt', () => {
  const chain = new Chain();
  const [result] = chain.submit([annexRecord()]);
  assert.equal(chain.space.size, 4);
  assert.deepEqual([result!.status, result!.version, result!.currentVersion, result!.digestAlg], ['stored', 1, 1, 'SHA-256']);
  const id = toByteText(fromHex(result!.id as string));
  const stored = decodeRecordVersion(chain.space.get(recordKey.version(id, 1))!, 1);
  assert.equal(toHex(stored.recordDigest), result!.recordDigest);
  const { content } = recordTextsOf(chain.calls.get(stored.height)!)[stored.item]!;
  assert.equal(toHex(crypto.hash(content)), result!.recordDigest);
  assert.deepEqual([stored.org, stored.actor, stored.height, stored.state], ['alpha', 'mes@alpha', 5, 'current']);
  assert.deepEqual(keyOf(production, decodeContent(content)), {
    device_id: 'D-1',
    pro_factory_uid: 'F-001',
    product_uid: 'SN-0001',
    production_time: '2025-08-09T00:00:00Z',
  });
  const entries = [{ id: fromHex(result!.id as string), version: 1 }];
  assert.equal(chain.termFault(entries, 'product', 'SN-0001'), undefined);
  assert.equal(chain.termFault(entries, 'production_batch', 'PB-7'), undefined);
  assert.equal(chain.termFault(entries, 'material_batch', 'S-12', 'B-2025-081'), undefined);
  assert.deepEqual(chain.events, [
    { name: 'RecordSubmitted', data: { class: 'production', id: result!.id!, recordDigest: result!.recordDigest!, version: 1 } },
  ]);
  assert.ok(chain.gas > GAS_PER_RECORD);
  assert.ok(![...chain.space.values()].some((value) => Buffer.from(value).includes('李雷')), 'no operator name in state');
});

test('the same record again names the first receipt and writes nothing', () => {
  const chain = new Chain();
  const [first] = chain.submit([annexRecord()]);
  const before = new Map(chain.space);
  const [again, third] = chain.submit([annexRecord(), annexRecord()]);
  assert.deepEqual(again, { ...first, status: 'repeated' });
  assert.deepEqual(third, again);
  assert.deepEqual(chain.space, before);
});

test('one step is one record however its time is spelled, and the text of the first stays', () => {
  const chain = new Chain();
  const at = (production_time: string, more: TextStruct = {}): TextStruct => annexRecord({ production_time, ...more });
  const [first] = chain.submit([at('2025-03-01T08:00:00+08:00')]);
  const before = new Map(chain.space);
  for (const text of ['2025-03-01T00:00:00Z', '2025-03-01T00:00:00.000Z', '2025-03-01T00:00:00+00:00', '1740787200000'])
    assert.deepEqual(chain.submit([at(text)])[0], { ...first, status: 'repeated' }, text);
  assert.deepEqual(chain.space, before);
  refused('RECORD_KEY_CONFLICT', () => chain.submit([at('2025-03-01T00:00:00Z', { production_location: 'elsewhere' })]));
  for (const other of ['2025-03-01T00:00:00.0000001Z', '2025-03-01T00:00:01Z', '2024-12-31T23:59:60Z', '2025-01-01T00:00:00Z'])
    assert.equal(chain.submit([at(other)])[0]!.status, 'stored', other);
  const recordId = fromHex(first!.id as string);
  const content = sealed(at('1740787200000', { production_location: 'line 4' })).content;
  const amended = chain.run('amend', encodeAmendment({ recordId, expectedVersion: 1, reason: 'r', content, source: {} })) as Result;
  assert.equal(amended.version, 2);
});

test('numbers in a key count as their value', () => {
  const chain = new Chain();
  const own = {
    ...{ name: 'heat', version: 3, key: ['furnace.load', 'run'], facts: {} },
    body: {
      type: 'struct',
      properties: {
        furnace: { type: 'struct', properties: { load: { type: 'decimal', unavailable: true } } },
        run: { type: 'text', format: 'integer' },
        note: { type: 'text' },
      },
    },
  };
  chain.register('class', 'heat', 'beta', own);
  const put = (load: string, run: string, note = 'n'): Result =>
    (chain.run('submit', raw({ furnace: { load }, run, note }, 'heat', 3)) as Result[])[0]!;
  const first = put('40.0', '+7');
  for (const [load, run] of [
    ['40', '7'],
    ['4e1', '007'],
  ] as const)
    assert.deepEqual(put(load, run), { ...first, status: 'repeated' });
  refused('RECORD_KEY_CONFLICT', () => put('40', '7', 'other'));
  assert.equal(put('40.1', '7').status, 'stored');
  assert.equal(put('UNAVAILABLE', '7').status, 'stored');
});

test('the same key with other content is refused with what stands there', () => {
  const chain = new Chain();
  const [first] = chain.submit([annexRecord()]);
  const detail = refused('RECORD_KEY_CONFLICT', () =>
    chain.submit([annexRecord({ product_uid: 'SN-2' }), annexRecord({ production_location: 'elsewhere' })]),
  );
  assert.deepEqual([detail.record, detail.currentVersion, detail.recordDigest], [1, '1', first!.recordDigest]);
  assert.equal(chain.space.size, 4, 'the good record of the same call is not stored either');
});

test('a key conflict has one shape of facts, whoever finds it: the contract, the check before signing, or two rows of one call', () => {
  const chain = new Chain();
  const tree = annexRecord();
  const other = annexRecord({ production_location: 'elsewhere' });
  chain.submit([tree]);
  const { record: _record, path: _path, ...byContract } = refused('RECORD_KEY_CONFLICT', () => chain.submit([other]));
  const node = {
    info: { chainId: new Uint8Array(32) },
    head: () => ({ height: 9, timestampMs: BLOCK_TIME_MS, era: 0 }),
    parameters: defaultParameters,
    signsFor: () => true,
    state: {
      get: (key: string) => {
        const name = key.slice(1, 1 + key.charCodeAt(0));
        const rest = key.slice(1 + name.length);
        return name === 'records' ? chain.space.get(rest) : chain.others.get(name + rest);
      },
    },
  };
  const guesses = createGuesses({ monotonic: () => 0 });
  const sealed = {
    *getSteps() {
      yield;
      return [];
    },
    isErased: () => false,
  };
  const deps = { node, crypto, sealed, guesses, sealingKeys: () => [new Uint8Array(32).fill(3)] } as never;
  const conflictOf = (...trees: TextStruct[]) => conflictFor('mes@alpha', ...trees);
  /** Every first version that the chain holds. */
  const standing = () =>
    new Map(
      [...chain.space].flatMap(([key, value]) => {
        const isFirst = key.startsWith('v') && key.endsWith(u32Text(1));
        return isFirst ? [[key.slice(1, 33), { ...decodeRecordVersion(value, 1), seals: new Map(), storedAs: {} }] as const] : [];
      }),
    );
  const conflictFor = (account: string, ...trees: TextStruct[]) => {
    const caller = { account, organisation: 'alpha' } as never;
    const rows = trees.map((content) => ({ tree: content, locate: () => ({ pointer: '/' }) }));
    try {
      for (const _step of checkRows(deps, rows as never, caller, 'production', [], standing()));
    } catch (error) {
      const { details } = (error as { data: { details: Record<string, unknown>[] } }).data;
      const { code, pointer: _pointer, message: _message, ...facts } = details.at(-1)!;
      assert.equal(code, 'RECORD_KEY_CONFLICT');
      return facts;
    }
    return assert.fail('no conflict');
  };
  assert.deepEqual(conflictOf(other), byContract);
  assert.deepEqual([byContract.sameKeyAs, byContract.currentVersion, byContract.state], [null, '1', 'current']);
  const twins = conflictOf(annexRecord({ product_uid: 'SN-9' }), annexRecord({ product_uid: 'SN-9', production_location: 'there' }));
  assert.deepEqual(Object.keys(twins).sort(), Object.keys(byContract).sort());
  assert.deepEqual([twins.sameKeyAs, twins.currentVersion, twins.transactionId], [0, '0', null]);
  const byDevice = refused('RECORD_KEY_CONFLICT', () => chain.submit([other], 'press@alpha'));
  const untold = { state: null, recordDigest: null, height: null, transactionId: null };
  assert.deepEqual(byDevice, { ...byContract, record: 0, path: [], ...untold }, 'an account learns that the key is taken, and no more');
  assert.deepEqual(conflictFor('press@alpha', other), { ...byContract, ...untold });
  chain.submit([annexRecord({ product_uid: 'SN-7' })], 'press@alpha');
  const own = annexRecord({ product_uid: 'SN-7', production_location: 'elsewhere' });
  assert.equal(refused('RECORD_KEY_CONFLICT', () => chain.submit([own], 'press@alpha')).state, 'current');
  assert.equal(conflictFor('press@alpha', own).state, 'current');
});

test('who may not read a record and sends it again in a transaction of its own hears that it is stored, and no more', () => {
  const chain = new Chain();
  const tree = annexRecord({ production_time: '2025-03-01T00:00:00Z' });
  const respelled = annexRecord({ production_time: '1740787200000' });
  const [first] = chain.submit([tree]);
  const [author] = chain.submit([respelled]);
  assert.deepEqual(author, { ...first, status: 'repeated' });
  for (const sent of [tree, respelled]) {
    const [told] = chain.submit([sent], 'press@alpha');
    const digest = toHex(recordDigest(crypto, sealed(sent).content));
    assert.deepEqual(told, { ...first, status: 'repeated', recordDigest: digest, height: null, transactionId: null });
  }
});
