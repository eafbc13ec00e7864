/** A chain of one for timing gas: the real contracts, keys and signatures, state in a map, transactions that leave it as it was. */
import { generateKeyPairSync, sign } from 'node:crypto';
import { type BuiltinContract, type Execution, executeTransaction, type Genesis, genesisWrites } from '../../../contracts/index.ts';
import { createCrypto } from '../../../node/crypto/index.ts';
import { type Call, type Crypto, defaultParameters, encodeJson, fromUtf8, type Json, toHex } from '../../../node/format/index.ts';
import { createContracts } from '../../../node/ledger/contracts.ts';

export const ORGANISATIONS = ['acme', 'bolt', 'cast', 'dent'] as const;
export const ADMIN = 'admin@acme';
const GAS_LIMIT = 10_000_000_000;
const NO_BODY = new Uint8Array(0); // no method that is measured reads one
const TIME_MS = 1_767_225_600_000;

export interface KeyPair {
  readonly publicKey: Uint8Array;
  readonly hex: string;
  sign(message: Uint8Array): Uint8Array;
}

export function newKey(): KeyPair {
  const { publicKey, privateKey } = generateKeyPairSync('ed25519');
  const raw = new Uint8Array(publicKey.export({ type: 'spki', format: 'der' }).subarray(-32));
  return { publicKey: raw, hex: toHex(raw), sign: (message) => new Uint8Array(sign(null, message, privateKey)) };
}

export function newNode(index: number) {
  return {
    transportKey: newKey().hex,
    validatorKey: newKey().hex,
    tokenKey: newKey().hex,
    custodialKey: newKey().hex,
    addresses: [`/ip4/127.0.0.1/tcp/${4000 + index}`],
    role: 'validator' as const,
    weight: 1,
  };
}

export const call = (contract: string, method: string, args: Json): Call => ({ contract, method, args: encodeJson(args) });

export class GasStand {
  readonly crypto: Crypto;
  readonly state: Map<string, Uint8Array>;
  /** Bytes of a transaction of an earlier block. */
  transaction: (height: number, index: number) => Uint8Array = () => NO_BODY;
  readonly #contracts: Awaited<ReturnType<typeof createContracts>>;
  #transactions = 0;

  private constructor(crypto: Crypto, contracts: Awaited<ReturnType<typeof createContracts>>) {
    this.crypto = crypto;
    this.#contracts = contracts;
    this.state = new Map([...genesisWrites(genesis())].flatMap(([key, value]) => (value ? [[key, value] as const] : [])));
  }

  static async open(extra: readonly BuiltinContract[] = []): Promise<GasStand> {
    const crypto = createCrypto();
    const { builtins, machine } = await createContracts(crypto, 1);
    return new GasStand(crypto, {
      machine,
      builtins: new Map([...builtins, ...extra.map((contract) => [contract.name, contract] as const)]),
    });
  }

  /** Runs a transaction and forgets what it wrote. */
  run(sender: string, calls: readonly Call[], gasLimit = GAS_LIMIT): Execution {
    const transactionId = this.crypto.hash(encodeJson(++this.#transactions));
    const transaction = { transactionId, index: 0, sender, keyId: 'k', keyKind: 'own', gasLimit, calls } as const;
    const block = { chainId: new Uint8Array(32), height: 7, timestampMs: TIME_MS, era: 0, parameters: defaultParameters() };
    const { hash, verify } = this.crypto;
    return executeTransaction(
      transaction,
      block,
      { get: (key) => this.state.get(key), transaction: this.transaction },
      { ...this.#contracts, hash, verify },
    );
  }

  /** Runs a transaction that must succeed and keeps what it wrote. */
  keep(sender: string, calls: readonly Call[]): Execution {
    const execution = this.run(sender, calls);
    if (execution.status !== 'ok') throw new Error(`${execution.code} ${fromUtf8(execution.detail).slice(0, 400)}`);
    for (const [key, value] of execution.writes) {
      if (value === undefined) this.state.delete(key);
      else this.state.set(key, value);
    }
    return execution;
  }
}

function genesis(): Genesis {
  const key = {
    keyId: 'k',
    publicKey: newKey().hex,
    suite: 1,
    kind: 'own' as const,
    node: null,
    scope: ['*'],
    validTo: null,
    revoked: false,
  };
  return {
    version: 1,
    name: 'gas',
    timestampMs: TIME_MS,
    engine: 'pbft',
    executionVersion: 1,
    parameters: {},
    organisations: ORGANISATIONS.map((id) => ({ id, name: id })),
    nodes: ORGANISATIONS.map((organisation, i) => ({ id: `n-${organisation}`, organisation, ...newNode(i) })),
    accounts: ORGANISATIONS.map((organisation) => ({
      ...{ id: `admin@${organisation}`, organisation, type: 'person' as const, roles: ['admin'], keys: [key] },
    })),
    factories: [{ id: 'F-001', organisation: 'acme', name: 'Works' }],
    devices: [{ id: 'D-1', organisation: 'acme', factory: 'F-001' }],
  };
}
