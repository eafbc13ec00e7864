/**
 * What is priced, at its worst: transactions against the built-in contracts, crossings between contract and host, and loops of the metered engine,
 * each made to cost as much time as its gas allows. A hostile sender would send these.
 */
import { type BuiltinContract, type Execution, GAS } from '../../../contracts/index.ts';
import { builtinClasses, type ClassDefinition } from '../../../contracts/classes/index.ts';
import {
  encodeBlock,
  encodeContent,
  encodeSubmissions,
  encodeTransaction,
  type Json,
  parameterTable,
  type TextStruct,
} from '../../../node/format/index.ts';
import { createBlockStore, encodeLocation } from '../../../node/ledger/block-store.ts';
import { ledgerKey } from '../../../node/ledger/keys.ts';
import { memoryBlockFiles } from '../../tools/memory-block-files.ts';
import { prepareRecord } from '../../../node/records/index.ts';
import { annexRecord } from '../../unit/node/records/sample.ts';
import { addShapes } from './shapes.ts';
import { ADMIN, call, GasStand, newKey, newNode, ORGANISATIONS } from './stand.ts';

export interface Operation {
  readonly name: string;
  /** Runs it once; the gas it used. */
  readonly run: () => number;
}

/** Transactions that fill a block of blockBytesMax: the smaller they are, the more is stepped over to the last. */
const BODY_TRANSACTIONS = parameterTable.blockTransactionsMax.default;

/** A contract whose methods do one thing through the host. */
const probe: BuiltinContract = {
  name: 'probe',
  methods: {
    nothing: (_host, args) => args,
    reads(host, args) {
      for (let i = 0; i < 1_000; i++) host.get(`k${i}`);
      return args.slice(0, 0);
    },
    puts(host, args) {
      for (let i = 0; i < 1_000; i++) host.put(`k${i}`, args);
      return args.slice(0, 0);
    },
    hashes(host, args) {
      for (let i = 0; i < 1_000; i++) host.hash(args);
      return args.slice(0, 0);
    },
    emits(host, args) {
      for (let i = 0; i < 100; i++) host.emit('E', args);
      return args.slice(0, 0);
    },
    /** The last transaction of a block, of another one each time: the reader holds the one it read last. */
    bodies(host, args) {
      for (let i = 0; i < 10; i++) host.callAt({ height: 1 + (i % 2), index: BODY_TRANSACTIONS - 1, call: 0 });
      return args.slice(0, 0);
    },
    calls(host, args) {
      for (let i = 0; i < 1_000; i++) host.call('probe', 'nothing', args);
      return args.slice(0, 0);
    },
  },
  queries: {},
};

/** JavaScript that keeps one part of the engine busy. */
const LOOPS: Readonly<Record<string, string>> = {
  arithmetic: 'let s = 0; for (let i = 0; i < 100000; i++) s = (s * 31 + i) % 1000003; return s;',
  division: 'let s = 1; for (let i = 1; i < 100000; i++) s = (s + 987654321) / i | 0; return s;',
  floats: 'let s = 0; for (let i = 0; i < 20000; i++) s += Math.sin(i) + Math.pow(1.0001, i % 97) + Math.sqrt(i); return String(s);',
  bigints: 'let s = 1n; for (let i = 0; i < 200; i++) s = s * 123456789012345678901234567890n; return String(s % 97n);',
  strings: "let s = ''; for (let i = 0; i < 20000; i++) s += 'ab' + i; return s.length;",
  splits: "const s = 'a,b,c,d'.repeat(500); let n = 0; for (let i = 0; i < 50; i++) n += s.split(',').join(';').length; return n;",
  regex: "const s = 'a'.repeat(2000) + 'b'; let n = 0; for (let i = 0; i < 20; i++) n += s.replace(/a+?b|a/g, 'x').length; return n;",
  json: 'const a = Array.from({ length: 500 }, (_, i) => ({ i, t: String(i) })); let n = 0; for (let i = 0; i < 20; i++) n += JSON.stringify(JSON.parse(JSON.stringify(a))).length; return n;',
  sort: 'const a = []; for (let i = 0; i < 5000; i++) a.push((i * 7919) % 10007); a.sort((x, y) => x - y); return a[7];',
  arrays:
    'const a = new Array(20000).fill(1); let n = 0; for (let i = 0; i < 10; i++) n += a.slice().concat(a).reverse().length; return n;',
  memory: 'const a = []; for (let i = 0; i < 40; i++) a.push("x".repeat(50000 + i)); return a.length;',
  objects: "const o = {}; for (let i = 0; i < 5000; i++) o['k' + i] = { i }; let n = 0; for (const k in o) n += o[k].i; return n;",
  closures:
    'let f = (x) => x; for (let i = 0; i < 200; i++) { const g = f; f = (x) => g(x) + 1; } let n = 0; for (let i = 0; i < 20; i++) n += f(i); return n;',
  throws: "let n = 0; for (let i = 0; i < 3000; i++) { try { throw new Error('x' + i); } catch (e) { n += e.message.length; } } return n;",
  maps: 'const m = new Map(); for (let i = 0; i < 5000; i++) m.set("k" + i, i); let n = 0; for (const [k, v] of m) n += k.length + v; return n;',
};
const HOST_LOOPS: Readonly<Record<string, string>> = {
  host_state: "for (let i = 0; i < 200; i++) { ctx.put('k' + i, { i, t: 'x'.repeat(200) }); ctx.get('k' + i); } return 0;",
  host_events: "for (let i = 0; i < 50; i++) ctx.emit('E', { t: 'x'.repeat(2000) }); return 0;",
};

