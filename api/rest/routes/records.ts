/** Records: submit, check, find, read, prove; and where a product came from (DB53 5.1.1, 6.1.1, 6.1.2). */
import { Type } from '@sinclair/typebox';
import { CONTRACT, recordKey, stateKey } from '../../../contracts/index.ts';
import { decodeJson, indexDigest, type Json, type RecordOrigin, SOURCE_TEXT_BYTES_MAX, toByteText } from '../../../node/format/index.ts';
import { annexExample, annexFields } from '../annex-a.ts';
import type { ApiContext } from '../context.ts';
import type { RecordBody, RecordFilter, RecordMediaType, RecordOutcome } from '../../../node/records/index.ts';
import type { Call } from '../call.ts';
import { API_PREFIX, type BodyDeclaration, type Route, route } from '../route.ts';
import { choiceOf, givenOf, inHeader, inPath, inQuery, type ValuesOf } from '../schema.ts';
import {
  hexDigest,
  heightRange,
  listOf,
  name128,
  pageParameters,
  READ_RATE,
  READ_TIMEOUT_MS,
  recordCodes,
  recordReadCodes,
  Row,
  SUBMIT_RATE,
  SUBMIT_TIMEOUT_MS,
  versionParameter,
  waitParameters,
} from './parts.ts';
import { listRoute, readRoute } from './shapes.ts';
import { submittedAnswer, submittedLog } from './submitted-answer.ts';

const RECORDS_BYTES_MAX = 16 * 1024 * 1024;

const recordBody: BodyDeclaration<never> = {
  formats: ['application/json', 'application/xml', 'text/csv'],
  bytesMax: RECORDS_BYTES_MAX,
  example: annexExample,
  fields: annexFields,
  description: {
    en: 'One record or many, by table A.1: JSON object or list, XML element or list, CSV with a header row. UTF-8',
    zh: '按表 A.1 的一条或多条记录：JSON 对象或列表、XML 元素或列表、带表头的 CSV；UTF-8 编码',
  },
};
const digestParameters = {
  digest: inQuery(
    hexDigest,
    { default: null, example: 'a'.repeat(64) },
    {
      en: 'SHA-256 the caller computed over what is sent, without token; a single record only; a differing one is refused',
      zh: '提交方对不含 token 的内容计算的 SHA-256（仅限单条）；不一致则拒绝',
    },
  ),
  'digest-sha256': inHeader(hexDigest, 'a'.repeat(64), {
    en: 'The same as `digest`, as a header',
    zh: '与 digest 相同，以请求头形式提供',
  }),
};
const digestLimit = {
  rule: 'atMostOne',
  names: ['digest', 'digest-sha256'],
  text: {
    en: 'digest and the header Digest-SHA256 say the same: send one of them',
    zh: 'digest 与请求头 Digest-SHA256 含义相同，只能提供一个',
  },
} as const;
const recordId = inPath(hexDigest, 'b'.repeat(64), { en: 'Record id, 64 hex digits', zh: '记录标识，64 位十六进制' });
const classParameter = inQuery(
  name128,
  { default: 'production', example: 'quality' },
  {
    en: 'Class of the records: production (annex A), device, quality, material_consumption, or one an organisation registered',
    zh: '记录类别：production（附录 A）、device、quality、material_consumption 或机构注册的类别',
  },
);

const SOURCE_CHARACTERS_MAX = 64; // so that any script fits the 256 bytes of the stored form
const sourceText = Type.String({ minLength: 1, maxLength: SOURCE_CHARACTERS_MAX, pattern: '^[^\\p{Cc}]*$' });
const source = (example: string, en: string, zh: string) => inQuery(sourceText, { default: null, example }, { en, zh });
/** Stored beside each record of the body; the last time and seq of an account and interface are kept, so that an incremental upload knows where to go on. */
const sourceParameters = {
  sourceSystem: source('MES-3', 'System the records come from', '记录来源系统'),
  sourceId: source('batch-77', 'Its own id of this upload', '来源系统中的标识'),
  sourceTime: source('2025-03-01T08:00:00Z', "Sender's time of this upload", '发送方时间'),
  sourceSeq: source('1042', "Sender's running number of this upload", '发送方流水号'),
  interfaceId: source('mes/1', 'Interface the records came through; needed to go on after time or seq', '上传所用接口'),
  mapping: source('ai4i@1', 'Mapping that made these records of others', '生成记录所用的映射'),
};

