/** Adapter: the contracts of this executionVersion, ready to run: built-ins and the metered machine. Made once per executor. */
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
import { type Crypto, fromHex, SUITE } from '../format/index.ts';
import { isAcceptablePublicKey } from '../crypto/index.ts';

export async function createContracts(
  crypto: Pick<Crypto, 'hash'>,
  executionVersion: number,
): Promise<{ readonly builtins: ReadonlyMap<string, BuiltinContract>; readonly machine: ContractMachine }> {
  const machine = await createContractMachine({ wasm: await loadWasm(), hash: crypto.hash, executionVersion });
  const builtins = new Map(
    createBuiltins({ acceptKey: (suite, publicKey) => suite === SUITE.ed25519 && isAcceptablePublicKey(fromHex(publicKey)) }),
  );
  const deployed = createDeployedContract({ may, machine });
  builtins.set(records.name, records);
  builtins.set(deployed.name, deployed);
  return { builtins, machine };
}
