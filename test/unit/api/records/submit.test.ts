import assert from 'node:assert/strict';
import { test } from 'node:test';
import { checkRows, outcomeOf, type SubmitDependencies } from '../../../../api/records/submit.ts';
import { CONTRACT, production, recordKey, registryKey, type RegistryKind, stateKey } from '../../../../contracts/index.ts';
import {
  canonicalJson,
  defaultParameters,
  encodeJson,
  encodeStoredRecord,
  type StoredRecord,
  type TextStruct,
  toByteText,
  toHex,
} from '../../../../node/format/index.ts';
import { ChainError } from '../../../../node/errors/index.ts';
import { prepareRecord } from '../../../../node/records/index.ts';
import { annexRecord, crypto } from '../../node/records/sample.ts';

const sealingKey = new Uint8Array(32).fill(3);
const caller = { account: 'mes@alpha', organisation: 'alpha' } as Parameters<typeof checkRows>[2];

function prepared(tree: TextStruct) {
  const preparation = prepareRecord({ crypto, org: 'alpha', sealingKey }, production, tree);
  return preparation.ok ? preparation.prepared : assert.fail(JSON.stringify(preparation.faults));
}

/** What the checks ask of a node: the state, its head and its parameters. */
function door(stored: readonly TextStruct[]): SubmitDependencies {
  const rows = new Map<string, Uint8Array>();
  const register = (kind: RegistryKind, id: string): void => {
    const entry = { kind, id, owner: 'alpha', version: 1, state: 'active', validFrom: null, validTo: null, documentDigest: null, data: {} };
    rows.set(stateKey(CONTRACT.registry, registryKey.entry(kind, id)), encodeJson(entry));
  };
  register('factory', 'F-001');
  register('device', 'D-1');
  for (const tree of stored) {
    const { recordId, submission } = prepared(tree);
    const record: StoredRecord = {
      ...{ class: 'production', classVersion: 1, org: 'alpha', actor: 'mes@alpha', key: {}, version: 1, state: 'current' },
      ...{ content: submission.content, source: {}, height: 4, committedAtMs: 1, transactionId: new Uint8Array(32), change: undefined },
    };
    rows.set(stateKey(CONTRACT.records, recordKey.version(toByteText(recordId), 1)), encodeStoredRecord(record));
  }
  const node = {
    info: { chainId: new Uint8Array(32) },
    head: () => ({ height: 9, timestampMs: 1_760_000_000_000, era: 0 }),
    parameters: defaultParameters,
    state: { get: (key: string) => rows.get(key) },
  };
  return { node, crypto, sealed: { get: () => [] }, sealingKey: () => sealingKey } as unknown as SubmitDependencies;
}

const check = (deps: SubmitDependencies, trees: readonly TextStruct[]) =>
  checkRows(
    deps,
    trees.map((tree) => ({ tree, locate: () => ({ pointer: '/' }) })) as unknown as Parameters<typeof checkRows>[1],
    caller,
    'production',
    undefined,
  );

test('a record sent again with its time spelled otherwise is the stored one, and the answer says how that spells it', () => {
  const first = annexRecord({ production_time: '2025-03-01T00:00:00Z' });
  const deps = door([first]);
  const stored = prepared(first);
  for (const production_time of ['2025-03-01T08:00:00+08:00', '2025-03-01T00:00:00.000Z', '1740787200000']) {
    const tree = annexRecord({ production_time });
    const [row] = check(deps, [tree]);
    const outcome = outcomeOf(deps, row!, 'repeated');
    assert.equal(outcome.id, toHex(stored.recordId));
    assert.equal(outcome.recordDigest, toHex(stored.recordDigest), 'the digest of what is stored');
    assert.equal(outcome.contentDigest, toHex(crypto.hash(new TextEncoder().encode(canonicalJson(tree)))), 'the digest of what was sent');
    assert.deepEqual(outcome.storedAs, { production_time: '2025-03-01T00:00:00Z' });
  }
  assert.equal('storedAs' in outcomeOf(deps, check(deps, [first])[0]!, 'repeated'), false);
});

test('two spellings of one step in one body are one record, and other content under it is a conflict', () => {
  const deps = door([]);
  const [a, b] = [annexRecord({ production_time: '2025-03-01T00:00:00Z' }), annexRecord({ production_time: '1740787200000' })];
  const ids = check(deps, [a, b]).map(({ prepared: { recordId } }) => toHex(recordId));
  assert.equal(ids[0], ids[1]);
  const other = annexRecord({ production_time: '1740787200000', production_location: 'elsewhere' });
  for (const run of [() => check(deps, [a, other]), () => check(door([a]), [other])])
    assert.throws(run, (error) => error instanceof ChainError && error.code === 'RECORD_KEY_CONFLICT');
});
