import assert from 'node:assert/strict';
import { test } from 'node:test';
import { may, type Right, rightsOf, rights } from '../../../../contracts/index.ts';
import { encodeJson } from '../../../../node/format/index.ts';
import { refusal } from '../memory-host.ts';
import { testChain } from './chain.ts';

test('a role gives its rights, on objects of the own organisation only', () => {
  const chain = testChain();
  const table: readonly [string, Right, string | undefined, boolean][] = [
    ['admin@acme', 'governance:vote', undefined, true],
    ['operator@acme', 'record:submit', undefined, true],
    ['operator@acme', 'governance:vote', undefined, false],
    ['operator@acme', 'record:submit', 'factory/F-001', true],
    ['operator@acme', 'record:submit', 'device/D-1', true],
    ['operator@bolt', 'record:submit', 'factory/F-001', false],
    ['admin@bolt', 'record:submit', 'factory/F-001', false],
    ['admin@acme', 'record:submit', 'factory/F-002', false],
    ['admin@acme', 'record:submit', 'bicycle/F-001', false],
    ['ghost@acme', 'record:read', undefined, false],
    ['admin@nowhere', 'record:read', undefined, false],
    ['0x0011223344556677889900112233445566778899', 'record:read', undefined, false],
    ['acme', 'record:read', undefined, false],
  ];
  for (const [account, right, object, expected] of table)
    assert.equal(may(chain.read, account, right, object), expected, `${account} ${right} ${object ?? '-'}`);
  assert.deepEqual(rightsOf(chain.read, 'admin@acme'), rights);
});

test('a right for what an account wrote itself is no right to the rest, and whoever holds the wider one holds it', () => {
  const chain = testChain();
  const account = (id: string, roles: string[]) => ({ kind: 'account', id, data: { type: 'device', roles, keys: [] } });
  chain.call('admin@acme', 'registry', 'register', account('press@acme', ['device']));
  for (const [right, own] of [
    ['record:read', 'record:read:own'],
    ['chain:read', 'chain:read:own'],
  ] as const) {
    const held = (id: string) => [may(chain.read, id, right), may(chain.read, id, own)];
    assert.deepEqual(
      [held('press@acme'), held('operator@acme'), held('admin@acme')],
      [
        [false, true],
        [true, true],
        [true, true],
      ],
      right,
    );
  }
  assert.deepEqual(rightsOf(chain.read, 'press@acme'), ['record:submit', 'record:read:own', 'transaction:submit', 'chain:read:own']);
  chain.call('admin@acme', 'access', 'setRole', { role: 'clerk@acme', rights: ['account:manage', 'record:read'] });
  chain.call('admin@acme', 'access', 'setRole', { role: 'foreman@acme', rights: ['account:manage', 'record:read:own'] });
  chain.call('admin@acme', 'registry', 'register', account('carl@acme', ['clerk@acme']));
  chain.call('admin@acme', 'registry', 'register', account('fred@acme', ['foreman@acme']));
  chain.call('carl@acme', 'access', 'setRole', { role: 'reader@acme', rights: ['record:read:own'] });
  const widened = refusal(() => chain.call('fred@acme', 'access', 'setRole', { role: 'reader@acme', rights: ['record:read'] }));
  assert.deepEqual([widened.code, widened.detail.missing], ['ACCESS_ESCALATION', ['record:read']]);
});

test('a query of a built-in contract is refused to who may not read the chain, asked directly, in a transaction or through a contract', () => {
  const chain = testChain();
  const data = { type: 'device', roles: ['device'], keys: [] };
  chain.call('admin@acme', 'registry', 'register', { kind: 'account', id: 'press@acme', data });
  const asked = new Set<string>();
  for (const { name, queries } of chain.contracts.values())
    for (const [method, query] of Object.entries(queries))
      for (const caller of ['press@acme', `0x${'1'.repeat(40)}`]) {
        const { code, detail } = refusal(() =>
          query(chain.host('press@acme', caller, name), encodeJson({ kind: 'account', id: 'admin@acme' })),
        );
        assert.deepEqual([code, detail], ['ACCESS_DENIED', { account: 'press@acme', right: 'chain:read' }], `${name}.${method}`);
        asked.add(`${name}.${method}`);
      }
  assert.ok(asked.size >= 7, [...asked].join(' '));
  const entry = chain.contracts.get('registry')!.queries.get!;
  const args = encodeJson({ kind: 'account', id: 'admin@acme' });
  assert.doesNotThrow(
    () => entry(chain.host('operator@acme', `0x${'1'.repeat(40)}`, 'registry'), args),
    'a contract reads with its signer’s rights',
  );
});

