import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { GAS_PER_RECORD, records } from '../../../../contracts/builtin/records.ts';
import { CONTRACT, accessKey, genesisRoles, recordKey, type RegistryKind, registryKey } from '../../../../contracts/builtin/layout.ts';
import { ContractFailure, type Host } from '../../../../contracts/types.ts';
import { builtinClasses, keyOf, production, readClass } from '../../../../contracts/classes/index.ts';
import { AI4I_FILE, AI4I_MAPPING, ai4iRecords, readAi4iRows } from '../../../../devnet/ai4i.ts';
import {
  type ByteText,
  type Call,
  decodeContent,
  decodeJson,
  decodeRecordResults,
  decodeRecordVersion,
  defaultParameters,
  encodeAmendment,
  encodeContent,
  encodeJson,
  encodeSubmissions,
  fromHex,
  indexDigest,
  isRecordResults,
  type Json,
  presentRecordResult,
  receiptEvents,
  type ReceiptPlace,
  type Submission,
  type TextStruct,
  toByteText,
  decodeTerm,
  type TermEntry,
  TERM_CHUNK_ENTRIES,
  termDigest,
  termFault,
  type TermKind,
  u32Text,
  recordDigest,
  recordTextsOf,
  sourceDigest,
  toHex,
} from '../../../../node/format/index.ts';
import { isErrorCode } from '../../../../node/errors/index.ts';
import { checkRows } from '../../node/records/checked-rows.ts';
import { createGuesses } from '../../../../node/records/guesses.ts';
import { prepareRecord } from '../../../../node/records/prepare.ts';
import { annexRecord, crypto } from '../../node/records/sample.ts';

const BLOCK_TIME_MS = 1_760_000_000_000;
type Result = { readonly [name: string]: Json };

/** State in a Map and the host's door, without gas or transactions: the executor has tests of its own. */
class Chain {
  readonly space = new Map<ByteText, Uint8Array>();
  readonly calls = new Map<number, Call>();
  readonly others = new Map<string, Uint8Array>();
  readonly events: { name: string; data: Json }[] = [];
  height = 5;
  gas = 0;
  transaction = 1;

  constructor() {
    for (const [role, rights] of Object.entries(genesisRoles)) this.others.set(`access${accessKey.role(role)}`, encodeJson(rights));
    for (const org of ['alpha', 'beta']) {
      this.register('organisation', org, org, { name: org, roles: [], governs: true });
      this.register('account', `mes@${org}`, org, { roles: ['operator'], keys: [], type: 'service', sessionEpoch: 0 });
    }
    this.register('account', 'audit@alpha', 'alpha', { roles: ['auditor'], keys: [], type: 'person', sessionEpoch: 0 });
    this.register('account', 'press@alpha', 'alpha', { roles: ['device'], keys: [], type: 'device', sessionEpoch: 0 });
    this.register('factory', 'F-001', 'alpha', {});
    this.register('device', 'D-1', 'alpha', {});
    this.register('factory', 'F-900', 'beta', {});
  }

  register(kind: RegistryKind, id: string, owner: string, data: Json, state = 'active'): void {
    const entry = { kind, id, owner, version: 1, state, validFrom: null, validTo: null, documentDigest: null, data };
    this.others.set(`registry${registryKey.entry(kind, id)}`, encodeJson(entry));
  }

  run(method: string, args: Uint8Array, sender = 'mes@alpha', caller = sender): Json {
    const draft = new Map<ByteText, Uint8Array>();
    const read = (key: ByteText): Uint8Array | undefined => draft.get(key) ?? this.space.get(key);
    const transactionId = new Uint8Array(32).fill(this.transaction++);
    const host: Host = {
      block: { chainId: new Uint8Array(32), height: this.height, timestampMs: BLOCK_TIME_MS, era: 0, parameters: defaultParameters() },
      transaction: { transactionId, index: 0, sender, keyId: 'k', keyKind: 'custodial' },
      self: 'records',
      caller,
      callIndex: 0,
      hash: crypto.hash,
      verify: () => false,
      get: read,
      put: (key, value) => void draft.set(key, value),
      delete: () => assert.fail('records never deletes'),
      read: (contract, key) => this.others.get(contract + key),
      cached: (_question, find) => find(),
      callAt: ({ height }) => this.calls.get(height)!,
      emit: () => assert.fail('records emits nothing: its results tell what happened'),
      tell: () => undefined,
      call: () => assert.fail('records calls nobody'),
      gasLeft: Number.MAX_SAFE_INTEGER,
      useGas: (units) => {
        this.gas += units;
      },
    };
    this.calls.set(this.height, { contract: 'records', method, args });
    const run = records.methods[method] ?? records.queries[method]!;
    const result = this.#told(run(host, args), { height: this.height, transactionId });
    for (const [key, value] of draft) this.space.set(key, value);
    this.height++;
    return result;
  }

