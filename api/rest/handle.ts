/**
 * The way of one call through an operation: token, rate, right, parameters, body, step-up, idempotency, time-out, handler. Knows nothing of the HTTP
 * library nor of the dialect; server.ts feeds it, and the dialect writes what comes back.
 */
import type { Right } from '../../contracts/index.ts';
import { ChainError } from '../../node/errors/index.ts';
import { canonicalJson, hmacSha256, toHex, utf8 } from '../../node/format/index.ts';
import type { CallText, Outcome } from '../dialects/index.ts';
import { checkMediaType, readBody, readsBody } from './body.ts';
import type { Answer, Call, RawReply, Reply, StreamReply } from './call.ts';
import type { ApiContext } from './context.ts';
import type { Caller } from '../../node/records/index.ts';
import type { Steps } from '../../node/pace/index.ts';
import { Gone } from './gone.ts';
import { readParameters, withoutHeaders } from './parameters.ts';
import type { Detail, Refusal } from './refusal.ts';
import type { Route } from './route.ts';
import type { Language } from './schema.ts';
import { type Logged, SelfWritten } from './self-written.ts';
import { canonicalForm, jsonForm, textSteps } from './text-steps.ts';

/** How long a one-time password behind a token serves for step-up. */
export const STEP_UP_FRESH_MS = 300_000;
/** Calls with bad tokens from one address before it is told to wait. */
const REFUSED_TOKENS = { count: 60, perMs: 60_000 } as const;

export interface Incoming extends CallText {
  readonly requestId: string;
  readonly language: Language;
  /** The token in the head. */
  readonly token: string | undefined;
  readonly address: string;
  /** When the connection ends. */
  readonly gone: Gone;
}

/** What is known of a call so far, for the exchange log; filled while it runs. */
export interface Trace {
  caller: Caller | undefined;
  /** Account named by a login, proved or not. */
  accountTried?: string;
  parametersDigest: string;
  answerDigest: string;
  rows: number;
}

export type Handled =
  | Exclude<Outcome, Refusal>
  | { readonly kind: 'raw'; readonly reply: RawReply; readonly bytes: Buffer }
  | { readonly kind: 'stream'; readonly reply: StreamReply };

/** Bytes of a body that each look at takes a while. */
const LARGE_BODY_BYTES = 262_144;
/** Bytes of one that is hashed at once, in some 10 us. */
const SMALL_BODY_BYTES = 16_384;
const NO_BYTES = new Uint8Array(0);
const NO_BODY = { body: undefined, details: [] } as const;

/** Who calls, before the body is read. @throws ChainError */
export function admit(api: ApiContext, declared: Route, token: string | undefined, address: string): Caller | undefined {
  if (!api.exchanges.ready()) throw new ChainError('SERVER_BUSY');
  const { access } = declared;
  if (access === 'public' || (token === undefined && access.tokenInBody === true)) {
    limitRate(api, declared, `@${address}`);
    return undefined;
  }
  if (token === undefined) throw new ChainError('TOKEN_MISSING');
  return identify(api, declared, token, address);
}

function identify(api: ApiContext, declared: Route, token: string, address: string): Caller {
  let caller: Caller;
  try {
    caller = api.authenticate(token);
  } catch (error) {
    const retryAfterMs = api.limiter.take(`refused@${address}`, REFUSED_TOKENS);
    if (retryAfterMs > 0) throw new ChainError('RATE_LIMITED', { retryAfterMs });
    throw error;
  }
  limitRate(api, declared, caller.account);
  const { access } = declared;
  if (access !== 'public') {
    const may = (right: Right): boolean => api.may(api.read, caller.account, right);
    if (!may(access.right) && !(access.own === true && may(`${access.right}:own`)))
      throw new ChainError('RIGHT_MISSING', { right: access.right });
  }
  return caller;
}

function limitRate(api: ApiContext, declared: Route, subject: string): void {
  if (declared.rateLimit === 'none') return;
  const retryAfterMs = api.limiter.take(`${declared.operationId}\0${subject}`, declared.rateLimit);
  if (retryAfterMs > 0) throw new ChainError('RATE_LIMITED', { ...declared.rateLimit, retryAfterMs });
}

