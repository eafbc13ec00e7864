import assert from 'node:assert/strict';
import { test } from 'node:test';
import { canonicalJson, encodeJson, fromHex, hashTagged, type Json, tagged, toHex, utf8, Writer } from '../../../../node/format/index.ts';
import {
  type DeployedContract,
  deployedKey,
  IMAGES_TOTAL_BYTES_MAX,
  LOAD_GAS_MAX,
  registryKey,
  stateKey,
} from '../../../../contracts/index.ts';
import { block, Chain, call, hash, json, newMachine } from '../workbench.ts';

const machine = await newMachine();
const CODE =
  'contract({ events: { Done: { at: "integer" } }, methods: { put(ctx, v) { ctx.put("v", v); } }, queries: { v(ctx) { return ctx.get("v"); } } });';
const SOURCE_DIGEST = toHex(hash(utf8(CODE)));
const arguments_ = { language: 'javascript', code: CODE, sourceDigest: SOURCE_DIGEST };

/** Rights by account; `contract:manage` may be tied to an object. */
const given: Readonly<Record<string, readonly string[]>> = {
  'ann@acme': ['contract:deploy', 'chain:read'],
  'max@acme': ['contract:manage'],
  'eve@acme': ['contract:call'],
  'mia@other': ['contract:manage', 'contract:deploy'],
};
const chain = () => new Chain({ machine, may: (_read, account, right) => given[account]?.includes(right) ?? false });
const info = (c: Chain, address: string) => json(c.query('contracts', 'info', { address }).result) as unknown as DeployedContract;

test('a deployed contract is found under an address that follows from deployer, transaction and call', () => {
  const c = chain();
  const done = c.execute([call('contracts', 'deploy', arguments_)]);
  const result = json(done.results[0]!) as { readonly address: string; readonly codeDigest: string; readonly imageDigest: string };
  const expected = hashTagged(
    { hash },
    'address',
    new Writer()
      .text('ann@acme')
      .fixed(hash(encodeJson(1)), 32)
      .u32(0)
      .finish(),
  );
  assert.equal(result.address, `0x${toHex(expected.subarray(0, 20))}`);
  assert.equal(result.codeDigest, toHex(hash(utf8(CODE))));
  assert.equal(result.imageDigest, machine.load(utf8(CODE)).imageDigest);
  assert.deepEqual(
    done.events.map((event) => [event.contract, event.name]),
    [['contracts', 'Deployed']],
  );
  const row = info(c, result.address);
  assert.deepEqual(
    [row.owner, row.state, row.version, row.deployedBy, row.deployedAt, row.methods, row.queries, row.events],
    ['acme', 'active', 1, 'ann@acme', block.height, ['put'], ['v'], { Done: { at: 'integer' } }],
  );
});

test('code given as base64 and as text is one code', () => {
  const c = chain();
  const [asText, asBase64] = c
    .execute([
      call('contracts', 'deploy', arguments_),
      call('contracts', 'deploy', { ...arguments_, code: Buffer.from(CODE).toString('base64'), codeEncoding: 'base64' }),
    ])
    .results.map((result) => json(result) as { readonly address: string; readonly codeDigest: string });
  assert.equal(asText!.codeDigest, asBase64!.codeDigest);
  assert.notEqual(asText!.address, asBase64!.address);
});

test('pause, resume and terminate follow the table of states', () => {
  const c = chain();
  const address = c.deploy(CODE);
  const change = (method: string) => c.execute([call('contracts', method, { address })], { sender: 'max@acme' }).code;
  const put = () => c.execute([call(address, 'put', 1)]).code;
  const steps: readonly (readonly [string, string, string])[] = [
    ['resume', 'CONTRACT_STATE_CONFLICT', 'OK'],
    ['pause', 'OK', 'CONTRACT_PAUSED'],
    ['pause', 'CONTRACT_STATE_CONFLICT', 'CONTRACT_PAUSED'],
    ['resume', 'OK', 'OK'],
    ['pause', 'OK', 'CONTRACT_PAUSED'],
    ['terminate', 'OK', 'CONTRACT_TERMINATED'],
    ['resume', 'CONTRACT_STATE_CONFLICT', 'CONTRACT_TERMINATED'],
    ['terminate', 'CONTRACT_STATE_CONFLICT', 'CONTRACT_TERMINATED'],
  ];
  for (const [method, code, afterwards] of steps) assert.deepEqual([method, change(method), put()], [method, code, afterwards]);
  assert.deepEqual([info(c, address).state, info(c, address).version], ['terminated', 5]);
});

