/**
 * The register of who and what takes part: organisations, nodes, accounts with their keys, and the entries of registry-data.ts (design:
 * api, "Registry entries"). An organisation's administrators keep its own entries; organisations and nodes change by governance only. Every
 * change is a transaction and every version stays readable.
 */
import { type ByteText, decodeJson, type Json, SUITE } from '../../node/format/index.ts';
import { type BuiltinContract, ContractFailure, type Host } from '../types.ts';
import { entryOf, isRoleFor, type Read, readableWith, readThrough, requireHeld, requireRight, roleRights } from './access.ts';
import { type Arguments, answer, readArguments } from './arguments.ts';
import {
  type AccountData,
  type AccountKey,
  CONTRACT,
  type NodeData,
  type RegistryEntry,
  registryKey,
  registryKinds,
  type Right,
} from './layout.ts';
import { accountProblem, addressProblem, foreignIdProblem, hex32Problem, nameProblem } from './names.ts';
import { type DataChange, dataReaders } from './registry-data.ts';

/** True for a public key that may be registered: well formed for its suite and, for Ed25519, without torsion. */
export type AcceptKey = (suite: number, publicKey: string) => boolean;

/** Keys an account may ever have had; revoked ones count, because receipts go on naming them. */
export const ACCOUNT_KEYS_MAX = 64;
export const ACCOUNT_ROLES_MAX = 16;
export const KEY_SCOPE_MAX = 32;
export const NODE_ADDRESSES_MAX = 8;
export const NODE_WEIGHT_MAX = 1_000;
/** Gas of screening one key: a scalar multiplication of the reference library, about 1.5 ms (test/bench/gas-calibrate.ts). */
export const KEY_SCREEN_GAS = 80_000_000;

/** Kinds an organisation keeps for itself, and the right each change takes. */
const OWN_KINDS = {
  account: 'account:manage',
  factory: 'registry:manage',
  device: 'registry:manage',
  class: 'registry:manage',
  mapping: 'registry:manage',
  interface: 'registry:manage',
  agreement: 'registry:manage',
  authorisation: 'registry:manage',
  document: 'registry:manage',
} as const satisfies Record<string, Right>;
type OwnKind = keyof typeof OWN_KINDS;
const OWN_KIND_NAMES = Object.keys(OWN_KINDS) as OwnKind[];

export const ID_PROBLEM: Readonly<Record<'organisation' | 'node' | OwnKind, (id: string) => string | undefined>> = {
  organisation: nameProblem,
  node: nameProblem,
  account: accountProblem,
  factory: foreignIdProblem,
  device: foreignIdProblem,
  class: foreignIdProblem, // its definition says more
  mapping: foreignIdProblem,
  interface: foreignIdProblem,
  agreement: foreignIdProblem,
  authorisation: foreignIdProblem,
  document: foreignIdProblem,
};

const ACCOUNT_TYPES = ['person', 'device', 'service'] as const;
const TIME_MAX = Number.MAX_SAFE_INTEGER;

export function createRegistryContract(options: { readonly acceptKey: AcceptKey }): BuiltinContract {
  const { acceptKey } = options;
  const method = (change: Change) => (host: Host, bytes: Uint8Array) => answer(change(host, readArguments(bytes), acceptKey));
  return {
    name: CONTRACT.registry,
    methods: {
      register: method(register),
      update: method(update),
      suspend: method((host, args) => changeState(host, args, 'suspended')),
      resume: method((host, args) => changeState(host, args, 'active')),
      withdraw: method((host, args) => changeState(host, args, 'withdrawn')),
      addKey: method(addKey),
      revokeKey: method(revokeKey),
      raiseSessionEpoch: method(raiseSessionEpoch),
      put: putByGovernance,
    },
    queries: readableWith('chain:read', { get: getQuery, version: versionQuery }),
  };
}

type Change = (host: Host, args: Arguments, acceptKey: AcceptKey) => unknown;

/**
 * `{kind, id, data, validFrom?, validTo?, documentDigest?}` -> the entry. The owner is the caller's organisation; ids are never used twice.
 */