  /** A result as answers tell it, and its events as those who follow them get them. */
  #told(result: Uint8Array, here: ReceiptPlace): Json {
    if (!isRecordResults(result)) return decodeJson(result);
    const events = receiptEvents({ results: [result], events: [] });
    for (const { name, data } of events) this.events.push({ name, data: decodeJson(data) });
    const told = decodeRecordResults(result).map((each) => presentRecordResult(each, here));
    return 'digestBefore' in told[0]! ? told[0] : told;
  }

  /** Why these are not all versions that name the value. */
  termFault(entries: readonly TermEntry[], kind: TermKind, ...values: readonly string[]): string | undefined {
    const digest = toByteText(termDigest(crypto, kind, ...values));
    const held = this.space.get(recordKey.term(digest));
    const heads: Uint8Array[] = [];
    for (let head = this.space.get(recordKey.termChunk(digest, 0)); head; head = this.space.get(recordKey.termChunk(digest, heads.length)))
      heads.push(head);
    return termFault(crypto, held && decodeTerm(held), heads, entries);
  }

  submit(trees: readonly TextStruct[], sender = 'mes@alpha', recordClass = 'production'): readonly Result[] {
    const submissions = trees.map((tree) => sealed(tree, sender.split('@')[1]!, recordClass));
    return this.run('submit', encodeSubmissions(submissions), sender) as readonly Result[];
  }
}

function sealed(tree: TextStruct, org = 'alpha', recordClass = 'production'): Submission {
  const preparation = prepareRecord({ crypto, org, sealingKey: new Uint8Array(32).fill(3) }, builtinClasses[recordClass]!, tree);
  return preparation.ok ? preparation.prepared.submission : assert.fail(JSON.stringify(preparation.faults));
}

function raw(content: TextStruct, recordClass = 'production', classVersion = 1): Uint8Array {
  return encodeSubmissions([{ class: recordClass, classVersion, content: encodeContent(content), source: {} }]);
}

function refused(code: string, run: () => unknown): Readonly<Record<string, unknown>> {
  let detail: Readonly<Record<string, unknown>> = {};
  assert.throws(run, (error: unknown) => {
    assert.ok(error instanceof ContractFailure, String(error));
    assert.equal(error.code, code);
    assert.ok(isErrorCode(code), `${code} stands in the error table`);
    detail = error.detail;
    return true;
  });
  return detail;
}

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