test('a paused contract still answers queries, a terminated one does not', () => {
  const c = chain();
  const address = c.deploy(CODE);
  c.execute([call(address, 'put', 8)]);
  c.execute([call('contracts', 'pause', { address })]);
  assert.equal(json(c.query(address, 'v').result), 8);
  c.execute([call('contracts', 'terminate', { address })]);
  assert.equal(c.query(address, 'v').code, 'CONTRACT_TERMINATED');
});

test('who may deploy and who may manage is decided by right and organisation, and a refusal names the right', () => {
  const c = chain();
  const address = c.deploy(CODE);
  const pause = (sender: string) => c.execute([call('contracts', 'pause', { address })], { sender });
  assert.deepEqual(json(c.execute([call('contracts', 'deploy', arguments_)], { sender: 'eve@acme' }).detail), {
    right: 'contract:deploy',
    account: 'eve@acme',
  });
  assert.deepEqual(json(pause('eve@acme').detail), { right: 'contract:manage', account: 'eve@acme' });
  assert.equal(pause('mia@other').code, 'CONTRACT_RIGHT_MISSING', 'another organisation');
  for (const query of [call('contracts', 'list', {}), call('contracts', 'info', { address })]) {
    assert.deepEqual(json(c.execute([query], { sender: 'eve@acme' }).detail), { right: 'chain:read', account: 'eve@acme' });
    assert.equal(c.execute([query]).code, 'OK');
  }
  assert.equal(pause('ann@acme').code, 'OK', 'the deployer');
  assert.equal(c.execute([call('contracts', 'resume', { address })], { sender: 'max@acme' }).code, 'OK');
});

test('a contract cannot deploy or manage with the rights of the account that called it', () => {
  const c = chain();
  const address = c.deploy(CODE);
  const agent = c.deploy('contract({ methods: { go(ctx, method, args) { return ctx.call("contracts", method, args); } } });');
  const tried = c.execute([call(agent, 'go', 'terminate', [{ address }])]);
  assert.deepEqual([tried.code, (json(tried.detail) as { readonly cause: Json }).cause], ['CONTRACT_REFUSED', { caller: agent }]);
  assert.equal(info(c, address).state, 'active');
});

const bad: readonly (readonly [string, Json, string])[] = [
  ['an unknown language', { ...arguments_, language: 'cobol' }, 'CONTRACT_ARGS_INVALID'],
  ['no source digest', { language: 'javascript', code: CODE }, 'CONTRACT_ARGS_INVALID'],
  ['an unknown name', { ...arguments_, colour: 'red' }, 'CONTRACT_ARGS_INVALID'],
  ['no code', { ...arguments_, code: '' }, 'CONTRACT_ARGS_INVALID'],
  ['bad base64', { ...arguments_, code: 'a===', codeEncoding: 'base64' }, 'CONTRACT_ARGS_INVALID'],
  ['base64 with bits set that mean nothing', { ...arguments_, code: 'QQ==', codeEncoding: 'base64' }, 'CONTRACT_CODE_INVALID'],
  ['base64 with loose bits', { ...arguments_, code: 'QR==', codeEncoding: 'base64' }, 'CONTRACT_ARGS_INVALID'],
  ['code that does not load', { ...arguments_, code: 'contract(' }, 'CONTRACT_CODE_INVALID'],
  ['a list in place of an object', [1, 2], 'CONTRACT_ARGS_INVALID'],
  [
    'an attestation of no node',
    { ...arguments_, attestations: [{ node: 'nobody', reportDigest: '0'.repeat(64), signature: '00' }] },
    'CONTRACT_ATTESTATION_INVALID',
  ],
];
for (const [what, args, code] of bad) {
  test(`deploying with ${what} is refused with ${code}`, () => {
    const c = chain();
    const stood = c.state.size;
    const refused = c.execute([call('contracts', 'deploy', args)]);
    assert.deepEqual([refused.code, c.state.size], [code, stood]);
  });
}

test('code with an unpaired surrogate, which canonical JSON has no form for, is refused', () => {
  const args = utf8(canonicalJson([{ ...arguments_, code: `${CODE}//SURROGATE` }]).replace('SURROGATE', '\\ud800'));
  assert.equal(chain().execute([{ contract: 'contracts', method: 'deploy', args }]).code, 'CONTRACT_ARGS_INVALID');
});

