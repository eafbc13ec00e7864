/** Contracts: deploy, list, call, query, events (DB53 5.1.2, 6.2); and the changes of the chain itself by governance. */
import { Type } from '@sinclair/typebox';
import { CONTRACT, deployedKey, governanceKey, stateKey } from '../../../contracts/index.ts';
import { ChainError } from '../../../node/errors/index.ts';
import { decodeJson, parameterNames, type ParameterRow, parameterTable } from '../../../node/format/index.ts';
import type { OutboxEvent } from '../../../node/service.ts';
import type { ApiContext } from '../context.ts';
import { decodeCursor, encodeCursor, filterDigest } from '../cursor.ts';
import type { DeployRequest } from '../deps.ts';
import { API_PREFIX, type Call, type Route, route } from '../route.ts';
import {
  contractCodes,
  field,
  heightRange,
  jsonOrBytes,
  listAnswer,
  listOf,
  name128,
  pageParameters,
  pathParameter,
  presentEvent,
  queryParameter,
  READ_RATE,
  READ_TIMEOUT_MS,
  Row,
  strictObject,
  SUBMIT_RATE,
  SUBMIT_TIMEOUT_MS,
  waitParameters,
} from './parts.ts';
import { stateList } from './state-list.ts';
import { encodeArgs, receiptResponse, resumeSubmission, submitCalls } from './submission.ts';

const CODE_CHARACTERS_MAX = 524_288;
const CALL_BODY_BYTES_MAX = 5 * 1024 * 1024;
/** Longest `args=` in a URL; longer arguments need a saved query. */
export const QUERY_CHARACTERS_MAX = 8_192;
const EVENTS_SCANNED_MAX = 20_000; // by one page, whatever the filter
const EVENTS_READ = 500;

/** Built-in contracts are asked by name, deployed ones by address. */
const addressParameter = pathParameter(
  'address',
  { type: 'string', minLength: 3, maxLength: 42, pattern: '^(0x[0-9a-f]{40}|[a-z]{3,32})$' },
  `0x${'1'.repeat(40)}`,
  {
    en: 'Address of a deployed contract, or the name of a built-in one',
    zh: '已部署合约的地址，或内置合约的名称',
  },
);
/** Built-in contracts are changed through routes of their own, which ask for their own rights and step-up. */
const deployedAddress = pathParameter(
  'address',
  { type: 'string', minLength: 42, maxLength: 42, pattern: '^0x[0-9a-f]{40}$' },
  `0x${'1'.repeat(40)}`,
  {
    en: 'Address of a deployed contract',
    zh: '已部署合约的地址',
  },
);

const gasField = field(
  Type.Integer({ minimum: 0, maximum: 100_000_000_000 }),
  5_000_000,
  { en: 'Gas limit; 0: the most a transaction may use', zh: 'gas 上限；0 表示单笔交易的最大值' },
  0,
);
const DeployBody = strictObject({
  name: field(Type.String({ minLength: 1, maxLength: 64 }), 'weights', { en: 'Name for people', zh: '便于识别的名称' }),
  language: field(Type.String({ enum: ['javascript'] }), 'javascript', { en: 'Language of the code', zh: '代码语言' }, 'javascript'),
  code: field(Type.String({ minLength: 1, maxLength: CODE_CHARACTERS_MAX }), 'export const contract = {}', { en: 'Source', zh: '源代码' }),
  gasLimit: gasField,
});
const CallBody = strictObject({
  method: field(Type.String({ minLength: 1, maxLength: 128 }), 'add', { en: 'Method', zh: '方法名' }),
  args: field(
    Type.Unknown(),
    { weight: '12' },
    { en: 'Arguments as JSON; whole numbers and texts only', zh: '参数（JSON，仅限整数与文本）' },
    {},
  ),
  gasLimit: gasField,
});