test('a grant lets another organisation use one right on one object until its end, and a revocation ends it', () => {
  const chain = testChain();
  const until = chain.timestampMs + 1000;
  chain.call('admin@acme', 'access', 'grant', { right: 'record:submit', object: 'factory/F-001', organisation: 'bolt', until });
  const allowed = (account: string, right: Right, atMs: number) => may(chain.read, account, right, 'factory/F-001', atMs);
  assert.equal(allowed('operator@bolt', 'record:submit', until - 1), true);
  assert.equal(allowed('operator@bolt', 'record:submit', until), false, 'a grant is over at its end');
  assert.equal(allowed('operator@bolt', 'record:read', until - 1), false, 'another right was not granted');
  assert.equal(allowed('operator@cast', 'record:submit', until - 1), false, 'another organisation was not granted');
  chain.call('admin@acme', 'access', 'revoke', { right: 'record:submit', object: 'factory/F-001', organisation: 'bolt' });
  assert.equal(allowed('operator@bolt', 'record:submit', until - 1), false);
  assert.deepEqual(
    chain.events.map((event) => event.name),
    ['granted', 'revoked'],
  );
});

test('a grant on * covers every object of the owner and none of others', () => {
  const chain = testChain();
  chain.call('admin@bolt', 'registry', 'register', { kind: 'factory', id: 'F-B', data: { name: 'Bolt' } });
  chain.call('admin@acme', 'access', 'grant', { right: 'record:read', object: '*', organisation: 'cast' });
  assert.equal(may(chain.read, 'operator@cast', 'record:read', 'device/D-1'), true);
  assert.equal(may(chain.read, 'operator@cast', 'record:read', 'factory/F-B'), false);
});

test('grants of what one does not own, to oneself, to nobody, or without the right are refused', () => {
  const chain = testChain();
  const grant = { right: 'record:read', object: 'factory/F-001', organisation: 'cast' };
  assert.equal(refusal(() => chain.call('admin@bolt', 'access', 'grant', grant)).code, 'ACCESS_OBJECT_FOREIGN');
  assert.equal(refusal(() => chain.call('operator@acme', 'access', 'grant', grant)).code, 'ACCESS_DENIED');
  assert.equal(refusal(() => chain.call('admin@acme', 'access', 'grant', { ...grant, organisation: 'acme' })).code, 'ACCESS_GRANT_TO_SELF');
  assert.equal(
    refusal(() => chain.call('admin@acme', 'access', 'grant', { ...grant, organisation: 'nobody' })).code,
    'REGISTRY_ENTRY_UNKNOWN',
  );
  assert.equal(refusal(() => chain.call('admin@acme', 'access', 'revoke', grant)).code, 'ACCESS_GRANT_UNKNOWN');
  const { code, detail } = refusal(() => chain.call('admin@acme', 'access', 'grant', { right: 'fly', object: 'x', organization: 'cast' }));
  assert.equal(code, 'BUILTIN_ARGUMENTS_INVALID');
  assert.deepEqual((detail.faults as { path: string }[]).map((fault) => fault.path).sort(), [
    '/object',
    '/organisation',
    '/organization',
    '/right',
  ]);
});