test("another's factory or device is refused until its owner grants it", () => {
  const chain = new Chain();
  const foreign = annexRecord({ pro_factory_uid: 'F-900' });
  refused('RECORD_FACTORY_FOREIGN', () => chain.submit([foreign]));
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

test('the position of a source never goes back, and a late part of it takes nothing away', () => {
  const chain = new Chain();
  let product = 0;
  const sent = (sources: readonly Submission['source'][], interfaceId = 'line-3'): unknown => {
    const submissions = sources.map((source) => ({
      ...sealed(annexRecord({ product_uid: `P-${product++}` })),
      source: { interfaceId, ...source },
    }));
    chain.run('submit', encodeSubmissions(submissions));
    return decodeJson(chain.space.get(recordKey.source(toByteText(indexDigest(crypto, 'mes@alpha', interfaceId))))!);
  };
  const [early, middle, late] = ['2025-01-01T00:00:00Z', '2025-01-01T08:30:00+08:00', '2025-01-01T01:00:00Z'];
  assert.deepEqual(sent([{ seq: '1', time: late }]), { seq: '1', time: late });
  assert.deepEqual(sent([{ seq: '2', time: middle }]), { seq: '2', time: middle });
  assert.deepEqual(sent([{ seq: '1', time: early }]), { seq: '2', time: middle });
  assert.deepEqual(sent([{ seq: '1', time: late }, { seq: '10' }, { seq: '9', time: late }]), { seq: '10', time: middle });
  assert.deepEqual(sent([{ seq: '10', time: early }]), { seq: '10', time: middle });
  assert.deepEqual(sent([{}]), { seq: '10', time: middle });
  assert.deepEqual(sent([{ time: early }]), { seq: '10', time: middle });
  assert.deepEqual(sent([{ time: middle }, { time: early }], 'by time'), { time: middle });
  assert.deepEqual(sent([{ time: late }], 'by time'), { time: late });
  assert.deepEqual(sent([{ seq: '7' }], 'by time'), { seq: '7', time: late });
});

test('record_key identifies a record when given, and the last source of an interface is kept', () => {
  const chain = new Chain();
  const [first] = chain.submit([annexRecord({ ext: { record_key: 'K-1' } })]);
  refused('RECORD_KEY_CONFLICT', () => chain.submit([annexRecord({ product_uid: 'other', ext: { record_key: 'K-1' } })]));
  assert.equal(chain.submit([annexRecord({ ext: { record_key: 'K-1' } })])[0]!.id, first!.id);
  const submission = { ...sealed(annexRecord({ product_uid: 'SN-9' })), source: { interfaceId: 'mes/1', seq: '7', time: 't' } };
  chain.run('submit', encodeSubmissions([submission]));
  const kept = chain.space.get(recordKey.source(toByteText(indexDigest(crypto, 'mes@alpha', 'mes/1'))));
  assert.deepEqual(decodeJson(kept!), { seq: '7', time: 't' });
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

/** What the node says of records of `mes@alpha` before it signs. */
function faultsBefore(chain: Chain, trees: readonly TextStruct[]): readonly Record<string, unknown>[] {
  const node = {
    state: { get: (key: ByteText) => stateOf(chain, key) },
    info: { chainId: new Uint8Array(32) },
    signsFor: () => true,
    parameters: () => defaultParameters(),
    head: () => ({ height: chain.height - 1, timestampMs: BLOCK_TIME_MS, era: 0 }),
  };
  const sealed = {
    *getSteps() {
      yield;
      return [];
    },
    isErased: () => false,
  };
  const guesses = createGuesses({ monotonic: () => 0 });
  const deps = { node, crypto, sealed, guesses, sealingKeys: () => [new Uint8Array(32).fill(3)] } as never;
  const rows = trees.map((tree) => ({ tree, locate: () => ({ pointer: '/' }) }));
  try {
    for (const _step of checkRows(deps, rows as never, { account: 'mes@alpha', organisation: 'alpha' } as never, 'production'));
    return [];
  } catch (error) {
    return (error as { data: { details: Record<string, unknown>[] } }).data.details;
  }
}

/** A row by the key that includes its contract's name. */
function stateOf(chain: Chain, key: ByteText): Uint8Array | undefined {
  const [contract, rest] = [key.slice(1, 1 + key.charCodeAt(0)), key.slice(1 + key.charCodeAt(0))];
  return contract === 'records' ? chain.space.get(rest) : chain.others.get(contract + rest);
}

test('a row of the data set of the devnet is accepted with its source, which is kept per account and interface', () => {
  const chain = new Chain();
  const factories = [{ id: 'F-001', organisation: 'alpha', location: 'Kunming', devices: ['D-1'] }];
  chain.register('mapping', AI4I_MAPPING, 'alpha', { name: 'AI4I', class: 'production', format: 'text/csv' });
  const rows = [...ai4iRecords(readAi4iRows(readFileSync(AI4I_FILE, 'utf8')), factories, 3)];
  const trees = rows.map(({ record, source }) => ({ ...record, source }) as TextStruct);
  const [first] = chain.submit(trees.slice(0, 2));
  const state = (): Json => decodeJson(chain.space.get(recordKey.source(toByteText(indexDigest(crypto, 'mes@alpha', 'submitRecords'))))!);
  assert.deepEqual(state(), { seq: '2' });
  chain.submit(trees.slice(2));
  assert.deepEqual(state(), { seq: '3' });
  const stored = decodeRecordVersion(chain.space.get(recordKey.version(toByteText(fromHex(first!.id as string)), 1))!, 1);
  const { source } = recordTextsOf(chain.calls.get(stored.height)!)[stored.item]!;
  assert.deepEqual(stored.sourceDigest, sourceDigest(crypto, source));
  assert.deepEqual(source, { system: 'ai4i2020', id: '1', seq: '1', interfaceId: 'submitRecords', mapping: 'ai4i2020/1' });
  assert.equal(chain.submit([trees[0]!])[0]!.status, 'repeated');
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

test('a term is all versions that name a value in the order of commits, an amendment as well, and a long one is checked in chunks', () => {
  const chain = new Chain();
  const named = (i: number, batch = 'PB-1') => annexRecord({ product_uid: `P-${i}`, ext: { device_id: 'D-1', production_batch: batch } });
  const entryOf = ({ id, version }: Result): TermEntry => ({ id: fromHex(id as string), version: version as number });
  const entries: TermEntry[] = [];
  for (let from = 0; entries.length < TERM_CHUNK_ENTRIES + 3; from += 343)
    entries.push(...chain.submit(Array.from({ length: 343 }, (_, i) => named(from + i))).map(entryOf));
  const { submission, recordId } = { submission: sealed({ ...named(0), production_location: 'moved' }), recordId: entries[0]!.id };
  const change = { recordId, expectedVersion: 1, reason: 'typed wrongly', content: submission.content, source: {} };
  entries.push(entryOf(chain.run('amend', encodeAmendment(change)) as Result));
  const term = ['production_batch', 'PB-1'] as const;
  assert.equal(chain.termFault(entries, ...term), undefined);
  assert.equal(chain.termFault([], 'production_batch', 'PB-2'), undefined, 'what nobody names has no term');
  assert.match(chain.termFault(entries.slice(0, 1), 'production_batch', 'PB-2')!, /1 entries where the term has 0/);
  const [a, b] = [entries[5]!, entries[TERM_CHUNK_ENTRIES + 1]!];
  for (const [forged, fault] of [
    [entries.slice(0, -1), /entries where/],
    [entries.with(5, b), /chunk 0/],
    [entries.with(5, entries[6]!).with(6, a), /chunk 0/],
    [entries.with(TERM_CHUNK_ENTRIES + 1, a), /chunk 1/],
    [entries.with(-1, { ...entries.at(-1)!, version: 1 }), /chunk 1/],
  ] as const)
    assert.match(chain.termFault(forged, ...term)!, fault);
  const keys = [...chain.space.keys()].filter((key) => key.startsWith('t'));
  const products = new Set(entries.map(({ id }) => toHex(id))).size;
  assert.equal(keys.length, products + 2 + 2, 'one of each product, and of both batches and their full chunks');
});

test('a field that its class declares provable is a term, in normal spelling, and what was not measured is none', () => {
  const chain = new Chain();
  const data = {
    name: 'heat',
    version: 1,
    key: ['id'],
    body: {
      type: 'struct',
      properties: { id: { type: 'text' }, degrees: { type: 'decimal', unavailable: true }, secret: { type: 'text', sealed: true } },
      required: ['id'],
    },
    facts: {},
    provable: ['degrees'],
  };
  chain.register('class', 'heat', 'alpha', data);
  const submit = (id: string, degrees: string): TermEntry => {
    const [result] = chain.run('submit', raw({ degrees, id }, 'heat')) as readonly Result[];
    return { id: fromHex(result!.id as string), version: 1 };
  };
  const [first, second] = [submit('a', '40.0'), submit('b', '40')];
  submit('c', 'UNAVAILABLE');
  assert.equal(chain.termFault([first, second], 'field', 'heat', 'degrees', '40'), undefined);
  assert.equal(chain.termFault([], 'field', 'heat', 'degrees', 'UNAVAILABLE'), undefined);
  for (const provable of [[], ['secret'], ['none'], ['degrees', 'degrees'], 'degrees'])
    assert.equal(readClass({ ...data, provable }).ok, false);
});
