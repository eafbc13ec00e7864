/** Blocks on blocks that are not final yet: a table of steps each, and whatever comes of them is what one block after another makes. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CONTRACT, type Genesis, keyOf, production, stateKey } from '../../../../contracts/index.ts';
import { encodeEngineData } from '../../../../consensus/pbft/engine-data.ts';
import { ChainError } from '../../../../node/errors/index.ts';
import {
  type Call,
  consensusHashOf,
  decodeContent,
  decodeHeader,
  encodeBlock,
  decodeJson,
  decodeReceipt,
  type Digest,
  encodeAmendment,
  encodeJson,
  encodeSubmissions,
  type Json,
  openGenesis,
  recordIdOf,
  signTransaction,
  type Submission,
  toHex,
} from '../../../../node/format/index.ts';
import { createContracts } from '../../../../node/ledger/contracts.ts';
import { type Committed, createExecutor, type Executor } from '../../../../node/ledger/executor.ts';
import { ledgerKey } from '../../../../node/ledger/keys.ts';
import { decodeUndo } from '../../../../node/ledger/undo.ts';
import { VERSIONS_MAX } from '../../../../node/ledger/versions.ts';
import { keyspace } from '../../../../node/store/keyspace.ts';
import { memoryBlockFiles } from '../../../tools/memory-block-files.ts';
import { MemoryStore } from '../../../tools/memory-store.ts';
import { crypto, genesisFixture, testKey } from '../format/genesis-fixture.ts';
import { submissionsOf } from './small-chain.ts';

const fixture = genesisFixture();
/** Its account may also administer, so that blocks can change who may do what, and the parameters. */
const genesis: Genesis = { ...fixture, accounts: fixture.accounts.map((account) => ({ ...account, roles: ['operator', 'admin'] })) };
const genesisText = JSON.stringify(genesis);
const { chainId } = openGenesis(crypto, genesisText);
const contracts = await createContracts(crypto, 1);
const [first, second, third] = submissionsOf(1, 3) as [Submission, Submission, Submission];
const idOf = ({ content }: Submission): Digest => recordIdOf(crypto, 'production', 'north', keyOf(production, decodeContent(content)));

const submit = (...submissions: Submission[]): Call => ({
  contract: CONTRACT.records,
  method: 'submit',
  args: encodeSubmissions(submissions),
});
const json = (contract: string, method: string, args: Json): Call => ({ contract, method, args: encodeJson(args) });
const read = (submission: Submission): Call => json(CONTRACT.records, 'get', { id: toHex(idOf(submission)) });
const withdraw = (submission: Submission): Call => ({
  contract: CONTRACT.records,
  method: 'withdraw',
  args: encodeAmendment({ recordId: idOf(submission), reason: 'typed wrongly', source: {}, expectedVersion: 1, content: undefined }),
});
const parameter = (name: string, value: number): Call[] => [
  json(CONTRACT.governance, 'propose', { kind: 'setParameter', name, value }),
  json(CONTRACT.governance, 'vote', { id: '1', approve: true }),
];
const revoke: Call = json(CONTRACT.registry, 'revokeKey', { id: 'mes@north', keyId: 'k1' });

/** A contract whose method writes without reading. */
const CODE = 'contract({ methods: { set(ctx) { ctx.put("k", ctx.block.height); } } });';
const deploy = json(CONTRACT.deployed, 'deploy', { name: '', language: 'javascript', code: CODE, sourceDigest: '0'.repeat(64) });

/** Calls of the transactions that the steps name by number. */
const transactions = new Map<string, readonly Call[]>([
  ['1', [submit(first)]],
  ['2', [submit(second)]],
  ['3', [submit(third)]],
  ['read 1', [read(first)]],
  ['withdraw 1', [withdraw(first)]],
  ['two a block', parameter('blockTransactionsMax', 2)],
  ['revoke', [revoke]],
  ['deploy', [deploy]],
]);
const bytesOf = (name: string): Uint8Array =>
  signTransaction(
    crypto,
    {
      chainId,
      sender: 'mes@north',
      keyId: 'k1',
      salt: crypto.hash(new TextEncoder().encode(name)).subarray(0, 16),
      expiryHeight: 100,
      calls: transactions.get(name)!,
      gasLimit: 1_000_000_000,
      suite: 1,
    },
    (message) => testKey('mes').sign(message),
  ).bytes;