test('an attestation counts when an active node of another organisation signed these very digests', () => {
  const validatorKey = 'ab'.repeat(32);
  const withNode = (owner: string, state: string) => {
    const c = chain();
    const entry = {
      kind: 'node',
      id: 'n9',
      owner,
      state,
      version: 1,
      validFrom: null,
      validTo: null,
      documentDigest: null,
      data: { validatorKey },
    };
    c.state.set(stateKey('registry', registryKey.entry('node', 'n9')), encodeJson(entry));
    return c;
  };
  const reportDigest = '1'.repeat(64);
  const message = tagged(
    'attestation',
    encodeJson({ node: 'n9', codeDigest: toHex(hash(utf8(CODE))), sourceDigest: SOURCE_DIGEST, reportDigest }),
  );
  const signature = toHex(hash(Buffer.concat([fromHex(validatorKey), message])));
  const attestation = { node: 'n9', reportDigest, signature };
  const deploy = (c: Chain, ...attestations: Json[]) => c.execute([call('contracts', 'deploy', { ...arguments_, attestations })]);

  const c = withNode('other', 'active');
  const done = deploy(c, attestation);
  assert.equal(done.code, 'OK');
  assert.deepEqual(info(c, (json(done.results[0]!) as { readonly address: string }).address).attestedBy, ['n9']);
  const refused = 'CONTRACT_ATTESTATION_INVALID';
  assert.equal(deploy(withNode('acme', 'active'), attestation).code, refused, 'own organisation');
  assert.equal(deploy(withNode('other', 'suspended'), attestation).code, refused, 'suspended node');
  assert.equal(deploy(withNode('other', 'active'), attestation, attestation).code, refused, 'twice');
  assert.equal(deploy(withNode('other', 'active'), { ...attestation, reportDigest: '2'.repeat(64) }).code, refused, 'other report');
  for (const broken of ['', 'x', signature.slice(1)])
    assert.equal(deploy(withNode('other', 'active'), { ...attestation, signature: broken }).code, refused, broken);
});

test('attestations of any other form are refused by a receipt, like any bad argument', () => {
  const attestation = { node: 'n9', reportDigest: '1'.repeat(64), signature: '00' };
  const forms: readonly Json[] = [
    ...['x', 1, true, {}].flatMap((form) => [form, [form]]),
    ...[[null], [[]], Array.from({ length: 17 }, () => attestation)],
    ...['node', 'reportDigest', 'signature'].map((name) => [{ ...attestation, [name]: null }]),
    [{ ...attestation, reportDigest: '1' }],
  ];
  for (const attestations of forms) {
    const { code } = chain().execute([call('contracts', 'deploy', { ...arguments_, attestations })]);
    assert.equal(code, 'CONTRACT_ARGS_INVALID', JSON.stringify(attestations));
  }
});

test('the list of contracts pages through all that were ever deployed', () => {
  const c = chain();
  const addresses = Array.from({ length: 5 }, (_, i) => c.deploy(`${CODE} // ${i}`));
  const page = (from: number, limit: number) =>
    json(c.query('contracts', 'list', { from, limit }).result) as unknown as {
      readonly contracts: readonly DeployedContract[];
      readonly count: number;
      readonly next: number | null;
    };
  assert.deepEqual(
    [...page(0, 3).contracts, ...page(3, 3).contracts].map((row) => row.address),
    addresses,
  );
  assert.deepEqual([page(0, 3).next, page(3, 3).next, page(0, 3).count], [3, null, 5]);
  assert.equal(c.query('contracts', 'list', { limit: 101 }).code, 'CONTRACT_ARGS_INVALID');
  assert.equal(c.query('contracts', 'info', { address: `0x${'1'.repeat(40)}` }).code, 'CONTRACT_UNKNOWN');
});

test('images of live contracts have room up to a bound, and a terminated contract gives its room back', () => {
  const c = chain();
  const key = stateKey('contracts', deployedKey.totals);
  const address = c.deploy(CODE);
  const one = info(c, address).imageBytes;
  c.state.set(key, encodeJson({ count: 1, imageBytes: IMAGES_TOTAL_BYTES_MAX - one + 1 }));
  assert.equal(c.execute([call('contracts', 'deploy', arguments_)]).code, 'CONTRACT_ROOM_EXHAUSTED');
  c.execute([call('contracts', 'terminate', { address })]);
  assert.equal(c.execute([call('contracts', 'deploy', arguments_)]).code, 'OK');
  assert.deepEqual(json(c.state.get(key)!), { count: 2, imageBytes: IMAGES_TOTAL_BYTES_MAX - one + 1 });
});

test('a deployment pays for loading before it loads', () => {
  const c = chain();
  const loops = { ...arguments_, code: 'for (;;);' };
  assert.equal(c.execute([call('contracts', 'deploy', loops)], { gasLimit: LOAD_GAS_MAX }).code, 'GAS_EXHAUSTED');
  assert.equal(c.execute([call('contracts', 'deploy', loops)], { gasLimit: LOAD_GAS_MAX + 100_000_000 }).code, 'CONTRACT_CODE_INVALID');
});
