/**
 * The state before the first block, from the genesis file: the same file gives the same writes on every node, in key order.
 * Whoever reads the file has checked its schema; what only the whole shows is checked here.
 */
import { type ByteText, type ChainParameters, defaultParameters, type GenesisFile, type Json } from '../../node/format/index.ts';
import { type StateWrites, stateKey } from '../types.ts';
import { answer } from './arguments.ts';
import { parametersFault, sortValidators, type ValidatorRow, validatorRow, validatorsFault } from './configuration.ts';
import { accessKey, CONTRACT, genesisRoles, governanceKey, type RegistryEntry } from './layout.ts';
import { entryRows, ID_PROBLEM } from './registry.ts';

/** The genesis file: what all replicas must agree on from the first block. */
export type Genesis = GenesisFile;

/** Everything wrong with a genesis that its schema cannot see; empty when it can start a chain. */
export function genesisFaults(genesis: Genesis): readonly string[] {
  const faults: string[] = [];
  const organisations = genesis.organisations.map((organisation) => organisation.id);
  const listed = (kind: keyof typeof ID_PROBLEM, entries: readonly { readonly id: string; readonly organisation?: string }[]) => {
    const seen = new Set<string>();
    for (const entry of entries) {
      const problem = ID_PROBLEM[kind](entry.id);
      if (problem) faults.push(`${kind} ${entry.id}: id ${problem}`);
      if (seen.has(entry.id)) faults.push(`${kind} ${entry.id}: is listed twice`);
      seen.add(entry.id);
      if (entry.organisation !== undefined && !organisations.includes(entry.organisation))
        faults.push(`${kind} ${entry.id}: there is no organisation ${entry.organisation}`);
      if (kind === 'account' && !entry.id.endsWith(`@${entry.organisation}`))
        faults.push(`account ${entry.id}: must end in @${entry.organisation}`);
    }
  };
  listed('organisation', genesis.organisations);
  listed('node', genesis.nodes);
  listed('account', genesis.accounts);
  listed('factory', genesis.factories);
  listed('device', genesis.devices);
  for (const account of genesis.accounts)
    for (const role of account.roles)
      if (!Object.hasOwn(genesisRoles, role)) faults.push(`account ${account.id}: there is no role ${role}`);
  for (const device of genesis.devices) {
    const factory = genesis.factories.find((candidate) => candidate.id === device.factory);
    if (factory?.organisation !== device.organisation)
      faults.push(`device ${device.id}: ${device.factory} is not a factory of ${device.organisation}`);
  }
  const fault = validatorsFault(genesis.engine, validatorsOf(genesis)) ?? parametersFault(parametersIn(genesis));
  if (fault) faults.push(fault);
  return faults;
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

function parametersIn(genesis: Genesis): ChainParameters {
  return { ...defaultParameters(), ...genesis.parameters };
}

function validatorsOf(genesis: Genesis): readonly ValidatorRow[] {
  const rows = genesis.nodes.map((node) => validatorRow({ id: node.id, data: node as unknown as RegistryEntry['data'] }));
  return sortValidators(rows.filter((row) => row !== undefined));
}

function entriesOf(genesis: Genesis): readonly RegistryEntry[] {
  const entry = (kind: RegistryEntry['kind'], id: string, owner: string, data: { readonly [name: string]: unknown }): RegistryEntry => ({
    kind,
    id,
    owner,
    version: 1,
    state: 'active',
    validFrom: null,
    validTo: null,
    documentDigest: null,
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
  ];
}