const verified = (name: string) => ({ bytes: bytesOf(name), publicKey: testKey('mes').publicKey });

class Ledger {
  readonly store = new MemoryStore();
  readonly files = memoryBlockFiles(new Uint8Array(32));
  readonly executor: Executor = createExecutor({
    store: this.store,
    files: this.files,
    crypto,
    clock: { monotonic: () => 0 },
    genesisText,
    ...contracts,
  });
  readonly blocks = new Map<string, { readonly hash: Digest; readonly headerBytes: Uint8Array; readonly names: readonly string[] }>();

  static async open(): Promise<Ledger> {
    const ledger = new Ledger();
    const { hash, headerBytes } = await ledger.executor.open();
    ledger.blocks.set('genesis', { hash, headerBytes, names: [] });
    return ledger;
  }

  header(name: string) {
    return decodeHeader(this.blocks.get(name)!.headerBytes);
  }

  /** Builds `name` on `parent`. @returns transactions that went in, then those refused with their codes */
  async build(name: string, parent: string, ...names: readonly string[]): Promise<string> {
    const on = this.blocks.get(parent)!;
    const built = await this.executor.build({
      height: this.header(parent).height + 1,
      parent: on.hash,
      timestampMs: genesis.timestampMs + 1_000,
      proposer: 'north-1',
      engineData: encodeEngineData(1 + [...name].reduce((sum, letter) => sum + letter.charCodeAt(0), 0) * 4), // tells empty siblings apart
      transactions: names.map(verified),
      workMsMax: 1,
    });
    const included = built.included.map((index) => names[index]!);
    this.blocks.set(name, { ...built, names: included });
    return [...included, ...built.refused.map(({ index, code }) => `${names[index]} ${code}`)].join(', ');
  }

  async commit(name: string): Promise<Committed> {
    const { hash, headerBytes, names } = this.blocks.get(name)!;
    const block = encodeBlock({ header: decodeHeader(headerBytes), seal: new Uint8Array(64), transactions: names.map(bytesOf) });
    const body = await this.files.append(this.header(name).height, block);
    return this.executor.commit({ hash, body, finality: undefined });
  }

  /** `X on Y: names` builds, `commit X`, `execute X` is what a backup does; the answer, or the code of what was thrown. */
  async step(step: string): Promise<string> {
    try {
      const [verb, name] = step.split(' ') as [string, string];
      if (verb === 'commit') return `${(await this.commit(name)).receipts.map((receipt) => decodeReceipt(receipt).code).join(', ')}`;
      if (verb === 'execute') return await this.executes(name);
      const [, block, parent, list] = /^(\S+) on (\S+):(.*)$/.exec(step)!;
      return await this.build(block!, parent!, ...list!.split(',').flatMap((text) => text.trim() || []));
    } catch (error) {
      if (error instanceof ChainError) return error.code;
      return (error as Error).message;
    }
  }

  async executes(name: string, from = this.blocks.get(name)!): Promise<string> {
    const { failed } = await this.executor.execute({ headerBytes: from.headerBytes, transactions: from.names.map(verified) });
    return failed.map(({ check, computed }) => `${check}: ${computed}`).join(', ') || 'agreed';
  }

  /** All but where bodies stand in the block files, which is each node's own. */
  async rows(): Promise<readonly (readonly [string, string])[]> {
    const rows = await this.store.range({ from: '', to: undefined, limit: 100_000 });
    return rows.flatMap(({ key, value }) => (key.startsWith(keyspace.body) ? [] : [[key, toHex(crypto.hash(value))] as const]));
  }
}

type Steps = readonly (readonly [step: string, answer: string])[];

async function walk(steps: Steps): Promise<Ledger> {
  const ledger = await Ledger.open();
  for (const [step, answer] of steps) assert.equal(await ledger.step(step), answer, step);
  return ledger;
}

