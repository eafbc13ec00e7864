/**
 * Rights, decided on chain state so that every node decides alike (DB53/T 1407-2025 6.1.4.c): an account has roles, a role has rights, and
 * what belongs to another organisation needs that organisation's grant on top. Passwords, tokens and step-up are the API's; what a key may
 * sign is the registry's.
 */
import { type ByteText, decodeJson, decodeJsonOnce } from '../../node/format/index.ts';
import { type BuiltinContract, ContractFailure, type Host } from '../types.ts';
import { answer, readArguments } from './arguments.ts';
import {
  accessKey,
  CONTRACT,
  deployedKey,
  type RegistryEntry,
  registryKey,
  type RegistryKind,
  registryKinds,
  type Right,
  rights,
} from './layout.ts';
import { GAS_PER_ENTRY_JSON_BYTE } from './pricing.ts';
import { nameProblem, organisationOf, TITLE_LENGTH_MAX, textOf } from './names.ts';
import { isWithin } from './validity.ts';

/** Reads any contract's space: `Host.read`, or a node's final state. */
export type Read = (contract: string, key: ByteText) => Uint8Array | undefined;

/** Every object of the granting organisation. */
export const ANY_OBJECT = '*';
export const ROLE_RIGHTS_MAX = 64;
/** Ends the name of a right that reaches no further than what the account wrote itself. */
const OWN = ':own';

/** The current entry, in whatever state it is; undefined when nothing was ever registered under the id. */
export function entryOf<K extends RegistryKind>(read: Read, kind: K, id: string): RegistryEntry<K> | undefined {
  const bytes = read(CONTRACT.registry, registryKey.entry(kind, id));
  return bytes && entryFrom<K>(bytes);
}

/** An entry as the registry wrote it; of which kind its key says. */
export function entryFrom<K extends RegistryKind>(bytes: Uint8Array): RegistryEntry<K> {
  return decodeJsonOnce(bytes) as unknown as RegistryEntry<K>;
}

/** True when the entry is active and, where a time is given (milliseconds since 1970, block time), inside its validity. */
export function isInForce(entry: Omit<RegistryEntry, 'data'> | undefined, atMs: number | undefined): boolean {
  if (entry?.state !== 'active') return false;
  return atMs === undefined || isWithin(entry, atMs);
}

/**
 * Whether `account` holds `right`, and may use it on `object`.
 * @param object `kind/id` of a registered thing, `contract/0x...`, or absent for rights that need none. Its owner's accounts need the right
 *   alone; accounts of others need a grant of the owner for (right, object) or (right, `*`). An unknown object gives false.
 * @param atMs block time; absent leaves validity periods and the end of grants out of account.
 */
export function may(read: Read, account: string, right: Right, object?: string, atMs?: number): boolean {
  const organisation = organisationOf(account);
  if (organisation === undefined) return false; // contracts have no rights of their own
  if (!isInForce(entryOf(read, 'organisation', organisation), atMs)) return false;
  const entry = entryOf(read, 'account', account);
  if (!entry || !isInForce(entry, atMs)) return false;
  if (!holdsRight(read, entry, right)) return false;
  if (object === undefined) return true;
  const owner = ownerOf(read, object);
  if (owner === undefined) return false;
  return owner === organisation || isGranted(read, owner, right, object, organisation, atMs);
}

/** Every right the account's roles give, in the order of `rights`. */
export function rightsOf(read: Read, account: string): readonly Right[] {
  const entry = entryOf(read, 'account', account);
  return entry ? rights.filter((right) => holdsRight(read, entry, right)) : [];
}

/** Rights of a role, or undefined when there is no such role. */
export function roleRights(read: Read, role: string): readonly string[] | undefined {
  const bytes = read(CONTRACT.access, accessKey.role(role));
  return bytes && (decodeJsonOnce(bytes) as readonly string[]);
}

/** Roles of the chain have plain names; `name@organisation` is a role of one organisation and counts for its accounts only. */
export function isRoleFor(role: string, organisation: string): boolean {
  const at = role.indexOf('@');
  return at < 0 || role.slice(at + 1) === organisation;
}