/** @throws ChainError for every refusal */
export async function handle(
  api: ApiContext,
  declared: Route,
  incoming: Incoming,
  admitted: Caller | undefined,
  trace: Trace,
): Promise<Handled> {
  trace.caller = admitted;
  const { given, values, details, logged } = readParameters(declared, incoming, incoming.language);
  const bytes = incoming.body ?? NO_BYTES;
  if (bytes.length > LARGE_BODY_BYTES) await api.turn(); // it was put together just now
  const { crypto } = api.world;
  const key = values['idempotency-key'];
  const bodyDigest = declared.secretBody === true && key === undefined ? '' : await digestOfBytes(api, bytes);
  const digestLogged = bytes.length === 0 || declared.secretBody === true ? null : bodyDigest;
  trace.parametersDigest = toHex(crypto.hash(utf8(loggedCall(declared, logged, digestLogged))));
  const mediaType = checkMediaType(declared, incoming);
  const { body, details: bodyDetails } = readsBody(declared, mediaType) ? await readBody(api, declared, bytes, incoming) : NO_BODY;
  const all = [...details, ...bodyDetails];
  if (all.length > 0) throw new ChainError('REQUEST_INVALID', { details: all });
  const chain = values.chain ?? 'default';
  if (chain !== 'default' && chain !== toHex(api.node.info.chainId)) throw new ChainError('CHAIN_UNKNOWN', { chain });

  const call = new HandledCall(api, declared, incoming, admitted, trace, { body, bytes, mediaType, values, given });
  const { time } = call;
  const run = async (): Promise<Answer> => {
    if (declared.stepUp === true) await stepUp(api, call); // inside, so that a repeat under an Idempotency-Key spends no second code
    return declared.handler(call, api);
  };
  if (typeof key === 'string') {
    const caller = call.known;
    if (caller === undefined) throw new ChainError('REQUEST_INVALID', { details: [keyNeedsHeader(incoming.language)] });
    let first: Reply | undefined;
    const fingerprint = fingerprintOf(api, declared, call, bodyDigest);
    const request = { account: caller.account, key, fingerprint, repeatable: declared.repeatable === true };
    // The time is the caller's: work that runs over it goes on under its key, and a repeat waits for it instead of doing it again.
    const { answer, replayed } = await inTime(api, declared, time, () =>
      api.idempotency.once(request, async () => {
        first = (await run()) as Reply;
        return { pending: first.pending !== undefined, data: first.kept ?? first.data };
      }),
    );
    if (replayed && answer.pending && declared.resume !== undefined)
      return answered(trace, await declared.resume(call, api, answer.data), true);
    const data = first?.data ?? (await declared.restore?.(call, api, answer.data)) ?? answer.data;
    return answered(trace, { ...(answer.pending ? { pending: {} } : {}), ...first, data }, replayed);
  }
  const reply = await inTime(api, declared, time, run);
  if ('stream' in reply) return { kind: 'stream', reply };
  if ('raw' in reply) {
    const bytes =
      typeof reply.raw === 'string'
        ? Buffer.from(reply.raw, 'utf8')
        : Buffer.from(reply.raw.buffer, reply.raw.byteOffset, reply.raw.length);
    trace.rows = 1;
    if (bytes.length > LARGE_BODY_BYTES) await api.turn();
    trace.answerDigest = await api.paced(bytesDigestSteps(api, bytes), true);
    return { kind: 'raw', reply, bytes };
  }
  return answered(trace, reply);
}

/** A call as its operation sees it. A class, because an object with getters of its own takes as long to make as the rest of the way in. */
class HandledCall implements Call {
  readonly requestId: string;
  readonly language: Language;
  readonly address: string;
  readonly body: unknown;
  readonly bytes: Uint8Array;
  readonly mediaType: string;
  readonly parameters: Call['parameters'];
  readonly given: Call['given'];
  /** Aborts when the route's time is over. */
  readonly time = new Gone();
  readonly #api: ApiContext;
  readonly #declared: Route;
  readonly #incoming: Incoming;
  readonly #trace: Trace;
  #caller: Caller | undefined;
  #signal: AbortSignal | undefined;

  constructor(
    api: ApiContext,
    declared: Route,
    incoming: Incoming,
    admitted: Caller | undefined,
    trace: Trace,
    read: Pick<Call, 'body' | 'bytes' | 'mediaType' | 'given'> & { readonly values: Call['parameters'] },
  ) {
    this.requestId = incoming.requestId;
    this.language = incoming.language;
    this.address = incoming.address;
    this.body = read.body;
    this.bytes = read.bytes;
    this.mediaType = read.mediaType;
    this.parameters = read.values;
    this.given = read.given;
    this.#api = api;
    this.#declared = declared;
    this.#incoming = incoming;
    this.#trace = trace;
    this.#caller = admitted;
  }

  get signal(): AbortSignal {
    this.#signal ??= AbortSignal.any([this.time.signal, this.#incoming.gone.signal]);
    return this.#signal;
  }

