/** A machine with one contract on it and a host in memory: what tests of the machine run methods against. */
import { encodeJson, fromUtf8, type Json, utf8 } from '../../../../node/format/index.ts';
import { ContractFailure, type Host, type QuickJsMachine, Tank } from '../../../../contracts/index.ts';
import { block, hash } from '../workbench.ts';

export interface Outcome {
  readonly result: Json | undefined;
  readonly code: string;
  readonly detail: Readonly<Record<string, unknown>>;
  readonly gasUsed: number;
}

export interface Stand {
  readonly rows: Map<string, Uint8Array>;
  readonly events: (readonly [string, Json])[];
  run(method: string, args?: readonly Json[], gasLimit?: number): Outcome;
}

export function stand(machine: QuickJsMachine, source: string): Stand {
  const code = utf8(source);
  const rows = new Map<string, Uint8Array>();
  const events: (readonly [string, Json])[] = [];
  const host: Host = {
    ...{ block, self: '0xself', caller: 'ann@acme', callIndex: 0, hash },
    transaction: { transactionId: new Uint8Array(32), index: 0, sender: 'ann@acme', keyId: 'k1', keyKind: 'own' },
    verify: () => false,
    get: (key) => rows.get(key),
    put: (key, value) => void rows.set(key, value),
    delete: (key) => void rows.delete(key),
    read: () => undefined,
    cached: (_question, find) => find(),
    callAt: () => {
      throw new Error('No body is kept here');
    },
    emit: (name, data) => void events.push([name, JSON.parse(fromUtf8(data)) as Json]),
    tell: () => undefined,
    call: () => {
      throw new ContractFailure('CONTRACT_UNKNOWN', { contract: 'none' });
    },
    gasLeft: Number.MAX_SAFE_INTEGER,
    useGas: () => undefined,
  };
  return {
    rows,
    events,
    run(method, args = [], gasLimit = 1_000_000_000) {
      const tank = new Tank(gasLimit);
      try {
        const bytes = machine.run(code, method, encodeJson(args), host, tank, false);
        return { result: JSON.parse(fromUtf8(bytes)) as Json, code: 'OK', detail: {}, gasUsed: tank.used };
      } catch (error) {
        if (!(error instanceof ContractFailure)) throw error;
        return { result: undefined, code: error.code, detail: error.detail, gasUsed: tank.used };
      }
    },
  };
}

/** A contract with one method per entry; `n` is its first argument. */
export function contractOf(bodies: Readonly<Record<string, string>>): string {
  const methods = Object.entries(bodies).map(([name, body]) => `${name}(ctx, n) { ${body} }`);
  return `contract({ events: { E: {} }, methods: { ${methods.join(',\n')} } });`;
}