/** What is stored after `steps` is what the blocks named leave that are built and committed one after another. */
async function assertSequential(ledger: Ledger, ...names: readonly string[]): Promise<void> {
  const plain = await Ledger.open();
  for (const [i, name] of names.entries()) {
    await plain.build(name, i === 0 ? 'genesis' : names[i - 1]!, ...ledger.blocks.get(name)!.names);
    assert.equal(toHex(plain.blocks.get(name)!.hash), toHex(ledger.blocks.get(name)!.hash), `header of ${name}`);
    await plain.commit(name);
  }
  assert.deepEqual(await ledger.rows(), await plain.rows());
}

test('a block built on a candidate is the block that is built once the candidate is final, and is committed after it', async () => {
  const ledger = await walk([
    ['A on genesis: 1', '1'],
    ['B on A: 1, 2, read 1, withdraw 1', '2, read 1, withdraw 1, 1 TRANSACTION_REPEATED'],
    ['C on B: 1, 2, 3', '3, 1 TRANSACTION_REPEATED, 2 TRANSACTION_REPEATED'],
    ['commit B', 'Cannot commit height 2 on 0'],
    ['commit A', 'OK'],
    ['commit B', 'OK, OK, OK'],
    ['commit C', 'OK'],
    ['commit C', 'BLOCK_NOT_FOUND'],
  ]);
  await assertSequential(ledger, 'A', 'B', 'C');
});

test('of two branches the one that is committed stays, and of the other nothing is left', async () => {
  const ledger = await walk([
    ['A on genesis: 1', '1'],
    ['B on A: 2', '2'],
    ['C on B: 3', '3'],
    ['A2 on genesis: 2', '2'],
    ['B2 on A2: 1', '1'],
    ['B3 on A2: 1, 3', '1, 3'],
    ['A2 on genesis: 2', '2'],
    ['commit A2', 'OK'],
    ['commit A', 'BLOCK_NOT_FOUND'],
    ['commit B', 'BLOCK_NOT_FOUND'],
    ['commit C', 'BLOCK_NOT_FOUND'],
    ['D on B: 3', 'BLOCK_NOT_FOUND'],
  ]);
  assert.match(await ledger.step('execute A'), /^parentLink: 2 on /);
  assert.match(await ledger.step('execute C'), /^parentLink: 2 on /);
  assert.equal(await ledger.step('C3 on B3: 2, 3'), '2 TRANSACTION_REPEATED, 3 TRANSACTION_REPEATED');
  assert.equal(await ledger.step('commit B2'), 'OK', 'siblings on the block that became final are both held');
  assert.equal(await ledger.step('commit B3'), 'BLOCK_NOT_FOUND');
  assert.equal(await ledger.step('commit C3'), 'BLOCK_NOT_FOUND');
  await assertSequential(ledger, 'A2', 'B2');
});

test('a backup executes on a candidate as on a final block, and agrees with who built it', async () => {
  const maker = await walk([
    ['A on genesis: 1', '1'],
    ['B on A: withdraw 1, 2', 'withdraw 1, 2'],
  ]);
  const backup = await Ledger.open();
  assert.match(await backup.executes('B', maker.blocks.get('B')), /^parentLink: 1 on /);
  for (const name of ['A', 'B']) {
    backup.blocks.set(name, maker.blocks.get(name)!);
    assert.equal(await backup.executes(name), 'agreed', name);
    assert.equal(await backup.executes(name), 'agreed', `${name} again`);
  }
  for (const name of ['A', 'B']) await backup.commit(name);
  await assertSequential(backup, 'A', 'B');
});

test('a configuration that a candidate changes holds for the block on it, and for no sibling of the candidate', async () => {
  const ledger = await walk([
    ['A on genesis: two a block', 'two a block'],
    ['B on A: 1, 2, 3', '1, 2'],
    ['A2 on genesis: 1, 2, 3', '1, 2, 3'],
    ['commit A', 'OK'],
    ['commit B', 'OK, OK'],
  ]);
  const [genesisHash, a, b, a2] = ['genesis', 'A', 'B', 'A2'].map((name) => ledger.header(name));
  assert.notDeepEqual(a!.nextConsensusHash, genesisHash!.nextConsensusHash);
  assert.deepEqual([b!.consensusHash, b!.nextConsensusHash], [a!.nextConsensusHash, a!.nextConsensusHash]);
  assert.deepEqual(a2!.consensusHash, genesisHash!.nextConsensusHash);
  assert.deepEqual(a2!.consensusHash, consensusHashOf(crypto, openGenesis(crypto, genesisText).configuration));
  await assertSequential(ledger, 'A', 'B');
});

