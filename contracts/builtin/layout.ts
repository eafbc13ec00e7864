/**
 * Where the built-in contracts keep what, and the shape of it. Read by contracts/, node/ and api/; changed only with a new
 * executionVersion. Keys are ByteText inside the contract's own space (see stateKey). Values are canonical JSON unless said otherwise.
 */
import { type ByteText, type GenesisKey, type Json, type JsonObject, u32Text } from '../../node/format/index.ts';

export const CONTRACT = {
  records: 'records',
  registry: 'registry',
  access: 'access',
  governance: 'governance',
  audit: 'audit',
  deployed: 'contracts',
} as const;

// --- registry ---------------------------------------------------------------------------------------------------------------------

export const registryKinds = [
  'organisation',
  'node',
  'account',
  'factory',
  'device',
  'class',
  'mapping',
  'interface',
  'agreement',
  'authorisation',
  'document',
] as const;
export type RegistryKind = (typeof registryKinds)[number];

/** One form for every registered thing (design: api, "Registry entries"). Changed by transactions only, history kept. */
export interface RegistryEntry<K extends RegistryKind = RegistryKind> {
  readonly kind: K;
  readonly id: string;
  /** Organisation id. */
  readonly owner: string;
  /** From 1. */
  readonly version: number;
  readonly state: 'active' | 'suspended' | 'withdrawn';
  /** Milliseconds since 1970 by block time; absent bound is null, and `validTo` the first moment it no longer holds (validity.ts). */
  readonly validFrom: number | null;
  readonly validTo: number | null;
  readonly documentDigest: string | null;
  readonly data: EntryData[K];
}

/** `data` by kind. */
export interface EntryData extends Record<RegistryKind, JsonObject> {
  readonly organisation: { readonly name: string };
  readonly node: NodeData;
  readonly account: AccountData;
  readonly factory: { readonly name: string };
  readonly device: { readonly factory: string };
}

/** `data` of a node. Keys are 64 hex digits. */
export type NodeData = {
  /** libp2p identity, raw Ed25519. */
  readonly transportKey: string;
  /** Signs votes and seals. */
  readonly validatorKey: string;
  /** Signs access tokens. */
  readonly tokenKey: string;
  /** Signs for accounts whose key kind is custodial at this node. */
  readonly custodialKey: string;
  /** Multiaddrs without /p2p. */
  readonly addresses: readonly string[];
  readonly role: 'validator' | 'observer';
  readonly weight: number;
  /** Signature suite of the four keys; Ed25519 when absent. */
  readonly suite?: number;
};

/** A key of an account; the genesis file states it in the same form. */
export type AccountKey = GenesisKey;

/** `data` of an account, `name@organisation`. */
export type AccountData = {
  readonly type: 'person' | 'device' | 'service';
  readonly roles: readonly string[];
  readonly keys: readonly AccountKey[];
  /** Raised to revoke every token issued before. */
  readonly sessionEpoch: number;
};

export const registryKey = {
  /** Current entry. */
  entry: (kind: RegistryKind, id: string): ByteText => `e${kind}/${utf8Text(id)}`,
  entriesOf: (kind: RegistryKind): ByteText => `e${kind}/`,
  /** Every version. */
  version: (kind: RegistryKind, id: string, version: number): ByteText => `h${kind}/${utf8Text(id)}\0${u32Text(version)}`,
} as const;

// --- access -----------------------------------------------------------------------------------------------------------------------

/** Role -> rights, canonical JSON list of right names, `*` for all. */
export const accessKey = {
  role: (role: string): ByteText => `r${utf8Text(role)}`,
  roles: 'r' as ByteText,
  /** A grant by an organisation: (right, object) to another organisation; value `{until}`. */
  grant: (owner: string, right: string, object: string, grantee: string): ByteText =>
    `g${[owner, right, object, grantee].map(utf8Text).join('\0')}`,
} as const;

/**
 * Every right there is; a route and a contract method name one of these. `x:own` is `x` for what the account wrote itself, and whoever
 * holds `x` holds it too. `chain:read` shows blocks and transactions whole, with every record in them.
 */
export const rights = [
  'record:submit',
  'record:read',
  'record:read:own',
  'contract:deploy',
  'contract:call',
  'contract:manage',
  'transaction:submit',
  'chain:read',
  'chain:read:own',
  'node:read',
  'registry:manage',
  'account:manage',
  'governance:propose',
  'governance:vote',
  'alarm:read',
  'alarm:acknowledge',
  'audit:read',
  'metrics:read',
] as const;
export type Right = (typeof rights)[number];
/** A right that an account may hold for what it wrote itself only. */
export type OwnableRight = 'record:read' | 'chain:read';

/** Role of a node's own account, which anchors the head of its exchange log. */
export const NODE_ROLE = 'node';

/** Roles of the genesis state (6.1.4.c). */
export const genesisRoles: Readonly<Record<string, readonly string[]>> = {
  admin: ['*'],
  operator: [
    'record:submit',
    'record:read',
    'contract:deploy',
    'contract:call',
    'transaction:submit',
    'chain:read',
    'node:read',
    'alarm:read',
    'alarm:acknowledge',
  ],
  /** Reads what it wrote: a machine on a shop floor is easily lost, and must not be the door to everybody's records. */
  device: ['record:submit', 'record:read:own', 'transaction:submit', 'chain:read:own'],
  [NODE_ROLE]: ['transaction:submit', 'chain:read'],
  auditor: ['record:read', 'chain:read', 'node:read', 'alarm:read', 'audit:read', 'metrics:read'],
};