function register(host: Host, args: Arguments, acceptKey: AcceptKey): RegistryEntry {
  const kind = args.oneOf('kind', OWN_KIND_NAMES);
  args.stopIfFaulty();
  const id = args.text('id', ID_PROBLEM[kind]);
  const terms = readTerms(args);
  const organisation = requireRight(host, OWN_KINDS[kind]);
  const data = readData(host, kind, args, { id, organisation, documentDigest: terms.documentDigest, before: undefined }, acceptKey);
  if (kind === 'account' && !id.endsWith(`@${organisation}`)) args.fault('id', `must end in @${organisation}`);
  args.finish();
  if (entryOf(readOf(host), kind, id)) throw new ContractFailure('REGISTRY_ENTRY_KNOWN', { kind, id });
  return save(host, { kind, id, owner: organisation, version: 0, state: 'active', ...terms, data });
}

/** `{kind, id, version, data, ...}`: replaces data and terms of the version named; keys of an account change by their own methods. */
function update(host: Host, args: Arguments, acceptKey: AcceptKey): RegistryEntry {
  const { entry, organisation } = ownEntry(host, args);
  const version = args.integer('version', 1, TIME_MAX);
  const terms = readTerms(args);
  const change = { id: entry.id, organisation, documentDigest: terms.documentDigest, before: entry };
  const data = readData(host, entry.kind as OwnKind, args, change, acceptKey);
  if (entry.id === host.caller) args.fault('id', 'is your own account: another administrator must change it');
  args.finish();
  if (version !== entry.version)
    throw new ContractFailure('REGISTRY_VERSION_MOVED', { kind: entry.kind, id: entry.id, version, currentVersion: entry.version });
  return save(host, { ...entry, ...terms, data });
}

function changeState(host: Host, args: Arguments, state: RegistryEntry['state']): RegistryEntry {
  const { entry } = ownEntry(host, args);
  if (entry.id === host.caller) args.fault('id', 'is your own account: another administrator must change it');
  args.finish();
  if (entry.state === state) throw new ContractFailure('REGISTRY_STATE_UNCHANGED', { kind: entry.kind, id: entry.id, state });
  return save(host, { ...entry, state });
}

/** `{id, key}` -> the account. */
function addKey(host: Host, args: Arguments, acceptKey: AcceptKey): RegistryEntry {
  const { entry, organisation } = ownEntry(host, args, 'account');
  const key = readKey(host, args.object('key'), organisation, acceptKey);
  const { data } = entry;
  if (data.keys.some((held) => held.keyId === key.keyId)) args.fault('key/keyId', 'was given to a key of this account before');
  if (data.keys.length >= ACCOUNT_KEYS_MAX) args.fault('key', `is one more than the ${ACCOUNT_KEYS_MAX} an account may have had`);
  args.finish();
  return save(host, withAccount(entry, { ...data, keys: [...data.keys, key] }));
}

/** `{id, keyId}` -> the account. The account itself may revoke its keys: who has lost one must not wait for an administrator. */
function revokeKey(host: Host, args: Arguments): RegistryEntry {
  const { entry } = ownEntry(host, args, 'account', true);
  const keyId = args.text('keyId');
  args.finish();
  const { data } = entry;
  if (!data.keys.some((key) => key.keyId === keyId && !key.revoked))
    throw new ContractFailure('REGISTRY_KEY_UNKNOWN', { account: entry.id, keyId });
  return save(host, withAccount(entry, { ...data, keys: data.keys.map((key) => (key.keyId === keyId ? { ...key, revoked: true } : key)) }));
}

/** `{id}` -> the account: every token issued before is void on every node. By the account itself or an administrator. */
function raiseSessionEpoch(host: Host, args: Arguments): RegistryEntry {
  const { entry } = ownEntry(host, args, 'account', true);
  args.finish();
  const { data } = entry;
  return save(host, withAccount(entry, { ...data, sessionEpoch: data.sessionEpoch + 1 }));
}

/** Finds the entry that `{kind, id}` name, or `{id}` where the kind is fixed, and refuses callers of other organisations. */
function ownEntry<K extends OwnKind = OwnKind>(
  host: Host,
  args: Arguments,
  fixed?: K,
  selfAllowed = false,
): { entry: RegistryEntry<K>; organisation: string } {
  const kind = fixed ?? (args.oneOf('kind', OWN_KIND_NAMES) as K);
  const id = args.text('id');
  args.stopIfFaulty();
  const entry = entryOf(readOf(host), kind, id);
  const own = selfAllowed && entry !== undefined && id === host.caller && entry.state === 'active';
  const organisation = own ? entry.owner : requireRight(host, OWN_KINDS[kind]);
  if (!entry) throw new ContractFailure('REGISTRY_ENTRY_UNKNOWN', { kind, id });
  if (entry.owner !== organisation) throw new ContractFailure('REGISTRY_ENTRY_FOREIGN', { kind, id, owner: entry.owner });
  if (entry.state === 'withdrawn') throw new ContractFailure('REGISTRY_ENTRY_WITHDRAWN', { kind, id });
  // A key put into a stronger account would be that account.
  if (kind === 'account' && !own) requireHeld(host, rolesHold(host, (entry as RegistryEntry<'account'>).data.roles, organisation));
  return { entry, organisation };
}