test('a key that a candidate revokes is revoked in the block on it, and still good beside it', async () => {
  const ledger = await walk([
    ['A on genesis: revoke', 'revoke'],
    ['B on A: 1', '1 TRANSACTION_KEY_UNKNOWN'],
    ['A2 on genesis: 1', '1'],
    ['B2 on A2: 2', '2'],
    ['commit A', 'OK'],
    ['commit B', ''],
    ['C on B: 1', '1 TRANSACTION_KEY_UNKNOWN'],
  ]);
  await assertSequential(ledger, 'A', 'B');
});

test('a contract that a candidate deployed runs in the block on it, and what it wrote is undone block by block', async () => {
  const plain = await walk([['A on genesis: deploy', 'deploy']]);
  const [receipt] = (await plain.commit('A')).receipts;
  const { address } = decodeJson(decodeReceipt(receipt!).results[0]!) as { readonly address: string };
  for (const name of ['set', 'set again']) transactions.set(name, [json(address, 'set', [])]);
  const ledger = await walk([
    ['A on genesis: deploy', 'deploy'],
    ['B on A: set', 'set'],
    ['C on B: set again', 'set again'],
    ['commit A', 'OK'],
    ['commit B', 'OK'],
    ['commit C', 'OK'],
  ]);
  await assertSequential(ledger, 'A', 'B', 'C');
});

test('an undo row has each key of a block once, with what stood before the block, read there or not', async () => {
  const plain = await walk([['A on genesis: deploy', 'deploy']]);
  const [receipt] = (await plain.commit('A')).receipts;
  const { address } = decodeJson(decodeReceipt(receipt!).results[0]!) as { readonly address: string };
  const names = ['set first', 'set in C', 'set in C again'];
  for (const name of names) transactions.set(name, [json(address, 'set', [])]);
  const ledger = await walk([
    ['A on genesis: deploy', 'deploy'],
    ['B on A: set first', 'set first'],
    ['C on B: set in C, set in C again', 'set in C, set in C again'],
    ['commit A', 'OK'],
    ['commit B', 'OK'],
    ['commit C', 'OK, OK'],
  ]);
  const key = stateKey(address, 'k');
  const undone = (height: number) => decodeUndo(ledger.store.get(ledgerKey.undo(height))!);
  assert.deepEqual(undone(2), [{ key, before: undefined }]);
  assert.deepEqual(undone(3), [{ key, before: encodeJson(2) }]);
});

test('past the bound the one goes that was executed longest ago and carries none; none goes from under a block', async () => {
  const siblings = Array.from({ length: VERSIONS_MAX - 1 }, (_, i) => [`S${i} on genesis:`, ''] as const);
  const ledger = await walk([
    ['A on genesis: 1', '1'],
    ...siblings,
    ['B on A: 2', '2'], // S0 goes: A is what B stands on
    ['commit S0', 'BLOCK_NOT_FOUND'],
    ['T on genesis: 3', '3'], // S1, for A carries B
    ['commit S1', 'BLOCK_NOT_FOUND'],
    ['commit A', 'OK'],
    ['commit B', 'OK'],
  ]);
  await assertSequential(ledger, 'A', 'B');
});

test('no more blocks stand on one another without a final one than are held', async () => {
  const chain = Array.from({ length: VERSIONS_MAX }, (_, i) => [`C${i} on ${i === 0 ? 'genesis' : `C${i - 1}`}:`, ''] as const);
  const top = `C${VERSIONS_MAX - 1}`;
  const ledger = await walk([
    ...chain,
    [`D on ${top}: 1`, `Cannot hold a block above ${VERSIONS_MAX} that are not final`],
    ['commit C0', ''],
    [`D on ${top}: 1`, '1'],
  ]);
  for (let i = 1; i < VERSIONS_MAX; i++) await ledger.commit(`C${i}`);
  await ledger.commit('D');
  await assertSequential(ledger, ...chain.map((_, i) => `C${i}`), 'D');
});