const deployContract = route({
  operationId: 'deployContract',
  method: 'POST',
  url: `${API_PREFIX}/contracts`,
  layer: 'contract',
  summary: { en: 'Deploy a contract', zh: '部署合约' },
  access: { right: 'contract:deploy' },
  timeoutMs: SUBMIT_TIMEOUT_MS,
  rateLimit: { count: 20, perMs: 1_000 },
  parameters: waitParameters,
  body: {
    formats: ['application/json'],
    schema: DeployBody,
    bytesMax: 2 * 1024 * 1024,
    example: '{"name":"weights","language":"javascript","code":"..."}',
    description: { en: 'Source and name', zh: '源代码与名称' },
  },
  resume: resumeSubmission,
  errors: contractCodes,
  response: receiptResponse,
  handler: async (call, api) => submitCalls(call, api, [await api.deploy(call.body as DeployRequest)], gasLimit(call.body.gasLimit, api)),
});

const listContracts = route({
  operationId: 'listContracts',
  method: 'GET',
  url: `${API_PREFIX}/contracts`,
  layer: 'contract',
  summary: { en: 'Deployed contracts', zh: '已部署合约列表' },
  access: { right: 'chain:read' },
  timeoutMs: READ_TIMEOUT_MS,
  rateLimit: READ_RATE,
  parameters: pageParameters,
  errors: ['CURSOR_INVALID'],
  response: { schema: listOf(Row), statuses: [200] },
  handler: async (call, api) => ({ data: await stateList(call, api, 'listContracts', CONTRACT.deployed, deployedKey.contracts) }),
});

const getContract = route({
  operationId: 'getContract',
  method: 'GET',
  url: `${API_PREFIX}/contracts/:address`,
  layer: 'contract',
  summary: { en: 'State, version, owner and code digest of a contract', zh: '查询合约的状态、版本、所有者与代码摘要' },
  access: { right: 'chain:read' },
  timeoutMs: READ_TIMEOUT_MS,
  rateLimit: READ_RATE,
  parameters: [deployedAddress],
  errors: ['CONTRACT_NOT_FOUND'],
  response: { schema: Row, statuses: [200] },
  handler: (call, api) => ({ data: contractEntry(call, api) }),
});

const callContract = route({
  operationId: 'callContract',
  method: 'POST',
  url: `${API_PREFIX}/contracts/:address/call`,
  layer: 'contract',
  summary: { en: 'Run a method in a transaction', zh: '以交易方式调用合约方法' },
  access: { right: 'contract:call' },
  timeoutMs: SUBMIT_TIMEOUT_MS,
  rateLimit: SUBMIT_RATE,
  parameters: [deployedAddress, ...waitParameters],
  body: {
    formats: ['application/json'],
    schema: CallBody,
    bytesMax: CALL_BODY_BYTES_MAX,
    example: '{"method":"add","args":{"weight":"12"}}',
    description: { en: 'Method and arguments', zh: '方法与参数' },
  },
  resume: resumeSubmission,
  errors: ['CONTRACT_NOT_FOUND', ...contractCodes],
  response: receiptResponse,
  handler: (call, api) => {
    contractEntry(call, api);
    const { method, args, gasLimit: limit } = call.body;
    return submitCalls(call, api, [{ contract: call.required('address'), method, args: encodeArgs(args) }], gasLimit(limit, api));
  },
});

const queryContract = route({
  operationId: 'queryContract',
  method: 'GET',
  url: `${API_PREFIX}/contracts/:address/query`,
  layer: 'contract',
  summary: { en: 'Run a method read-only at the head; writes nothing', zh: '在最新高度只读调用合约方法，不产生交易' },
  access: { right: 'chain:read' },
  timeoutMs: READ_TIMEOUT_MS,
  rateLimit: { count: 500, perMs: 1_000 },
  parameters: [
    addressParameter,
    { name: 'method', in: 'query', required: true, schema: name128, example: 'total', description: { en: 'Method', zh: '方法名' } },
    queryParameter('args', { type: 'string', minLength: 1, maxLength: QUERY_CHARACTERS_MAX }, '{}', '{"id":"7"}', {
      en: 'Arguments as JSON',
      zh: '参数（JSON）',
    }),
  ],
  errors: ['BODY_MALFORMED', 'CONTRACT_NOT_FOUND', ...contractCodes],
  response: { schema: Row, statuses: [200] },
  handler: async (call, api) => {
    const answer = await api.node.query(
      call.caller.account,
      call.required('address'),
      call.required('method'),
      encodeArgs(parseArgs(call.required('args'))),
    );
    return { data: { result: jsonOrBytes(answer.result), gasUsed: answer.gasUsed, height: answer.height } };
  },
});

