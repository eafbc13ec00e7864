/**
 * Transactions waiting for a block. One signature check per transaction and node; duplicates, expiry, bounds on count and bytes of which no sender
 * may take more than is left to the others; no client is taken whose wait would be long (backlog.ts); blocks are filled fairly, by gas (gas-shares.ts;
 * DB53/T 1407-2025 6.3.3.a, 6.3.3.b).
 */
import { type ByteText, createSigningBytes, type Crypto, type Digest, equalBytes, toByteText } from '../../format/index.ts';
import { NODE_ROLE } from '../../../contracts/index.ts';
import { BoundedMap } from '../../pace/bounded-map.ts';
import { ChainError, type ErrorCode } from '../../errors/index.ts';
import { type AdmissionContext, admit, type VerifiedTransaction } from '../../ledger/index.ts';
import type { Pause } from '../../pace/index.ts';
import type { Clock, VerifyPool } from '../../world.ts';
import { createBacklog } from './backlog.ts';
import { type InCheck, judge, open, orThrow, outcomeOf } from './check.ts';
import { createGasShares, type GasUse, type Proposer } from './gas-shares.ts';
import { Queue } from './queue.ts';

export interface MempoolLimits {
  /** Transactions held; past it MEMPOOL_FULL. */
  readonly countMax: number;
  /** Bytes held; past it MEMPOOL_FULL. */
  readonly bytesMax: number;
}

export const REJECTIONS_REMEMBERED_MAX = 10_000; // refused or expired transactions whose reason is still told

/** What a peer gave is spread again too, so many times later: the peer may have lost it, and this node be the only one that holds it. */
const PEERS_REPEAT_LATER = 4;
/** Transactions that leave with a block between two pauses: some tens of microseconds. */
const LEFT_PER_PAUSE = 64;
/** Longest time between two spreadings of one transaction, ms. */
const REPEAT_WAIT_MAX_MS = 60_000;

export type Origin = 'client' | 'peer';

export interface Waiting extends VerifiedTransaction {
  readonly id: Digest;
  readonly hash: Digest;
  /** `id` and `hash` as keys of maps, made once. */
  readonly idKey: ByteText;
  readonly hashKey: ByteText;
  readonly sender: string;
  readonly gasLimit: number;
  readonly expiryHeight: number;
  readonly addedMs: number;
  readonly origin: Origin;
}

/** A transaction of a final block. */
export interface Included extends GasUse {
  readonly idKey: ByteText;
  readonly gasUsed: number;
}

export interface FinalBlock {
  readonly included: readonly Included[];
  readonly height: number;
  /** For how long it took the chain's time, ms; not known of one that came by sync: its time is over, and nobody is charged for it. */
  readonly tookMs: number | undefined;
}

export interface Rejection {
  readonly code: ErrorCode;
  readonly data: Readonly<Record<string, unknown>>;
}