test('an organisation defines roles of its own, which give nothing to accounts of others', () => {
  const chain = testChain();
  chain.call('admin@acme', 'access', 'setRole', { role: 'inspector@acme', rights: ['record:read', 'alarm:acknowledge'] });
  chain.call('admin@acme', 'registry', 'register', {
    kind: 'account',
    id: 'ines@acme',
    data: { type: 'person', roles: ['inspector@acme'], keys: [] },
  });
  assert.equal(may(chain.read, 'ines@acme', 'alarm:acknowledge'), true);
  assert.equal(may(chain.read, 'ines@acme', 'record:submit'), false);
  const foreign = { kind: 'account', id: 'igor@bolt', data: { type: 'person', roles: ['inspector@acme'], keys: [] } };
  assert.equal(refusal(() => chain.call('admin@bolt', 'registry', 'register', foreign)).code, 'BUILTIN_ARGUMENTS_INVALID');
  assert.equal(
    refusal(() => chain.call('admin@bolt', 'access', 'setRole', { role: 'inspector@acme', rights: ['*'] })).code,
    'ACCESS_ROLE_FOREIGN',
  );
  assert.equal(
    refusal(() => chain.call('admin@acme', 'access', 'setRole', { role: 'admin', rights: [] })).code,
    'BUILTIN_ARGUMENTS_INVALID',
  );
  chain.call('admin@acme', 'access', 'setRole', { role: 'inspector@acme', rights: [] });
  assert.equal(may(chain.read, 'ines@acme', 'record:read'), false, 'a role taken away gives nothing');
});

test('nobody hands on a right that he does not hold, by role or by a key in a stronger account', () => {
  const chain = testChain();
  chain.call('admin@acme', 'access', 'setRole', { role: 'clerk@acme', rights: ['account:manage', 'record:read'] });
  chain.call('admin@acme', 'registry', 'register', {
    kind: 'account',
    id: 'carl@acme',
    data: { type: 'person', roles: ['clerk@acme'], keys: [] },
  });
  const account = (roles: string[]) => ({ kind: 'account', id: 'new@acme', data: { type: 'person', roles, keys: [] } });
  assert.equal(refusal(() => chain.call('carl@acme', 'registry', 'register', account(['admin']))).code, 'ACCESS_ESCALATION');
  assert.equal(refusal(() => chain.call('carl@acme', 'access', 'setRole', { role: 'x@acme', rights: ['*'] })).code, 'ACCESS_ESCALATION');
  const key = { keyId: 'mine', publicKey: '07'.repeat(32), kind: 'own', scope: ['*'] };
  assert.equal(refusal(() => chain.call('carl@acme', 'registry', 'addKey', { id: 'admin@acme', key })).code, 'ACCESS_ESCALATION');
  assert.deepEqual(
    refusal(() => chain.call('carl@acme', 'access', 'setRole', { role: 'x@acme', rights: ['metrics:read'] })).detail.missing,
    ['metrics:read'],
  );
  chain.call('carl@acme', 'registry', 'register', account(['clerk@acme']));
});

test('accounts and organisations that are suspended or outside their validity may nothing', () => {
  const chain = testChain();
  const now = chain.timestampMs;
  chain.call('admin@acme', 'registry', 'register', {
    kind: 'account',
    id: 'temp@acme',
    validFrom: now,
    validTo: now + 10,
    data: { type: 'person', roles: ['operator'], keys: [] },
  });
  const at = (ms: number | undefined) => may(chain.read, 'temp@acme', 'record:read', undefined, ms);
  assert.deepEqual([at(now - 1), at(now), at(now + 9), at(now + 10), at(undefined)], [false, true, true, false, true]);
  chain.call('admin@acme', 'registry', 'suspend', { kind: 'account', id: 'temp@acme' });
  assert.equal(at(now), false);
  chain.call('admin@acme', 'registry', 'resume', { kind: 'account', id: 'temp@acme' });
  assert.equal(at(now), true);
});

test('the query may answers what the function decides', () => {
  const chain = testChain();
  assert.deepEqual(
    chain.query('operator@acme', 'access', 'may', { account: 'operator@acme', right: 'record:submit', object: 'device/D-1' }),
    {
      may: true,
    },
  );
  assert.deepEqual(chain.query('operator@acme', 'access', 'may', { account: 'operator@acme', right: 'contract:manage' }), { may: false });
});
