/** A server over stores filled until every answer is as large as it may be: what thread-hold.test.ts asks. */
import { generateKeyPairSync, sign } from 'node:crypto';
import { createPause, createSlices } from '../../../../node/pace/slices.ts';
import { allRoutes } from '../../../../api/rest/routes/index.ts';
import { CONTRACT, deployedKey, governanceKey, registryKey, stateKey } from '../../../../contracts/index.ts';
import { createBlockStore, encodeLocation } from '../../../../node/ledger/block-store.ts';
import { ledgerKey } from '../../../../node/ledger/keys.ts';
import { openExchangeLog } from '../../../../node/feeds/exchange-log.ts';
import {
  encodeBlock,
  encodeHeader,
  encodeJson,
  encodeReceipt,
  encodeRecordResults,
  evidenceSteps,
  headerHash,
  type Json,
  openTransaction,
  type Receipt,
  signTransaction,
  toHex,
  Writer,
} from '../../../../node/format/index.ts';
import { memoryBlockFiles } from '../../../tools/memory-block-files.ts';
import { MemoryStore } from '../../../tools/memory-store.ts';
import { readStoredBlock } from '../../../../node/ledger/stored-block.ts';
import { crypto } from '../../node/records/sample.ts';
import { confirmed, testEvent } from '../stand-in-node.ts';
import { CHAIN_ID, createTestWorld, START_MS } from '../stand-in-world.ts';
import { createRig, type Rig } from '../stand-ins.ts';

export const LARGE_TRANSACTION_ID = 'b'.repeat(64);
export const CONTRACT_ADDRESS = `0x${'1'.repeat(40)}`;
/** Blocks by height: the most transactions, and the largest ones. */
export const MANY_TRANSACTIONS_HEIGHT = 1;
export const LARGE_TRANSACTIONS_HEIGHT = 2;
const ENTRIES_LOGGED = 20_500;

const { privateKey } = generateKeyPairSync('ed25519');
const signWith = (message: Uint8Array): Uint8Array => new Uint8Array(sign(null, message, privateKey));

/** An object of so many names, as canonical JSON: what costs most a byte. */
export const names = (count: number): Record<string, number> => Object.fromEntries(Array.from({ length: count }, (_, i) => [`n${i}`, i]));

export function transactionOf(argsBytes: number): Uint8Array {
  const calls = [{ contract: CONTRACT.records, method: 'submit', args: new Uint8Array(argsBytes).fill(0x41) }];
  const salt = new Uint8Array(16);
  const body = { chainId: CHAIN_ID, sender: 'ada@acme', keyId: 'k', salt, expiryHeight: 9, calls, gasLimit: 5, suite: 1 };
  return signTransaction(crypto, body, signWith).bytes;
}

function receiptOf(index: number, more: Partial<Receipt> = {}): Receipt {
  const status = confirmed(new Uint8Array(32).fill(index)) as Extract<ReturnType<typeof confirmed>, { state: 'confirmed' }>;
  const result = { status: 'stored', class: 'production', id: new Uint8Array(32), recordDigest: new Uint8Array(32) } as const;
  return { ...status.receipt, index, results: [encodeRecordResults([result])], ...more };
}

export async function createLargestNode(): Promise<Rig> {
  const log = new MemoryStore();
  await fillExchangeLog(log);
  const rig = await createRig({ rateLimitFactor: 0 }, undefined, log);
  fillState(rig);
  await fillBlocks(rig);
  fillNode(rig);
  fillRecords(rig);
  for (const { operationId, errorsAll } of allRoutes())
    for (const code of errorsAll) rig.server.context.metrics.observe(operationId, code, 1);
  return rig;
}

async function fillExchangeLog(store: MemoryStore): Promise<void> {
  const log = await openExchangeLog({ store, world: createTestWorld() });
  const digest = 'a'.repeat(64);
  const facts = { interfaceId: 'findRecords', caller: 'ada@acme', organisation: 'acme', address: '10.0.0.1', rows: 1, durationMs: 3 };
  for (let i = 0; i < ENTRIES_LOGGED; i++) {
    const code = i === 10 || i === 9_990 ? 'INTERNAL' : 'OK'; // as far apart as a proof may reach
    log.append({ ...facts, timeMs: i, requestId: `r${i}`, parametersDigest: digest, code, answerDigest: digest });
    if (i % 5_000 === 0) await log.flush();
  }
  await log.stop();
}

