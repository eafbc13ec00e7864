/**
 * The state before the first block, from the genesis file: the same file gives the same writes on every node, in key order.
 * The reader of the file has checked its schema; rules that span several members are checked here.
 */
import {
  type ByteText,
  type ChainParameters,
  defaultParameters,
  type GenesisFile,
  isParameterName,
  isParameterValue,
  type Json,
  parameterTable,
  SUITE,
  validatorsFault,
} from '../../node/format/index.ts';
import { type StateWrites, stateKey } from '../types.ts';
import { builtinClass } from '../classes/index.ts';
import { answer } from './arguments.ts';
import { blockTimeFault, parametersContradict, sortValidators, type ValidatorRow, validatorRow } from './configuration.ts';
import { accessKey, CONTRACT, genesisRoles, governanceKey, type RegistryEntry } from './layout.ts';
import { type AcceptKey, entryRows, ID_PROBLEM } from './registry.ts';

/** The genesis file: what all replicas must agree on from the first block. */
export type Genesis = GenesisFile;

/** One thing that is wrong, at a place of the file. */
export interface GenesisFault {
  /** JSON Pointer (RFC 6901). */
  readonly pointer: string;
  readonly message: string;
  readonly given?: string | number;
}

/**
 * The judge of a genesis: everything wrong with it that its schema cannot see, which includes all that the contracts would refuse in a
 * transaction; empty when it can start a chain.
 * @param isNew true while the genesis is being made. One whose chain may run already cannot be changed: what governance can put right is no
 * fault there.
 */
export function genesisFaults(genesis: Genesis, acceptKey: AcceptKey, isNew = false): readonly GenesisFault[] {
  const faults: GenesisFault[] = [];
  const addFault = (pointer: string, message: string, given?: string | number): void => {
    faults.push(given === undefined ? { pointer, message } : { pointer, message, given });
  };
  for (const [name, value] of Object.entries(genesis.parameters)) parameterFaults(name, value, addFault);
  if (faults.length === 0) {
    // one out of its range fits no other
    const parameters = parametersIn(genesis);
    const contradiction = parametersContradict(parameters);
    if (contradiction) addFault('/parameters', contradiction);
    const slow = contradiction || !isNew ? undefined : blockTimeFault(parameters);
    if (slow)
      addFault('/parameters', `${slow}; ${parameters.blockGasMax} stands here or is the default: state a lower one, or longer views`);
  }
  const organisations = new Set(genesis.organisations.map(({ id }) => id));
  listFaults('organisation', genesis.organisations, organisations, addFault);
  listFaults('node', genesis.nodes, organisations, addFault);
  listFaults('account', genesis.accounts, organisations, addFault);
  listFaults('factory', genesis.factories, organisations, addFault);
  listFaults('device', genesis.devices, organisations, addFault);
  const mappings = genesis.mappings ?? [];
  listFaults('mapping', mappings, organisations, addFault);
  for (const [i, { class: name }] of mappings.entries())
    if (!builtinClass(name)) addFault(`/mappings/${i}/class`, 'is no built-in class', name);
  for (const name of ['transportKey', 'validatorKey', 'tokenKey', 'custodialKey'] as const) {
    const seen = new Set<string>();
    for (const [i, { [name]: key }] of genesis.nodes.entries()) {
      if (seen.has(key)) addFault(`/nodes/${i}/${name}`, TWICE, key);
      seen.add(key);
      if (!acceptKey(SUITE.ed25519, key)) addFault(`/nodes/${i}/${name}`, NO_KEY, key);
    }
  }
  const nodes = new Map([...genesis.nodes].reverse().map((node) => [node.id, node])); // of two with one id the first counts
  for (const [i, account] of genesis.accounts.entries()) accountFaults(account, nodes, `/accounts/${i}`, acceptKey, addFault);
  const ownerOf = new Map(genesis.factories.map(({ id, organisation }) => [id, organisation]));
  for (const [i, { factory, organisation }] of genesis.devices.entries()) {
    const owner = ownerOf.get(factory);
    if (owner === undefined) addFault(`/devices/${i}/factory`, 'names no factory of this file', factory);
    else if (owner !== organisation) addFault(`/devices/${i}/factory`, `names a factory of ${owner}, not of ${organisation}`, factory);
  }
  const engine = validatorsFault(genesis.engine, validatorsOf(genesis));
  if (engine) addFault('/nodes', engine);
  return faults;
}

type AddFault = (pointer: string, message: string, given?: string | number) => void;

const TWICE = 'stands there twice';
/** As the contracts say of a key that is registered later: a point of small order signs everything. */
const NO_KEY = 'is no sound Ed25519 public key';
const LISTS = {
  organisation: 'organisations',
  node: 'nodes',
  account: 'accounts',
  factory: 'factories',
  device: 'devices',
  mapping: 'mappings',
} as const;
export const PARAMETER_UNKNOWN = 'is not a chain parameter';

function parameterFaults(name: string, value: number, addFault: AddFault): void {
  if (!isParameterName(name)) {
    addFault(`/parameters/${name}`, PARAMETER_UNKNOWN);
    return;
  }
  const { min, max, unit } = parameterTable[name];
  if (!isParameterValue(name, value)) addFault(`/parameters/${name}`, `must lie from ${min} to ${max} ${unit}`, value);
}