export interface Operations {
  readonly stand: GasStand;
  readonly operations: readonly Operation[];
  /** One Ed25519 signature checked by the native library: the clock that all is held against. */
  readonly reference: () => void;
}

export async function openOperations(): Promise<Operations> {
  const stand = await GasStand.open([probe]);
  const operations: Operation[] = [];
  const add = (name: string, work: () => Execution, code = 'OK'): void => {
    operations.push({
      name,
      run() {
        const execution = work();
        if (execution.code !== code)
          throw new Error(`${name}: ${execution.code} ${new TextDecoder().decode(execution.detail).slice(0, 300)}`);
        return execution.gasUsed;
      },
    });
  };

  await fillBlocks(stand);
  const message = new Uint8Array(200);
  const signer = newKey();
  const signature = signer.sign(message);
  const reference = (): void => {
    if (!stand.crypto.verify(1, signer.publicKey, message, signature)) throw new Error('the reference signature does not verify');
  };
  operations.push({
    name: 'host: verify',
    run() {
      reference();
      return GAS.verify + message.length * GAS.perByteVerified;
    },
  });

  for (const [method, args] of [
    ['reads', {}],
    ['puts', { t: 'x'.repeat(240) }],
    ['hashes', { t: 'x'.repeat(4_000) }],
    ['emits', { t: 'x'.repeat(4_000) }],
    ['calls', { t: 'x' }],
    ['bodies', {}],
  ] as const)
    add(`host: ${method}`, () => stand.run(ADMIN, [call('probe', method, args)]));
  for (let i = 0; i < 500; i++) stand.state.set(`\u0005probek${i}`, new Uint8Array(2_000));

  addRecords(stand, add);
  addRegistry(stand, add);
  addGovernance(stand, add);
  addEngine(stand, add);
  addShapes(stand, add);
  return { stand, operations, reference };
}

/** Two full blocks, read by a node's own code: from block files, by place, with every checksum. The files lie in a simulated directory in memory. */
async function fillBlocks(stand: GasStand): Promise<void> {
  const chainId = new Uint8Array(32);
  const files = memoryBlockFiles(chainId);
  const args = new Uint8Array(Math.floor(parameterTable.blockBytesMax.default / BODY_TRANSACTIONS) - 300);
  const own = { chainId, sender: 'admin@acme', keyId: 'k', salt: new Uint8Array(16), expiryHeight: 9, gasLimit: 1, suite: 1 };
  const bytes = encodeTransaction({ ...own, calls: [{ contract: 'records', method: 'submit', args }], signature: new Uint8Array(64) });
  const rows = new Map<string, Uint8Array>();
  for (const height of [1, 2]) {
    const header = { ...NO_HEADER, chainId, height };
    const body = encodeBlock({ header, seal: new Uint8Array(64), transactions: Array<Uint8Array>(BODY_TRANSACTIONS).fill(bytes) });
    rows.set(ledgerKey.body(height), encodeLocation(await files.append(height, body)));
  }
  const blocks = createBlockStore({ get: (key) => rows.get(key), range: async () => [] }, files);
  stand.transaction = blocks.transactionNow;
}

const ZERO = new Uint8Array(32);
const NO_HEADER = {
  ...{ version: 1, era: 0, parentHash: ZERO, timestampMs: 0, proposer: 'n', engine: 'pbft', engineData: new Uint8Array(8), txRoot: ZERO },
  ...{ receiptsRoot: ZERO, stateRoot: ZERO, consensusHash: ZERO, nextConsensusHash: ZERO },
};

type Add = (name: string, work: () => Execution, code?: string) => void;

function submission(stand: GasStand, definition: ClassDefinition, record: TextStruct) {
  const context = { crypto: stand.crypto, org: 'acme', sealingKey: new Uint8Array(32).fill(3) };
  const preparation = prepareRecord(context, definition, record);
  if (!preparation.ok) throw new Error(JSON.stringify(preparation.faults.slice(0, 3)));
  return preparation.prepared.submission;
}