function readTerms(args: Arguments): Pick<RegistryEntry, 'validFrom' | 'validTo' | 'documentDigest'> {
  const validFrom = args.nullable('validFrom', (name) => args.integer(name, 0, TIME_MAX));
  const validTo = args.nullable('validTo', (name) => args.integer(name, 0, TIME_MAX));
  if (validFrom !== null && validTo !== null && validFrom >= validTo) args.fault('validTo', 'must lie after validFrom');
  return { validFrom, validTo, documentDigest: args.nullable('documentDigest', (name) => args.text(name, hex32Problem)) };
}

function readData(host: Host, kind: OwnKind, args: Arguments, change: DataChange, acceptKey: AcceptKey): RegistryEntry['data'] {
  if (kind !== 'account') return dataReaders[kind](host, readOf(host), args, change);
  return readAccount(host, args.object('data'), change.organisation, acceptKey, change.before as RegistryEntry<'account'> | undefined);
}

function readAccount(
  host: Host,
  data: Arguments,
  organisation: string,
  acceptKey: AcceptKey,
  before: RegistryEntry<'account'> | undefined,
): AccountData {
  const type = data.oneOf('type', ACCOUNT_TYPES);
  const roles = data.texts('roles', 0, ACCOUNT_ROLES_MAX, (role) =>
    isRoleFor(role, organisation) && roleRights(readOf(host), role) ? undefined : 'is not a role of the chain or of your organisation',
  );
  requireHeld(host, rolesHold(host, roles, organisation));
  if (before) {
    const held = before.data;
    return { type, roles, keys: held.keys, sessionEpoch: held.sessionEpoch };
  }
  const keys = data.objects('keys', 0, ACCOUNT_KEYS_MAX).map((key) => readKey(host, key, organisation, acceptKey));
  if (new Set(keys.map((key) => key.keyId)).size !== keys.length) data.fault('keys', 'hold one keyId twice');
  return { type, roles, keys, sessionEpoch: 1 };
}

/**
 * `{keyId, publicKey, kind, node?, scope, validTo?, suite?}`; a custodial key is that of a node of the same organisation, a registered one
 * unless `custodialKeyOf` knows it.
 */
export function readKey(
  host: Host,
  key: Arguments,
  organisation: string,
  acceptKey: AcceptKey,
  custodialKeyOf: (node: string) => Json | undefined = (node) => registeredCustodialKey(host, organisation, node),
): AccountKey {
  const kind = key.oneOf('kind', ['own', 'custodial']);
  const keyId = key.text('keyId', nameProblem);
  const suite = key.nullable('suite', (name) => key.integer(name, 1, 255)) ?? SUITE.ed25519;
  const publicKey = key.text('publicKey', hex32Problem);
  const node = key.nullable('node', (name) => key.text(name));
  const scope = key.texts('scope', 1, KEY_SCOPE_MAX, (contract) =>
    contract === '*' || /^[0-9a-z]{1,42}$/.test(contract) ? undefined : 'is not a contract or *',
  );
  const validTo = key.nullable('validTo', (name) => key.integer(name, 1, TIME_MAX));
  if (hex32Problem(publicKey) === undefined) {
    host.useGas(KEY_SCREEN_GAS);
    if (!acceptKey(suite, publicKey)) key.fault('publicKey', 'is not an acceptable public key of its suite');
  }
  if (kind === 'own' && node !== null) key.fault('node', 'belongs to custodial keys only');
  if (kind === 'custodial') {
    const custodialKey = custodialKeyOf(node ?? '');
    if (custodialKey === undefined) key.fault('node', 'is not an active node of the organisation');
    else if (custodialKey !== publicKey) key.fault('publicKey', 'is not the custodial key of that node');
  }
  return { keyId, publicKey, suite, kind, node, scope, validTo, revoked: false };
}