  get caller(): Caller {
    if (this.#caller === undefined) throw new ChainError('TOKEN_MISSING');
    return this.#caller;
  }

  get known(): Caller | undefined {
    return this.#caller;
  }

  identify(token: string | undefined): Caller {
    const { token: shown, address } = this.#incoming;
    if (token !== undefined && shown !== undefined && token !== shown) throw new ChainError('TOKEN_CONFLICT');
    if (this.#caller === undefined) {
      if (token === undefined) throw new ChainError('TOKEN_MISSING');
      this.#caller = identify(this.#api, this.#declared, token, address);
      this.#trace.caller = this.#caller;
    }
    return this.#caller;
  }

  tries(account: string): void {
    this.#trace.accountTried = account;
  }
}

/** Its digests for the exchange log are made when it is written (exchange.ts). */
function answered(trace: Trace, reply: Reply, replayed?: boolean): Handled {
  const items = (reply.data as { items?: unknown } | null)?.items;
  trace.rows = reply.rows ?? (Array.isArray(items) ? items.length : 1);
  return replayed === undefined ? { kind: 'reply', reply } : { kind: 'reply', reply, replayed };
}

/** Digest of code and data of an answer that is no refusal, as canonical JSON. @param data a value, or what writes it (Logged) */
export function* answerDigestSteps(api: Pick<ApiContext, 'world'>, data: unknown): Steps<string> {
  let canonical: readonly string[];
  if (data instanceof SelfWritten) canonical = yield* data.canonicalSteps();
  else if (typeof data === 'function') canonical = yield* (data as Extract<Logged, () => unknown>)();
  else return yield* digestSteps(api, { code: 'OK', data });
  const lead = '{"code":"OK","data":';
  return yield* piecesDigestSteps(api, canonical.length === 1 ? [`${lead}${canonical[0]!}}`] : [lead, ...canonical, '}']);
}

/** Digest of a value as canonical JSON; a value that has no canonical form (a fraction) by its JSON text. */
export function* digestSteps(api: Pick<ApiContext, 'world'>, value: unknown): Steps<string> {
  if (typeof value === 'function') return yield* piecesDigestSteps(api, yield* (value as Extract<Logged, () => unknown>)());
  let pieces: readonly string[];
  try {
    pieces = yield* textSteps(value, canonicalForm);
  } catch {
    pieces = yield* textSteps(value, jsonForm);
  }
  return yield* piecesDigestSteps(api, pieces);
}

function* piecesDigestSteps({ world: { crypto } }: Pick<ApiContext, 'world'>, pieces: readonly string[]): Steps<string> {
  if (pieces.length === 1) return toHex(crypto.hash(utf8(pieces[0]!)));
  const hasher = crypto.hasher();
  for (const piece of pieces) {
    hasher.update(utf8(piece));
    yield;
  }
  return toHex(hasher.digest());
}

function digestOfBytes(api: ApiContext, bytes: Uint8Array): string | Promise<string> {
  return bytes.length <= SMALL_BODY_BYTES ? toHex(api.world.crypto.hash(bytes)) : api.paced(bytesDigestSteps(api, bytes));
}

/** Hex of the SHA-256 of a body or an answer. */
export function* bytesDigestSteps(api: Pick<ApiContext, 'world'>, bytes: Uint8Array): Steps<string> {
  const { crypto } = api.world;
  if (bytes.length <= LARGE_BODY_BYTES) return toHex(crypto.hash(bytes));
  const hasher = crypto.hasher();
  for (let at = 0; at < bytes.length; at += LARGE_BODY_BYTES) {
    hasher.update(bytes.subarray(at, at + LARGE_BODY_BYTES));
    yield;
  }
  return toHex(hasher.digest());
}

/** What makes two requests under one Idempotency-Key the same. Keyed, because it is stored and bodies hold short secrets: nobody shall find them by trying. */
function fingerprintOf(api: ApiContext, declared: Route, call: Call, bodyDigest: string): string {
  const { crypto } = api.world;
  const given = withoutHeaders(declared, call.given);
  const request = { operationId: declared.operationId, given, body: bodyDigest, mediaType: call.mediaType };
  return toHex(hmacSha256(crypto, api.credentialsKey, utf8(`idempotency\n${canonicalJson(request)}`)));
}

function keyNeedsHeader(language: Language): Detail {
  const message =
    language === 'zh'
      ? '使用该请求头时，令牌须放在 Authorization 请求头中'
      : 'needs the token in the Authorization header, not in the body';
  return { code: 'PARAMETER_COMBINATION', parameter: 'idempotency-key, authorization', message };
}

/** @throws ChainError STEP_UP_REQUIRED, OTP_NOT_SET, OTP_INVALID, OTP_REUSED, LOGIN_LOCKED */
async function stepUp(api: ApiContext, call: Call): Promise<void> {
  const { account, steppedUpAtMs } = call.caller;
  const { otp } = call.parameters;
  if (otp !== undefined) return api.credentials.useOtp(account, otp);
  if (steppedUpAtMs !== undefined && api.world.clock.now() - steppedUpAtMs < STEP_UP_FRESH_MS) return;
  throw new ChainError(api.credentials.hasOtp(account) ? 'STEP_UP_REQUIRED' : 'OTP_NOT_SET');
}

/** @throws ChainError CALL_TIMEOUT when the route's declared time runs out first */
function inTime<T>(api: ApiContext, { timeoutMs }: Route, time: Gone, run: () => Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const cancel = api.world.timers.after(timeoutMs, () => {
      time.abort();
      reject(new ChainError('CALL_TIMEOUT', { timeoutMs }));
    });
    run().then(
      (answer) => {
        cancel();
        resolve(answer);
      },
      (error: unknown) => {
        cancel();
        reject(error);
      },
    );
  });
}

/** Operation, parameters and body as the exchange log digests them: canonical JSON. */
function loggedCall({ operationId }: Route, parameters: string, bodyDigest: string | null): string {
  return `{"body":${bodyDigest === null ? 'null' : `"${bodyDigest}"`},"operationId":"${operationId}","parameters":${parameters}}`;
}
