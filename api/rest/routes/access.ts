/** Login, tokens, the interface registry and the exchange log (DB53 5.1.1.d, 5.2.1, 6.1.4). */
import { Type } from '@sinclair/typebox';
import { entryOf, isInForce } from '../../../contracts/index.ts';
import { ChainError } from '../../../node/errors/index.ts';
import { type ExchangeFilter, SEGMENT_MAX } from '../../../node/feeds/index.ts';
import { API_TOKEN_MS_MAX, type TokenClaims } from '../../auth/index.ts';
import type { ApiContext } from '../context.ts';
import { openApiDocument, registryRows } from '../openapi.ts';
import type { Call, Reply } from '../call.ts';
import { API_PREFIX, layers, type Route, route } from '../route.ts';
import { choiceOf, field, givenOf, inQuery, strictObject, type ValuesOf } from '../schema.ts';
import { listAnswer, listOf, name128, READ_TIMEOUT_MS, Row } from './parts.ts';
import { listRoute, type Page, type PageAsked, readRoute } from './shapes.ts';

const TOKEN_MS_DEFAULT = 30 * 86_400_000;

const accountField = field(Type.String({ minLength: 3, maxLength: 128 }), 'ada@acme', {
  en: 'Account, name@organisation',
  zh: '账户，格式为 name@organisation',
});
const TokenAnswer = Type.Object({
  token: Type.String(),
  tokenType: Type.Literal('Bearer'),
  account: Type.String(),
  expiresAtMs: Type.Integer(),
  steppedUp: Type.Boolean(),
});

const login = route({
  operationId: 'login',
  method: 'POST',
  url: `${API_PREFIX}/auth/login`,
  layer: 'application',
  summary: {
    en: 'Log in with password and, where set, one-time password; answers a token of minutes',
    zh: '使用密码（及动态口令）登录，返回短期令牌',
  },
  access: 'public',
  timeoutMs: READ_TIMEOUT_MS,
  rateLimit: { count: 30, perMs: 60_000 },
  parameters: {},
  body: {
    formats: ['application/json'],
    schema: strictObject({
      account: accountField,
      password: field(Type.String({ minLength: 1, maxLength: 256 }), 'correct horse battery', { en: 'Password', zh: '密码' }),
      otp: field(
        Type.String({ pattern: '^([0-9]{6})?$', maxLength: 6 }),
        '123456',
        { en: 'Current one-time password; empty when the account has none', zh: '当前动态口令；未设置时留空' },
        '',
      ),
    }),
    bytesMax: 4_096,
    example: '{"account":"ada@acme","password":"...","otp":"123456"}',
    description: { en: 'Credentials', zh: '登录凭据' },
  },
  secretBody: true,
  errors: ['LOGIN_REFUSED', 'LOGIN_LOCKED', 'OTP_REQUIRED', 'OTP_INVALID', 'OTP_REUSED', 'ACCOUNT_INACTIVE', 'ACCOUNT_FOREIGN'],
  response: { schema: TokenAnswer, statuses: [200] },
  handler: async (call, api) => {
    const { account, password, otp } = call.body;
    call.tries(account);
    const { steppedUp } = await api.credentials.login(account, password, otp === '' ? undefined : otp, call.address);
    return tokenReply(api.issue(account, 'session', api.settings.sessionMs, steppedUp));
  },
});

const stepUp = route({
  operationId: 'stepUp',
  method: 'POST',
  url: `${API_PREFIX}/auth/step-up`,
  layer: 'application',
  summary: { en: 'Trade a one-time password for a token that needs none for some minutes', zh: '以动态口令换取数分钟内免二次验证的令牌' },
  access: { right: 'chain:read', own: true }, // a token for the caller himself
  stepUp: true,
  timeoutMs: READ_TIMEOUT_MS,
  rateLimit: { count: 30, perMs: 60_000 },
  parameters: {},
  body: {
    formats: ['application/json'],
    schema: strictObject({}),
    bytesMax: 1_024,
    example: '{}',
    description: { en: 'Nothing', zh: '无内容' },
  },
  secretBody: true,
  errors: ['LOGIN_LOCKED', 'ACCOUNT_FOREIGN'],
  response: { schema: TokenAnswer, statuses: [200] },
  handler: (call, api) => {
    if (call.parameters.otp === undefined) throw new ChainError('STEP_UP_REQUIRED'); // a fresh token would renew itself for ever
    const lifeMs = Math.min(api.settings.sessionMs, call.caller.expiresMs - api.world.clock.now());
    return tokenReply(api.issue(call.caller.account, 'session', lifeMs, true));
  },
});

