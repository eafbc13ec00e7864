/** The interface registry, two ways: rows for `GET interfaces`, and OpenAPI 3.1. Both are read off the route table and can say nothing else. */
import type { TSchema } from '@sinclair/typebox';
import { errorRow, errorTable } from '../../node/errors/index.ts';
import { ALL_FAULTS_BODY_BYTES_MAX } from './body.ts';
import { JSON_BODY_DEPTH_MAX, JSON_NAMES_MAX, JSON_VALUES_MAX } from '../../node/pace/index.ts';
import { API_PREFIX, type Route } from './route.ts';
import { alternatives, type Parameter, rangeText } from './schema.ts';

/** Past them BODY_MALFORMED. Of a body longer than `allFaultsBytesMax` the first fault alone is told. */
const JSON_BOUNDS = {
  namesMax: JSON_NAMES_MAX,
  valuesMax: JSON_VALUES_MAX,
  depthMax: JSON_BODY_DEPTH_MAX,
  allFaultsBytesMax: ALL_FAULTS_BODY_BYTES_MAX,
} as const;

const EnvelopeSchema = {
  type: 'object',
  required: ['code', 'message', 'data', 'details', 'requestId'],
  properties: {
    code: { type: 'string', description: 'OK, or a code of x-errors' },
    message: { type: 'string' },
    data: {},
    details: { type: 'array', items: { type: 'object', required: ['code', 'message'], additionalProperties: true } },
    requestId: { type: 'string' },
  },
} as const;

export interface RegistryRow {
  readonly operationId: string;
  readonly layer: string;
  readonly [name: string]: unknown;
}

export function registryRows(routes: readonly Route[]): readonly RegistryRow[] {
  return routes.map((route) => ({
    operationId: route.operationId,
    method: route.method,
    url: route.url,
    layer: route.layer,
    state: route.state,
    summary: route.summary,
    access:
      route.access === 'public'
        ? 'public'
        : { right: route.access.right, own: route.access.own === true, tokenInBody: route.access.tokenInBody === true },
    stepUp: route.stepUp === true,
    timeoutMs: route.timeoutMs,
    rateLimit: route.rateLimit,
    parameters: [...route.parameters.map(registryParameter), ...bodyParameters(route)],
    limits: (route.limits ?? []).map(({ rule, names, text }) => ({ rule, names, text })),
    body:
      route.body === undefined
        ? null
        : { formats: route.body.formats, bytesMax: route.body.bytesMax, example: route.body.example, description: route.body.description },
    answers: { statuses: route.response.statuses, outsideEnvelope: route.response.outside ?? [] },
    errors: route.errorsAll.map((code) => {
      const { kind, httpStatus, text, remedy } = errorRow(code);
      return { code, kind, httpStatus, text, remedy };
    }),
  }));
}

function registryParameter(parameter: Parameter) {
  const { name, in: place, required, schema, example, description } = parameter;
  return {
    name,
    in: place,
    required,
    type: schema.type,
    range: rangeText(schema),
    default: parameter.default ?? null,
    example,
    description,
  };
}

/** Fields of a JSON body, in the same form as parameters (DB53 5.2.1.1.a-1). */
function bodyParameters(route: Route) {
  const schema = route.body?.schema;
  if (schema === undefined) return (route.body?.fields ?? []).map((field) => ({ ...field, in: 'body', default: null }));
  const required = new Set(requiredOf(schema));
  return Object.entries((schema.properties ?? {}) as Record<string, TSchema>).map(([name, member]) => ({
    name,
    in: 'body',
    required: required.has(name),
    type: alternatives(member)
      .map(({ type }) => type as string)
      .join(' | '),
    range: alternatives(member).map(rangeText).join(' or '),
    default: (member.default as unknown) ?? null,
    example: (member.examples as unknown[])[0],
    description: { en: member.description, zh: member['x-description-zh'] as string },
  }));
}

/** What a sender must give: a member with a default is filled in before the schema is asked, where it is required. */
function requiredOf(schema: TSchema): readonly string[] {
  const members = schema.properties as Readonly<Record<string, TSchema>>;
  return ((schema.required as string[] | undefined) ?? []).filter((name) => members[name]!.default === undefined);
}