const listContractEvents = route({
  operationId: 'listContractEvents',
  method: 'GET',
  url: `${API_PREFIX}/contracts/:address/events`,
  layer: 'contract',
  summary: { en: 'Final events of a contract, oldest first', zh: '查询合约事件（已最终确认，按时间升序）' },
  access: { right: 'chain:read' },
  timeoutMs: READ_TIMEOUT_MS,
  rateLimit: READ_RATE,
  parameters: [
    addressParameter,
    queryParameter('name', name128, null, 'weighed', { en: 'Events of this name only', zh: '仅返回该名称的事件' }),
    queryParameter('fromHeight', heightRange, 0, 1, { en: 'From this height', zh: '起始高度' }),
    ...pageParameters,
  ],
  errors: ['CURSOR_INVALID'],
  response: { schema: listOf(Row), statuses: [200] },
  handler: async (call, api) => ({ data: await eventList(call, api) }),
});

// --- governance -----------------------------------------------------------------------------------------------------------------------

const listProposals = route({
  operationId: 'listProposals',
  method: 'GET',
  url: `${API_PREFIX}/governance/proposals`,
  layer: 'consensus',
  summary: { en: 'Proposals and their votes', zh: '治理提案及投票情况' },
  access: { right: 'chain:read' },
  timeoutMs: READ_TIMEOUT_MS,
  rateLimit: READ_RATE,
  parameters: pageParameters,
  errors: ['CURSOR_INVALID'],
  response: { schema: listOf(Row), statuses: [200] },
  handler: async (call, api) => ({ data: await stateList(call, api, 'listProposals', CONTRACT.governance, governanceKey.proposals) }),
});

const getParameters = route({
  operationId: 'getParameters',
  method: 'GET',
  url: `${API_PREFIX}/governance/parameters`,
  layer: 'consensus',
  summary: { en: 'Chain parameters in force, with range, unit and meaning', zh: '当前生效的链参数及其范围、单位与含义' },
  access: { right: 'chain:read' },
  timeoutMs: READ_TIMEOUT_MS,
  rateLimit: READ_RATE,
  parameters: [],
  errors: [],
  response: { schema: listOf(Row), statuses: [200] },
  handler: (_call, { node }) => {
    const values = node.parameters();
    const items = parameterNames.map((name) => {
      const { min, max, unit, description, default: fallback }: ParameterRow = parameterTable[name];
      return { name, value: values[name], min, max, default: fallback, unit, description };
    });
    return { data: listAnswer(items, node.head().height) };
  },
});

const proposeChange = route({
  operationId: 'proposeChange',
  method: 'POST',
  url: `${API_PREFIX}/governance/proposals`,
  layer: 'consensus',
  summary: { en: 'Propose a change of the chain, to be decided by votes of organisations', zh: '提出链的变更提案，由各组织投票决定' },
  access: { right: 'governance:propose' },
  stepUp: true,
  timeoutMs: SUBMIT_TIMEOUT_MS,
  rateLimit: { count: 10, perMs: 1_000 },
  parameters: waitParameters,
  body: {
    formats: ['application/json'],
    schema: Type.Object(
      {
        kind: field(Type.String({ minLength: 1, maxLength: 64 }), 'setParameter', {
          en: 'addOrganisation, suspendOrganisation, resumeOrganisation, addNode, suspendNode, resumeNode or setParameter; the other fields are those of the kind',
          zh: '提案类型：addOrganisation、suspendOrganisation、resumeOrganisation、addNode、suspendNode、resumeNode 或 setParameter；其余字段由类型决定',
        }),
      },
      { additionalProperties: true }, // the contract names bad fields of each kind itself
    ),
    bytesMax: 262_144,
    example: '{"kind":"setParameter","name":"viewTimeoutMs","value":3000}',
    description: { en: 'The change', zh: '变更内容' },
  },
  resume: resumeSubmission,
  errors: contractCodes,
  response: receiptResponse,
  handler: (call, api) =>
    submitCalls(call, api, [{ contract: CONTRACT.governance, method: 'propose', args: encodeArgs(call.body) }], gasLimit(0, api)),
});

