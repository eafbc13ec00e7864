/**
 * Questions and answers on the bulk channel, over any Network: request ids, time-outs, bounds on what is in flight, and the side that
 * serves. Nothing an answer says is believed here; the asker checks it.
 */
import { ChainError, type ErrorCode, isErrorCode } from '../errors/index.ts';
import { DecodeError, type Digest, NAME_BYTES_MAX, Reader, SIGNATURE_BYTES_MAX, VALIDATORS_MAX } from '../format/index.ts';
import {
  ANSWER_BLOCKS_MAX,
  ANSWER_BYTES_MAX,
  type Answer,
  type BlockAnswer,
  type BulkMessage,
  decodeBulkMessage,
  encodeBulkMessage,
  type HeaderAnswer,
  type Question,
} from './messages.ts';
import { TokenBuckets } from '../pace/index.ts';
import type { Network, World } from '../world.ts';

export const REQUEST_TIMEOUT_MS = 10_000;
/** Questions put to one peer and not answered yet. */
export const REQUESTS_PER_PEER_MAX = 16;
/** Questions of one peer a second, on average and at once; one for many things counts as several. */
export const SERVED_PER_SECOND = 100;
export const SERVED_BURST = 200;
const QUESTIONS_SERVED = { perSecond: SERVED_PER_SECOND, burst: SERVED_BURST };
/** So many blocks, headers or hashes of one question count as a question more: each is read from disk or looked up. */
const HEIGHTS_PER_QUESTION = 32;
const HASHES_PER_QUESTION = 256;
/** Bytes that may come on top of each part of an answer: its certificate at most. */
const PART_BYTES_MAX = VALIDATORS_MAX * (NAME_BYTES_MAX + SIGNATURE_BYTES_MAX + 8) + 64;
/** A peer that has so many bytes of earlier answers still to take is answered no further. */
export const UNREAD_BYTES_MAX = 16_777_216;
/** Bytes of answers to one peer a second, on average and at once. */
export const SERVED_BYTES_PER_SECOND = 33_554_432;
export const SERVED_BYTES_BURST = 67_108_864;
const BYTES_SERVED = { perSecond: SERVED_BYTES_PER_SECOND, burst: SERVED_BYTES_BURST };
/** Questions of one kind from one peer that wait for their turn; they are answered one after the other, which bounds memory. */
export const SERVED_WAITING_MAX = 32;
/** Bytes of transactions in one frame, unless one alone is longer. */
export const TRANSACTIONS_FRAME_BYTES = 1_048_576;
/**
 * Questions to one peer given up and still remembered, so that a late answer is not held against it: what can be asked of it in over two
 * minutes.
 */
export const LATE_IDS_MAX = 256;

const QUESTIONS: ReadonlySet<string> = new Set([
  'getTransactions',
  'getBlocks',
  'getHeaders',
  'getRow',
  'getSealed',
] satisfies Question['kind'][]);

type Unnumbered<Q> = Q extends Question ? Omit<Q, 'id'> : never;
export type QuestionHandler = (from: string, question: Question) => Unanswered | Promise<Unanswered>;
type Unanswered = Answer extends infer A ? (A extends Answer ? Omit<A, 'id'> : never) : never;

interface Pending {
  readonly peer: string;
  readonly expects: Answer['kind'];
  readonly resolve: (answer: Answer) => void;
  readonly reject: (error: ChainError) => void;
  readonly cancelTimeout: () => void;
}

export interface RequestsOptions {
  readonly network: Network;
  readonly world: Pick<World, 'clock' | 'timers' | 'log' | 'random'>;
  readonly timeoutMs?: number;
}

export class Requests {
  readonly #network: Network;
  readonly #world: RequestsOptions['world'];
  readonly #timeoutMs: number;
  readonly #pending = new Map<number, Pending>();
  readonly #inFlight = new Map<string, number>();
  /** Ids of questions given up, by the peer that may still answer. */
  readonly #late = new Map<string, Set<number>>();
  readonly #questions: TokenBuckets;
  readonly #answerBytes: TokenBuckets;
  readonly #handlers = new Map<Question['kind'], QuestionHandler>();
  /** Questions waiting, by peer and kind. */
  readonly #waiting = new Map<string, Question[]>();
  #onTransactions: ((from: string, transactions: readonly Uint8Array[]) => void) | undefined;
  #onStatus: ((from: string, status: { readonly height: number; readonly hash: Digest }) => void) | undefined;
  #onSealedHead: ((from: string) => void) | undefined;
  #nextId: number;
  #stopped = false;

