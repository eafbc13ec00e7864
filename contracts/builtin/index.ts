/** The built-in contracts of the house: who takes part, who may what, what is decided, which logs are anchored. */
import type { BuiltinContract } from '../types.ts';
import { accessContract } from './access.ts';
import { auditContract } from './audit.ts';
import { createGovernanceContract } from './governance.ts';
import { pricedByArguments } from './pricing.ts';
import { type AcceptKey, createRegistryContract } from './registry.ts';

export * from './access.ts';
export * from './audit.ts';
export * from './configuration.ts';
export * from './genesis.ts';
export * from './governance.ts';
export * from './pricing.ts';
export * from './registry.ts';
export * from './registry-data.ts';
export { organisationOf } from './names.ts';

/** @param options.acceptKey says whether a public key (hex) of a suite may be registered; the node hands in its strict screen. */
export function createBuiltins(options: { readonly acceptKey: AcceptKey }): ReadonlyMap<string, BuiltinContract> {
  const contracts = [createRegistryContract(options), accessContract, createGovernanceContract(options), auditContract];
  return new Map(contracts.map((contract) => [contract.name, pricedByArguments(contract)]));
}
