/** What tests of execution share: a real machine, state in a map, and a chain that applies what transactions write. */
import { createHash } from 'node:crypto';
import { type Call, defaultParameters, encodeJson, fromUtf8, type Json, SUITE } from '../../../node/format/index.ts';
import {
  accessKey,
  type BlockContext,
  type BuiltinContract,
  type ChainView,
  CONTRACT,
  createContractMachine,
  createDeployedContract,
  type DeployedContractDeps,
  type Execution,
  type ExecutionDeps,
  executeTransaction,
  loadWasm,
  queryContract,
  type QueryOutcome,
  type QuickJsMachine,
  type RegistryEntry,
  registryKey,
  stateKey,
} from '../../../contracts/index.ts';

export const hash = (data: Uint8Array): Uint8Array => new Uint8Array(createHash('sha256').update(data).digest());

export async function newMachine(): Promise<QuickJsMachine> {
  return createContractMachine({ executionVersion: 1, wasm: await loadWasm(), hash });
}

export const json = (bytes: Uint8Array): Json => JSON.parse(fromUtf8(bytes)) as Json;
export const call = (contract: string, method: string, ...args: readonly Json[]): Call => ({ contract, method, args: encodeJson(args) });

export const block: BlockContext = {
  chainId: new Uint8Array(32),
  height: 7,
  timestampMs: 1_700_000_000_000,
  era: 0,
  parameters: defaultParameters(),
};

export interface ChainOptions {
  readonly machine: QuickJsMachine;
  readonly builtins?: readonly BuiltinContract[];
  readonly may?: DeployedContractDeps['may'];
  /** Who may call deployed contracts. */
  readonly callers?: readonly string[];
}

/** The register as far as calling a deployed contract asks it: who may, and that his organisation is in force. */
function registerCaller(state: Map<string, Uint8Array>, account: string): void {
  const organisation = account.slice(account.indexOf('@') + 1);
  const entry = (kind: RegistryEntry['kind'], id: string, data: Json): void => {
    const row = { id, kind, owner: organisation, state: 'active', version: 1, validFrom: null, validTo: null, data };
    state.set(stateKey(CONTRACT.registry, registryKey.entry(kind, id)), encodeJson(row));
  };
  entry('organisation', organisation, {});
  entry('account', account, { roles: ['caller'] });
  state.set(stateKey(CONTRACT.access, accessKey.role('caller')), encodeJson(['contract:call']));
}

/** A chain of one: executes, and applies the writes of what succeeded. */
export class Chain {
  readonly state = new Map<string, Uint8Array>();
  readonly view: ChainView = {
    get: (key) => this.state.get(key),
    transaction(): never {
      throw new Error('No body is kept here');
    },
  };
  readonly deps: ExecutionDeps;
  #transactions = 0;

  constructor(options: ChainOptions) {
    for (const account of options.callers ?? ['ann@acme']) registerCaller(this.state, account);
    const deployed = createDeployedContract({ may: options.may ?? (() => true), machine: options.machine });
    const builtins = [deployed, ...(options.builtins ?? [])];
    this.deps = {
      builtins: new Map(builtins.map((builtin) => [builtin.name, builtin])),
      machine: options.machine,
      hash,
      verify: (suite, publicKey, message, signature) =>
        suite === SUITE.ed25519 && Buffer.from(hash(Buffer.concat([publicKey, message]))).equals(signature), // keyed hash in place of a signature
    };
  }

  execute(calls: readonly Call[], options: { readonly sender?: string; readonly gasLimit?: number } = {}): Execution {
    const transactionId = hash(encodeJson(++this.#transactions));
    const { sender = 'ann@acme', gasLimit = 10_000_000_000 } = options;
    const tx = { transactionId, index: 0, sender, keyId: 'k1', keyKind: 'own', gasLimit, calls } as const;
    const execution = executeTransaction(tx, block, this.view, this.deps);
    for (const [key, value] of execution.writes) {
      if (value === undefined) this.state.delete(key);
      else this.state.set(key, value);
    }
    return execution;
  }

  query(contract: string, method: string, ...args: readonly Json[]): QueryOutcome {
    const query = { caller: 'ann@acme', contract, method, args: encodeJson(args), gasLimit: 1_000_000_000 };
    return queryContract(query, block, this.view, this.deps);
  }

  deploy(code: string): string {
    const execution = this.execute([call('contracts', 'deploy', { language: 'javascript', code, sourceDigest: '0'.repeat(64) })]);
    if (execution.status !== 'ok') throw new Error(`${execution.code} ${fromUtf8(execution.detail)}`);
    return (json(execution.results[0]!) as { readonly address: string }).address;
  }
}
