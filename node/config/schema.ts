/**
 * node.json: what may differ from node to node. The one schema below gives type, default, range, environment name and help of every
 * setting; nothing else reads settings, and the environment is handed in. Consensus time-outs are chain parameters and stand in genesis.
 * Paths are taken as written; the entry point resolves them against the directory of node.json.
 */
import { type Static, type TSchema, Type } from '@sinclair/typebox';
import { ChainError } from '../errors/index.ts';
import { type Fault, faultsOf } from './faults.ts';

const ENV = 'TRACEMILL_';
const port = (env: string, value: number, description: string) =>
  Type.Integer({ minimum: 0, maximum: 65_535, default: value, env: ENV + env, description: description + '; 0 takes a free one' });
const host = (env: string, description: string) =>
  Type.String({ minLength: 1, maxLength: 253, default: '127.0.0.1', env: ENV + env, description });
const path = (env: string, value: string, description: string) =>
  Type.String({ minLength: 1, maxLength: 4_096, default: value, env: ENV + env, description });

/** Ids stand in keys, file names and URLs: lower-case letters, digits and hyphens. */
export const ID_PATTERN = '^[a-z0-9]+(?:-[a-z0-9]+)*$';

const nodeConfigSchema = Type.Object(
  {
    version: Type.Literal(1, { default: 1, description: 'Version of this form' }),
    node: Type.String({
      pattern: ID_PATTERN,
      maxLength: 64,
      env: `${ENV}NODE`,
      description: 'Id of this node, as registered in genesis or by governance',
    }),
    organisation: Type.String({
      pattern: ID_PATTERN,
      maxLength: 64,
      env: `${ENV}ORGANISATION`,
      description: 'Id of the organisation that runs it',
    }),
    dataDir: path('DATA_DIR', 'data', 'Directory of the stores and the vote log'),
    genesis: path('GENESIS', 'genesis.json', 'Genesis file of the chain'),
    keystore: path('KEYSTORE', 'keystore.json', 'Encrypted file of the private keys'),
    credentials: path('CREDENTIALS', 'credentials.json', 'Accounts to import at start: password hash and OTP secret; absent file: none'),
    p2p: Type.Object(
      {
        host: host('P2P_HOST', 'Address the node listens on for other nodes (TCP)'),
        port: port('P2P_PORT', 26_600, 'Port for other nodes'),
      },
      { additionalProperties: false, default: {}, description: 'Links between nodes' },
    ),
    https: Type.Object(
      {
        host: host('HTTPS_HOST', 'Address the interface listens on'),
        port: port('HTTPS_PORT', 26_700, 'Port of the interface'),
        cert: path('HTTPS_CERT', 'tls-cert.pem', 'Certificate chain, PEM'),
        key: path('HTTPS_KEY', 'tls-key.pem', 'Private key of the certificate, PEM'),
      },
      { additionalProperties: false, default: {}, description: 'Interface for people and systems' },
    ),
    bootstrap: Type.Array(Type.String({ minLength: 1, maxLength: 512 }), {
      maxItems: 64,
      default: [],
      env: `${ENV}BOOTSTRAP`,
      description: 'Multiaddrs of nodes to meet first, besides those in chain state',
    }),
    mempoolCountMax: Type.Integer({
      minimum: 1_000,
      maximum: 1_000_000,
      default: 50_000,
      env: `${ENV}MEMPOOL_COUNT_MAX`,
      description: 'Transactions held; past it MEMPOOL_FULL',
    }),
    mempoolBytesMax: Type.Integer({
      minimum: 8_388_608,
      maximum: 4_294_967_296,
      default: 268_435_456,
      env: `${ENV}MEMPOOL_BYTES_MAX`,
      description: 'Bytes of transactions held; past it MEMPOOL_FULL',
    }),
    mapMemoryBytesMax: Type.Integer({
      minimum: 16_777_216,
      maximum: 17_179_869_184,
      default: 671_088_640,
      env: `${ENV}MAP_MEMORY_BYTES_MAX`,
      description: 'Bytes of memory for the state map; what does not fit lies in a scratch file in the data directory',
    }),
    verifyWorkers: Type.Integer({
      minimum: 1,
      maximum: 64,
      default: 2,
      env: `${ENV}VERIFY_WORKERS`,
      description: 'Worker threads that check signatures',
    }),
    idempotencyKeepMs: Type.Integer({
      minimum: 60_000,
      maximum: 604_800_000,
      default: 86_400_000,
      env: `${ENV}IDEMPOTENCY_KEEP_MS`,
      description: 'How long this node remembers an Idempotency-Key and its answer, in ms',
    }),
    sessionMs: Type.Integer({
      minimum: 60_000,
      maximum: 900_000,
      default: 600_000,
      env: `${ENV}SESSION_MS`,
      description: 'How long the token of a login is valid, in ms',
    }),
    connectionsMax: Type.Integer({
      minimum: 16,
      maximum: 65_536,
      default: 1_024,
      env: `${ENV}CONNECTIONS_MAX`,
      description: 'Open connections of the interface; past a share of an address the one that has had no answer for the longest ends',
    }),
    headersTimeoutMs: Type.Integer({
      minimum: 1_000,
      maximum: 120_000,
      default: 10_000,
      env: `${ENV}HEADERS_TIMEOUT_MS`,
      description: 'How long the headers of a request may take to come, in ms; then the connection is closed',
    }),
    bodiesBytesMax: Type.Integer({
      minimum: 33_554_432,
      maximum: 4_294_967_296,
      default: 268_435_456,
      env: `${ENV}BODIES_BYTES_MAX`,
      description: 'Bytes of request bodies held at once',
    }),
    streamsMax: Type.Integer({
      minimum: 1,
      maximum: 65_536,
      default: 256,
      env: `${ENV}STREAMS_MAX`,
      description: 'Open event streams',
    }),
    streamsPerAccountMax: Type.Integer({
      minimum: 1,
      maximum: 1_024,
      default: 8,
      env: `${ENV}STREAMS_PER_ACCOUNT_MAX`,
      description: 'Open event streams of one account',
    }),
    rateLimitFactor: Type.Integer({
      minimum: 0,
      maximum: 1_000,
      default: 1,
      env: `${ENV}RATE_LIMIT_FACTOR`,
      description: 'Multiplies every declared rate limit; 0 switches limits off, for a load test',
    }),
    stopTimeoutMs: Type.Integer({
      minimum: 1_000,
      maximum: 120_000,
      default: 10_000,
      env: `${ENV}STOP_TIMEOUT_MS`,
      description: 'How long a stop may take before the process ends anyway, in ms',
    }),
    logLevel: Type.Union([Type.Literal('debug'), Type.Literal('info'), Type.Literal('warn'), Type.Literal('error')], {
      default: 'info',
      env: `${ENV}LOG_LEVEL`,
      description: 'Least level that is logged: debug, info, warn or error',
    }),
  },
  { additionalProperties: false },
);

