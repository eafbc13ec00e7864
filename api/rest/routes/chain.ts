/** Transactions, blocks and consensus (DB53 5.1.3, 6.3.2). */
import { type TObject, type TString, Type } from '@sinclair/typebox';
import { ChainError } from '../../../node/errors/index.ts';
import {
  decodeTransaction,
  encodeBlock,
  fromHex,
  merkleLevelsSteps,
  merklePathIn,
  toHex,
  transactionHashOf,
} from '../../../node/format/index.ts';
import { encodeSealedBlock } from '../../../node/ledger/index.ts';
import type { StoredBlock } from '../../../node/service.ts';
import type { ApiContext } from '../context.ts';
import { eachInSteps, type Steps } from '../../../node/pace/index.ts';
import type { Call } from '../call.ts';
import { API_PREFIX, type BodyDeclaration, type Route, route } from '../route.ts';
import { choiceOf, field, inPath, inQuery, strictObject, type ValuesOf } from '../schema.ts';
import {
  hexDigest,
  heightRange,
  presentCertificate,
  presentRound,
  presentHeader,
  presentTransaction,
  receiptSteps,
  recordCodes,
  Row,
  transactionsSteps,
} from './parts.ts';
import { submitBytes } from './submission.ts';
import { listRoute, type Page, type PageAsked, readRoute, readsAll, submitRoute } from './shapes.ts';

const BLOCK_BYTES_MAX = 16 * 1024 * 1024;
const TRANSACTION_BODY_BYTES_MAX = 6 * 1024 * 1024; // a transaction of 4 MiB in base64

/** Bytes of a transaction that each look at takes a while. */
const LARGE_BYTES = 262_144;

const binaryFormats = ['application/octet-stream', 'application/json', 'text/plain'] as const;
function binaryBody<N extends 'transaction' | 'block'>(name: N, bytesMax: number): BodyDeclaration<ReturnType<typeof binarySchema<N>>> {
  return {
    formats: binaryFormats,
    bytesMax,
    schema: binarySchema(name),
    example: `{"${name}":"AAEC"}`,
    description: {
      en: `The exact bytes of a ${name}: raw, as base64 text, or as JSON with base64`,
      zh:
        name === 'block'
          ? '区块的原始字节：二进制、base64 文本或含 base64 的 JSON'
          : '交易的原始字节：二进制、base64 文本或含 base64 的 JSON',
    },
  };
}
function binarySchema<N extends string>(name: N): TObject<Record<N, TString>> {
  const base64 = Type.String({ pattern: '^[A-Za-z0-9+/]{4}' });
  const properties = { [name]: field(base64, 'AAEC', { en: 'Canonical bytes in base64', zh: '规范编码的 base64' }) };
  return strictObject(properties as Record<N, TString>);
}

const transactionId = inPath(hexDigest, 'c'.repeat(64), {
  en: 'Transaction id, 64 hex digits',
  zh: '交易标识，64 位十六进制',
});
const refParameter = inPath(Type.String({ minLength: 1, maxLength: 64, pattern: '^(latest|[0-9]{1,15}|[0-9a-f]{64})$' }), 'latest', {
  en: 'Height, block hash or `latest`',
  zh: '区块高度、哈希或 latest',
});

const submitTransaction = submitRoute({
  operationId: 'submitTransaction',
  url: `${API_PREFIX}/transactions`,
  layer: 'consensus',
  summary: { en: 'Submit a transaction that the sender signed', zh: '提交由发送方签名的交易' },
  access: { right: 'transaction:submit' },
  body: binaryBody('transaction', TRANSACTION_BODY_BYTES_MAX),
  repeatable: false,
  errors: recordCodes, // its calls may be of any contract
  handler: async (call, api) => {
    const bytes = isRaw(call) ? call.bytes : await api.paced(bodySteps(call, 'transaction'));
    if (bytes.length > LARGE_BYTES) await api.turn(); // the node decodes and hashes it in one piece
    return submitBytes(call, api, bytes);
  },
});

const getTransaction = readRoute({
  operationId: 'getTransaction',
  url: `${API_PREFIX}/transactions/:id`,
  layer: 'consensus',
  summary: {
    en: 'State of a transaction: pending, confirmed with its receipt, rejected or expired',
    zh: '查询交易状态：待处理、已确认（含回执）、被拒绝或已过期',
  },
  access: { right: 'chain:read', own: true },
  parameters: {
    id: transactionId,
    proof: inQuery(
      Type.Boolean(),
      { default: false, example: true },
      { en: 'Add the path from the transaction to txRoot of its block', zh: '附带交易到区块 txRoot 的默克尔路径' },
    ),
  },
  errors: ['TRANSACTION_NOT_FOUND'],
  handler: async (call, api) => ({ data: await transactionAnswer(call, api) }),
});