  constructor(options: RequestsOptions) {
    this.#network = options.network;
    this.#world = options.world;
    this.#questions = new TokenBuckets(options.world.clock);
    this.#answerBytes = new TokenBuckets(options.world.clock);
    this.#timeoutMs = options.timeoutMs ?? REQUEST_TIMEOUT_MS;
    // Not the same at each start: what answers a question of the process before is no answer to one of this.
    this.#nextId = new Reader(options.world.random.bytes(4)).u32();
    this.#network.onFrame((from, channel, frame) => {
      if (channel === 'bulk' && !this.#stopped) this.#onFrame(from, frame);
    });
    this.#network.onPeer((node, state) => {
      if (state === 'up') return;
      this.#failAll('PEER_UNREACHABLE', node);
      this.#forget(node);
    });
  }

  /** One handler a kind; a question without one is declined. */
  serve(kind: Question['kind'], handler: QuestionHandler): void {
    this.#handlers.set(kind, handler);
  }

  onTransactions(handler: (from: string, transactions: readonly Uint8Array[]) => void): void {
    this.#onTransactions = handler;
  }

  onStatus(handler: (from: string, status: { readonly height: number; readonly hash: Digest }) => void): void {
    this.#onStatus = handler;
  }

  onSealedHead(handler: (from: string) => void): void {
    this.#onSealedHead = handler;
  }

  /** Spreads transactions to one peer, or all, in frames of about a mebibyte. */
  spreadTransactions(transactions: readonly Uint8Array[], to?: string): void {
    for (let first = 0; first < transactions.length; ) {
      let bytes = 0;
      let end = first;
      while (end < transactions.length && (end === first || bytes + transactions[end]!.length <= TRANSACTIONS_FRAME_BYTES))
        bytes += transactions[end++]!.length;
      this.#tell(encodeBulkMessage({ kind: 'transactions', transactions: transactions.slice(first, end) }), to);
      first = end;
    }
  }

  /** Tells one peer, or all, the last final block of this node. */
  sendStatus(status: { readonly height: number; readonly hash: Digest }, to?: string): void {
    this.#tell(encodeBulkMessage({ kind: 'status', ...status }), to);
  }

  #tell(frame: Uint8Array, to: string | undefined): void {
    if (to === undefined) this.#network.broadcast('bulk', frame);
    else this.#network.send(to, 'bulk', frame);
  }

  /**
   * Those of `hashes` (full ones) that the peer holds, at most ANSWER_BYTES_MAX of them, in any order, unchecked: ask again for the rest.
   * @throws ChainError PEER_*
   */
  async getTransactions(peer: string, hashes: readonly Digest[]): Promise<readonly Uint8Array[]> {
    return (await this.#request(peer, { kind: 'getTransactions', hashes }, 'transactionsAnswer')).transactions;
  }

  /** Blocks from `fromHeight` upwards, as many as the peer cares to send, unchecked. @throws ChainError PEER_* */
  async getBlocks(peer: string, fromHeight: number, count: number, bytesMax: number): Promise<readonly BlockAnswer[]> {
    return (await this.#request(peer, { kind: 'getBlocks', fromHeight, count, bytesMax }, 'blocksAnswer')).blocks;
  }

  /** @throws ChainError PEER_* */
  async getHeaders(peer: string, fromHeight: number, count: number): Promise<readonly HeaderAnswer[]> {
    return (await this.#request(peer, { kind: 'getHeaders', fromHeight, count }, 'headersAnswer')).headers;
  }

  /** A row of the peer's ledger, unchecked; undefined when it does not hold it. @throws ChainError PEER_* */
  async getRow(peer: string, key: Uint8Array, height: number): Promise<Uint8Array | undefined> {
    return (await this.#request(peer, { kind: 'getRow', key, height }, 'rowAnswer')).row;
  }

  /** Tells a node of the same organisation that there are changes in the sealed store. */
  sendSealedHead(head: { readonly log: Uint8Array; readonly sequence: number }, to: string): void {
    this.#network.send(to, 'bulk', encodeBulkMessage({ kind: 'sealedHead', ...head }));
  }

  /** Changes of the peer's sealed store, unopened. @throws ChainError PEER_* */
  async getSealed(peer: string, log: Uint8Array, after: number): Promise<Extract<Answer, { kind: 'sealedAnswer' }>> {
    return await this.#request(peer, { kind: 'getSealed', log, after }, 'sealedAnswer');
  }

  /** Questions put to this peer and not answered yet. */
  inFlight(peer: string): number {
    return this.#inFlight.get(peer) ?? 0;
  }

  stop(): void {
    this.#stopped = true;
    this.#failAll('NODE_STOPPING');
  }

  #request<K extends Answer['kind']>(peer: string, question: Unnumbered<Question>, expects: K): Promise<Extract<Answer, { kind: K }>> {
    if (this.#stopped) return Promise.reject(new ChainError('NODE_STOPPING'));
    if (this.inFlight(peer) >= REQUESTS_PER_PEER_MAX)
      return Promise.reject(new ChainError('PEER_UNREACHABLE', { peer, inFlightMax: REQUESTS_PER_PEER_MAX }));
    const id = this.#nextId;
    this.#nextId = (this.#nextId + 1) >>> 0;
    const frame = encodeBulkMessage({ ...question, id } as Question);
    return new Promise((resolve, reject) => {
      const cancelTimeout = this.#world.timers.after(this.#timeoutMs, () => {
        this.#giveUp(id)?.reject(new ChainError('PEER_TIMEOUT', { peer, timeoutMs: this.#timeoutMs }));
      });
      this.#pending.set(id, { peer, expects, resolve: resolve as (answer: Answer) => void, reject, cancelTimeout });
      this.#inFlight.set(peer, this.inFlight(peer) + 1);
      if (!this.#network.send(peer, 'bulk', frame)) this.#settle(id)?.reject(new ChainError('PEER_UNREACHABLE', { peer }));
    });
  }

  /** It may still be answered: the answer may be under way, also of a peer that lost one of its two connections. */
  #giveUp(id: number): Pending | undefined {
    const pending = this.#settle(id);
    if (pending === undefined) return undefined;
    const late = this.#late.get(pending.peer) ?? new Set();
    this.#late.set(pending.peer, late.add(id));
    if (late.size > LATE_IDS_MAX) late.delete(late.values().next().value!);
    return pending;
  }

  #settle(id: number): Pending | undefined {
    const pending = this.#pending.get(id);
    if (pending === undefined) return undefined;
    this.#pending.delete(id);
    pending.cancelTimeout();
    const left = this.inFlight(pending.peer) - 1;
    if (left === 0) this.#inFlight.delete(pending.peer);
    else this.#inFlight.set(pending.peer, left);
    return pending;
  }

  #failAll(code: ErrorCode, peer?: string): void {
    for (const [id, pending] of [...this.#pending])
      if (peer === undefined || pending.peer === peer) this.#giveUp(id)?.reject(new ChainError(code, { peer: pending.peer }));
  }

  #onFrame(from: string, frame: Uint8Array): void {
    let message: BulkMessage;
    try {
      message = decodeBulkMessage(frame);
    } catch (error) {
      if (!(error instanceof DecodeError)) throw error;
      this.#network.report(from, 'PEER_MESSAGE_MALFORMED');
      return;
    }
    if (message.kind === 'transactions') {
      const { transactions } = message;
      if (transactions.length > 1 && frame.length > TRANSACTIONS_FRAME_BYTES + (transactions.length + 2) * 4)
        this.#network.report(from, 'PEER_MESSAGE_MALFORMED');
      else this.#onTransactions?.(from, transactions);
    } else if (message.kind === 'status') this.#onStatus?.(from, message);
    else if (message.kind === 'sealedHead') this.#onSealedHead?.(from);
    else if (isQuestion(message)) this.#onQuestion(from, message);
    else this.#onAnswer(from, message, frame.length);
  }

  #onAnswer(from: string, answer: Answer, bytes: number): void {
    const pending = this.#pending.get(answer.id);
    if (pending?.peer !== from) {
      if (!this.#late.get(from)?.delete(answer.id)) this.#network.report(from, 'PEER_ANSWER_UNASKED');
      return;
    }
    if (answer.kind === 'declined') {
      const code = isErrorCode(answer.code) ? answer.code : 'PEER_DECLINED';
      this.#settle(answer.id)?.reject(new ChainError('PEER_DECLINED', { peer: from, code }));
    } else if (answer.kind !== pending.expects || isOversized(answer, bytes)) {
      this.#network.report(from, 'PEER_MESSAGE_MALFORMED');
      this.#settle(answer.id)?.reject(new ChainError('PEER_MESSAGE_MALFORMED', { peer: from }));
    } else this.#settle(answer.id)?.resolve(answer);
  }

  #onQuestion(from: string, question: Question): void {
    const lane = `${question.kind} ${from}`;
    const waiting = this.#waiting.get(lane);
    if (waiting === undefined) {
      this.#waiting.set(lane, [question]);
      void this.#serveLane(lane, from);
    } else if (waiting.length < SERVED_WAITING_MAX) waiting.push(question);
    else this.#network.send(from, 'bulk', encodeBulkMessage({ kind: 'declined', id: question.id, code: 'PEER_RATE_EXCEEDED' }));
  }

  /** Its questions came over a connection that has ended: it waits for no answer, and once it has started anew it knows of none. */
  #forget(node: string): void {
    for (const [lane, waiting] of this.#waiting) if (lane.endsWith(` ${node}`)) waiting.length = 0;
  }

  async #serveLane(lane: string, from: string): Promise<void> {
    const waiting = this.#waiting.get(lane)!;
    for (let question = waiting[0]; question !== undefined && !this.#stopped; question = waiting[0]) {
      const frame = encodeBulkMessage({ ...bounded(await this.#answer(from, question)), id: question.id } as Answer);
      if (this.#stopped) break;
      if (waiting[0] !== question) continue;
      waiting.shift();
      this.#answerBytes.of(from, BYTES_SERVED).charge(frame.length);
      this.#network.send(from, 'bulk', frame);
    }
    this.#waiting.delete(lane);
  }

  async #answer(from: string, question: Question): Promise<Unanswered> {
    const handler = this.#handlers.get(question.kind);
    if (handler === undefined) return { kind: 'declined', code: 'PEER_DECLINED' };
    const unread = this.#network.queuedBytes(from, 'bulk');
    if (
      unread > UNREAD_BYTES_MAX ||
      this.#questions.of(from, QUESTIONS_SERVED).take(costOf(question)) > 0 ||
      this.#answerBytes.of(from, BYTES_SERVED).waitMs() > 0
    )
      return { kind: 'declined', code: 'PEER_RATE_EXCEEDED' };
    try {
      return await handler(from, question);
    } catch (error) {
      const code = error instanceof ChainError ? error.code : 'INTERNAL';
      this.#world.log.warn(
        { peer: from, question: question.kind, code, reason: (error as Error).message },
        'question could not be answered',
      );
      return { kind: 'declined', code };
    }
  }
}