export interface Mempool {
  /** Checks and admits. @throws ChainError with a TRANSACTION_ or MEMPOOL_ code. */
  add(bytes: Uint8Array, origin: Origin): Promise<Waiting>;
  /**
   * Checks several of a peer that came in one frame, of which it keeps copies, and resolves to those that it admits.
   * @param onRefused called for each of the others; whether those behind it are opened
   */
  addAll(transactions: readonly Uint8Array[], onRefused: (error: ChainError) => boolean): Promise<readonly Waiting[]>;
  /** The transaction of exactly these bytes that waits or is in check; undefined when there is none. @throws ChainError as its check does */
  same(bytes: Uint8Array): Promise<Waiting | undefined>;
  /** Verifies a transaction named by a proposal without admitting it. @throws ChainError */
  verify(bytes: Uint8Array): Promise<Waiting>;
  byId(id: Digest): Waiting | undefined;
  byHash(hash: Digest): Waiting | undefined;
  /** What a block may hold now: oldest first within a sender, senders in turn; none that is taken by a block below it. */
  select(countMax: number, bytesMax: number, isTaken?: (entry: Waiting) => boolean): Waiting[];
  /** Ms until a block of this proposer, or at the latest of another, may hold this one, or any when none is named: 0 when it may now, Infinity when none waits. */
  dueInMs(proposer: Proposer, entry?: Waiting): number;
  /** A block is final: its transactions leave, and so do those that can never be included now. */
  settle(block: FinalBlock, pause: Pause): Promise<void>;
  /** Leaves one out for good and remembers why. */
  reject(id: Digest, rejection: Rejection): void;
  /** True when the next block may still hold it; else it leaves for good, as when its sender's key was revoked after it was admitted. */
  recheck(entry: Waiting): boolean;
  rejection(id: Digest): (Rejection & { readonly sender: string }) | undefined;
  /**
   * Still waiting, and due to be spread again: first after `ageMs`, what a peer gave after a multiple of it, then after twice the time each time, so
   * that a chain that is slow is not made slower. At most `bytesMax` bytes, but one at least.
   */
  overdue(ageMs: number, bytesMax: number): Waiting[];
  size(): { readonly count: number; readonly bytes: number };
  /** The oldest that waits, of one sender or of all. */
  oldest(sender?: string): Waiting | undefined;
  /** When the youngest of the last final block's transactions that waited here was admitted, monotonic ms; -Infinity when none of them did. */
  youngestFinalMs(): number;
  /** @throws ChainError SERVER_BUSY with `retryAfterMs` when so much waits of a sender that a further one would come too late */
  checkBacklog(sender: string): void;
  /** Whether every honest proposer takes this one before those of all other senders. */
  goesFirst(entry: Waiting): boolean;
  /** Those of them that a proposer may hold back now, because their senders have used their gas up. */
  heldBack(): number;
  /** Called for each that leaves for good without being final. */
  onRejected(listener: (id: Digest, rejection: Rejection) => void): void;
}

export interface MempoolDependencies {
  readonly crypto: Crypto;
  readonly verifier: VerifyPool;
  readonly clock: Clock;
  readonly limits: MempoolLimits;
  /** Chain facts by which a transaction is judged for the next height. */
  readonly context: () => AdmissionContext;
}