function addRecords(stand: GasStand, add: Add): void {
  const submit = (name: string, definition: ClassDefinition, records: readonly TextStruct[]) => {
    const calls = [
      { contract: 'records', method: 'submit', args: encodeSubmissions(records.map((record) => submission(stand, definition, record))) },
    ];
    add(`records.submit: ${name}`, () => stand.run(ADMIN, calls));
  };
  const { production, device } = builtinClasses as Readonly<Record<string, ClassDefinition>> & {
    production: ClassDefinition;
    device: ClassDefinition;
  };
  const state = { device_id: 'D-1', status: 'running', begin_time: '2025-08-09T00:00:00Z', factory_uid: 'F-001' };
  const numbers = (count: number) => Array.from({ length: count }, (_, i) => i);
  submit('one of annex A', production, [annexRecord()]);
  submit(
    '100 of annex A',
    production,
    numbers(100).map((i) => annexRecord({ product_uid: `SN-${i}` })),
  );
  submit('100 materials', production, [
    annexRecord({
      pro_raw_material: numbers(100).map((i) => ({ pro_supplier: 'S', pro_batch_number: `B-${i}`, pro_Report_qualify_eval: 'Q' })),
    }),
  ]);
  submit('10,000 small measurements', device, [{ ...state, measurements: numbers(10_000).map(() => ({ name: 'a', value: '' })) }]);
  submit('1 MB of text', device, [{ ...state, measurements: { name: 'a', value: 'x'.repeat(1_000_000) } }]);
  submit('1 MB of escapes', device, [{ ...state, measurements: { name: 'a', value: '"\\\n'.repeat(170_000) } }]);
  submit('1 MB of Chinese', device, [{ ...state, measurements: { name: 'a', value: '昆'.repeat(330_000) } }]);
  submit('10,000 parameters', production, [
    annexRecord({
      ext: { device_id: 'D-1', parameters: Object.fromEntries(numbers(10_000).map((i) => [`p${i}`, { value: '' }])) },
    }),
  ]);
  submit('1,000 filled paths', production, [
    annexRecord({ ext: { device_id: 'D-1', filled: numbers(1_000).map(() => ({ path: 'propara.pro_temperature', rule: 'r' })) } }),
  ]);
  submit('1,000 filled paths through a map', production, [
    annexRecord({
      ext: {
        device_id: 'D-1',
        parameters: Object.fromEntries(numbers(1_000).map((i) => [`p${i}`, { value: '1' }])),
        filled: numbers(1_000).map((i) => ({ path: `ext.parameters.p${i}`, rule: 'r' })),
      },
    }),
  ]);
  submit('1,000 links', production, [
    annexRecord({ ext: { device_id: 'D-1', links: numbers(1_000).map((i) => ({ rel: 'contains', type: 'product', id: `P${i}` })) } }),
  ]);

  const hostile = {
    name: 'hostile',
    version: 1,
    key: ['id'],
    body: {
      type: 'struct',
      properties: {
        id: { type: 'text', maxLength: 64 },
        words: { type: 'list', maxItems: 10_000, items: { type: 'text', enum: numbers(128).map((i) => `w${i}`) } },
        ...Object.fromEntries(numbers(600).map((i) => [`f${i}`, { type: 'decimal', minimum: '-1', maximum: '1000' }])),
      },
      required: ['id'],
    },
    facts: {},
  };
  stand.keep(ADMIN, [call('registry', 'register', { kind: 'class', id: 'hostile', data: hostile })]);
  const registered = hostile as unknown as ClassDefinition;
  submit('registered class, 10,000 words of a list of 128', registered, [{ id: 'a', words: numbers(10_000).map(() => 'w127') }]);
  submit(
    'registered class, 100 records of one field',
    registered,
    numbers(100).map((i) => ({ id: `${i}` })),
  );
  submit('registered class, 600 decimals', registered, [
    { id: 'b', ...Object.fromEntries(numbers(600).map((i) => [`f${i}`, '0.1234567890123456789'])) },
  ]);
  const broken = encodeSubmissions([
    {
      class: 'production',
      classVersion: 1,
      source: {},
      content: encodeContent({ ...annexRecord(), ...Object.fromEntries(numbers(2_000).map((i) => [`pro_raw_materia${i}`, 'x'])) }),
    },
  ]);
  add(
    'records.submit: refused, 2,000 unknown names',
    () => stand.run(ADMIN, [{ contract: 'records', method: 'submit', args: broken }]),
    'RECORD_FIELD_NOT_SEALED',
  );
}

