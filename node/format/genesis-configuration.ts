/**
 * From the text of a genesis file to what a stranger needs to judge the chain: genesis hash, chainId and the first consensus configuration.
 * Pure, so that the executor, `tracemill verify` and a browser read one file alike. The hash is taken over the RFC 8785 form of the file,
 * so indentation and line ends may change on the way, content may not.
 */
import { utf8 } from './bytes.ts';
import { type ConsensusConfiguration, VALIDATORS_MAX, type Validator } from './block.ts';
import { DecodeError } from './codec.ts';
import { type Crypto, type Digest, hashTagged, SUITE } from './crypto.ts';
import { type EngineName, engineNames } from './engine-names.ts';
import { isEngineName, validatorsMin } from './engines.ts';
import { canonicalJson, type Json } from './json.ts';
import { type ChainParameters, defaultParameters, isParameterName, isParameterValue } from './parameters.ts';
import { NAME_BYTES_MAX } from './transaction.ts';

export const GENESIS_BYTES_MAX = 4 * 1024 * 1024; // bytes of UTF-8
const SUITE_MAX = 255;

export type GenesisKey = {
  readonly keyId: string;
  /** Hex of the raw public key. */
  readonly publicKey: string;
  readonly suite: number;
  readonly kind: 'own' | 'custodial';
  /** Node that holds it, when custodial. */
  readonly node: string | null;
  /** Contracts the key may call; `*` for all. */
  readonly scope: readonly string[];
  readonly validTo: number | null;
  readonly revoked: boolean;
};

/** The genesis file: what all replicas must agree on from the first block. Its hash names the chain; chainId derives from it. */
export interface GenesisFile {
  readonly version: 1;
  readonly name: string;
  /** Milliseconds since 1970. */
  readonly timestampMs: number;
  readonly engine: EngineName;
  readonly executionVersion: number;
  /** Only what differs from the defaults. */
  readonly parameters: Partial<ChainParameters>;
  readonly organisations: readonly { readonly id: string; readonly name: string }[];
  readonly nodes: readonly {
    readonly id: string;
    readonly organisation: string;
    readonly transportKey: string;
    readonly validatorKey: string;
    readonly tokenKey: string;
    readonly custodialKey: string;
    readonly addresses: readonly string[];
    readonly role: 'validator' | 'observer';
    readonly weight: number;
    /** Signature suite of the keys; Ed25519 when absent. */
    readonly suite?: number;
  }[];
  readonly accounts: readonly {
    readonly id: string;
    readonly organisation: string;
    readonly type: 'person' | 'device' | 'service';
    readonly roles: readonly string[];
    readonly keys: readonly GenesisKey[];
  }[];
  readonly factories: readonly { readonly id: string; readonly organisation: string; readonly name: string }[];
  readonly devices: readonly { readonly id: string; readonly organisation: string; readonly factory: string }[];
  readonly mappings?: readonly GenesisMapping[];
}

/** Rules by which texts of a format become records of a class. */
export interface GenesisMapping {
  readonly id: string;
  readonly organisation: string;
  readonly name: string;
  readonly class: string;
  readonly format: string;
  /** Hex SHA-256 of the document that holds the rules. */
  readonly documentDigest: string;
}

export interface OpenedGenesis {
  readonly genesis: GenesisFile;
  readonly genesisHash: Digest;
  readonly chainId: Digest;
  /** In force from the first block until a barrier changes it. */
  readonly configuration: ConsensusConfiguration;
}

/**
 * @throws DecodeError naming the place when the text is not a genesis file.
 */
export function openGenesis(crypto: Pick<Crypto, 'hash'>, text: string): OpenedGenesis {
  if (text.length > GENESIS_BYTES_MAX) throw new DecodeError(`genesis is longer than ${GENESIS_BYTES_MAX} characters`);
  let value: Json;
  let canonical: Uint8Array;
  try {
    value = JSON.parse(text) as Json;
    canonical = utf8(canonicalJson(value));
  } catch (error) {
    throw new DecodeError(`genesis is not JSON of text and whole numbers: ${error instanceof Error ? error.message : 'unreadable'}`);
  }
  const genesis = checkGenesis(value);
  const genesisHash = hashTagged(crypto, 'genesis', canonical);
  return {
    genesis,
    genesisHash,
    chainId: hashTagged(crypto, 'chain', genesisHash),
    configuration: {
      engine: genesis.engine,
      executionVersion: genesis.executionVersion,
      parameters: { ...defaultParameters(), ...genesis.parameters },
      validators: validatorsOf(genesis),
    },
  };
}

function validatorsOf(genesis: GenesisFile): Validator[] {
  return genesis.nodes
    .filter((node) => node.role === 'validator')
    .map(({ id, validatorKey, suite = SUITE.ed25519, weight }) => ({ node: id, publicKey: hexBytes(validatorKey), suite, weight }))
    .sort((a, b) => (a.node < b.node ? -1 : 1));
}

function hexBytes(hex: string): Uint8Array {
  return Uint8Array.from({ length: hex.length / 2 }, (_, i) => Number.parseInt(hex.slice(2 * i, 2 * i + 2), 16));
}

// --- structure --------------------------------------------------------------------------------------------------------------------

type Fields = { readonly [name: string]: Json | undefined };

