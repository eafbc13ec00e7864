/** An in-memory chain for tests of built-in contracts: one state, calls that keep or drop their writes as a whole, nested calls, events. */
import { createHash } from 'node:crypto';
import { type BuiltinContract, ContractFailure, type Host, stateKey } from '../../../contracts/index.ts';
import { decodeJson, defaultParameters, encodeJson, type Json, toHex } from '../../../node/format/index.ts';

export interface Emitted {
  readonly contract: string;
  readonly name: string;
  readonly data: Json;
}

export class MemoryChain {
  readonly contracts: ReadonlyMap<string, BuiltinContract>;
  state: Map<string, Uint8Array>;
  events: Emitted[] = [];
  height = 1;
  timestampMs = 1_700_000_000_000;
  gasUsed = 0;
  #salt = 0;

  constructor(contracts: ReadonlyMap<string, BuiltinContract>, writes: Iterable<readonly [string, Uint8Array | undefined]> = []) {
    this.contracts = contracts;
    this.state = new Map();
    for (const [key, value] of writes) if (value) this.state.set(key, value);
  }

  /** Reads any contract's space, as a node reads its final state. */
  readonly read = (contract: string, key: string): Uint8Array | undefined => this.state.get(stateKey(contract, key));

  /** Runs one method as `sender`; a refusal leaves the state as it was. */
  call(sender: string, contract: string, method: string, args: Json): Json {
    const before = new Map(this.state);
    const eventCount = this.events.length;
    try {
      return decodeJson(this.#run('methods', sender, sender, contract, method, encodeJson(args)));
    } catch (error) {
      this.state = before;
      this.events.length = eventCount;
      throw error;
    }
  }

  /** Runs one query; anything it wrote is a fault of the query. */
  query(sender: string, contract: string, method: string, args: Json): Json {
    const size = this.state.size;
    const result = decodeJson(this.#run('queries', sender, sender, contract, method, encodeJson(args)));
    if (this.state.size !== size) throw new Error(`Query ${contract}.${method} changed the state`);
    return result;
  }

  #run(table: 'methods' | 'queries', sender: string, caller: string, contract: string, method: string, args: Uint8Array): Uint8Array {
    const run = this.contracts.get(contract)?.[table][method];
    if (!run) throw new Error(`There is no ${table} ${contract}.${method}`);
    return run(this.host(sender, caller, contract), args);
  }

  host(sender: string, caller: string, self: string): Host {
    const hash = (data: Uint8Array) => new Uint8Array(createHash('sha256').update(data).digest());
    return {
      block: { chainId: new Uint8Array(32), height: this.height, timestampMs: this.timestampMs, era: 0, parameters: defaultParameters() },
      transaction: { transactionId: hash(encodeJson(this.#salt++)), index: 0, sender, keyId: 'k', keyKind: 'own' },
      self,
      caller,
      callIndex: 0,
      hash,
      verify: () => false,
      get: (key) => this.state.get(stateKey(self, key)),
      put: (key, value) => this.state.set(stateKey(self, key), value),
      delete: (key) => this.state.delete(stateKey(self, key)),
      read: this.read,
      cached: (_question, find) => find(),
      callAt: () => {
        throw new Error('No body is kept here');
      },
      emit: (name, data) => this.events.push({ contract: self, name, data: decodeJson(data) }),
      tell: () => undefined,
      call: (contract, method, args) => this.#run('methods', sender, self, contract, method, args),
      gasLeft: Number.MAX_SAFE_INTEGER,
      useGas: (units) => {
        this.gasUsed += units;
      },
    };
  }

  /** Digest of the whole state, to see that two runs agree. */
  digest(): string {
    const hash = createHash('sha256');
    for (const key of [...this.state.keys()].sort()) hash.update(key, 'latin1').update('\0').update(this.state.get(key)!).update('\0');
    return toHex(new Uint8Array(hash.digest()));
  }
}

/** Code of the refusal that `run` ends with; throws when it ends otherwise. */
export function refusal(run: () => unknown): { readonly code: string; readonly detail: Readonly<Record<string, unknown>> } {
  try {
    run();
  } catch (error) {
    if (error instanceof ContractFailure) return { code: error.code, detail: error.detail };
    throw error;
  }
  throw new Error('The call was accepted where a refusal was expected');
}
