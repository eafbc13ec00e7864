/** The body of a call: its media type, and where the route declares a schema its JSON value, checked by Ajv with a fault at every bad place. */
import type { IncomingHttpHeaders } from 'node:http';
import { Ajv, type ErrorObject, type ValidateFunction } from 'ajv';
import { ChainError } from '../../node/errors/index.ts';
import { jsonBytesSteps, type Steps } from '../../node/pace/index.ts';
import { checkCharset } from './charset.ts';
import type { ApiContext } from './context.ts';
import type { Gone } from './gone.ts';
import type { Detail } from './refusal.ts';
import type { Incoming } from './handle.ts';
import { nearest, SUGGESTIONS_MAX } from './parameters.ts';
import type { Route } from './route.ts';
import type { Language } from './schema.ts';

/** Bytes of a JSON body whose faults are all told; of a longer one the first. */
export const ALL_FAULTS_BODY_BYTES_MAX = 65_536;

const options = { strict: false, useDefaults: true, discriminator: false } as const;
const validators = {
  all: { ajv: new Ajv({ ...options, allErrors: true }), compiled: new WeakMap<Route, ValidateFunction>() },
  first: { ajv: new Ajv(options), compiled: new WeakMap<Route, ValidateFunction>() },
} as const;

/** What the head says of the body's type, before the body is read; none is no fault yet, the body may be empty. @throws ChainError MEDIA_TYPE_UNSUPPORTED */
export function checkStatedType(formats: readonly string[], headers: IncomingHttpHeaders): string {
  const stated = headers['content-type'] ?? '';
  if (formats.includes(stated)) return stated; // as most callers write it
  const mediaType = stated.split(';')[0]!.trim().toLowerCase();
  const normal = mediaType === 'text/xml' ? 'application/xml' : mediaType;
  if (normal !== '' && !formats.includes(normal))
    throw new ChainError('MEDIA_TYPE_UNSUPPORTED', { contentType: mediaType.slice(0, 100), formats });
  return normal;
}

/** @throws ChainError MEDIA_TYPE_UNSUPPORTED, CHARSET_UNSUPPORTED */
export function checkMediaType(declared: Route, incoming: Incoming): string {
  if (declared.body === undefined) return '';
  const normal = checkStatedType(declared.body.formats, incoming.headers);
  if (normal === '') {
    if ((incoming.body === undefined || incoming.body.length === 0) && declared.body.formats.includes('application/json'))
      return 'application/json';
    throw new ChainError('MEDIA_TYPE_UNSUPPORTED', { contentType: '', formats: declared.body.formats });
  }
  checkCharset(incoming.headers['content-type'] ?? '', normal, incoming.body ?? new Uint8Array(0));
  return normal;
}

/** Whether a body is JSON that the route declares; any other reaches the handler as bytes. */
export function readsBody(declared: Route, mediaType: string): boolean {
  return declared.body?.schema !== undefined && mediaType === 'application/json';
}

/** The JSON body of a route that declares one, checked. @throws ChainError BODY_MALFORMED */
export async function readBody(
  api: Pick<ApiContext, 'pacedBodies'>,
  declared: Route,
  bytes: Uint8Array,
  incoming: Pick<Incoming, 'language' | 'gone'>,
): Promise<{ readonly body: unknown; readonly details: readonly Detail[] }> {
  const schema = declared.body!.schema!;
  const body = await parseJsonBody(api, bytes, incoming.gone);
  const { ajv, compiled } = validators[bytes.length <= ALL_FAULTS_BODY_BYTES_MAX ? 'all' : 'first'];
  let validate = compiled.get(declared);
  if (validate === undefined) {
    validate = ajv.compile(schema);
    compiled.set(declared, validate);
  }
  if (validate(body)) return { body, details: [] };
  const known = Object.keys((schema.properties ?? {}) as object);
  const errors = validate.errors ?? [];
  return { body, details: errors.map((error, index) => bodyDetail(error, index < SUGGESTIONS_MAX ? known : [], incoming.language)) };
}

/** An empty body is an empty object. @throws ChainError BODY_MALFORMED, SERVER_BUSY when nobody waits for the answer any more */
async function parseJsonBody(api: Pick<ApiContext, 'pacedBodies'>, bytes: Uint8Array, gone: Gone): Promise<unknown> {
  if (bytes.length === 0) return {};
  try {
    return await api.pacedBodies(untilGone(jsonBytesSteps(bytes), gone));
  } catch (error) {
    if (error instanceof ChainError) throw error;
    throw new ChainError('BODY_MALFORMED', { reason: error instanceof SyntaxError ? error.message.slice(0, 200) : 'not UTF-8' });
  }
}

function* untilGone<T>(steps: Steps<T>, gone: Gone): Steps<T> {
  for (;;) {
    if (gone.aborted) throw new ChainError('SERVER_BUSY', { reason: 'nobody waits for the answer' });
    const step = steps.next();
    if (step.done === true) return step.value;
    yield;
  }
}

function bodyDetail(error: ErrorObject, known: readonly string[], language: Language): Detail {
  const say = (en: string, zh: string): string => (language === 'zh' ? zh : en);
  const params = error.params as Record<string, unknown>;
  const at = error.instancePath;
  switch (error.keyword) {
    case 'required':
      return { code: 'FIELD_MISSING', pointer: `${at}/${String(params.missingProperty)}`, message: say('is required', '为必填项') };
    case 'additionalProperties': {
      const name = String(params.additionalProperty);
      const near = nearest(name, known);
      return {
        code: 'FIELD_UNKNOWN',
        pointer: `${at}/${name.slice(0, 64).replace(/~/g, '~0').replace(/\//g, '~1')}`,
        message: say(
          `no such field${near === undefined ? '' : `; did you mean ${near}?`}`,
          `没有该字段${near === undefined ? '' : `，是否应为 ${near}？`}`,
        ),
      };
    }
    case 'type':
      return { code: 'FIELD_TYPE', pointer: at, message: say(`must be ${String(params.type)}`, `类型应为 ${String(params.type)}`) };
    default:
      return {
        code: 'FIELD_RANGE',
        pointer: at,
        message: say(error.message ?? 'is outside its range', `超出范围：${error.message ?? error.keyword}`),
      };
  }
}
