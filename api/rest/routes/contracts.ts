/** Contracts: deploy, list, call, query, events (DB53 5.1.2, 6.2). */
import { Type } from '@sinclair/typebox';
import { CONTRACT, deployedKey } from '../../../contracts/index.ts';
import { ChainError } from '../../../node/errors/index.ts';
import { TRIAL_GAS_MAX } from '../../../node/ledger/index.ts';
import { API_PREFIX, type Route } from '../route.ts';
import { choiceOf, field, inQuery, strictObject } from '../schema.ts';
import { contractCodes, name128, queryCodes, valueSteps } from './parts.ts';
import { encodeArgs, submitCalls, TRIAL_GAS_FACTOR, TRIAL_GAS_SPARE } from './submission.ts';
import { addressParameter, contractEntry, deployedAddress } from './contract-address.ts';
import { listContractEvents } from './contract-events.ts';
import { listRoute, readRoute, statePages, submitRoute } from './shapes.ts';

const CODE_CHARACTERS_MAX = 524_288;
const CALL_BODY_BYTES_MAX = 5 * 1024 * 1024;
/** Longest `args=` in a URL; longer arguments need a saved query. */
export const QUERY_CHARACTERS_MAX = 8_192;

/** A contract that can be deployed as it stands; the examples of call and query are of its methods. */
export const EXAMPLE_CODE = `contract({
  events: { Added: { product: 'text', grams: 'integer', total: 'integer' } },
  methods: {
    add(ctx, product, grams) {
      if (!Number.isSafeInteger(grams) || grams <= 0) ctx.fail('WEIGHT_INVALID', 'grams is a whole number above zero');
      const total = (ctx.get(product) ?? 0) + grams;
      ctx.put(product, total);
      ctx.emit('Added', { product, grams, total });
      return total;
    },
  },
  queries: { total(ctx, product) { return ctx.get(product) ?? 0; } },
});
`;

const gasField = field(
  Type.Integer({ minimum: 0, maximum: 100_000_000_000 }),
  5_000_000,
  {
    en: `Gas limit; 0: ${TRIAL_GAS_FACTOR} times the gas of a trial on the newest state and ${TRIAL_GAS_SPARE} more. Where none is made (wait=async, or a call of more than ${TRIAL_GAS_MAX} gas) it is the most a transaction may use, and the call may wait behind cheaper ones while the chain is busy`,
    zh: `gas 上限；0 表示在最新状态上试运行所用 gas 的 ${TRIAL_GAS_FACTOR} 倍再加 ${TRIAL_GAS_SPARE}。不试运行时（wait=async，或所需 gas 超过 ${TRIAL_GAS_MAX}）取单笔交易的最大值，链繁忙时可能排在低成本交易之后`,
  },
  0,
);
const DeployBody = strictObject({
  name: field(Type.String({ minLength: 1, maxLength: 64 }), 'weights', { en: 'Name for people', zh: '便于识别的名称' }),
  language: field(choiceOf('javascript'), 'javascript', { en: 'Language of the code', zh: '代码语言' }, 'javascript'),
  code: field(Type.String({ minLength: 1, maxLength: CODE_CHARACTERS_MAX }), EXAMPLE_CODE, { en: 'Source', zh: '源代码' }),
  gasLimit: gasField,
});
const CallBody = strictObject({
  method: field(Type.String({ minLength: 1, maxLength: 128 }), 'add', { en: 'Method', zh: '方法名' }),
  args: field(
    Type.Array(Type.Unknown()),
    ['7', 12],
    { en: 'Arguments as a JSON list, in the order of the method; no fractions', zh: '参数（JSON 列表，按方法的参数顺序；不得含小数）' },
    [],
  ),
  gasLimit: gasField,
});