const blockParameters = {
  fromHeight: inQuery(heightRange, { default: 0, example: 1 }, { en: 'Lowest height', zh: '最低高度' }),
  order: inQuery(
    choiceOf('descending', 'ascending'),
    { default: 'descending', example: 'ascending' },
    { en: 'By height', zh: '按高度排序' },
  ),
};

const listBlocks = listRoute({
  operationId: 'listBlocks',
  url: `${API_PREFIX}/blocks`,
  layer: 'consensus',
  summary: { en: 'Headers of final blocks', zh: '已最终确认区块的区块头列表' },
  access: { right: 'chain:read' },
  parameters: blockParameters,
  page: blockPage,
});

const getBlock = readRoute({
  operationId: 'getBlock',
  url: `${API_PREFIX}/blocks/:ref`,
  layer: 'consensus',
  summary: { en: 'A block with its certificate and receipts, or its exact bytes', zh: '查询区块（含证书与回执）或其原始字节' },
  access: { right: 'chain:read' },
  parameters: {
    ref: refParameter,
    form: inQuery(
      choiceOf('json', 'raw'),
      { default: 'json', example: 'raw' },
      {
        en: 'json: in the envelope; raw: application/octet-stream, outside it',
        zh: 'json：置于统一结构；raw：以 application/octet-stream 返回原始字节',
      },
    ),
  },
  errors: ['BLOCK_NOT_FOUND'],
  response: { schema: Row, statuses: [200], outside: ['application/octet-stream'] },
  handler: async (call, api) => {
    const stored = await findBlock(call.parameters.ref, api);
    if (call.parameters.form === 'raw') {
      const block = encodeBlock(stored.block);
      await api.turn(); // the next look at its megabytes
      return {
        raw: encodeSealedBlock(block, stored.finality),
        mediaType: 'application/octet-stream',
        headers: { 'x-block-hash': toHex(stored.hash) },
      };
    }
    return { data: await api.paced(blockSteps(stored, api)) };
  },
});

const validateBlock = route({
  operationId: 'validateBlock',
  method: 'POST',
  url: `${API_PREFIX}/blocks/validation`,
  layer: 'consensus',
  summary: {
    en: 'Judge the bytes of a block: every check by name, with computed and stated value',
    zh: '校验区块字节：逐项给出校验名称、计算值与声明值',
  },
  access: { right: 'chain:read' },
  timeoutMs: 30_000,
  rateLimit: { count: 20, perMs: 1_000 },
  parameters: {},
  body: binaryBody('block', BLOCK_BYTES_MAX),
  repeatable: true,
  errors: ['BLOCK_MALFORMED'],
  response: { schema: Row, statuses: [200] },
  handler: async (call, api) => {
    const checks = await api.node.validateBlock(await api.paced(bodySteps(call, 'block')));
    return {
      data: {
        valid: checks.every((check) => check.passed),
        failed: checks.filter((check) => !check.passed).map((check) => check.check),
        checks,
      },
    };
  },
});

const getConsensus = readRoute({
  operationId: 'getConsensus',
  url: `${API_PREFIX}/consensus`,
  layer: 'consensus',
  summary: {
    en: 'Head of the chain and the round in progress: proposals, verifications, votes',
    zh: '链的当前高度与共识轮次：提案、验证与投票',
  },
  access: { right: 'chain:read', own: true }, // tells of no account and no transaction
  handler: (_call, { node }) => {
    const { info } = node;
    const head = node.head();
    return {
      data: {
        chainId: toHex(info.chainId),
        genesisHash: toHex(info.genesisHash),
        node: info.node,
        organisation: info.organisation,
        version: info.version,
        executionVersion: info.executionVersion,
        bundleDigest: info.bundleDigest,
        head: {
          height: head.height,
          hash: toHex(head.hash),
          timestampMs: head.timestampMs,
          stateRoot: toHex(head.stateRoot),
          era: head.era,
        },
        round: presentRound(node.consensus()),
        mempool: node.mempool(),
      },
    };
  },
});

export const chainRoutes: readonly Route[] = [submitTransaction, getTransaction, listBlocks, getBlock, validateBlock, getConsensus];

/** Letters decoded between two pauses; a multiple of four, so that no group is cut. */
const STEP_LETTERS = 65_536;

function isRaw({ mediaType }: Call): boolean {
  return mediaType === 'application/octet-stream';
}

/** @throws ChainError BODY_MALFORMED when the text is not base64 */
function* bodySteps(call: Call, name: 'transaction' | 'block'): Steps<Uint8Array> {
  if (isRaw(call)) return call.bytes;
  const text =
    call.mediaType === 'application/json'
      ? (call.body as Record<string, string>)[name]!
      : Buffer.from(call.bytes.buffer, call.bytes.byteOffset, call.bytes.length).toString('latin1').trim();
  yield;
  const end = paddingStart(text);
  const pieces: Buffer[] = [];
  for (let at = 0; at < end; at += STEP_LETTERS) {
    const piece = text.slice(at, Math.min(end, at + STEP_LETTERS));
    const bytes = Buffer.from(piece, 'base64');
    const written = bytes.toString('base64');
    if (written.slice(0, paddingStart(written)) !== piece) throw new ChainError('BODY_MALFORMED', { reason: 'not base64' });
    pieces.push(bytes);
    yield;
  }
  return new Uint8Array(Buffer.concat(pieces));
}

