import assert from 'node:assert/strict';
import { test } from 'node:test';
import { encodeAmendment, encodeJson, fromHex, toHex } from '../../../../node/format/index.ts';
import { annexRecord } from '../../node/records/sample.ts';
import { Chain, sealed, refused, type Result } from './records-chain.ts';

test('an amendment adds a version, a retry of the first still gets its own receipt, and history stays', () => {
  const chain = new Chain();
  const [first] = chain.submit([annexRecord()]);
  const recordId = fromHex(first!.id as string);
  const changed = sealed(annexRecord({ production_location: 'line 4' })).content;
  const amend = (expectedVersion: number, content: Uint8Array | undefined, reason = 'wrong line'): Result =>
    chain.run('amend', encodeAmendment({ recordId, expectedVersion, reason, content, source: {} })) as Result;
  const second = amend(1, changed);
  assert.deepEqual([second.version, second.status, second.digestBefore], [2, 'amended', first!.recordDigest]);
  assert.deepEqual(chain.submit([annexRecord()])[0], { ...first, status: 'repeated', currentVersion: 2 });
  refused('RECORD_VERSION_MOVED', () => amend(1, changed));
  refused('RECORD_UNCHANGED', () => amend(2, changed));
  refused('RECORD_REASON_MISSING', () => amend(2, changed, ''));
  refused('RECORD_CONTENT_MISSING', () => amend(2, undefined));
  refused('RECORD_KEY_CHANGED', () => amend(2, sealed(annexRecord({ product_uid: 'SN-2' })).content));
  const withdraw = (expectedVersion: number, sender = 'mes@alpha'): Result =>
    chain.run('withdraw', encodeAmendment({ recordId, expectedVersion, reason: 'test', content: undefined, source: {} }), sender) as Result;
  refused('RECORD_FOREIGN', () => withdraw(2, 'mes@beta'));
  assert.deepEqual([withdraw(2).version, chain.events.at(-1)!.name], [3, 'RecordWithdrawn']);
  refused('RECORD_DELETED', () => amend(3, changed));
  assert.equal(chain.submit([annexRecord()])[0]!.currentVersion, 3);
  assert.equal((chain.run('get', encodeJson({ id: first!.id!, version: 2 })) as Result).recordDigest, second.recordDigest);
  assert.equal((chain.run('get', encodeJson({ id: first!.id! })) as Result).record, null);
});

test('what an account may not read is to it as if it did not exist: no amendment, no withdrawal, no answer to a query', () => {
  const chain = new Chain();
  const byMes = fromHex(chain.submit([annexRecord()])[0]!.id as string);
  const byPress = fromHex(chain.submit([annexRecord({ product_uid: 'SN-2' })], 'press@alpha')[0]!.id as string);
  const nothing = new Uint8Array(32).fill(9);
  const { content } = sealed(annexRecord({ product_uid: 'SN-2', production_location: 'line 2' }));
  const amend = (recordId: Uint8Array) =>
    chain.run('amend', encodeAmendment({ recordId, expectedVersion: 1, reason: 'r', content, source: {} }), 'press@alpha');
  const withdraw = (recordId: Uint8Array, expectedVersion: number) =>
    chain.run('withdraw', encodeAmendment({ recordId, expectedVersion, reason: 'r', content: undefined, source: {} }), 'press@alpha');
  for (const recordId of [byMes, nothing]) {
    assert.deepEqual(
      refused('RECORD_NOT_FOUND', () => amend(recordId)),
      { id: toHex(recordId) },
    );
    assert.deepEqual(
      refused('RECORD_NOT_FOUND', () => withdraw(recordId, 7)),
      { id: toHex(recordId) },
      'no word of the version',
    );
  }
  assert.equal((amend(byPress) as Result).status, 'amended');
  assert.equal((withdraw(byPress, 2) as Result).status, 'withdrawn');
  const gas = [byMes, byPress, nothing].map((recordId) => {
    const before = chain.gas;
    const ask = () => chain.run('get', encodeJson({ id: toHex(recordId) }), 'press@alpha');
    assert.deepEqual(refused('ACCESS_DENIED', ask), { account: 'press@alpha', right: 'record:read' });
    return chain.gas - before;
  });
  assert.equal(new Set(gas).size, 1, 'the gas of a refusal tells nothing either');
  assert.equal((chain.run('get', encodeJson({ id: toHex(byMes) })) as Result).actor, 'mes@alpha');
});

test('the current version is found among many', () => {
  const chain = new Chain();
  const [first] = chain.submit([annexRecord()]);
  const recordId = fromHex(first!.id as string);
  for (let version = 1; version < 38; version++) {
    const content = sealed(annexRecord({ production_location: `line ${version}` })).content;
    const result = chain.run('amend', encodeAmendment({ recordId, expectedVersion: version, reason: 'r', content, source: {} })) as Result;
    assert.equal(result.version, version + 1);
  }
});
