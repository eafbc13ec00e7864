/** A chain of records alone, for tests of the built-in contract `records`: its state, its accounts, and what the node says before it signs. */
import assert from 'node:assert/strict';
import { records } from '../../../../contracts/builtin/records.ts';
import { accessKey, genesisRoles, recordKey, type RegistryKind, registryKey } from '../../../../contracts/builtin/layout.ts';
import { ContractFailure, type Host } from '../../../../contracts/types.ts';
import { builtinClasses } from '../../../../contracts/classes/index.ts';
import {
  type ByteText,
  type Call,
  decodeJson,
  decodeRecordResults,
  defaultParameters,
  encodeContent,
  encodeJson,
  encodeSubmissions,
  isRecordResults,
  type Json,
  presentRecordResult,
  receiptEvents,
  type ReceiptPlace,
  type Submission,
  type TextStruct,
  toByteText,
  decodeTerm,
  type TermEntry,
  termDigest,
  termFault,
  type TermKind,
} from '../../../../node/format/index.ts';
import { isErrorCode } from '../../../../node/errors/index.ts';
import { checkRows } from '../../node/records/checked-rows.ts';
import { createGuesses } from '../../../../node/records/guesses.ts';
import { prepareRecord } from '../../../../node/records/prepare.ts';
import { crypto } from '../../node/records/sample.ts';

export const BLOCK_TIME_MS = 1_760_000_000_000;

export type Result = { readonly [name: string]: Json };

/** State in a Map and the host's door, without gas or transactions: the executor has tests of its own. */
export class Chain {
  readonly space = new Map<ByteText, Uint8Array>();
  readonly calls = new Map<number, Call>();
  readonly others = new Map<string, Uint8Array>();
  readonly events: { name: string; data: Json }[] = [];
  height = 5;
  gas = 0;
  transaction = 1;

  constructor() {
    for (const [role, rights] of Object.entries(genesisRoles)) this.others.set(`access${accessKey.role(role)}`, encodeJson(rights));
    for (const org of ['alpha', 'beta']) {
      this.register('organisation', org, org, { name: org, roles: [], governs: true });
      this.register('account', `mes@${org}`, org, { roles: ['operator'], keys: [], type: 'service', sessionEpoch: 0 });
    }
    this.register('account', 'audit@alpha', 'alpha', { roles: ['auditor'], keys: [], type: 'person', sessionEpoch: 0 });
    this.register('account', 'press@alpha', 'alpha', { roles: ['device'], keys: [], type: 'device', sessionEpoch: 0 });
    this.register('factory', 'F-001', 'alpha', {});
    this.register('device', 'D-1', 'alpha', {});
    this.register('factory', 'F-900', 'beta', {});
  }

  register(kind: RegistryKind, id: string, owner: string, data: Json, state = 'active'): void {
    const entry = { kind, id, owner, version: 1, state, validFrom: null, validTo: null, documentDigest: null, data };
    this.others.set(`registry${registryKey.entry(kind, id)}`, encodeJson(entry));
  }

  run(method: string, args: Uint8Array, sender = 'mes@alpha', caller = sender): Json {
    const draft = new Map<ByteText, Uint8Array>();
    const read = (key: ByteText): Uint8Array | undefined => draft.get(key) ?? this.space.get(key);
    const transactionId = new Uint8Array(32).fill(this.transaction++);
    const host: Host = {
      block: { chainId: new Uint8Array(32), height: this.height, timestampMs: BLOCK_TIME_MS, era: 0, parameters: defaultParameters() },
      transaction: { transactionId, index: 0, sender, keyId: 'k', keyKind: 'custodial' },
      self: 'records',
      caller,
      callIndex: 0,
      hash: crypto.hash,
      verify: () => false,
      get: read,
      put: (key, value) => void draft.set(key, value),
      delete: () => assert.fail('records never deletes'),
      read: (contract, key) => this.others.get(contract + key),
      cached: (_question, find) => find(),
      callAt: ({ height }) => this.calls.get(height)!,
      emit: () => assert.fail('records emits nothing: its results tell what happened'),
      tell: () => undefined,
      call: () => assert.fail('records calls nobody'),
      gasLeft: Number.MAX_SAFE_INTEGER,
      useGas: (units) => {
        this.gas += units;
      },
    };
    this.calls.set(this.height, { contract: 'records', method, args });
    const run = records.methods[method] ?? records.queries[method]!;
    const result = this.#told(run(host, args), { height: this.height, transactionId });
    for (const [key, value] of draft) this.space.set(key, value);
    this.height++;
    return result;
  }