export function createMempool(deps: MempoolDependencies): Mempool {
  const { limits, clock } = deps;
  const ids = new Map<ByteText, Waiting>();
  const onRejected: ((id: Digest, rejection: Rejection) => void)[] = [];
  const hashes = new Map<ByteText, Waiting>();
  const senders = new Map<string, Queue>();
  const shares = createGasShares(clock, (sender) => deps.context().account(sender)?.roles.includes(NODE_ROLE) !== true);
  const backlog = createBacklog(clock);
  const inCheck = new Map<ByteText, InCheck>();
  const rejections = new BoundedMap<ByteText, Rejection & { readonly sender: string }>(REJECTIONS_REMEMBERED_MAX);
  const repeats = new WeakMap<Waiting, { readonly dueMs: number; readonly waitMs: number }>();
  let bytesHeld = 0;
  let bytesInCheck = 0;
  const signingBytes = createSigningBytes();
  /** No transaction that waits expires below this height. */
  let expiryHeightMin = Number.POSITIVE_INFINITY;
  let youngestFinalMs = Number.NEGATIVE_INFINITY;

  /** @throws ChainError */
  function begin(bytes: Uint8Array, origin: Origin): InCheck {
    const opened = open(deps.crypto, bytes);
    const key = toByteText(opened.id);
    if (ids.has(key) || inCheck.has(key)) throw new ChainError('MEMPOOL_TRANSACTION_KNOWN', {});
    checkRoom(bytes.length, opened.transaction.sender, origin);
    const check = judge(opened, deps.context(), signingBytes, {
      idKey: key,
      addedMs: clock.monotonic(),
      origin,
      copied: origin === 'peer',
    });
    inCheck.set(key, check);
    bytesInCheck += bytes.length;
    return check;
  }

  function beginAll(transactions: readonly Uint8Array[], begun: InCheck[], onRefused: (error: ChainError) => boolean): void {
    for (const bytes of transactions) {
      try {
        begun.push(begin(bytes, 'peer'));
      } catch (error) {
        if (!(error instanceof ChainError)) throw error;
        if (!onRefused(error)) return;
      }
    }
  }

  /** Admits it, or says why not. `verdict` is the one on its signature, or why there is none. */
  function end(check: InCheck, verdict: boolean | Error): Waiting | Error {
    const { entry } = check;
    inCheck.delete(entry.idKey);
    bytesInCheck -= entry.bytes.length;
    const outcome = outcomeOf(check, verdict);
    if (outcome === entry) insert(entry);
    for (const other of check.others) other(outcome);
    return outcome;
  }

  /** A sender may have as much waiting as is left free: so one alone takes half, and there is always room for another. */
  function checkRoom(bytes: number, sender: string, origin: Origin): void {
    const countFree = limits.countMax - ids.size - inCheck.size;
    const bytesFree = limits.bytesMax - bytesHeld - bytesInCheck;
    if (countFree < 1 || bytesFree < bytes) throw new ChainError('MEMPOOL_FULL', { countMax: limits.countMax, bytesMax: limits.bytesMax });
    const queue = senders.get(sender);
    if (!queue) return;
    if (queue.size >= countFree || queue.bytes + bytes > bytesFree)
      throw new ChainError('MEMPOOL_SENDER_QUOTA', { sender, countFree, bytesFree });
    if (origin === 'peer') return;
    const retryAfterMs = shares.admissionWaitMs(sender, queue.size);
    if (retryAfterMs > 0) throw new ChainError('RATE_LIMITED', { sender, waiting: queue.size, retryAfterMs });
    checkBacklog(sender);
  }

  function checkBacklog(sender: string): void {
    const queue = senders.get(sender);
    const retryAfterMs = queue ? backlog.waitMs(sender, queue) : 0;
    if (retryAfterMs > 0) throw new ChainError('SERVER_BUSY', { sender, waiting: queue!.size, retryAfterMs });
  }

  function insert(entry: Waiting): void {
    const key = entry.idKey;
    ids.set(key, entry);
    hashes.set(entry.hashKey, entry);
    let queue = senders.get(entry.sender);
    if (!queue) {
      queue = new Queue();
      senders.set(entry.sender, queue);
    }
    queue.add(key, entry);
    bytesHeld += entry.bytes.length;
    expiryHeightMin = Math.min(expiryHeightMin, entry.expiryHeight);
    if (rejections.size > 0) rejections.delete(key);
  }

  function remove(key: ByteText): Waiting | undefined {
    const entry = ids.get(key);
    if (!entry) return undefined;
    ids.delete(key);
    hashes.delete(entry.hashKey);
    const queue = senders.get(entry.sender);
    queue?.delete(key, entry);
    if (queue?.size === 0) senders.delete(entry.sender);
    bytesHeld -= entry.bytes.length;
    return entry;
  }

  function remember({ id, idKey, sender }: Waiting, rejection: Rejection): void {
    rejections.set(idKey, { ...rejection, sender });
    for (const listener of onRejected) listener(id, rejection);
  }

  function reject(id: Digest, rejection: Rejection): void {
    const entry = remove(toByteText(id));
    if (entry) remember(entry, rejection);
  }

  return {
    onRejected: (listener) => void onRejected.push(listener),
    async add(bytes, origin) {
      const check = begin(bytes, origin);
      const { suite, publicKey, message, signature } = check;
      let verdict: boolean | Error;
      try {
        verdict = await deps.verifier.verify(suite, publicKey, message, signature);
      } catch (error) {
        verdict = error as Error;
      }
      return orThrow(end(check, verdict));
    },
    async addAll(transactions, onRefused) {
      const checks: InCheck[] = [];
      let verdicts: readonly boolean[] = [];
      let fault: Error | undefined;
      try {
        beginAll(transactions, checks, onRefused);
        verdicts = await deps.verifier.verifyAll(checks);
      } catch (error) {
        fault = error as Error;
      }
      const added: Waiting[] = [];
      for (const [i, check] of checks.entries()) {
        const outcome = end(check, fault ?? verdicts[i]!);
        if (!(outcome instanceof Error)) added.push(outcome);
        else if (outcome !== fault && outcome instanceof ChainError) onRefused(outcome);
      }
      if (fault) throw fault;
      return added;
    },
    async same(bytes) {
      const { id, hash } = open(deps.crypto, bytes);
      const key = toByteText(id);
      const check = inCheck.get(key);
      const known = check?.entry ?? ids.get(key);
      if (!known || !equalBytes(known.hash, hash)) return undefined; // another signature is another's word
      return check ? orThrow(await new Promise((resolve) => void check.others.push(resolve))) : known;
    },
    async verify(bytes) {
      const opened = open(deps.crypto, bytes);
      const as = { idKey: toByteText(opened.id), addedMs: clock.monotonic(), origin: 'peer', copied: false } as const;
      const check = judge(opened, deps.context(), signingBytes, as);
      const { suite, publicKey, message, signature } = check;
      return orThrow(outcomeOf(check, await deps.verifier.verify(suite, publicKey, message, signature)));
    },
    byId: (id) => ids.get(toByteText(id)),
    byHash: (hash) => hashes.get(toByteText(hash)),
    select(countMax, bytesMax, isTaken = () => false) {
      const chosen: Waiting[] = [];
      let bytes = 0;
      for (const entry of shares.turns(senders)) {
        if (chosen.length >= countMax) break;
        if (bytes + entry.bytes.length > bytesMax || isTaken(entry)) continue;
        chosen.push(entry);
        bytes += entry.bytes.length;
      }
      return chosen;
    },
    dueInMs: (proposer, entry) => shares.dueInMs(entry ? new Map([[entry.sender, [entry]]]) : senders, proposer),
    async settle({ included, height, tookMs }, pause) {
      youngestFinalMs = Number.NEGATIVE_INFINITY;
      for (const [i, { idKey }] of included.entries()) {
        if (i % LEFT_PER_PAUSE === 0) await pause();
        const entry = remove(idKey);
        const check = entry ? undefined : inCheck.get(idKey);
        if (entry && entry.addedMs > youngestFinalMs) youngestFinalMs = entry.addedMs;
        if (check) check.isFinal = true;
      }
      if (tookMs !== undefined) {
        shares.charge(included, tookMs);
        backlog.note(included, tookMs, senders);
      }
      if (expiryHeightMin > height) return;
      let leastLeft = Number.POSITIVE_INFINITY;
      expiryHeightMin = Number.POSITIVE_INFINITY; // lowered by what comes while this pauses
      for (const [key, entry] of ids) {
        if (entry.expiryHeight > height) {
          leastLeft = Math.min(leastLeft, entry.expiryHeight);
          continue;
        }
        await pause();
        if (!remove(key)) continue; // gone meanwhile
        remember(entry, { code: 'TRANSACTION_EXPIRED', data: { expiryHeight: entry.expiryHeight, height } });
      }
      expiryHeightMin = Math.min(expiryHeightMin, leastLeft);
    },
    reject,
    recheck(entry) {
      const admission = admit(entry.bytes, entry.id, open(deps.crypto, entry.bytes).transaction, deps.context());
      if (admission.code === 'OK' && equalBytes(admission.key.publicKey, entry.publicKey)) return true;
      const { id, sender } = entry;
      if (admission.code === 'OK')
        reject(id, { code: 'TRANSACTION_KEY_UNKNOWN', data: { sender } }); // another key under the same name
      else reject(id, { code: admission.code, data: admission.facts });
      return false;
    },
    rejection: (id) => rejections.get(toByteText(id)),
    overdue(ageMs, bytesMax) {
      const out: Waiting[] = [];
      const now = clock.monotonic();
      let bytes = 0;
      for (const entry of ids.values()) {
        if (entry.addedMs > now - ageMs) break; // insertion order is age order
        const firstMs = entry.origin === 'client' ? ageMs : PEERS_REPEAT_LATER * ageMs;
        const repeat = repeats.get(entry) ?? { dueMs: entry.addedMs + firstMs, waitMs: firstMs };
        if (repeat.dueMs > now) continue;
        if (bytes > 0 && bytes + entry.bytes.length > bytesMax) break;
        bytes += entry.bytes.length;
        out.push(entry);
        const waitMs = Math.min(2 * repeat.waitMs, REPEAT_WAIT_MAX_MS);
        repeats.set(entry, { dueMs: now + waitMs, waitMs });
      }
      return out;
    },
    checkBacklog,
    oldest(sender) {
      for (const entry of sender === undefined ? ids.values() : (senders.get(sender) ?? [])) return entry;
      return undefined;
    },
    youngestFinalMs: () => youngestFinalMs,
    size: () => ({ count: ids.size, bytes: bytesHeld }),
    goesFirst: (entry) => shares.goesFirst(entry),
    heldBack: () => shares.heldBack(senders),
  };
}
