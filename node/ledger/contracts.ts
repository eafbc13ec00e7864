/**
 * Adapter: the contracts of this executionVersion, ready to run: built-ins and the metered machine. Made once per executor.
 *
 * The engine is compiled whole and optimised before it runs. By default V8 compiles a function at its first call, quickly and badly, and replaces
 * it some time later: the first calls after a start took five times what their gas pays for, too long for a view.
 */
import { setFlagsFromString } from 'node:v8';
import {
  type BuiltinContract,
  type ContractMachine,
  createBuiltins,
  createContractMachine,
  createDeployedContract,
  loadWasm,
  may,
  records,
} from '../../contracts/index.ts';
import { type Crypto, isAcceptableKey } from '../format/index.ts';

const ENGINE_FLAGS = ['--no-liftoff', '--no-wasm-lazy-compilation', '--no-wasm-tier-up', '--no-wasm-dynamic-tiering'] as const;

export async function createContracts(
  crypto: Pick<Crypto, 'hash'>,
  executionVersion: number,
): Promise<{ readonly builtins: ReadonlyMap<string, BuiltinContract>; readonly machine: ContractMachine }> {
  for (const flag of ENGINE_FLAGS) setFlagsFromString(flag); // before the engine is compiled, for the whole process
  const machine = await createContractMachine({ wasm: await loadWasm(), hash: crypto.hash, executionVersion });
  const builtins = new Map(createBuiltins({ acceptKey: isAcceptableKey }));
  const deployed = createDeployedContract({ may, machine });
  builtins.set(records.name, records);
  builtins.set(deployed.name, deployed);
  return { builtins, machine };
}