const textRange = Type.String({ minLength: 1, maxLength: 256 });
const filter = (example: string, en: string, zh: string) => inQuery(textRange, { default: null, example }, { en, zh });
const filterParameters = {
  class: filter('production', 'Record class', '记录类别'),
  product: filter('M14860', 'product_uid', '产品标识'),
  productionBatch: filter('PB-7', 'Production batch', '生产批次'),
  materialBatch: filter('MB-3', 'Batch of a raw material', '原材料批次'),
  supplier: filter('Acme Steel', 'Supplier of the material batch', '原材料供应商'),
  batch: filter('PB-7', 'Production or material batch; each row says which matched', '生产或原材料批次；每行说明匹配项'),
  device: filter('M-01', 'Device that produced or measured', '设备标识'),
  factory: filter('F-001', 'pro_factory_uid or factory_uid', '工厂标识'),
  from: filter('2025-01-01T00:00:00Z', 'production_time at or after', '生产时间起（含）'),
  to: filter('2025-12-31T23:59:59Z', 'production_time at or before', '生产时间止（含）'),
} satisfies Readonly<Record<keyof RecordFilter, unknown>>;

/** How far the query index must have come before it answers. */
const freshnessParameters = {
  atLeastHeight: inQuery(
    heightRange,
    { default: 0, example: 1 },
    {
      en: 'Wait until the index has reached this height, at most waitMs; then INDEX_BEHIND',
      zh: '等待索引达到该高度，最长 waitMs，否则返回 INDEX_BEHIND',
    },
  ),
  waitMs: inQuery(
    Type.Integer({ minimum: 0, maximum: 25_000 }),
    { default: 5_000, example: 5_000 },
    { en: 'Longest wait for atLeastHeight, ms', zh: '等待 atLeastHeight 的最长时间（毫秒）' },
  ),
};

const RecordItem = Type.Object({ id: Type.String(), version: Type.Integer(), recordDigest: Type.String() }, { additionalProperties: true });
const SubmitAnswer = Type.Object(
  {
    transactionId: Type.Union([Type.String(), Type.Null()], {
      description:
        'May hold other records of the account too. Of a pending record: where it stands now; should that transaction fail over another record, the node sends this one again in a further one. Null, like height and blockHash, when every record was stored before and the account may read none of them',
    }),
    status: Type.String(),
    height: Type.Union([Type.Integer(), Type.Null()]),
    blockHash: Type.Union([Type.String(), Type.Null()]),
    records: Type.Array(
      Type.Object(
        {
          id: Type.String(),
          version: Type.Integer(),
          contentDigest: Type.String(),
          recordDigest: Type.String(),
          digestAlg: Type.String(),
          status: Type.Union([Type.Literal('stored'), Type.Literal('repeated')]),
          transactionId: Type.Optional(
            Type.String({ description: 'Of a repeated record that the account may read: the transaction that stored it' }),
          ),
        },
        { additionalProperties: true },
      ),
    ),
  },
  { additionalProperties: true },
);