const issueTokenRoute = route({
  operationId: 'issueToken',
  method: 'POST',
  url: `${API_PREFIX}/auth/tokens`,
  layer: 'application',
  summary: { en: 'Issue a long-lived token for a device or service of your organisation', zh: '为本组织的设备或服务签发长期令牌' },
  access: { right: 'account:manage' },
  stepUp: true,
  timeoutMs: READ_TIMEOUT_MS,
  rateLimit: { count: 60, perMs: 60_000 },
  parameters: {},
  body: {
    formats: ['application/json'],
    schema: strictObject({
      account: accountField,
      lifeMs: field(
        Type.Integer({ minimum: 60_000, maximum: API_TOKEN_MS_MAX }),
        86_400_000,
        { en: 'Life of the token, ms', zh: '令牌有效期（毫秒）' },
        TOKEN_MS_DEFAULT,
      ),
    }),
    bytesMax: 4_096,
    example: '{"account":"press-7@acme","lifeMs":86400000}',
    description: { en: 'Whom it is for and how long', zh: '账户与有效期' },
  },
  secretBody: true,
  repeatable: true,
  errors: ['ACCOUNT_FOREIGN', 'LOGIN_LOCKED'],
  response: { schema: TokenAnswer, statuses: [200] },
  handler: (call, api) => {
    const { account, lifeMs } = call.body;
    const entry = entryOf(api.read, 'account', account);
    if (entry === undefined || !isInForce(entry, api.world.clock.now())) throw new ChainError('ACCOUNT_INACTIVE', { account });
    if (entry.owner !== call.caller.organisation) throw new ChainError('ACCOUNT_FOREIGN', { account });
    return tokenReply(api.issue(account, 'api', lifeMs, false));
  },
});

const listInterfaces = readRoute({
  operationId: 'listInterfaces',
  url: `${API_PREFIX}/interfaces`,
  layer: 'application',
  summary: {
    en: 'The interface registry: every operation with parameters, limits and errors',
    zh: '接口注册表：全部接口及其参数、限制与错误码',
  },
  access: 'public',
  rateLimit: { count: 100, perMs: 1_000 },
  parameters: {
    layer: inQuery(
      choiceOf(...layers),
      { default: null, example: 'consensus' },
      { en: 'Operations of this layer only', zh: '仅返回该层的接口' },
    ),
    operationId: inQuery(name128, { default: null, example: 'submitRecords' }, { en: 'This operation only', zh: '仅返回该接口' }),
  },
  response: { schema: listOf(Row), statuses: [200] },
  handler: ({ parameters: { layer, operationId } }, api) => {
    const rows = registryRows(api.routes).filter(
      (row) => (layer ?? row.layer) === row.layer && (operationId ?? row.operationId) === row.operationId,
    );
    return { data: listAnswer(rows, api.node.head().height) };
  },
});

/** The document of a table of routes, which never changes. */
const documents = new WeakMap<readonly Route[], string>();

const openApi = readRoute({
  operationId: 'openApi',
  url: `${API_PREFIX}/openapi.json`,
  layer: 'application',
  summary: { en: 'The same registry as OpenAPI 3.1', zh: 'OpenAPI 3.1 格式的接口注册表' },
  access: 'public',
  rateLimit: { count: 100, perMs: 1_000 },
  response: { schema: Row, statuses: [200], outside: ['application/json'] },
  handler: (_call, { routes, node }) => {
    const text = documents.get(routes) ?? JSON.stringify(openApiDocument(routes, node.info.version));
    documents.set(routes, text);
    return { raw: text, mediaType: 'application/json; charset=utf-8' };
  },
});