function listFaults(
  kind: keyof typeof LISTS,
  entries: readonly { readonly id: string; readonly organisation?: string }[],
  organisations: ReadonlySet<string>,
  addFault: AddFault,
): void {
  const seen = new Set<string>();
  for (const [i, { id, organisation }] of entries.entries()) {
    const at = `/${LISTS[kind]}/${i}`;
    const problem = ID_PROBLEM[kind](id);
    if (problem) addFault(`${at}/id`, problem, id);
    if (seen.has(id)) addFault(`${at}/id`, TWICE, id);
    seen.add(id);
    if (organisation !== undefined && !organisations.has(organisation))
      addFault(`${at}/organisation`, 'names no organisation of this file', organisation);
  }
}

function accountFaults(
  account: Genesis['accounts'][number],
  nodes: ReadonlyMap<string, Genesis['nodes'][number]>,
  at: string,
  acceptKey: AcceptKey,
  addFault: AddFault,
): void {
  if (!account.id.endsWith(`@${account.organisation}`)) addFault(`${at}/id`, `must end in @${account.organisation}`, account.id);
  for (const [i, role] of account.roles.entries())
    if (!Object.hasOwn(genesisRoles, role)) addFault(`${at}/roles/${i}`, `must be one of ${Object.keys(genesisRoles).join(', ')}`, role);
  const keyIds = new Set<string>();
  for (const [i, key] of account.keys.entries()) {
    const keyAt = `${at}/keys/${i}`;
    if (keyIds.has(key.keyId)) addFault(`${keyAt}/keyId`, TWICE, key.keyId);
    keyIds.add(key.keyId);
    if (key.kind === 'own') {
      if (!acceptKey(key.suite, key.publicKey)) addFault(`${keyAt}/publicKey`, NO_KEY, key.publicKey);
      if (key.node !== null) addFault(`${keyAt}/node`, 'must be null for a key of kind own', key.node);
      continue;
    }
    const holder = nodes.get(key.node ?? '');
    if (holder === undefined) addFault(`${keyAt}/node`, 'names no node of this file', key.node ?? undefined);
    else if (holder.organisation !== account.organisation) addFault(`${keyAt}/node`, 'names a node of another organisation', holder.id);
    else if (holder.custodialKey !== key.publicKey) addFault(`${keyAt}/publicKey`, 'is not the custodialKey of that node');
  }
}

/** Keys include the contract's prefix. */
export function genesisWrites(genesis: Genesis): StateWrites {
  const rows: [ByteText, Uint8Array][] = [];
  const put = (contract: string, key: ByteText, value: unknown) => rows.push([stateKey(contract, key), answer(value)]);
  for (const entry of entriesOf(genesis)) for (const [key, bytes] of entryRows(entry)) rows.push([stateKey(CONTRACT.registry, key), bytes]);
  for (const [role, list] of Object.entries(genesisRoles)) put(CONTRACT.access, accessKey.role(role), [...list].sort());
  put(CONTRACT.governance, governanceKey.parameters, parametersIn(genesis));
  put(CONTRACT.governance, governanceKey.engine, { engine: genesis.engine, executionVersion: genesis.executionVersion });
  put(CONTRACT.governance, governanceKey.validators, validatorsOf(genesis));
  put(CONTRACT.governance, governanceKey.organisations, genesis.organisations.map((organisation) => organisation.id).sort());
  rows.sort((a, b) => (a[0] < b[0] ? -1 : 1));
  return new Map(rows);
}

export function parametersIn(genesis: Genesis): ChainParameters {
  return { ...defaultParameters(), ...genesis.parameters };
}

function validatorsOf(genesis: Genesis): readonly ValidatorRow[] {
  const rows = genesis.nodes.map((node) => validatorRow({ id: node.id, data: node }));
  return sortValidators(rows.filter((row) => row !== undefined));
}

function entriesOf(genesis: Genesis): readonly RegistryEntry[] {
  const entry = (
    kind: RegistryEntry['kind'],
    id: string,
    owner: string,
    data: { readonly [name: string]: unknown },
    documentDigest: string | null = null,
  ): RegistryEntry => ({
    kind,
    id,
    owner,
    version: 1,
    state: 'active',
    validFrom: null,
    validTo: null,
    documentDigest,
    data: data as { readonly [name: string]: Json },
  });
  return [
    ...genesis.organisations.map(({ id, name }) => entry('organisation', id, id, { name })),
    ...genesis.nodes.map(({ id, organisation, ...data }) => entry('node', id, organisation, { ...data })),
    ...genesis.accounts.map(({ id, organisation, type, roles, keys }) =>
      entry('account', id, organisation, { type, roles, keys, sessionEpoch: 1 }),
    ),
    ...genesis.factories.map(({ id, organisation, name }) => entry('factory', id, organisation, { name })),
    ...genesis.devices.map(({ id, organisation, factory }) => entry('device', id, organisation, { factory })),
    ...(genesis.mappings ?? []).map(({ id, organisation, documentDigest, ...data }) =>
      entry('mapping', id, organisation, { ...data }, documentDigest),
    ),
  ];
}