const deployContract = submitRoute({
  operationId: 'deployContract',
  url: `${API_PREFIX}/contracts`,
  layer: 'contract',
  summary: { en: 'Deploy a contract', zh: '部署合约' },
  access: { right: 'contract:deploy' },
  rateLimit: { count: 20, perMs: 1_000 },
  body: {
    formats: ['application/json'],
    schema: DeployBody,
    bytesMax: 2 * 1024 * 1024,
    example: JSON.stringify({ name: 'weights', language: 'javascript', code: EXAMPLE_CODE }),
    description: { en: 'Source and name', zh: '源代码与名称' },
  },
  handler: async (call, api) => submitCalls(call, api, [await api.deploy(call.body)], call.body.gasLimit),
});

const listContracts = listRoute({
  operationId: 'listContracts',
  url: `${API_PREFIX}/contracts`,
  layer: 'contract',
  summary: { en: 'Deployed contracts', zh: '已部署合约列表' },
  access: { right: 'chain:read' },
  page: statePages(CONTRACT.deployed, deployedKey.contracts),
});

const getContract = readRoute({
  operationId: 'getContract',
  url: `${API_PREFIX}/contracts/:address`,
  layer: 'contract',
  summary: { en: 'State, version, owner and code digest of a contract', zh: '查询合约的状态、版本、所有者与代码摘要' },
  access: { right: 'chain:read' },
  parameters: { address: deployedAddress },
  errors: ['CONTRACT_NOT_FOUND'],
  handler: (call, api) => ({ data: contractEntry(call.parameters.address, api) }),
});

const callContract = submitRoute({
  operationId: 'callContract',
  url: `${API_PREFIX}/contracts/:address/call`,
  layer: 'contract',
  summary: { en: 'Run a method in a transaction', zh: '以交易方式调用合约方法' },
  access: { right: 'contract:call' },
  parameters: { address: deployedAddress },
  body: {
    formats: ['application/json'],
    schema: CallBody,
    bytesMax: CALL_BODY_BYTES_MAX,
    example: '{"method":"add","args":["7",12]}',
    description: { en: 'Method and arguments', zh: '方法与参数' },
  },
  errors: ['CONTRACT_NOT_FOUND', ...contractCodes],
  handler: async (call, api) => {
    const { address } = call.parameters;
    contractEntry(address, api);
    const { method, args, gasLimit } = call.body;
    const calls = [{ contract: address, method, args: await encodeArgs(api, args) }];
    return await submitCalls(call, api, calls, gasLimit);
  },
});

const queryContract = readRoute({
  operationId: 'queryContract',
  url: `${API_PREFIX}/contracts/:address/query`,
  layer: 'contract',
  summary: { en: 'Run a method read-only at the head; writes nothing', zh: '在最新高度只读调用合约方法，不产生交易' },
  access: { right: 'chain:read' },
  rateLimit: { count: 500, perMs: 1_000 },
  parameters: {
    address: addressParameter,
    method: inQuery(name128, { example: 'total' }, { en: 'Method', zh: '方法名' }),
    args: inQuery(
      Type.String({ minLength: 1, maxLength: QUERY_CHARACTERS_MAX }),
      { default: '[]', example: '["7"]' },
      { en: 'Arguments as JSON: a list, or for a built-in contract an object', zh: '参数（JSON）：列表；内置合约可为对象' },
    ),
  },
  errors: ['CONTRACT_NOT_FOUND', ...queryCodes],
  handler: async (call, api) => {
    const { address, method, args } = call.parameters;
    const encoded = await encodeArgs(api, argumentsFor(address, parseArgs(args)));
    const answer = await api.node.query(call.caller.account, address, method, encoded);
    return { data: { result: await api.paced(valueSteps(answer.result)), gasUsed: answer.gasUsed, height: answer.height } };
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

/** A deployed contract takes a list; a built-in one an object, and no arguments are an object of nothing. */
function argumentsFor(address: string, args: unknown): unknown {
  return !address.startsWith('0x') && Array.isArray(args) && args.length === 0 ? {} : args;
}

function parseArgs(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    const message = error instanceof Error ? error.message.slice(0, 200) : '';
    throw new ChainError('REQUEST_INVALID', { details: [{ code: 'PARAMETER_INVALID', parameter: 'args', message }] });
  }
}