function isQuestion(message: Question | Answer): message is Question {
  return QUESTIONS.has(message.kind);
}

/** What a question takes of its asker's budget. */
function costOf(question: Question): number {
  switch (question.kind) {
    case 'getBlocks':
    case 'getHeaders':
      return 1 + Math.min(question.count, ANSWER_BLOCKS_MAX) / HEIGHTS_PER_QUESTION;
    case 'getTransactions':
      return 1 + question.hashes.length / HASHES_PER_QUESTION;
    case 'getRow':
    case 'getSealed':
      return 1;
  }
}

/** Whether an answer is longer than a peer that keeps to the bound makes it; a single block or transaction may be as long as it is. */
function isOversized(answer: Answer, bytes: number): boolean {
  const parts = partsOf(answer);
  return parts > 1 && bytes > ANSWER_BYTES_MAX + parts * PART_BYTES_MAX;
}

function partsOf(answer: Answer): number {
  switch (answer.kind) {
    case 'blocksAnswer':
      return answer.blocks.length;
    case 'headersAnswer':
      return answer.headers.length;
    case 'transactionsAnswer':
      return answer.transactions.length;
    case 'sealedAnswer':
      return answer.boxes.length;
    default:
      return 1;
  }
}

/** Transactions are cut off at ANSWER_BYTES_MAX, never to none: the asker asks again for those it still lacks. */
function bounded(answer: Unanswered): Unanswered {
  if (answer.kind !== 'transactionsAnswer') return answer;
  let bytes = 0;
  const { transactions } = answer;
  let count = 0;
  while (count < transactions.length && (count === 0 || bytes + transactions[count]!.length <= ANSWER_BYTES_MAX))
    bytes += transactions[count++]!.length;
  return { ...answer, transactions: transactions.slice(0, count) };
}