export type NodeConfig = Static<typeof nodeConfigSchema>;

/** One setting as documentation and messages show it. */
export interface Setting {
  readonly pointer: string;
  readonly env: string | undefined;
  readonly type: string;
  readonly range: string;
  readonly default: string;
  readonly description: string;
}

/**
 * Reads node.json. The environment wins over the file, the file over defaults.
 * @param env names and values as the process has them; names this schema does not know are left alone.
 * @throws ChainError CONFIG_INVALID with every fault: `{pointer, message, given}`.
 */
export function parseNodeConfig(text: string, env: Readonly<Record<string, string | undefined>>): NodeConfig {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw invalid([{ pointer: '', message: `not JSON: ${(error as Error).message}` }]);
  }
  const faults: Fault[] = [];
  const filled = fill(nodeConfigSchema, value, '', env, faults);
  faults.push(...faultsOf(nodeConfigSchema, filled));
  if (faults.length > 0) throw invalid(faults);
  return filled as NodeConfig;
}

function invalid(faults: readonly Fault[]): ChainError {
  return new ChainError('CONFIG_INVALID', { faults });
}

/** Puts environment values and defaults in; leaves everything else for the check. */
function fill(
  schema: TSchema,
  value: unknown,
  pointer: string,
  env: Readonly<Record<string, string | undefined>>,
  faults: Fault[],
): unknown {
  if (schema.type === 'object') {
    const given = value === undefined ? {} : value;
    if (typeof given !== 'object' || given === null || Array.isArray(given)) return given;
    const out: Record<string, unknown> = { ...given };
    for (const [name, member] of Object.entries(schema.properties as Record<string, TSchema>)) {
      const filled = fill(member, Object.hasOwn(out, name) ? out[name] : undefined, `${pointer}/${name}`, env, faults);
      if (filled !== undefined) out[name] = filled;
    }
    return out;
  }
  const name = schema.env as string | undefined;
  const stated = name === undefined ? undefined : env[name];
  if (name !== undefined && stated !== undefined && stated !== '') {
    if (schema.type === 'array') return stated.split(',').map((item) => item.trim());
    if (schema.type !== 'integer') return stated;
    if (/^\d{1,15}$/.test(stated)) return Number(stated);
    faults.push({ pointer, message: `${name} is not a whole number`, given: stated });
    return value ?? schema.default;
  }
  return value === undefined ? structuredClone(schema.default) : value;
}

/** Every setting, in order, for the README table and `doctor`. */
export function settings(schema: TSchema = nodeConfigSchema, pointer = ''): readonly Setting[] {
  return Object.entries(schema.properties as Record<string, TSchema>).flatMap(([name, member]) => {
    const at = `${pointer}/${name}`;
    if (member.type === 'object') return settings(member, at);
    const choices = (member.anyOf as { const: unknown }[] | undefined)?.map((choice) => String(choice.const));
    const range =
      choices?.join(', ') ??
      (member.type === 'integer'
        ? `${member.minimum} to ${member.maximum}`
        : member.maxLength !== undefined
          ? `up to ${member.maxLength} characters`
          : member.maxItems !== undefined
            ? `up to ${member.maxItems} items`
            : '');
    return [
      {
        pointer: at,
        env: member.env as string | undefined,
        type: choices ? 'word' : member.type === 'array' ? 'list' : String(member.type),
        range,
        default: member.default === undefined ? 'required' : JSON.stringify(member.default),
        description: member.description ?? '',
      },
    ];
  });
}

/** The table of node/config/README.md; a test holds file and schema together. */
export function settingsTable(): string {
  const rows = settings().map(
    (row) =>
      `| \`${row.pointer.slice(1).replaceAll('/', '.')}\` | ${row.type} | ${row.range} | ${row.default} | ${row.env ?? ''} | ${row.description} |`,
  );
  return ['| setting | type | range | default | environment | meaning |', '| --- | --- | --- | --- | --- | --- |', ...rows].join('\n');
}