const submitRecords = route({
  operationId: 'submitRecords',
  method: 'POST',
  url: `${API_PREFIX}/records`,
  layer: 'application',
  summary: { en: 'Put one record or many on the chain, all or none', zh: '提交一条或多条记录上链，全部成功或全部不存储' },
  access: { right: 'record:submit', tokenInBody: true },
  timeoutMs: SUBMIT_TIMEOUT_MS,
  rateLimit: SUBMIT_RATE,
  parameters: { class: classParameter, ...sourceParameters, ...waitParameters, ...digestParameters },
  limits: [digestLimit],
  body: recordBody,
  secretBody: true,
  repeatable: true,
  errors: ['TOKEN_CONFLICT', ...recordCodes],
  response: { schema: SubmitAnswer, statuses: [200, 202] },
  handler: async (call, { records }) => {
    const outcome = await records.submit(bodyOf(call), call, {
      wait: call.parameters.wait,
      timeoutMs: call.parameters.timeoutMs,
      statedDigest: statedDigest(call),
      recordClass: call.parameters.class,
      source: sourceOf(call),
      requestId: call.requestId,
    });
    return {
      data: submittedAnswer(outcome),
      ...(outcome.status === 'confirmed' ? {} : { pending: {} }),
      rows: outcome.records.length,
      logged: submittedLog(outcome),
      ...(call.parameters['idempotency-key'] === undefined ? {} : { kept: withoutContentDigests(outcome) }),
    };
  },
  restore: withContentDigests,
});

const validateRecords = route({
  operationId: 'validateRecords',
  method: 'POST',
  url: `${API_PREFIX}/records/validate`,
  layer: 'application',
  summary: { en: 'Every check of a submission, without storing', zh: '执行提交的全部校验但不存储' },
  access: { right: 'record:submit', tokenInBody: true },
  timeoutMs: READ_TIMEOUT_MS,
  rateLimit: { count: 200, perMs: 1_000 },
  parameters: { class: classParameter, ...digestParameters },
  limits: [digestLimit],
  body: recordBody,
  secretBody: true,
  repeatable: true,
  errors: ['TOKEN_CONFLICT', ...recordCodes],
  response: { schema: Row, statuses: [200] },
  handler: async (call, { records }) => {
    const outcome = await records.validate(bodyOf(call), call, {
      statedDigest: statedDigest(call),
      recordClass: call.parameters.class,
    });
    const data = { valid: true, ...outcome };
    return { data, rows: outcome.records.length, logged: sealedLog(outcome.records), kept: withoutContentDigests(data) };
  },
  restore: withContentDigests,
});

const findRecords = route({
  operationId: 'findRecords',
  method: 'GET',
  url: `${API_PREFIX}/records`,
  layer: 'application',
  summary: { en: 'Records by product, batch, device, factory and time', zh: '按产品、批次、设备、工厂和时间查询记录' },
  access: { right: 'record:read', own: true },
  timeoutMs: 30_000,
  rateLimit: READ_RATE,
  parameters: {
    ...filterParameters,
    include: inQuery(
      choiceOf('current', 'archived'),
      { default: 'current', example: 'archived' },
      { en: 'archived: records out of use as well', zh: 'archived：同时返回已归档的记录' },
    ),
    order: inQuery(
      choiceOf('time', 'commit'),
      { default: 'time', example: 'commit' },
      {
        en: 'time: by production_time; commit: versions and tombstones in the order they became final (what changed since)',
        zh: 'time：按生产时间；commit：按最终确认顺序返回各版本与删除标记（增量变化）',
      },
    ),
    ...pageParameters,
    count: inQuery(
      choiceOf('none', 'exact'),
      { default: 'none', example: 'exact' },
      {
        en: 'exact: count all matches too; null when more than 200,000 rows of the index would have to be looked at',
        zh: 'exact：同时统计总数；需查看的索引行超过 200,000 时为 null',
      },
    ),
    ...freshnessParameters,
  },
  limits: [
    {
      rule: 'needs',
      names: ['supplier', 'materialBatch'],
      text: { en: 'supplier narrows materialBatch: give both', zh: 'supplier 用于限定 materialBatch，须同时提供' },
    },
    {
      rule: 'atMostOne',
      names: ['batch', 'productionBatch'],
      text: { en: 'batch searches productionBatch as well: give one of them', zh: 'batch 已包含 productionBatch，只能提供一个' },
    },
    {
      rule: 'atMostOne',
      names: ['batch', 'materialBatch'],
      text: { en: 'batch searches materialBatch as well: give one of them', zh: 'batch 已包含 materialBatch，只能提供一个' },
    },
  ],
  errors: ['CURSOR_INVALID', 'INDEX_BEHIND', ...recordReadCodes],
  response: { schema: listOf(RecordItem), statuses: [200] },
  handler: async (call, { records }) => {
    const { include, order, limit, after, count, atLeastHeight, waitMs } = call.parameters;
    const filter = givenOf(call.parameters, filterParameters);
    const includeArchived = include === 'archived';
    const page = await records.search({ filter, includeArchived, order, limit, after, count, atLeastHeight, waitMs }, call.caller);
    return { data: page, logged: { answer: rowsLog(page.items) } };
  },
});