const exchangeConditions = {
  fromMs: inQuery(
    Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER }),
    { default: null, example: 1_740_000_000_000 },
    { en: 'Calls at or after, ms since 1970', zh: '起始时间（毫秒，含）' },
  ),
  toMs: inQuery(
    Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER }),
    { default: null, example: 1_750_000_000_000 },
    { en: 'Calls before, ms since 1970', zh: '截止时间（毫秒，不含）' },
  ),
  caller: inQuery(name128, { default: null, example: 'ada@acme' }, { en: 'Calls of this account', zh: '调用账户' }),
  interfaceId: inQuery(name128, { default: null, example: 'submitRecords' }, { en: 'Calls of this operation', zh: '接口标识' }),
  code: inQuery(name128, { default: null, example: 'OK' }, { en: 'Calls that ended so', zh: '结果代码' }),
  accountTried: inQuery(
    name128,
    { default: null, example: 'ada@acme' },
    { en: 'Logins that named this account, refused ones too', zh: '登录时填写的账户，包括被拒绝的登录' },
  ),
};
const exchangeParameters = {
  ...exchangeConditions,
  order: inQuery(
    choiceOf('ascending', 'descending'),
    { default: 'ascending', example: 'descending' },
    { en: 'By sequence', zh: '按序号排序' },
  ),
  proof: inQuery(
    Type.Boolean(),
    { default: false, example: true },
    {
      en: `Add the digests that show the page stands in the log's hash chain; at most ${SEGMENT_MAX} entries apart`,
      zh: `附带证明该页位于日志哈希链中的摘要，跨度不超过 ${SEGMENT_MAX} 条`,
    },
  ),
};

const listExchanges = listRoute({
  operationId: 'listExchanges',
  url: `${API_PREFIX}/audit/exchanges`,
  layer: 'application',
  summary: { en: 'The exchange log of this node: one entry a call, refused ones too', zh: '本节点的接口调用日志，包含被拒绝的调用' },
  access: { right: 'audit:read' },
  timeoutMs: 30_000,
  rateLimit: { count: 50, perMs: 1_000 },
  parameters: exchangeParameters,
  errors: ['EXCHANGE_LOG_REWRITTEN'],
  page: exchangePage,
});

export const accessRoutes: readonly Route[] = [login, stepUp, issueTokenRoute, listInterfaces, openApi, listExchanges];

function tokenReply({ token, claims }: { readonly token: string; readonly claims: TokenClaims }): Reply {
  const { account, expires, steppedUpAt } = claims;
  const facts = { account, expiresAtMs: expires, steppedUp: steppedUpAt > 0 };
  return { data: { token, tokenType: 'Bearer', ...facts }, logged: { answer: { ...facts, id: claims.id } } }; // the log never sees a token, nor a digest of one
}

/** Auditors of the node's own organisation see every entry, others the calls of their organisation. */
async function exchangePage(
  { caller, parameters }: Call<ValuesOf<typeof exchangeParameters>>,
  api: ApiContext,
  { limit, cursor }: PageAsked,
): Promise<Page> {
  const ownNode = caller.organisation === api.node.info.organisation;
  const conditions: ExchangeFilter = {
    ...givenOf(parameters, exchangeConditions),
    ...(ownNode ? {} : { organisation: caller.organisation }),
  };
  await api.exchanges.flush();
  const page = await api.exchanges.find(conditions, {
    after: cursor === undefined ? undefined : Number(cursor.at),
    limit,
    reverse: parameters.order === 'descending',
  });
  const sequences = page.entries.map((entry) => entry.sequence);
  const [from, to] = [Math.min(...sequences), Math.max(...sequences)];
  const proof = parameters.proof && sequences.length > 0 && to - from < SEGMENT_MAX ? await api.exchanges.segment(from, to) : null;
  const more = { head: page.head, scope: ownNode ? 'node' : 'organisation', proof };
  const complete = page.next === undefined || page.entries.length === limit; // short with a next: cut by the entries looked at
  return { items: page.entries, height: api.node.head().height, at: page.next, complete, more };
}