export function openApiDocument(routes: readonly Route[], version: string): object {
  const paths: Record<string, Record<string, unknown>> = {};
  for (const route of routes) {
    const path = route.url.replace(/:([A-Za-z0-9_]+)/g, '{$1}');
    paths[path] ??= {};
    paths[path][route.method.toLowerCase()] = operation(route);
  }
  return {
    openapi: '3.1.0',
    info: {
      title: 'Tracemill',
      version,
      description: 'DB53/T 1407-2025: blockchain interfaces of a manufacturing platform',
      license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
    },
    servers: [{ url: '/' }],
    tags: ['network', 'consensus', 'contract', 'application'].map((name) => ({ name })),
    paths,
    components: {
      schemas: { Envelope: EnvelopeSchema },
      securitySchemes: { bearer: { type: 'http', scheme: 'bearer', description: `Token of POST ${API_PREFIX}/auth/login` } },
    },
    'x-errors': errorTable,
  };
}

function operation(route: Route): object {
  return {
    operationId: route.operationId,
    tags: [route.layer],
    summary: route.summary.en,
    'x-summary-zh': route.summary.zh,
    'x-layer': route.layer,
    'x-state': route.state,
    'x-timeout-ms': route.timeoutMs,
    'x-rate-limit': route.rateLimit,
    'x-step-up': route.stepUp === true,
    'x-right': route.access === 'public' ? null : route.access.right,
    'x-right-own': route.access !== 'public' && route.access.own === true ? `${route.access.right}:own` : null,
    'x-limits': route.limits ?? [],
    'x-errors': route.errorsAll,
    ...(route.state === 'deprecated' ? { deprecated: true } : {}),
    security: route.access === 'public' ? [] : [{ bearer: [] }],
    parameters: route.parameters.map((parameter) => ({
      name: parameter.name,
      in: parameter.in,
      required: parameter.required,
      description: parameter.description.en,
      'x-description-zh': parameter.description.zh,
      schema: {
        ...parameter.schema,
        ...(parameter.default === undefined || parameter.default === null ? {} : { default: parameter.default }),
      },
      example: parameter.example,
    })),
    ...(route.body === undefined ? {} : { requestBody: requestBody(route) }),
    responses: responses(route),
  };
}

function requestBody({ body }: Route): object {
  const { formats, schema, example } = body!;
  const content = Object.fromEntries(
    formats.map((format) => [
      format,
      { schema: bodySchema(format, schema), ...(format === 'application/json' ? { example: JSON.parse(example) as unknown } : {}) },
    ]),
  );
  return {
    required: true,
    description: body!.description.en,
    'x-description-zh': body!.description.zh,
    'x-bytes-max': body!.bytesMax,
    ...(body!.schema === undefined ? {} : { 'x-json-bounds': JSON_BOUNDS }),
    content,
  };
}

function bodySchema(format: string, schema: TSchema | undefined): unknown {
  if (format === 'application/json') return schema ? { ...schema, required: requiredOf(schema) } : {};
  return format === 'application/octet-stream' ? { type: 'string', contentEncoding: 'binary' } : { type: 'string' };
}

function responses(route: Route): object {
  const envelope = (data: unknown) => ({ allOf: [{ $ref: '#/components/schemas/Envelope' }, { type: 'object', properties: { data } }] });
  const success = {
    ...(route.response.outside?.some((type) => type !== 'application/octet-stream') === true
      ? {}
      : {
          'application/json': { schema: envelope(route.response.schema) },
          'application/xml': { schema: envelope(route.response.schema) },
        }),
    ...Object.fromEntries((route.response.outside ?? []).map((type) => [type, { schema: { type: 'string' } }])),
  };
  const byStatus = new Map<number, string[]>();
  for (const code of route.errorsAll) {
    const { httpStatus } = errorRow(code);
    byStatus.set(httpStatus, [...(byStatus.get(httpStatus) ?? []), code]);
  }
  return {
    ...Object.fromEntries(
      route.response.statuses.map((status) => [
        String(status),
        { description: status === 202 ? 'Accepted, not final yet' : 'Done', content: success },
      ]),
    ),
    ...Object.fromEntries(
      [...byStatus].map(([status, codes]) => [
        String(status),
        {
          description: codes.map((code) => `${code}: ${errorRow(code).text.en}`).join('. '),
          content: { 'application/json': { schema: { $ref: '#/components/schemas/Envelope' } } },
        },
      ]),
    ),
  };
}