// --- governance -------------------------------------------------------------------------------------------------------------------

export const governanceKey = {
  /** Active chain parameters, object of name -> integer. */
  parameters: 'p' as ByteText,
  /** `{engine, executionVersion}`. */
  engine: 'e' as ByteText,
  /** Active validators, sorted list of `{node, publicKey, suite, weight}`: a copy of what the registry says, changed at barriers only. */
  validators: 'v' as ByteText,
  proposal: (id: string): ByteText => `q${id}`,
  proposals: 'q' as ByteText,
  /** Ids of proposals open for votes, in order, and the number of the last proposal: `{last, open}`. */
  counter: 'n' as ByteText,
  /** Ids of every organisation ever admitted, sorted; the entry of one says whether it is active. */
  organisations: 'o' as ByteText,
} as const;

// --- audit ------------------------------------------------------------------------------------------------------------------------

/** Heads of the nodes' exchange logs (design: api, "Exchange log"). */
export const auditKey = {
  /** Last anchor of a node: `{node, head, count, height, timestampMs}`. */
  last: (node: string): ByteText => `a${utf8Text(node)}`,
  lasts: 'a' as ByteText,
  /** Every anchor, by count. */
  anchor: (node: string, count: number): ByteText => auditKey.anchorsOf(node) + u32Text(count),
  anchorsOf: (node: string): ByteText => `h${utf8Text(node)}\0`,
} as const;

// --- records ----------------------------------------------------------------------------------------------------------------------
// Keys in the space of `records` (binary): one a version, and one a distinct value and block for each term.
//   'v' + recordId (32) + version u32                          -> RecordVersion, codec of node/format/record.ts
//   't' + termDigest(kind, values) (32)                        -> Term, codec of node/format/term.ts
//   't' + termDigest(kind, values) (32) + chunk u32            -> head of a full chunk, 32 bytes
//   's' + H(index, account, interface id) (32)                 -> `{time, seq}` of the last source so marked: incremental upload resumes there

export const recordKey = {
  version: (recordId: ByteText, version: number): ByteText => `v${recordId}${u32Text(version)}`,
  term: (termDigest: ByteText): ByteText => `t${termDigest}`,
  termChunk: (termDigest: ByteText, chunk: number): ByteText => `t${termDigest}${u32Text(chunk)}`,
  source: (indexDigest: ByteText): ByteText => `s${indexDigest}`,
} as const;

// --- deployed contracts ---------------------------------------------------------------------------------------------------------------
// In the space of `contracts`: 'c' + address -> DeployedContract; 'e' + address -> DeployedEntry; 'k' + codeDigest (hex) -> code bytes;
// 'n' -> DeployedTotals; 'i' + number (u32, from 0) -> address. A deployed contract's own data lives in the space named by its address.

export interface DeployedTotals {
  /** Contracts ever deployed. */
  readonly count: number;
  /** Memory of the images of all that are not terminated. */
  readonly imageBytes: number;
}

/** What a call and a list need of a contract: a row of its own, short whatever the contract says about itself. */
export interface DeployedEntry {
  /** For people; may be empty. */
  readonly name: string;
  /** `0x` and 40 hex digits. */
  readonly address: string;
  /** Organisation of the deployer. */
  readonly owner: string;
  readonly state: 'active' | 'paused' | 'terminated';
  /** From 1, raised by every change of the row. */
  readonly version: number;
  readonly language: string;
  /** Account. */
  readonly deployedBy: string;
  readonly deployedAt: number;
  /** Hex SHA-256 of the code bytes; of the heap image (bound to the bundle). */
  readonly codeDigest: string;
  readonly codeBytes: number;
  readonly imageDigest: string;
  readonly imageBytes: number;
  /** Gas that loading the code takes. */
  readonly loadGas: number;
}

/** Everything about a contract, its entry included. */
export interface DeployedContract extends DeployedEntry {
  /** Hex SHA-256 of the source, as the deployer states it. */
  readonly sourceDigest: string;
  readonly methods: readonly string[];
  readonly queries: readonly string[];
  /** Name -> what the contract says about the event's data. */
  readonly events: { readonly [name: string]: Json };
  /** Nodes whose signed attestation of this code came with the deploy transaction. */
  readonly attestedBy: readonly string[];
}

export const deployedKey = {
  contract: (address: string): ByteText => `c${address}`,
  contracts: 'c' as ByteText,
  entry: (address: string): ByteText => `e${address}`,
  entries: 'e' as ByteText,
  code: (codeDigest: string): ByteText => `k${codeDigest}`,
  totals: 'n' as ByteText,
  at: (number: number): ByteText => `i${u32Text(number)}`,
} as const;

/** UTF-8 bytes of an id as ByteText, so that any text can stand in a key. */
export function utf8Text(text: string): ByteText {
  let ascii = true;
  for (let i = 0; i < text.length; i++) if (text.charCodeAt(i) > 127) ascii = false;
  if (ascii) return text;
  return Array.from(new TextEncoder().encode(text), (byte) => String.fromCharCode(byte)).join('');
}