function holdsRight(read: Read, entry: RegistryEntry<'account'>, right: Right): boolean {
  const { roles } = entry.data;
  const wider = right.endsWith(OWN) ? right.slice(0, -OWN.length) : undefined;
  return roles.some((role) => {
    const held = isRoleFor(role, entry.owner) ? roleRights(read, role) : undefined;
    return held !== undefined && (held.includes('*') || held.includes(right) || (wider !== undefined && held.includes(wider)));
  });
}

function ownerOf(read: Read, object: string): string | undefined {
  const slash = object.indexOf('/');
  const kind = object.slice(0, slash);
  const id = object.slice(slash + 1);
  if (kind === 'contract') {
    if (!/^0x[0-9a-f]{40}$/.test(id)) return undefined;
    const bytes = read(CONTRACT.deployed, deployedKey.entry(id));
    const owner = bytes && textOf(decodeJson(bytes), 'owner');
    return owner === undefined ? undefined : (organisationOf(owner) ?? owner);
  }
  if (!(registryKinds as readonly string[]).includes(kind)) return undefined;
  return entryOf(read, kind as RegistryKind, id)?.owner;
}

/**
 * Whether the organisation `owner`, itself in force, has granted `right` on the object, or on all of its own, to the organisation
 * `grantee`.
 */
export function isGranted(read: Read, owner: string, right: Right, object: string, grantee: string, atMs: number | undefined): boolean {
  if (!isInForce(entryOf(read, 'organisation', owner), atMs)) return false;
  return [object, ANY_OBJECT].some((granted) => {
    const bytes = read(CONTRACT.access, accessKey.grant(owner, right, granted, grantee));
    if (!bytes) return false;
    const { until } = decodeJson(bytes) as { until: number | null };
    return atMs === undefined || isWithin({ validFrom: null, validTo: until }, atMs);
  });
}

/**
 * Refuses the call unless its caller holds the right.
 * @returns the caller's organisation.
 * @throws ContractFailure ACCESS_DENIED naming the missing right (6.2.4.b).
 */
export function requireRight(host: Host, right: Right, object?: string): string {
  const read: Read = (contract, key) => readThrough(host, contract, key);
  if (may(read, host.caller, right, object, host.block.timestampMs)) return organisationOf(host.caller)!;
  throw new ContractFailure('ACCESS_DENIED', { account: host.caller, right, ...(object === undefined ? {} : { object }) });
}

/**
 * The queries of a built-in contract, refused unless the account that asks, or signed the transaction, holds the right: a contract that
 * reads on somebody's behalf reads with that account's rights.
 * @throws ContractFailure ACCESS_DENIED, before anything that is asked for is looked at
 */
export function readableWith(right: Right, queries: BuiltinContract['queries'], judge: typeof may = may): BuiltinContract['queries'] {
  const guarded = Object.entries(queries).map(([name, query]) => [
    name,
    (host: Host, args: Uint8Array): Uint8Array => {
      const { sender } = host.transaction;
      if (!judge((contract, key) => readThrough(host, contract, key), sender, right, undefined, host.block.timestampMs))
        throw new ContractFailure('ACCESS_DENIED', { account: sender, right });
      return query(host, args);
    },
  ]);
  return Object.fromEntries(guarded);
}

/** A contract's own space by `get`, so that writes of this very call are seen; others' by `read`. */
export function readThrough(host: Host, contract: string, key: ByteText): Uint8Array | undefined {
  const bytes = contract === host.self ? host.get(key) : host.read(contract, key);
  if (bytes) host.useGas(GAS_PER_ENTRY_JSON_BYTE * bytes.length);
  return bytes;
}

const rightProblem = (text: string) => ((rights as readonly string[]).includes(text) ? undefined : 'is not a right of this chain');
const roleRightProblem = (text: string) => (text === '*' ? undefined : rightProblem(text));

function objectProblem(text: string): string | undefined {
  if (text === ANY_OBJECT) return undefined;
  if (text.length > TITLE_LENGTH_MAX || text.includes('\0'))
    return `must have at most ${TITLE_LENGTH_MAX} characters, none of them a control character`;
  return /^[a-z]+\/./.test(text) ? undefined : 'must be kind/id or *';
}

interface GrantTerms {
  readonly right: Right;
  readonly object: string;
  readonly organisation: string;
}

