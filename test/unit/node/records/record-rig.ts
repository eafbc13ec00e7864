/** The record service over a node whose blocks the test makes: what was sent, and how each transaction ends. */
import assert from 'node:assert/strict';
import { type BodiesDependencies, createBodies } from '../../../../node/records/bodies.ts';
import { type CoalescingDependencies, createCoalescing, WAIT_MS_MAX } from '../../../../node/records/coalescing.ts';
import { createRecordService, type RecordServiceDependencies } from '../../../../node/records/service.ts';
import type { SubmitDependencies } from '../../../../node/records/submit.ts';
import type { ReceiptInclusion } from '../../../../node/records/inclusion.ts';
import { createUnderWay } from '../../../../node/records/under-way.ts';
import type { Caller, RecordSubmitOptions, SubmitOutcome } from '../../../../node/records/types.ts';
import { CONTRACT, keyOf, production, recordKey, stateKey } from '../../../../contracts/index.ts';
import { ChainError, type ErrorCode } from '../../../../node/errors/index.ts';
import {
  decodeContent,
  decodeRecordVersion,
  decodeSubmissions,
  defaultParameters,
  encodeJson,
  encodeRecordResults,
  equalBytes,
  type JsonObject,
  openTransaction,
  type Receipt,
  recordDigest,
  recordIdOf,
  signTransaction,
  textAt,
  type TextStruct,
  toByteText,
  toHex,
  type Transaction,
} from '../../../../node/format/index.ts';
import { aesGcm, createSealedStore } from '../../../../node/records/index.ts';
import { createRecordSource } from '../../../../node/records/source.ts';
import type { Head, NodeService, TransactionStatus } from '../../../../node/service.ts';
import { testKey } from '../format/genesis-fixture.ts';
import { ManualTime } from '../memory-world.ts';
import { createMemoryStore, pause } from './memory-store.ts';
import { Shelf } from './shelf.ts';
import { annexRecord, crypto } from './sample.ts';
import { createTestState, putAccounts } from '../../api/stand-in-state.ts';

export const caller = (account: string) => ({ account, organisation: 'alpha' }) as Caller;
export const record = (product_uid: string, more: object = {}) => annexRecord({ product_uid, ...more });

