/**
 * The one declaration of a route. Everything DB53 5.2.1 asks to be stated of an interface stands here and nowhere else: the server, the interface
 * registry, OpenAPI and the tests read it. `route()` throws when a part is missing, so that a half-declared operation stops the server at start.
 */
import { type Static, type TProperties, type TSchema, Type } from '@sinclair/typebox';
import { type OwnableRight, type Right, rights } from '../../contracts/index.ts';
import { isErrorCode } from '../../node/errors/index.ts';
import type { ApiContext } from './context.ts';
import type { Answer, Call, Reply } from './call.ts';
import { type Bilingual, inHeader, inQuery, isBounded, isInside, type Parameter, parametersOf, type ValuesOf } from './schema.ts';

export const API_PREFIX = '/api/v1';
export const layers = ['network', 'consensus', 'contract', 'application'] as const;
export type Layer = (typeof layers)[number];
export type RouteState = 'draft' | 'published' | 'deprecated' | 'withdrawn';

/** A limit on combinations of parameters (DB53 5.2.1.1.a-2). */
export interface CombinationLimit {
  readonly rule: 'atMostOne' | 'atLeastOne' | 'exactlyOne' | 'together' | 'needs';
  /** For `needs`: the first one needs all others. */
  readonly names: readonly string[];
  readonly text: Bilingual;
}

export interface BodyDeclaration<B extends TSchema> {
  /** Content-Types, without parameters. JSON bodies of routes with a schema are parsed and checked; all others reach the handler as bytes. */
  readonly formats: readonly string[];
  /** An object schema whose members carry `description`, `x-description-zh` and `examples`. */
  readonly schema?: B;
  /** Fields of a body without a schema here: the record class judges it. */
  readonly fields?: readonly BodyField[];
  readonly bytesMax: number;
  /** In JSON, which every body may be in. */
  readonly example: string;
  readonly description: Bilingual;
}

/** A field of a body as the interface registry tells it; `name` is the dotted path. */
export interface BodyField {
  readonly name: string;
  readonly type: string;
  readonly range: string;
  readonly required: boolean;
  readonly example: string;
  readonly description: Bilingual;
}

export type Access =
  | 'public'
  | ({
      /** The token may stand in the body (annex A); the handler then calls `call.identify`. */
      readonly tokenInBody?: boolean;
    } & (
      | { readonly right: Right; readonly own?: never }
      /** Open as well to who holds `right:own`: the handler shows him what he wrote himself, and nothing else. */
      | { readonly right: OwnableRight; readonly own: true }
    ));

export interface RateLimit {
  readonly count: number;
  readonly perMs: number;
}

/** @typeParam P the parameters' schema, @typeParam B the body's, @typeParam V values of the parameters as the handler sees them */
export interface RouteDeclaration<P extends TProperties = TProperties, B extends TSchema = TSchema, V = ValuesOf<P>> {
  readonly operationId: string;
  readonly method: 'GET' | 'POST';
  /** Under /api/v1 with `:name` for path parameters; operations routes (healthz, readyz, metrics, console) stand outside it. */
  readonly url: string;
  readonly layer: Layer;
  readonly summary: Bilingual;
  readonly access: Access;
  /** Asks for a one-time password (header `otp`, or a fresh one behind the token). */
  readonly stepUp?: boolean;
  /** Longest time from the full request to the answer, ms; past it CALL_TIMEOUT. */
  readonly timeoutMs: number;
  readonly rateLimit: RateLimit | 'none';
  /** By name, in the order that people are told them. */
  readonly parameters: P;
  readonly limits?: readonly CombinationLimit[];
  readonly body?: BodyDeclaration<B>;
  /** Codes this operation may answer besides those every operation may (commonErrors). */
  readonly errors: readonly string[];
  readonly response: {
    readonly schema: TSchema;
    /** Statuses of success. */
    readonly statuses: readonly number[];
    /** Media types answered outside the envelope. */
    readonly outside?: readonly string[];
  };
  /** A repeat after a crash is harmless: an interrupted Idempotency-Key simply runs again. */
  readonly repeatable?: boolean;
  /** The body is left out of the exchange log's digest altogether (passwords, sealed fields). */
  readonly secretBody?: boolean;
  /** Brings a kept answer that was pending up to date, for a repeat under its Idempotency-Key. */
  readonly resume?: (call: Call<NoInfer<V>, Static<B>>, api: ApiContext, data: unknown) => Promise<Reply>;
  /** `data` again from what was kept of it (Reply.kept) and the request, which is the same. */
  readonly restore?: (call: Call<NoInfer<V>, Static<B>>, api: ApiContext, kept: unknown) => Promise<unknown>;
  readonly state?: RouteState;
  readonly handler: (call: Call<NoInfer<V>, Static<B>>, api: ApiContext) => Promise<Answer> | Answer;
}