const voteOnProposal = route({
  operationId: 'voteOnProposal',
  method: 'POST',
  url: `${API_PREFIX}/governance/proposals/:id/votes`,
  layer: 'consensus',
  summary: { en: 'Vote for the organisation of the account', zh: '代表账户所属组织投票' },
  access: { right: 'governance:vote' },
  stepUp: true,
  timeoutMs: SUBMIT_TIMEOUT_MS,
  rateLimit: { count: 10, perMs: 1_000 },
  parameters: [
    pathParameter('id', { type: 'string', minLength: 1, maxLength: 8, pattern: '^[0-9]{1,8}$' }, '00000001', {
      en: 'Proposal',
      zh: '提案编号',
    }),
    ...waitParameters,
  ],
  body: {
    formats: ['application/json'],
    schema: strictObject({
      vote: field(Type.String({ enum: ['yes', 'no'] }), 'yes', { en: 'yes or no', zh: 'yes 表示赞成，no 表示反对' }),
    }),
    bytesMax: 4_096,
    example: '{"vote":"yes"}',
    description: { en: 'The vote', zh: '投票' },
  },
  resume: resumeSubmission,
  errors: contractCodes,
  response: receiptResponse,
  handler: (call, api) => {
    const args = encodeArgs({ id: call.required('id'), approve: call.body.vote === 'yes' });
    return submitCalls(call, api, [{ contract: CONTRACT.governance, method: 'vote', args }], gasLimit(0, api));
  },
});

export const contractRoutes: readonly Route[] = [
  deployContract,
  listContracts,
  getContract,
  callContract,
  queryContract,
  listContractEvents,
];
export const governanceRoutes: readonly Route[] = [listProposals, getParameters, proposeChange, voteOnProposal];

function gasLimit(asked: number, api: ApiContext): number {
  return asked === 0 ? api.node.parameters().transactionGasMax : asked;
}

function parseArgs(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new ChainError('BODY_MALFORMED', { parameter: 'args', reason: error instanceof Error ? error.message.slice(0, 200) : '' });
  }
}

function contractEntry(call: Call, api: ApiContext): unknown {
  const address = call.required('address');
  const bytes = api.node.state.get(stateKey(CONTRACT.deployed, deployedKey.contract(address)));
  if (bytes === undefined) throw new ChainError('CONTRACT_NOT_FOUND', { address });
  return decodeJson(bytes);
}

async function eventList(call: Call, api: ApiContext) {
  const limit = call.integer('limit');
  const filter = filterDigest(api.world.crypto, 'listContractEvents', call.given);
  const after = call.text('after');
  const cursor = after === undefined ? undefined : decodeCursor(filter, after);
  const height = cursor?.height ?? api.node.head().height;
  let at =
    cursor === undefined
      ? { height: Math.max(call.integer('fromHeight'), firstHeight(call, api)) - 1, position: Number.MAX_SAFE_INTEGER }
      : parsePosition(String(cursor.at));
  const found: OutboxEvent[] = [];
  for (let scanned = 0; scanned < EVENTS_SCANNED_MAX; ) {
    const events = await api.node.events(at, EVENTS_READ);
    for (const event of events) {
      if (event.height > height) return listAnswer(found.map(presentEvent), height);
      at = event;
      scanned++;
      if (event.event.contract === call.text('address') && (call.text('name') ?? event.event.name) === event.event.name) found.push(event);
      if (found.length === limit)
        return listAnswer(found.map(presentEvent), height, encodeCursor(filter, { height, at: `${at.height}-${at.position}` }));
    }
    if (events.length === 0) return listAnswer(found.map(presentEvent), height);
  }
  return listAnswer(found.map(presentEvent), height, encodeCursor(filter, { height, at: `${at.height}-${at.position}` }));
}

/** Before a contract was deployed it has no events; built-in ones are there from the start. */
function firstHeight(call: Call, api: ApiContext): number {
  const address = call.required('address');
  if (!address.startsWith('0x')) return 0;
  const { deployedAt } = contractEntry(call, api) as { readonly deployedAt?: number };
  return deployedAt ?? 0;
}

/** @throws ChainError CURSOR_INVALID */
export function parsePosition(text: string): { readonly height: number; readonly position: number } {
  const match = /^([0-9]{1,15})-([0-9]{1,16})$/.exec(text);
  if (match === null) throw new ChainError('CURSOR_INVALID');
  return { height: Number(match[1]), position: Number(match[2]) };
}