export function rig() {
  const state = createTestState();
  state.put('factory', 'F-001', 'alpha', {});
  state.put('device', 'D-1', 'alpha', {});
  putAccounts(state, { 'mes@alpha': ['device'], 'erp@alpha': ['operator'] });
  const sealedRows = createMemoryStore();
  let salts = 0;
  const random = { bytes: (count: number) => new Uint8Array(count).map((_, i) => (i === 0 ? salts >> 8 : i === 1 ? salts++ : 0)) };
  const sealed = createSealedStore(sealedRows, aesGcm, random, new Uint8Array(32).fill(5), pause);
  const calls = { hold: 0, keep: 0, drop: 0 };
  const order: (keyof typeof calls)[] = [];
  const counting =
    <A extends unknown[], R>(name: keyof typeof calls, run: (...args: A) => R) =>
    (...args: A): R => {
      calls[name]++;
      order.push(name);
      return run(...args);
    };
  const counted = {
    ...sealed,
    hold: counting('hold', sealed.hold),
    keep: counting('keep', sealed.keep),
    drop: counting('drop', sealed.drop),
  };
  const shelf = new Shelf(state.rows);
  /** What is on the chain, by product. */
  const stored = new Map<string, { readonly id: string; readonly location: string; readonly transactionId: string }>();
  const statuses = new Map<string, TransactionStatus>();
  const waiting: { readonly id: string; readonly resolve: (status: TransactionStatus) => void }[] = [];
  const sent: Uint8Array[] = [];
  const blocks: ((head: Head) => void)[] = [];
  const time = new ManualTime();
  const chain = { height: 9, busy: false, refusal: undefined as ErrorCode | undefined };
  /** What proves a receipt, and how often it was asked for. */
  const inclusion = { shown: undefined as ReceiptInclusion | undefined, asked: 0 };
  const known = (id: Uint8Array): TransactionStatus => statuses.get(toHex(id)) ?? { state: 'unknown' };
  const node = {
    info: { chainId: new Uint8Array(32) },
    head: () => ({ height: chain.height, timestampMs: 1_760_000_000_000, era: 0 }),
    signsFor: () => true,
    checkBacklog: () => {
      if (chain.busy) throw new ChainError('SERVER_BUSY', { retryAfterMs: 1_500 });
    },
    parameters: defaultParameters,
    state: { get: (key: string) => state.rows.get(key) },
    signFor: async (sender: string, calls: never, gasLimit: number) => {
      const transaction = { chainId: new Uint8Array(32), sender, keyId: 'k', salt: random.bytes(16), expiryHeight: 1_000, calls };
      return signTransaction(crypto, { ...transaction, gasLimit, suite: 1 }, testKey('mes').sign).bytes;
    },
    async submit(bytes: Uint8Array) {
      if (chain.refusal) throw new ChainError(chain.refusal);
      sent.push(bytes);
      const { id } = openTransaction(crypto, bytes);
      statuses.set(toHex(id), { state: 'pending', sinceMs: 0 });
      return id;
    },
    transaction: async (id: Uint8Array) => known(id),
    awaitTransaction: (id: Uint8Array, timeoutMs: number) =>
      known(id).state !== 'pending'
        ? Promise.resolve(known(id))
        : new Promise<TransactionStatus>((resolve) => {
            time.after(timeoutMs, () => resolve(known(id)));
            waiting.push({ id: toHex(id), resolve });
          }),
    onBlock: (listener: (head: Head) => void) => void blocks.push(listener),
  };
  /** As the contract: the first record whose key is taken by other content fails the transaction. */
  const conflictOf = ({ calls }: Transaction) => {
    for (const [failedCall, { args }] of calls.entries())
      for (const [record, { content }] of decodeSubmissions(args).entries()) {
        const before = state.rows.get(rowOf(content));
        if (before && !equalBytes(decodeRecordVersion(before, 1).recordDigest, recordDigest(crypto, content)))
          return { failed: 'RECORD_KEY_CONFLICT', failedCall, detail: { record, path: [] } };
      }
    return undefined;
  };
  const rowOf = (content: Uint8Array) =>
    stateKey(
      CONTRACT.records,
      recordKey.version(toByteText(recordIdOf(crypto, 'production', 'alpha', keyOf(production, decodeContent(content)))), 1),
    );
  const turns = async (): Promise<void> => {
    for (let turn = 0; turn < 50; turn++) await new Promise((resolve) => setImmediate(resolve));
  };
  const bodies = createBodies({ world: { clock: time, timers: time, crypto } as unknown as BodiesDependencies['world'] });
  const parts = {
    ...{ node, bodies, crypto, sealed: counted, index: undefined, timers: time, clock: time },
    blocks: shelf.blocks,
    source: createRecordSource({ state: node.state, blocks: shelf.blocks }),
    sealingKeys: () => [new Uint8Array(32).fill(3)],
    inclusions: {
      async receipt() {
        inclusion.asked++;
        return inclusion.shown;
      },
      position: (id: Uint8Array) => ({ height: 1, index: 0, blockHash: id }),
    },
  };
  const records = createRecordService(parts as unknown as RecordServiceDependencies);
  const underWay = createUnderWay(node as unknown as NodeService, crypto, bodies.inSlices);
  const coalescing = createCoalescing(parts as unknown as CoalescingDependencies);

  return {
    deps: { ...parts, underWay, coalescing } as unknown as SubmitDependencies,
    sent,
    count: records.underWay,
    sealedRows,
    bodies,
    chain,
    inclusion,
    calls,
    time,
    send(trees: readonly TextStruct[], more: { account?: string; wait?: 'sync' | 'async'; timeoutMs?: number } = {}) {
      const { account = 'mes@alpha', wait = 'sync', timeoutMs = 50 } = more;
      const body = { bytes: new TextEncoder().encode(JSON.stringify(trees)), mediaType: 'application/json' } as const;
      const known = caller(account);
      const options = { wait, timeoutMs, recordClass: 'production', requestId: 'r' } as unknown as RecordSubmitOptions;
      const outcome = records.submit(body, { known, identify: () => known, address: '' }, options);
      outcome.catch(() => undefined); // looked at when its transaction has ended
      return outcome;
    },
    gathered: records.gathered,
    stored,
    order,
    turns,
    /** Until what was sent stands in the pool, what waits for others included. */
    async settled() {
      await turns();
      time.advance(WAIT_MS_MAX);
      await turns();
    },
    /** Ends a transaction: its records are stored as the contract does, or it ends as told. */
    end(
      bytes: Uint8Array,
      end?: TransactionStatus | { readonly failed: string; readonly failedCall?: number; readonly detail?: JsonObject },
    ) {
      const { id, transaction } = openTransaction(crypto, bytes);
      chain.height++;
      end ??= conflictOf(transaction);
      const results = transaction.calls.map(({ args }) =>
        encodeRecordResults(
          decodeSubmissions(args).map(({ content }) => {
            const recordId = recordIdOf(crypto, 'production', 'alpha', keyOf(production, decodeContent(content)));
            const row = stateKey(CONTRACT.records, recordKey.version(toByteText(recordId), 1));
            const before = state.rows.has(row);
            if (end === undefined && !before) {
              const own = { class: 'production', org: 'alpha', actor: 'mes@alpha', content };
              shelf.put(recordId, { ...own, height: chain.height, transactionId: id });
              const [product, location] = ['product_uid', 'production_location'].map((name) => textAt(decodeContent(content), name)!);
              stored.set(product!, { id: toHex(recordId), location: location!, transactionId: toHex(id) });
            }
            const result = { class: 'production', id: recordId, recordDigest: recordDigest(crypto, content) };
            return before ? { ...result, status: 'repeated', currentVersion: 1, first: undefined } : { ...result, status: 'stored' };
          }),
        ),
      );
      const failure = end !== undefined && 'failed' in end ? end : undefined;
      const { failed, failedCall = 0, detail } = failure ?? {};
      const receipt = {
        ...{ transactionId: id, height: chain.height, index: 0, results, gasUsed: 1, events: [], failedCall, keyKind: 'custodial' },
        ...{ status: failed ? 'failed' : 'ok', code: failed ?? 'OK', detail: detail ? encodeJson(detail) : new Uint8Array(0) },
      } as Receipt;
      const status: TransactionStatus =
        end !== undefined && 'state' in end ? end : { state: 'confirmed', receipt, blockHash: id, timestampMs: 1 };
      statuses.set(toHex(id), status);
      for (const waiter of waiting.filter((each) => each.id === toHex(id))) waiter.resolve(status);
      for (const listener of blocks) listener({ height: chain.height } as Head);
    },
  };
}