export interface Route extends Omit<RouteDeclaration, 'parameters' | 'handler' | 'resume' | 'restore'> {
  readonly state: RouteState;
  /** Declared and common ones. */
  readonly parameters: readonly Parameter[];
  readonly handler: (call: Call, api: ApiContext) => Promise<Answer> | Answer;
  readonly resume?: (call: Call, api: ApiContext, data: unknown) => Promise<Reply>;
  readonly restore?: (call: Call, api: ApiContext, kept: unknown) => Promise<unknown>;
  /** Declared and common errors, sorted. */
  readonly errorsAll: readonly string[];
}

/** Every operation may answer these. */
export const commonErrors = [
  'CALL_TIMEOUT',
  'CHAIN_UNKNOWN',
  'INTERNAL',
  'METHOD_NOT_ALLOWED',
  'NODE_STOPPING',
  'NOT_ACCEPTABLE',
  'RATE_LIMITED',
  'REQUEST_INVALID',
  'REQUEST_MALFORMED',
  'REQUEST_TIMEOUT',
  'SERVER_BUSY',
  'STORE_DAMAGED',
] as const;
const tokenErrors = [
  'TOKEN_MISSING',
  'TOKEN_INVALID',
  'TOKEN_EXPIRED',
  'TOKEN_FOREIGN',
  'TOKEN_REVOKED',
  'ACCOUNT_INACTIVE',
  'RIGHT_MISSING',
] as const;
const stepUpErrors = ['STEP_UP_REQUIRED', 'OTP_INVALID', 'OTP_REUSED', 'OTP_NOT_SET'] as const;
const bodyErrors = [
  'CHAIN_STALLED',
  'NODE_EXPELLED',
  'BODY_MALFORMED',
  'BODY_TOO_LARGE',
  'MEDIA_TYPE_UNSUPPORTED',
  'CHARSET_UNSUPPORTED',
  'CONTENT_ENCODING_UNSUPPORTED',
  'IDEMPOTENCY_KEY_REUSED',
  'IDEMPOTENCY_INTERRUPTED',
] as const;

/** Accepted by every route under /api/v1. */
const chainParameter = inQuery(
  Type.String({ maxLength: 64 }),
  { default: 'default', example: 'default' },
  { en: 'The chain asked; `default` is the only one of this node', zh: '目标链；default 为本节点唯一的链' },
);
const idempotencyParameter = inHeader(Type.String({ minLength: 1, maxLength: 128, pattern: '^[\\x21-\\x7e]+$' }), 'order-2025-0042', {
  en: 'Per account and node: a repeat of the same bytes at the same node gets the first answer again. Another node does not know the key: a record sent again there is answered with the transaction that stored it, a signed transaction with its own state; what any other call did is to be looked up before it is sent to another node',
  zh: '按账户和节点生效：向同一节点以相同 key 重发相同内容将得到首次的应答。其他节点不知道该 key：在其他节点重发同一记录将得到其入库交易，重发已签名的交易将得到该交易的状态；其他调用在改用别的节点前，请先查询首次调用的结果',
});
const otpParameter = inHeader(Type.String({ minLength: 6, maxLength: 6, pattern: '^[0-9]{6}$' }), '123456', {
  en: 'Current one-time password; may be left out while the one behind the token is fresh',
  zh: '当前动态口令；令牌的口令仍在有效期内时可省略',
});

const CAMEL_CASE = /^[a-z][a-zA-Z0-9]*$/;

/** @throws TypeError that lists everything missing or wrong, or the names that stand twice. */
export function route<P extends TProperties = TProperties, B extends TSchema = TSchema, V = ValuesOf<P>>(
  declaration: RouteDeclaration<P, B, V>,
): Route {
  const { method, access, stepUp, operationId, url } = declaration;
  const common = {
    ...(url.startsWith(`${API_PREFIX}/`) ? { chain: chainParameter } : {}),
    ...(method === 'POST' && access !== 'public' ? { 'idempotency-key': idempotencyParameter } : {}),
    ...(stepUp === true ? { otp: otpParameter } : {}),
  };
  const errorsAll = new Set<string>([...commonErrors, ...declaration.errors]);
  if (access !== 'public') for (const code of tokenErrors) errorsAll.add(code);
  if (stepUp === true) for (const code of stepUpErrors) errorsAll.add(code);
  if (method === 'POST') for (const code of bodyErrors) errorsAll.add(code);
  const complete = {
    ...declaration,
    parameters: parametersOf(withParameters(operationId || url, declaration.parameters, common)),
    state: declaration.state ?? 'published',
    errorsAll: [...errorsAll].sort(),
  } as unknown as Route;
  const faults = declarationFaults(complete);
  if (faults.length > 0) throw new TypeError(`Route ${operationId || url} is not declared in full: ${faults.join('; ')}`);
  return complete;
}