/** At most two signs of padding. No pattern: one of `=+$` tries again at every sign of a long run of them. */
function paddingStart(text: string): number {
  return text.endsWith('==') ? text.length - 2 : text.endsWith('=') ? text.length - 1 : text.length;
}

async function transactionAnswer(call: Call<{ id: string; proof: boolean }>, api: ApiContext): Promise<Record<string, unknown>> {
  const id = fromHex(call.parameters.id);
  const status = await api.node.transaction(id);
  const transactionId = toHex(id);
  const visible = readsAll(call, api, 'chain:read') || (await api.node.senderOf(id)) === call.caller.account;
  if (status.state === 'unknown' || !visible) throw new ChainError('TRANSACTION_NOT_FOUND', { transactionId });
  if (status.state !== 'confirmed') return { transactionId, ...status };
  const stored = await api.node.transactionBytes(id);
  if (stored !== undefined && stored.bytes.length > LARGE_BYTES) await api.turn(); // it was copied out of its block
  const transaction =
    stored === undefined
      ? null
      : { bytes: Buffer.from(stored.bytes).toString('base64'), ...presentTransaction(decodeTransaction(stored.bytes)) };
  return {
    transactionId,
    state: 'confirmed',
    height: status.receipt.height,
    blockHash: toHex(status.blockHash),
    timestampMs: status.timestampMs,
    receipt: await api.paced(receiptSteps(status.receipt)),
    transaction,
    ...(call.parameters.proof ? { proof: await transactionProof(api, status.receipt.height, status.receipt.index) } : {}),
  };
}

/** Leaves of txRoot are the full hashes, of id and signature (design: chain, "Transaction"). */
async function transactionProof(api: ApiContext, height: number, index: number): Promise<Record<string, unknown> | null> {
  const stored = await api.node.block(height);
  if (stored === undefined) return null;
  const { crypto } = api.world;
  const leaves = await api.paced(eachInSteps(stored.block.transactions, (bytes) => transactionHashOf(crypto, bytes)));
  const path = merklePathIn(await api.paced(merkleLevelsSteps((data) => crypto.hash(data), leaves)), index);
  return {
    leaf: toHex(leaves[index]!),
    index,
    count: leaves.length,
    path: path.map(toHex),
    txRoot: toHex(stored.block.header.txRoot),
    header: toHex(stored.headerBytes),
  };
}

async function findBlock(ref: string, api: ApiContext): Promise<StoredBlock> {
  const stored = await api.node.block(ref === 'latest' ? 'latest' : ref.length === 64 ? fromHex(ref) : Number(ref));
  if (stored === undefined) throw new ChainError('BLOCK_NOT_FOUND', { ref });
  return stored;
}

function* blockSteps(stored: StoredBlock, { world }: ApiContext) {
  return {
    hash: toHex(stored.hash),
    header: presentHeader(world.crypto, stored.block.header),
    headerBytes: toHex(stored.headerBytes),
    seal: toHex(stored.block.seal),
    certificate: presentCertificate(stored.block.header.engine, stored.finality),
    transactions: yield* transactionsSteps(stored.block, stored.transactionIds),
    receipts: yield* eachInSteps(stored.receipts, receiptSteps),
  };
}

/** Descending pages go down from the height of the first page, so that blocks made meanwhile shift nothing. */
async function blockPage(
  { parameters }: Call<ValuesOf<typeof blockParameters>>,
  api: ApiContext,
  { limit, cursor }: PageAsked,
): Promise<Page> {
  const bottom = parameters.fromHeight;
  const height = cursor?.height ?? api.node.head().height;
  const ascending = parameters.order === 'ascending';
  const at = cursor === undefined ? (ascending ? bottom : height) : Number(cursor.at);
  const from = ascending ? at : Math.max(bottom, at - limit + 1);
  const to = ascending ? Math.min(height, at + limit - 1) : at;
  const headers = from > to ? [] : (await api.node.headers(from, to - from + 1)).filter((header) => header.height <= to);
  const items = await api.paced(eachInSteps(headers, (header) => presentHeader(api.world.crypto, header)));
  const nextAt = ascending ? to + 1 : from - 1;
  const more = headers.length > 0 && (ascending ? nextAt <= height : nextAt >= bottom);
  return { items: ascending ? items : items.reverse(), height, at: more ? nextAt : undefined };
}