const getSourcePosition = readRoute({
  operationId: 'getSourcePosition',
  url: `${API_PREFIX}/records/source`,
  layer: 'application',
  summary: {
    en: "Last source.time and source.seq of the caller's records under one interface: an incremental upload goes on from there",
    zh: '调用方在某一接口下最近一次提交的 source.time 与 source.seq，增量上传由此继续',
  },
  access: { right: 'record:submit' },
  parameters: {
    interfaceId: inQuery(
      Type.String({ minLength: 1, maxLength: SOURCE_TEXT_BYTES_MAX }),
      { example: 'line-3' },
      { en: 'Interface that the records named in their source', zh: '记录来源中所填的接口标识' },
    ),
  },
  response: {
    schema: Type.Object({
      interfaceId: Type.String(),
      time: Type.Union([Type.String(), Type.Null()]),
      seq: Type.Union([Type.String(), Type.Null()]),
      height: Type.Integer(),
    }),
    statuses: [200],
  },
  handler: (call, { node, world }) => {
    const { interfaceId } = call.parameters;
    const row = recordKey.source(toByteText(indexDigest(world.crypto, call.caller.account, interfaceId)));
    const bytes = node.state.get(stateKey(CONTRACT.records, row));
    const { time = null, seq = null } = bytes === undefined ? {} : (decodeJson(bytes) as RecordOrigin);
    return { data: { interfaceId, time, seq, height: node.head().height } };
  },
});

const getRecord = readRoute({
  operationId: 'getRecord',
  url: `${API_PREFIX}/records/:id`,
  layer: 'application',
  summary: { en: 'One record, its current or a given version, with its block reference', zh: '查询一条记录的当前或指定版本及其区块信息' },
  access: { right: 'record:read', own: true },
  parameters: { id: recordId, version: versionParameter },
  errors: ['NOT_FOUND', ...recordReadCodes],
  handler: async (call, { records }) => {
    const row = await records.get(call.parameters.id, call.parameters.version, call.caller);
    return { data: row, logged: { answer: rowsLog([row]) } };
  },
});

const getRecordHistory = listRoute({
  operationId: 'getRecordHistory',
  url: `${API_PREFIX}/records/:id/history`,
  layer: 'application',
  summary: { en: 'Every version of a record, oldest first', zh: '查询记录的全部历史版本' },
  access: { right: 'record:read', own: true },
  parameters: { id: recordId },
  errors: ['NOT_FOUND', ...recordReadCodes],
  item: RecordItem,
  page: async (call, { records }, { limit, cursor }) => {
    const after = cursor === undefined ? undefined : String(cursor.at);
    const { items, height, next, count } = await records.history(call.parameters.id, { limit, after }, call.caller);
    return { items, height, at: next ?? undefined, more: { count }, logged: { answer: rowsLog(items) } };
  },
});

const getRecordProof = readRoute({
  operationId: 'getRecordProof',
  url: `${API_PREFIX}/records/:id/proof`,
  layer: 'application',
  summary: { en: 'Evidence bundle of a record, checked offline by `tracemill verify`', zh: '记录的证据包，可用 tracemill verify 离线验证' },
  access: { right: 'record:read', own: true },
  rateLimit: { count: 200, perMs: 1_000 },
  parameters: {
    id: recordId,
    version: versionParameter,
    transaction: inQuery(
      Type.Boolean(),
      { default: false, example: true },
      {
        en: 'Add the whole transaction that wrote it and its receipt: they show who signed with which kind of key',
        zh: '附上写入该记录的完整交易及其回执，可看出由谁、以何种密钥签名',
      },
    ),
  },
  errors: ['NOT_FOUND', 'EVIDENCE_NOT_READY', ...recordReadCodes],
  handler: async (call, { records }) => {
    const { id, version, transaction } = call.parameters;
    return { data: await records.proof(id, version, transaction, call.caller), logged: { answer: { id } } };
  },
});