function fillState({ state }: Rig): void {
  const put = (contract: string, key: string, value: Json): void => void state.rows.set(stateKey(contract, key), encodeJson(value));
  const entryData = { values: Array.from({ length: 7_000 }, (_, i) => `v${i}`) }; // 64 kB
  for (let i = 0; i < 100; i++) state.put('class', `class-${i}`, 'acme', { ...entryData, name: `class-${i}` });
  for (let i = 0; i < 1_001; i++) state.put('factory', `F-${i}`, 'acme', { name: 'x'.repeat(200) });
  for (let i = 1; i <= 1_001; i++)
    put(CONTRACT.registry, registryKey.version('class', 'class-1', i), { id: 'class-1', version: i, data: { values: names(300) } });
  const node = {
    transportKey: 'a'.repeat(64),
    validatorKey: 'a'.repeat(64),
    tokenKey: 'a'.repeat(64),
    addresses: [],
    role: 'validator',
    weight: 1,
  };
  for (let i = 0; i < 998; i++) state.put('node', `n-${i}`, 'acme', node);
  const described = { methods: ['add'], events: Object.fromEntries(Array.from({ length: 256 }, (_, i) => [`E${i}`, 'x'.repeat(200)])) };
  for (let i = 0; i < 100; i++) {
    const address = i === 0 ? CONTRACT_ADDRESS : `0x${String(i).padStart(40, '2')}`;
    put(CONTRACT.deployed, deployedKey.contract(address), { address, state: 'active', ...described });
  }
  for (let i = 1; i <= 64; i++) {
    const id = String(i).padStart(8, '0');
    put(CONTRACT.governance, governanceKey.proposal(id), { id, state: 'open', votes: [], change: names(20_000) });
  }
}

/** Both blocks in a store, as a node keeps them, and read as a node reads them. */
async function fillBlocks({ node, world }: Rig): Promise<void> {
  const store = new MemoryStore();
  const files = memoryBlockFiles(new Uint8Array(32));
  const [header] = await node.headers(1, 1);
  const transactionsOf = new Map([
    [MANY_TRANSACTIONS_HEIGHT, Array<Uint8Array>(10_000).fill(transactionOf(500))],
    [LARGE_TRANSACTIONS_HEIGHT, Array<Uint8Array>(2).fill(transactionOf(4_000_000))],
  ]);
  for (const [height, transactions] of transactionsOf) {
    const large = { results: [encodeJson(names(80_000))] };
    const receipts = transactions.map((_, index) => encodeReceipt(receiptOf(index, height === LARGE_TRANSACTIONS_HEIGHT ? large : {})));
    const block = encodeBlock({ header: { ...header!, height }, seal: new Uint8Array(64), transactions });
    await store.batch([
      { key: ledgerKey.header(height), value: encodeHeader({ ...header!, height }) },
      { key: ledgerKey.body(height), value: encodeLocation(await files.append(height, block)) },
      { key: ledgerKey.receipts(height), value: new Writer(1_024).list(receipts, (w, bytes) => w.bytes(bytes)).finish() },
    ]);
  }
  const blocks = createBlockStore(store, files);
  const headers = await node.headers(0, 1_001);
  node.headers = async (from, limit) => headers.slice(0, limit).map((each, i) => ({ ...each, height: from + i }));
  node.height = 2_000;
  node.block = async (ref) => (typeof ref === 'number' ? readStoredBlock(blocks, crypto, ref, createPause(world)) : undefined);
  const large = transactionsOf.get(LARGE_TRANSACTIONS_HEIGHT)![0]!;
  node.transactionBytes = async () => ({
    bytes: large,
    height: MANY_TRANSACTIONS_HEIGHT,
    index: 7,
    blockHash: headerHash(crypto, encodeHeader(header!)),
  });
}

