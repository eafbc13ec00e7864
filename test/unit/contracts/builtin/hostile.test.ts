/** Whatever a caller sends, a built-in contract answers or refuses: any other exception would halt every node. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { ContractFailure } from '../../../../contracts/index.ts';
import { errorTable } from '../../../../node/errors/index.ts';
import { encodeJson, type Json } from '../../../../node/format/index.ts';
import type { MemoryChain } from '../memory-host.ts';
import { key, nodeData, testChain } from './chain.ts';

const HOSTILE = [
  'constructor',
  '__proto__',
  'toString',
  'hasOwnProperty',
  '',
  '\ud800',
  '\0',
  '工厂',
  '0x',
  'a@b@c',
  '@',
  'contract/\uffff',
  '*',
  '99999999',
  'x'.repeat(300),
];
const KNOWN = [
  'account',
  'factory',
  'device',
  'organisation',
  'node',
  'admin@acme',
  'operator@acme',
  'F-001',
  'D-1',
  'n-acme',
  'acme',
  'addNode',
  'addOrganisation',
  'setParameter',
  'suspendNode',
  'resumeNode',
  'replaceValidatorKey',
  'resumeOrganisation',
  'own',
  'custodial',
  'person',
  'admin',
  'record:read',
  'factory/F-001',
  'viewTimeoutMs',
  '1',
  key(3),
];
const NAMES = [
  'kind',
  'id',
  'data',
  'version',
  'keys',
  'key',
  'keyId',
  'publicKey',
  'node',
  'scope',
  'roles',
  'role',
  'rights',
  'right',
  'object',
  'organisation',
  'until',
  'name',
  'value',
  'approve',
  'administrators',
  'nodes',
  'head',
  'count',
  'account',
  'type',
  'factory',
  'validFrom',
  'validTo',
  'entries',
  'addresses',
  'weight',
  'suite',
  ...HOSTILE,
];

const text = fc.constantFrom(...HOSTILE, ...KNOWN);
const leaf = fc.oneof(text, fc.constantFrom(0, 1, -1, 2 ** 32, Number.MAX_SAFE_INTEGER), fc.boolean(), fc.constant(null));
const { value } = fc.letrec<{ value: Json }>((tie) => ({
  value: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    leaf,
    fc.array(tie('value'), { maxLength: 3 }),
    fc.dictionary(fc.constantFrom(...NAMES), tie('value'), { maxKeys: 6 }) as fc.Arbitrary<Json>,
  ),
}));

function outcome(chain: MemoryChain, table: 'methods' | 'queries', contract: string, method: string, args: Uint8Array): void {
  try {
    chain.contracts.get(contract)![table][method]!(chain.host('admin@acme', 'admin@acme', contract), args);
  } catch (error) {
    if (!(error instanceof ContractFailure)) throw error;
    assert.equal(Object.hasOwn(errorTable, error.code), true, error.code);
    encodeJson(error.detail as Json); // facts of a receipt must have a canonical form
  }
}

/** Canonical where there is such a form, so that it gets past the first door; else as a stranger may send it, unpaired surrogates and all. */
function anyJson(value: Json): Uint8Array {
  try {
    return encodeJson(value);
  } catch {
    return new TextEncoder().encode(JSON.stringify(value));
  }
}

/** Arguments that reach deep, to be broken in one place. */
const SOUND: Readonly<Record<string, Json>> = {
  'registry.register': {
    kind: 'account',
    id: 'new@acme',
    data: { type: 'person', roles: ['operator'], keys: [{ keyId: 'k', publicKey: key(3), kind: 'own', scope: ['*'] }] },
  },
  'registry.update': { kind: 'factory', id: 'F-001', version: 1, data: { name: 'x' } },
  'registry.addKey': { id: 'operator@acme', key: { keyId: 'k2', publicKey: key(3), kind: 'custodial', node: 'n-acme', scope: ['*'] } },
  'access.grant': { right: 'record:read', object: 'factory/F-001', organisation: 'bolt', until: 5 },
  'access.setRole': { role: 'x@acme', rights: ['record:read'] },
  'governance.propose': { kind: 'addNode', id: 'n-new', organisation: 'acme', node: nodeData(70) as unknown as Json },
  'governance.vote': { id: '1', approve: true },
  'audit.anchor': { node: 'n-acme', head: key(1), count: 1 },
};

/** Every value of the tree in turn replaced by `other`. */
function brokenForms(tree: Json, other: Json): Json[] {
  if (typeof tree !== 'object' || tree === null) return [other];
  if (Array.isArray(tree)) return [other, ...tree.flatMap((item, i) => brokenForms(item, other).map((form) => tree.with(i, form)))];
  return [
    other,
    ...Object.entries(tree).flatMap(([name, member]) => brokenForms(member as Json, other).map((form) => ({ ...tree, [name]: form }))),
  ];
}

test('sound arguments broken in any one place by any hostile value end in a refusal of the table or are taken', () => {
  const others: readonly Json[] = [...HOSTILE, null, 0, -1, true, [], {}, [null], { constructor: 1 }];
  for (const [name, tree] of Object.entries(SOUND)) {
    const [contract, method] = name.split('.') as [string, string];
    for (const other of others)
      for (const form of brokenForms(tree, other)) outcome(testChain(), 'methods', contract, method, anyJson(form));
  }
});

test('arbitrary arguments to every method and query end in a refusal of the table or are taken', () => {
  const chain = testChain();
  const doors = [...chain.contracts.values()].flatMap((contract) =>
    (['methods', 'queries'] as const).flatMap((table) =>
      Object.keys(contract[table])
        .filter((method) => method !== 'put')
        .map((method) => [table, contract.name, method] as const),
    ),
  );
  fc.assert(
    fc.property(fc.constantFrom(...doors), value, ([table, contract, method], args) =>
      outcome(chain, table, contract, method, anyJson(args)),
    ),
    { numRuns: 1_500 },
  );
});

test('bytes that are no canonical JSON object are refused', () => {
  const chain = testChain();
  for (const bytes of [
    new Uint8Array(0),
    new Uint8Array([255]),
    new TextEncoder().encode('{ "id":1}'),
    new TextEncoder().encode('['.repeat(100_000)),
  ])
    outcome(chain, 'methods', 'registry', 'register', bytes);
});