const traceProduct = readRoute({
  operationId: 'traceProduct',
  url: `${API_PREFIX}/trace/:product_uid`,
  layer: 'application',
  summary: { en: 'Genealogy of a product: materials, steps, devices, inspections', zh: '产品溯源：原材料、工序、设备与检验' },
  access: { right: 'record:read' },
  timeoutMs: 30_000,
  rateLimit: { count: 200, perMs: 1_000 },
  parameters: {
    product_uid: inPath(Type.String({ minLength: 1, maxLength: 256 }), 'M14860', {
      en: 'product_uid of table A.1',
      zh: '表 A.1 的 product_uid',
    }),
    depth: inQuery(
      Type.Integer({ minimum: 1, maximum: 16 }),
      { default: 8, example: 8 },
      { en: 'Links followed from the product', zh: '从产品出发的追溯层数' },
    ),
    direction: inQuery(
      choiceOf('up', 'down', 'both'),
      { default: 'both', example: 'up' },
      { en: 'up: what it was made of; down: what it went into', zh: 'up：来源；down：去向' },
    ),
    ...freshnessParameters,
  },
  errors: ['NOT_FOUND', 'INDEX_BEHIND', ...recordReadCodes],
  handler: async (call, { records }) => {
    const { product_uid: product, depth, direction, atLeastHeight, waitMs } = call.parameters;
    const trace = await records.trace(product, { depth, direction, atLeastHeight, waitMs }, call.caller);
    return { data: trace, logged: { answer: { product } } };
  },
});

function bodyOf(call: Call): RecordBody {
  return { bytes: call.bytes, mediaType: call.mediaType as RecordMediaType, gone: () => call.signal };
}

function sourceOf({ parameters }: Call<ValuesOf<typeof sourceParameters>>): RecordOrigin {
  const { sourceSystem: system, sourceId: id, sourceTime: time, sourceSeq: seq, interfaceId, mapping } = parameters;
  const members = { system, id, time, seq, interfaceId, mapping };
  return Object.fromEntries(Object.entries(members).filter(([, text]) => text !== undefined));
}

function statedDigest({ parameters }: Call<ValuesOf<typeof digestParameters>>): string | undefined {
  return parameters.digest ?? parameters['digest-sha256'];
}

type Outcomes = { readonly records: readonly RecordOutcome[] };

/** contentDigest is over sealed fields in clear: told to the submitter, never stored (design: record). */
function withoutContentDigests({ records, ...outcome }: Outcomes) {
  return { ...outcome, records: records.map(({ contentDigest: _told, ...record }) => record) };
}

async function withContentDigests(call: Call<{ class: string }>, { records }: ApiContext, kept: unknown): Promise<unknown> {
  const outcome = kept as Outcomes;
  const digests = await records.contentDigests(bodyOf(call), call.caller, call.parameters.class);
  return { ...outcome, records: outcome.records.map((record, i) => ({ ...record, contentDigest: digests[i] })) };
}

/** Digests in place of content: sealed values are short, and a digest over them in clear could be guessed. */
function sealedLog(records: readonly RecordOutcome[]): { parameters: Json; answer: Json } {
  const sealed = records.map(({ id, version, recordDigest, status }) => ({ id, version, recordDigest, status }));
  return {
    parameters: { operation: 'records', digests: records.map((record) => record.recordDigest) },
    answer: { records: sealed },
  };
}

function rowsLog(rows: readonly { readonly id: string; readonly version: number; readonly recordDigest: string }[]): Json {
  return rows.map(({ id, version, recordDigest }) => ({ id, version, recordDigest }));
}

export const recordRoutes: readonly Route[] = [
  submitRecords,
  validateRecords,
  findRecords,
  getSourcePosition,
  getRecord,
  getRecordHistory,
  getRecordProof,
  traceProduct,
];