function checkGenesis(value: Json): GenesisFile {
  const root = fields(value, '');
  if (root.version !== 1) fail('/version', 'must be 1');
  name(root.name, '/name');
  integer(root.timestampMs, '/timestampMs', 0);
  if (typeof root.engine !== 'string' || !isEngineName(root.engine)) fail('/engine', `must be one of ${engineNames.join(', ')}`);
  integer(root.executionVersion, '/executionVersion', 1, 0xffff_ffff);
  for (const [key, setting] of Object.entries(fields(root.parameters, '/parameters'))) {
    if (!isParameterName(key)) fail(`/parameters/${key}`, 'is no chain parameter');
    if (typeof setting !== 'number' || !isParameterValue(key, setting)) fail(`/parameters/${key}`, 'is outside its range');
  }
  const organisations = new Set<string>();
  each(root.organisations, '/organisations', organisations, (item, at) => name(item.name, `${at}/name`));
  const owned = (item: Fields, at: string): void => {
    if (!organisations.has(name(item.organisation, `${at}/organisation`))) fail(`${at}/organisation`, 'names no organisation of this file');
  };
  let validators = 0;
  const nodes = new Set<string>();
  each(root.nodes, '/nodes', nodes, (item, at) => {
    owned(item, at);
    for (const key of ['transportKey', 'validatorKey', 'tokenKey', 'custodialKey']) publicKey(item[key], `${at}/${key}`);
    list(item.addresses, `${at}/addresses`).forEach((address, i) => {
      name(address, `${at}/addresses/${i}`, 1024);
    });
    oneOf(item.role, ['validator', 'observer'], `${at}/role`);
    integer(item.weight, `${at}/weight`, 1);
    if (item.suite !== undefined) integer(item.suite, `${at}/suite`, 1, SUITE_MAX);
    if (item.role === 'validator') validators++;
  });
  const least = validatorsMin(root.engine);
  if (validators < least || validators > VALIDATORS_MAX)
    fail('/nodes', `holds ${validators} validators where ${least} to ${VALIDATORS_MAX} are needed`);
  each(root.accounts, '/accounts', new Set(), (item, at) => {
    owned(item, at);
    oneOf(item.type, ['person', 'device', 'service'], `${at}/type`);
    list(item.roles, `${at}/roles`).forEach((role, i) => {
      name(role, `${at}/roles/${i}`);
    });
    list(item.keys, `${at}/keys`).forEach((key, i) => {
      accountKey(fields(key, `${at}/keys/${i}`), `${at}/keys/${i}`, nodes);
    });
  });
  const factories = new Set<string>();
  each(root.factories, '/factories', factories, (item, at) => {
    owned(item, at);
    name(item.name, `${at}/name`);
  });
  each(root.devices, '/devices', new Set(), (item, at) => {
    owned(item, at);
    if (!factories.has(name(item.factory, `${at}/factory`))) fail(`${at}/factory`, 'names no factory of this file');
  });
  if (root.mappings !== undefined)
    each(root.mappings, '/mappings', new Set(), (item, at) => {
      owned(item, at);
      for (const member of ['name', 'class', 'format', 'documentDigest']) name(item[member], `${at}/${member}`);
    });
  return value as unknown as GenesisFile;
}

function accountKey(key: Fields, at: string, nodes: ReadonlySet<string>): void {
  name(key.keyId, `${at}/keyId`);
  if (typeof key.publicKey !== 'string' || !/^(?:[0-9a-f]{2}){1,128}$/.test(key.publicKey))
    fail(`${at}/publicKey`, 'must be lower-case hex');
  integer(key.suite, `${at}/suite`, 1, SUITE_MAX);
  oneOf(key.kind, ['own', 'custodial'], `${at}/kind`);
  if (key.kind === 'custodial' ? typeof key.node !== 'string' || !nodes.has(key.node) : key.node !== null)
    fail(`${at}/node`, 'must name a node of this file for a custodial key and be null for an own one');
  list(key.scope, `${at}/scope`).forEach((scope, i) => {
    name(scope, `${at}/scope/${i}`);
  });
  if (key.validTo !== null) integer(key.validTo, `${at}/validTo`, 0);
  if (typeof key.revoked !== 'boolean') fail(`${at}/revoked`, 'must be true or false');
}

function fail(at: string, problem: string): never {
  throw new DecodeError(`genesis ${at || '/'} ${problem}`);
}

function fields(value: Json | undefined, at: string): Fields {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return fail(at, 'must be an object');
  return value as Fields;
}

function list(value: Json | undefined, at: string): readonly Json[] {
  if (!Array.isArray(value)) return fail(at, 'must be a list');
  return value as readonly Json[];
}

/** A list of objects with ids of their own. */
function each(value: Json | undefined, at: string, ids: Set<string>, check: (item: Fields, at: string) => void): void {
  list(value, at).forEach((entry, i) => {
    const item = fields(entry, `${at}/${i}`);
    const id = name(item.id, `${at}/${i}/id`);
    if (ids.has(id)) fail(`${at}/${i}/id`, 'stands twice');
    ids.add(id);
    check(item, `${at}/${i}`);
  });
}

function name(value: Json | undefined, at: string, bytesMax = NAME_BYTES_MAX): string {
  if (typeof value !== 'string' || value === '') return fail(at, 'must be text');
  let bytes = 0;
  try {
    bytes = utf8(value).length;
  } catch {
    fail(at, 'holds an unpaired surrogate');
  }
  if (bytes > bytesMax) fail(at, `is longer than ${bytesMax} bytes`);
  return value;
}

function integer(value: Json | undefined, at: string, min: number, max: number = Number.MAX_SAFE_INTEGER): void {
  if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < min || value > max)
    fail(at, `must be a whole number from ${min} to ${max}`);
}

function oneOf(value: Json | undefined, allowed: readonly string[], at: string): void {
  if (typeof value !== 'string' || !allowed.includes(value)) fail(at, `must be one of ${allowed.join(', ')}`);
}

function publicKey(value: Json | undefined, at: string): void {
  if (typeof value !== 'string' || !/^[0-9a-f]{64}$/.test(value)) fail(at, 'must be 64 lower-case hex digits');
}