function addRegistry(stand: GasStand, add: Add): void {
  const key = (i: number) => ({ keyId: `k${i}`, publicKey: newKey().hex, kind: 'own', scope: ['*'] });
  const keys = Array.from({ length: 64 }, (_, i) => key(i));
  const register = (kind: string, id: string, data: Json, more: object = {}) => [call('registry', 'register', { kind, id, data, ...more })];
  add('registry.register: a factory', () => stand.run(ADMIN, register('factory', 'F-9', { name: 'Works' })));
  add('registry.register: an account with 64 keys', () =>
    stand.run(ADMIN, register('account', 'x@acme', { type: 'person', roles: ['admin'], keys })),
  );
  const properties = Object.fromEntries(Array.from({ length: 1_500 }, (_, i) => [`f${i}`, { type: 'text', maxLength: 9 }]));
  const large = { name: 'large', version: 1, key: ['f0'], body: { type: 'struct', properties }, facts: {} };
  add('registry.register: a class of 1,500 fields', () => stand.run(ADMIN, register('class', 'large', large)));
  const faulty = {
    kind: 'factory',
    id: 'F-9',
    data: { name: 'x' },
    ...Object.fromEntries(Array.from({ length: 5_000 }, (_, i) => [`n${i}`, 1])),
  };
  add(
    'registry.register: refused, 5,000 unknown names',
    () => stand.run(ADMIN, [call('registry', 'register', faulty)]),
    'BUILTIN_ARGUMENTS_INVALID',
  );
  const numbers = { kind: 'factory', id: 'F-9', data: { name: Array.from({ length: 100_000 }, () => 0) } };
  add(
    'registry.register: refused, 100,000 numbers',
    () => stand.run(ADMIN, [call('registry', 'register', numbers)]),
    'BUILTIN_ARGUMENTS_INVALID',
  );
  stand.keep(ADMIN, register('account', 'full@acme', { type: 'person', roles: ['admin'], keys: keys.slice(0, 63) }));
  add('registry.addKey: to 63', () => stand.run(ADMIN, [call('registry', 'addKey', { id: 'full@acme', key: key(99) })]));
  add('registry.raiseSessionEpoch: of 63 keys', () => stand.run(ADMIN, [call('registry', 'raiseSessionEpoch', { id: 'full@acme' })]));
  add('access.grant', () =>
    stand.run(ADMIN, [call('access', 'grant', { right: 'record:submit', object: 'factory/F-001', organisation: 'bolt', until: null })]),
  );
  add('audit.anchor', () => stand.run(ADMIN, [call('audit', 'anchor', { node: 'n-acme', head: 'a'.repeat(64), count: 5 })]));
}

function addGovernance(stand: GasStand, add: Add): void {
  const nodes = Array.from({ length: 8 }, (_, i) => ({ id: `echo-${i}`, ...newNode(i) }));
  const administrators = [
    { id: 'admin@echo', keys: [{ keyId: 'k', publicKey: nodes[0]!.custodialKey, kind: 'custodial', node: 'echo-0', scope: ['*'] }] },
  ];
  const join = { kind: 'addOrganisation', id: 'echo', name: 'Echo', administrators, nodes } as unknown as Json;
  for (let i = 0; i < 63; i++)
    stand.keep(ADMIN, [call('governance', 'propose', { kind: 'setParameter', name: 'blockTransactionsMax', value: i + 1 })]);
  add('governance.propose: an organisation with 8 nodes, 63 proposals open', () => stand.run(ADMIN, [call('governance', 'propose', join)]));
  for (const organisation of ORGANISATIONS.slice(1, 3))
    stand.keep(`admin@${organisation}`, [call('governance', 'vote', { id: '1', approve: true })]);
  add('governance.vote: the deciding one', () => stand.run(ADMIN, [call('governance', 'vote', { id: '1', approve: true })]));
}

function addEngine(stand: GasStand, add: Add): void {
  const methods = Object.entries({ nothing: 'return 0;', ...LOOPS, ...HOST_LOOPS }).map(
    ([name, body]) => `${JSON.stringify(name)}(ctx) { ${body} }`,
  );
  const code = `contract({ events: { E: {} }, methods: { ${methods.join(',\n')} } });`;
  const deploy = call('contracts', 'deploy', { language: 'javascript', code, sourceDigest: '0'.repeat(64) });
  const { address } = JSON.parse(new TextDecoder().decode(stand.keep(ADMIN, [deploy]).results[0])) as { address: string };
  for (const name of ['nothing', ...Object.keys(LOOPS), ...Object.keys(HOST_LOOPS)])
    add(`engine: ${name}`, () => stand.run(ADMIN, [call(address, name, [])]));
  add('contracts.deploy', () => stand.run(ADMIN, [deploy]));
}
