/** The built-in contracts of a network's members: registry, access, governance and audit. */
import type { BuiltinContract } from '../types.ts';
import { accessContract } from './access.ts';
import { auditContract } from './audit.ts';
import { createGovernanceContract } from './governance.ts';
import { pricedByArguments } from './pricing.ts';
import { type AcceptKey, createRegistryContract } from './registry.ts';

export { entryFrom, entryOf, isInForce, may, type Read, rightsOf } from './access.ts';
export { anchoredHead } from './audit.ts';
export { blockGasOfView, blockTimeFault, configurationOf, parametersOf, viewOfBlockGas } from './configuration.ts';
export { type Genesis, genesisFaults, genesisWrites, PARAMETER_UNKNOWN, parametersIn } from './genesis.ts';
export { isMajority, type Proposal } from './governance.ts';
export { GAS_PER_ENTRY_JSON_BYTE } from './pricing.ts';
export { dataReaders, ENTRY_DATA_BYTES_MAX } from './registry-data.ts';
export { createDeployedContract, type DeployedContractDeps } from './deployed.ts';
export {
  accessKey,
  type AccountData,
  type AccountKey,
  auditKey,
  CONTRACT,
  type DeployedContract,
  type DeployedEntry,
  deployedKey,
  genesisRoles,
  governanceKey,
  NODE_ROLE,
  type NodeData,
  type OwnableRight,
  recordKey,
  type RegistryEntry,
  registryKey,
  type RegistryKind,
  registryKinds,
  type Right,
  rights,
  utf8Text,
} from './layout.ts';
export {
  Asked,
  classAt,
  GAS_PER_CLASS_BYTE,
  keyConflict,
  loadClass,
  mappingFaults,
  ownershipFaults,
  type Reading,
  seesRecord,
  twinConflict,
} from './records-checks.ts';
export { currentVersion, readVersion } from './records-versions.ts';
export { recordGas, records, treeGas } from './records.ts';
export { isWithin } from './validity.ts';

/** @param options.acceptKey says whether a public key (hex) of a suite may be registered; the node hands in its strict screen. */
export function createBuiltins(options: { readonly acceptKey: AcceptKey }): ReadonlyMap<string, BuiltinContract> {
  const contracts = [createRegistryContract(options), accessContract, createGovernanceContract(options), auditContract];
  return new Map(contracts.map((contract) => [contract.name, pricedByArguments(contract)]));
}