export const times = <T>(count: number, make: (i: number) => T): T[] => Array.from({ length: count }, (_, i) => make(i));
export const idOf = (bytes: Uint8Array): string => toHex(openTransaction(crypto, bytes).id);
export const codes = (results: readonly PromiseSettledResult<SubmitOutcome>[]) =>
  results.map((result) => (result.status === 'rejected' ? (result.reason as ChainError).code : 'OK'));

/** Products of the records in a transaction. */
export const productsOf = (bytes: Uint8Array): readonly string[] =>
  openTransaction(crypto, bytes).transaction.calls.flatMap(({ args }) =>
    decodeSubmissions(args).map(({ content }) => textAt(decodeContent(content), 'product_uid')!),
  );
export type Rig = ReturnType<typeof rig>;
export const sentProducts = ({ sent }: Rig) => sent.map(productsOf);
export const names = (count: number, prefix = 'P'): string[] => times(count, (i) => `${prefix}-${i}`);
/** Callers one after the other, none waiting for the one before. */
export const sendAll = (door: Rig, products: readonly string[], more: Parameters<Rig['send']>[1] = {}) =>
  products.map((product) => door.send([record(product)], { timeoutMs: 60_000, ...more }));

/** A lone record, of which no time passes. */
export async function sendAgainAtOnce(door: Rig): Promise<void> {
  const before = door.sent.length;
  const answer = door.send([record('afterwards')], { timeoutMs: 60_000 });
  await door.turns();
  assert.equal(door.sent.length, before + 1, 'nothing is under way: no time passes');
  door.end(door.sent.at(-1)!);
  assert.equal((await answer).status, 'confirmed');
}