function fillNode({ node }: Rig): void {
  const events = Array.from({ length: 2_000 }, () => ({
    call: 0,
    contract: CONTRACT.deployed,
    name: 'stored',
    data: encodeJson({ text: 'x'.repeat(2_000) }),
  }));
  const receipt = receiptOf(7, { height: MANY_TRANSACTIONS_HEIGHT, results: [encodeJson(names(80_000))], events });
  node.statuses = (id) =>
    id !== LARGE_TRANSACTION_ID
      ? confirmed(Buffer.from(id, 'hex'))
      : { state: 'confirmed', receipt, blockHash: new Uint8Array(32), timestampMs: START_MS };
  node.submit = async (bytes) => openTransaction(crypto, bytes).id;
  node.signFor = async (account, calls, gasLimit) => {
    const body = { chainId: CHAIN_ID, sender: account, keyId: 'k', salt: new Uint8Array(16), expiryHeight: 9, calls, gasLimit, suite: 1 };
    return signTransaction(crypto, body, signWith).bytes;
  };
  const result = encodeJson(names(80_000));
  node.query = async () => ({ result, gasUsed: 1, height: 1 });
  node.events_.push(
    ...Array.from({ length: 1_000 }, (_, i) => ({
      ...testEvent(3, i, 'stored', CONTRACT_ADDRESS),
      event: { contract: CONTRACT_ADDRESS, name: 'stored', data: encodeJson(names(5_000)) },
    })),
  );
  for (let id = 1; id <= 1_000; id++)
    node.alarms_.push({
      id,
      raisedAtMs: id,
      kind: 'BLOCK_CHECK_FAILED',
      severity: 'critical',
      detail: { failed: 'x'.repeat(2_000) },
      acknowledgedBy: undefined,
      acknowledgedAtMs: undefined,
    });
  const peers = Array.from({ length: 998 }, (_, i) => ({ node: `n-${i}`, connected: true, lastSeenMs: 5, address: undefined }));
  node.peers = () => peers.map((peer) => ({ ...peer }));
}

function fillRecords({ records, world, node }: Rig): void {
  const inSlices = createSlices(world);
  const row = (id: string, record: Json) => ({ id, version: 1, recordDigest: 'd'.repeat(64), record });
  const page = {
    items: Array.from({ length: 1_000 }, (_, i) => row(toHex(crypto.hash(Uint8Array.of(i))), { text: '<&>'.repeat(1_000) })),
    next: null,
    height: 12,
    complete: true,
    withheld: 0,
    count: null,
  };
  records.search = async () => page;
  records.history = async () => page;
  const largeRecord = { text: '<&>'.repeat(1_300_000), lines: Object.values(names(50_000)).map(String) };
  records.get = async (id) => row(id, largeRecord);
  const outcome = {
    id: 'a'.repeat(64),
    version: 1,
    contentDigest: 'b'.repeat(64),
    recordDigest: 'c'.repeat(64),
    digestAlg: 'SHA-256',
    status: 'stored' as const,
  };
  const outcomes = Array.from({ length: 10_000 }, () => ({ ...outcome }));
  records.submit = async () => ({
    transactionId: 'e'.repeat(64),
    status: 'confirmed',
    height: 8,
    blockHash: 'f'.repeat(64),
    records: outcomes,
  });
  records.validate = async () => ({ records: outcomes });
  records.contentDigests = async () => outcomes.map(({ contentDigest }) => contentDigest);
  const megabytes = new Uint8Array(4_000_000).fill(0xab);
  records.proof = async () => {
    const [header] = await node.headers(1, 1);
    const part = { header: encodeHeader(header!), certificate: new Uint8Array(10_000), configuration: new Uint8Array(10_000) };
    const bundle = evidenceSteps({
      chainId: CHAIN_ID,
      genesisHash: CHAIN_ID,
      key: 'k',
      value: megabytes,
      proof: new Uint8Array(20_000),
      state: part,
      barriers: Array<typeof part>(200).fill(part),
      inclusion: {
        ...part,
        transaction: megabytes,
        receipt: new Uint8Array(100_000),
        index: 0,
        count: 1,
        transactionPath: [],
        receiptPath: [],
      },
    });
    return (await inSlices(bundle)) as unknown as Json;
  };
  const records_ = Array.from({ length: 10 }, () => ({ id: 'a'.repeat(64), version: 1, class: 'production', org: 'acme', timeUs: '1' }));
  const nodes = Array.from({ length: 2_000 }, (_, i) => ({
    id: `product/${i}`,
    type: 'product',
    label: `${i}`,
    depth: 1,
    records: records_,
    facts: { location: 'x'.repeat(100) },
  }));
  const edges = Array.from({ length: 10_000 }, (_, i) => ({
    from: `product/${i}`,
    to: 'product/0',
    rel: 'consumes',
    status: 'claimed',
    records: ['a'.repeat(64)],
  }));
  records.trace = async (product) => ({ product, nodes, edges, height: 1, complete: false, withheld: 0 });
}