function registeredCustodialKey(host: Host, organisation: string, node: string): Json | undefined {
  const entry = entryOf(readOf(host), 'node', node);
  return entry?.owner === organisation && entry.state === 'active' ? entry.data.custodialKey : undefined;
}

/** A public key of a node, screened. */
export function readNodeKey(host: Host, data: Arguments, name: string, suite: number, acceptKey: AcceptKey): string {
  const publicKey = data.text(name, hex32Problem);
  if (hex32Problem(publicKey) === undefined) {
    host.useGas(KEY_SCREEN_GAS);
    if (!acceptKey(suite, publicKey)) data.fault(name, 'is not an acceptable public key');
  }
  return publicKey;
}

/** The facts of a node as governance admits it. */
export function readNode(host: Host, data: Arguments, acceptKey: AcceptKey): NodeData {
  const suite = data.nullable('suite', (name) => data.integer(name, 1, 255));
  const key = (name: string): string => readNodeKey(host, data, name, suite ?? SUITE.ed25519, acceptKey);
  const keys = {
    transportKey: key('transportKey'),
    validatorKey: key('validatorKey'),
    tokenKey: key('tokenKey'),
    custodialKey: key('custodialKey'),
  };
  if (new Set(Object.values(keys)).size !== 4) data.fault('validatorKey', 'must differ from the other keys of the node');
  const addresses = data.texts('addresses', 1, NODE_ADDRESSES_MAX, addressProblem);
  const role = data.oneOf('role', ['validator', 'observer']);
  const weight = data.integer('weight', 1, NODE_WEIGHT_MAX);
  return { ...keys, addresses, role, weight, ...(suite === null ? {} : { suite }) };
}

/** Stores entries that governance decided on. Not callable by anyone else. `{entries: [entry without version]}`. */
function putByGovernance(host: Host, bytes: Uint8Array): Uint8Array {
  if (host.caller !== CONTRACT.governance) throw new ContractFailure('REGISTRY_GOVERNANCE_ONLY', { caller: host.caller });
  const { entries } = decodeJson(bytes) as unknown as { entries: readonly RegistryEntry[] };
  return answer(
    entries
      .map((entry) => save(host, { ...entry, version: entryOf(readOf(host), entry.kind, entry.id)?.version ?? 0 }))
      .map((entry) => entry.id),
  );
}

/** Writes the next version of an entry, current and history row. */
function save(host: Host, entry: RegistryEntry): RegistryEntry {
  const next = { ...entry, version: entry.version + 1 };
  for (const [key, value] of entryRows(next)) host.put(key, value);
  host.emit('entryChanged', answer({ kind: next.kind, id: next.id, owner: next.owner, version: next.version, state: next.state }));
  return next;
}

/** The rows one version of an entry takes in the registry's space. */
export function entryRows(entry: RegistryEntry): readonly (readonly [ByteText, Uint8Array])[] {
  const bytes = answer(entry);
  return [
    [registryKey.entry(entry.kind, entry.id), bytes],
    [registryKey.version(entry.kind, entry.id, entry.version), bytes],
  ];
}

function rolesHold(host: Host, roles: readonly string[], organisation: string): readonly string[] {
  return roles.flatMap((role) => (isRoleFor(role, organisation) ? (roleRights(readOf(host), role) ?? []) : []));
}

function withAccount(entry: RegistryEntry<'account'>, data: AccountData): RegistryEntry<'account'> {
  return { ...entry, data };
}

function readOf(host: Host): Read {
  return (contract, key) => readThrough(host, contract, key);
}

/** `{kind, id}` -> the current entry. */
function getQuery(host: Host, bytes: Uint8Array): Uint8Array {
  const args = readArguments(bytes);
  const kind = args.oneOf('kind', registryKinds);
  const id = args.text('id');
  args.finish();
  const entry = entryOf(readOf(host), kind, id);
  if (!entry) throw new ContractFailure('REGISTRY_ENTRY_UNKNOWN', { kind, id });
  return answer(entry);
}

/** `{kind, id, version}` -> that version. */
function versionQuery(host: Host, bytes: Uint8Array): Uint8Array {
  const args = readArguments(bytes);
  const kind = args.oneOf('kind', registryKinds);
  const id = args.text('id');
  const version = args.integer('version', 1, 0xffff_ffff);
  args.finish();
  const entry = host.get(registryKey.version(kind, id, version));
  if (!entry) throw new ContractFailure('REGISTRY_ENTRY_UNKNOWN', { kind, id, version });
  return entry;
}