  /** A result as answers tell it, and its events as those who follow them get them. */
  #told(result: Uint8Array, here: ReceiptPlace): Json {
    if (!isRecordResults(result)) return decodeJson(result);
    const events = receiptEvents({ results: [result], events: [] });
    for (const { name, data } of events) this.events.push({ name, data: decodeJson(data) });
    const told = decodeRecordResults(result).map((each) => presentRecordResult(each, here));
    return 'digestBefore' in told[0]! ? told[0] : told;
  }

  /** Why these are not all versions that name the value. */
  termFault(entries: readonly TermEntry[], kind: TermKind, ...values: readonly string[]): string | undefined {
    const digest = toByteText(termDigest(crypto, kind, ...values));
    const held = this.space.get(recordKey.term(digest));
    const heads: Uint8Array[] = [];
    for (let head = this.space.get(recordKey.termChunk(digest, 0)); head; head = this.space.get(recordKey.termChunk(digest, heads.length)))
      heads.push(head);
    return termFault(crypto, held && decodeTerm(held), heads, entries);
  }

  submit(trees: readonly TextStruct[], sender = 'mes@alpha', recordClass = 'production'): readonly Result[] {
    const submissions = trees.map((tree) => sealed(tree, sender.split('@')[1]!, recordClass));
    return this.run('submit', encodeSubmissions(submissions), sender) as readonly Result[];
  }
}

export function sealed(tree: TextStruct, org = 'alpha', recordClass = 'production'): Submission {
  const preparation = prepareRecord({ crypto, org, sealingKey: new Uint8Array(32).fill(3) }, builtinClasses[recordClass]!, tree);
  return preparation.ok ? preparation.prepared.submission : assert.fail(JSON.stringify(preparation.faults));
}

export function raw(content: TextStruct, recordClass = 'production', classVersion = 1): Uint8Array {
  return encodeSubmissions([{ class: recordClass, classVersion, content: encodeContent(content), source: {} }]);
}

export function refused(code: string, run: () => unknown): Readonly<Record<string, unknown>> {
  let detail: Readonly<Record<string, unknown>> = {};
  assert.throws(run, (error: unknown) => {
    assert.ok(error instanceof ContractFailure, String(error));
    assert.equal(error.code, code);
    assert.ok(isErrorCode(code), `${code} stands in the error table`);
    detail = error.detail;
    return true;
  });
  return detail;
}

/** What the node says of records of `mes@alpha` before it signs. */
export function faultsBefore(chain: Chain, trees: readonly TextStruct[]): readonly Record<string, unknown>[] {
  const node = {
    state: { get: (key: ByteText) => stateOf(chain, key) },
    info: { chainId: new Uint8Array(32) },
    signsFor: () => true,
    parameters: () => defaultParameters(),
    head: () => ({ height: chain.height - 1, timestampMs: BLOCK_TIME_MS, era: 0 }),
  };
  const sealed = {
    *getSteps() {
      yield;
      return [];
    },
    isErased: () => false,
  };
  const guesses = createGuesses({ monotonic: () => 0 });
  const deps = { node, crypto, sealed, guesses, sealingKeys: () => [new Uint8Array(32).fill(3)] } as never;
  const rows = trees.map((tree) => ({ tree, locate: () => ({ pointer: '/' }) }));
  try {
    for (const _step of checkRows(deps, rows as never, { account: 'mes@alpha', organisation: 'alpha' } as never, 'production'));
    return [];
  } catch (error) {
    return (error as { data: { details: Record<string, unknown>[] } }).data.details;
  }
}

/** A row by the key that includes its contract's name. */
function stateOf(chain: Chain, key: ByteText): Uint8Array | undefined {
  const [contract, rest] = [key.slice(1, 1 + key.charCodeAt(0)), key.slice(1 + key.charCodeAt(0))];
  return contract === 'records' ? chain.space.get(rest) : chain.others.get(contract + rest);
}