/** An operation's own parameters and those that all of its kind have, which its type leaves out. @throws TypeError for a name that stands in both */
export function withParameters<P extends TProperties>(operation: string, own: P, common: TProperties): P {
  const twice = Object.keys(common).filter((name) => name in own);
  if (twice.length > 0) throw new TypeError(`Route ${operation} is not declared in full: parameter ${twice.join(', ')} stands twice`);
  return { ...own, ...common };
}

function declarationFaults(declared: Route): string[] {
  const faults: string[] = [];
  const need = (holds: boolean, fault: string): void => {
    if (!holds) faults.push(fault);
  };
  const words = (text: Bilingual | undefined, of: string): void =>
    need(Boolean(text?.en) && Boolean(text?.zh), `${of} needs words in English and Chinese`);

  need(CAMEL_CASE.test(declared.operationId ?? ''), 'operationId is missing or not camelCase');
  need(declared.method === 'GET' || declared.method === 'POST', 'method is GET to read or POST to submit');
  need(/^\/[A-Za-z0-9_:./-]*$/.test(declared.url ?? ''), 'url is missing');
  need(layers.includes(declared.layer), 'layer is one of the four');
  words(declared.summary, 'summary');
  need(declared.access === 'public' || rights.includes(declared.access?.right), 'access names a right of the table or "public"');
  need(Number.isSafeInteger(declared.timeoutMs) && declared.timeoutMs > 0, 'timeoutMs is missing');
  const limit = declared.rateLimit;
  need(limit === 'none' || (limit?.count > 0 && limit.perMs > 0), 'rateLimit is missing; say "none" where there is none');
  need(Array.isArray(declared.errors), 'errors is missing');
  for (const code of declared.errorsAll) need(isErrorCode(code), `error ${code} is not in the table`);
  need(declared.response?.schema !== undefined && declared.response.statuses?.length > 0, 'response is missing');
  need(typeof declared.handler === 'function', 'handler is missing');
  need(declared.method === 'GET' ? declared.body === undefined : declared.body !== undefined, 'GET has no body and POST declares one');

  const names = new Set(declared.parameters.map((parameter) => parameter.name));
  for (const { name, in: place, required, schema, default: fallback, example, description } of declared.parameters) {
    const of = `parameter ${name}`;
    words(description, of);
    need(['path', 'query', 'header'].includes(place), `${of} stands nowhere`);
    need(isBounded(schema), `${of} needs a range`);
    need(isInside(schema, example), `${of} needs an example inside its range`);
    need(fallback === undefined || fallback === null || isInside(schema, fallback), `${of} has a default outside its range`);
    if (place === 'path') need(required && declared.url.includes(`:${name}`), `${of} is not in the url`);
    if (place === 'header') need(name === name.toLowerCase(), `${of} is a header: lower case`);
  }
  for (const [, name] of declared.url.matchAll(/:([A-Za-z0-9_]+)/g))
    need(
      declared.parameters.some((p) => p.in === 'path' && p.name === name),
      `path parameter ${name} is not declared`,
    );
  for (const combination of declared.limits ?? []) {
    words(combination.text, 'combination limit');
    for (const name of combination.names) need(names.has(name), `combination limit names ${name}, which is no parameter`);
  }
  if (declared.body !== undefined) faults.push(...bodyFaults(declared.body));
  return faults;
}

function bodyFaults(body: BodyDeclaration<TSchema>): string[] {
  const faults: string[] = [];
  if (body.formats.length === 0) faults.push('body names no format');
  if (!(body.bytesMax > 0)) faults.push('body needs bytesMax');
  if (!body.example) faults.push('body needs an example');
  if (!body.description?.en || !body.description.zh) faults.push('body needs words in English and Chinese');
  if (body.schema !== undefined) {
    const required = new Set((body.schema.required as string[] | undefined) ?? []);
    for (const [name, member] of Object.entries((body.schema.properties ?? {}) as Record<string, TSchema>)) {
      if (!member.description || !member['x-description-zh']) faults.push(`body field ${name} needs words in English and Chinese`);
      if (!Array.isArray(member.examples) || member.examples.length === 0) faults.push(`body field ${name} needs an example`);
      if (!required.has(name) && member.default === undefined) faults.push(`body field ${name} is optional and needs a default`);
    }
  }
  return faults;
}

/** The whole table. @throws TypeError when two routes share a name or a place, or a layer is empty (DB53 5.1). */
export function checkRoutes(routes: readonly Route[]): readonly Route[] {
  const seen = new Set<string>();
  for (const { operationId, method, url } of routes) {
    for (const key of [operationId, `${method} ${url}`]) {
      if (seen.has(key)) throw new TypeError(`Two routes are ${key}`);
      seen.add(key);
    }
  }
  for (const layer of layers)
    if (!routes.some((declared) => declared.layer === layer)) throw new TypeError(`The ${layer} layer has no operation`);
  return routes;
}