/** Reads and checks who is granted what; the caller's organisation must own the object. */
function grantTerms(host: Host, args: ReturnType<typeof readArguments>): GrantTerms & { readonly owner: string } {
  const right = args.text('right', rightProblem) as Right;
  const object = args.text('object', objectProblem);
  const organisation = args.text('organisation', nameProblem);
  args.finish();
  const owner = requireRight(host, 'registry:manage');
  if (object !== ANY_OBJECT && ownerOf((contract, key) => readThrough(host, contract, key), object) !== owner)
    throw new ContractFailure('ACCESS_OBJECT_FOREIGN', { object, organisation: owner });
  return { owner, right, object, organisation };
}

/** Lets another organisation use a right on an object of the caller's organisation. */
function grant(host: Host, bytes: Uint8Array): Uint8Array {
  const args = readArguments(bytes);
  const until = args.nullable('until', (name) => args.integer(name, 1, Number.MAX_SAFE_INTEGER));
  const { owner, right, object, organisation } = grantTerms(host, args);
  if (organisation === owner) throw new ContractFailure('ACCESS_GRANT_TO_SELF', { organisation });
  if (!entryOf((contract, key) => host.read(contract, key), 'organisation', organisation))
    throw new ContractFailure('REGISTRY_ENTRY_UNKNOWN', { kind: 'organisation', id: organisation });
  host.put(accessKey.grant(owner, right, object, organisation), answer({ until }));
  const granted = { owner, right, object, organisation, until };
  host.emit('granted', answer(granted));
  return answer(granted);
}

function revoke(host: Host, bytes: Uint8Array): Uint8Array {
  const { owner, right, object, organisation } = grantTerms(host, readArguments(bytes));
  const key = accessKey.grant(owner, right, object, organisation);
  if (!host.get(key)) throw new ContractFailure('ACCESS_GRANT_UNKNOWN', { right, object, organisation });
  host.delete(key);
  host.emit('revoked', answer({ owner, right, object, organisation }));
  return answer({ owner, right, object, organisation });
}

/**
 * Defines a role of the caller's organisation, `name@organisation`; an empty list of rights takes it away. The chain's own roles stay: they
 * belong to every organisation alike. An account can put only rights into a role that it holds itself.
 */
function setRole(host: Host, bytes: Uint8Array): Uint8Array {
  const args = readArguments(bytes);
  const role = args.text('role', (text) =>
    text.includes('@') ? nameProblem(text.slice(0, text.indexOf('@'))) : 'must be name@organisation',
  );
  const list = [...args.texts('rights', 0, ROLE_RIGHTS_MAX, roleRightProblem)].sort();
  args.finish();
  const organisation = requireRight(host, 'account:manage');
  if (role !== `${role.slice(0, role.indexOf('@'))}@${organisation}`)
    throw new ContractFailure('ACCESS_ROLE_FOREIGN', { role, organisation });
  requireHeld(host, list);
  if (list.length === 0) host.delete(accessKey.role(role));
  else host.put(accessKey.role(role), answer(list));
  host.emit('roleSet', answer({ role, rights: list }));
  return answer({ role, rights: list });
}

/** @throws ContractFailure ACCESS_ESCALATION when `list` holds a right the caller lacks. */
export function requireHeld(host: Host, list: readonly string[]): void {
  const held: readonly string[] = rightsOf((contract, key) => readThrough(host, contract, key), host.caller);
  const missing = (list.includes('*') ? rights : list).filter((right) => !held.includes(right));
  if (missing.length > 0) throw new ContractFailure('ACCESS_ESCALATION', { account: host.caller, missing });
}

/** `{account, right, object?}` -> `{may}`. */
function mayQuery(host: Host, bytes: Uint8Array): Uint8Array {
  const args = readArguments(bytes);
  const account = args.text('account');
  const right = args.text('right', rightProblem) as Right;
  const object = args.nullable('object', (name) => args.text(name)) ?? undefined;
  args.finish();
  return answer({ may: may((contract, key) => readThrough(host, contract, key), account, right, object, host.block.timestampMs) });
}

export const accessContract: BuiltinContract = {
  name: CONTRACT.access,
  methods: { grant, revoke, setRole },
  queries: readableWith('chain:read', { may: mayQuery }),
};
