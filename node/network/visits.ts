/**
 * Visits: one question, one answer, on a stream of its own that is closed after it. A node that the chain has expelled may ask this way for
 * headers and certificates, or it could never learn that it was expelled (design: chain); it has no other stream. Adapter: streams of
 * libp2p.
 *
 * An answer is itself a statement: a node answers only those that its chain state names as registered once and active no longer. A node
 * that was never registered gets no connection at all: it has nothing to learn about itself, and nothing bounds how many such nodes there
 * are.
 */
import type { Stream } from '@libp2p/interface';
import { ChainError } from '../errors/index.ts';
import { TokenBuckets } from '../pace/index.ts';
import type { Clock, Timers } from '../world.ts';
import { frameHeader, FrameReader } from './frames.ts';

export const VISIT_PROTOCOL = '/tracemill/headers/1';
/** Longest question and answer, in bytes. */
export const VISIT_QUESTION_BYTES_MAX = 64;
export const VISIT_ANSWER_BYTES_MAX = 1_048_576;
/** From opening the stream to the whole answer. */
export const VISIT_TIMEOUT_MS = 8_000;
/**
 * Connections of one expelled node a second, on average and at once, whatever it wants of them: one that does not know yet also dials as a
 * member. It has so many questions as well, however few connections they come on.
 */
export const VISITS_PER_SECOND = 2;
export const VISITS_BURST = 10;
const VISITS = { perSecond: VISITS_PER_SECOND, burst: VISITS_BURST };
/** Visits answered at once, of all visitors; one of each. */
export const VISITS_AT_ONCE_MAX = 4;

export type VisitHandler = (from: string, question: Uint8Array) => Promise<Uint8Array | undefined>;

/** The side that answers. */
export class VisitDesk {
  readonly #timers: Timers;
  readonly #visitors = new Map<string, string>();
  readonly #connections: TokenBuckets;
  readonly #questions: TokenBuckets;
  readonly #serving = new Set<string>();
  #handler: VisitHandler | undefined;

  constructor({ clock, timers }: { readonly clock: Clock; readonly timers: Timers }) {
    this.#timers = timers;
    this.#connections = new TokenBuckets(clock);
    this.#questions = new TokenBuckets(clock);
  }

  /** By transport key, as text. */
  admit(visitors: ReadonlyMap<string, string>): void {
    this.#visitors.clear();
    for (const [key, node] of visitors) this.#visitors.set(key, node);
  }

  handle(handler: VisitHandler): void {
    this.#handler = handler;
  }

  /** Whether a visitor may connect now. */
  mayConnect(keyText: string): boolean {
    return this.#visitors.has(keyText) && this.#connections.of(keyText, VISITS).take(1) === 0;
  }

  /** Answers one question and closes; anything that is not one ends the connection unanswered. */
  async serve(keyText: string, stream: Stream, end: (reason: string) => void): Promise<void> {
    const node = this.#visitors.get(keyText);
    if (node === undefined || this.#handler === undefined || this.#questions.of(keyText, VISITS).take(1) > 0) return end('PEER_DECLINED');
    if (this.#serving.has(keyText) || this.#serving.size >= VISITS_AT_ONCE_MAX) return end('PEER_DECLINED');
    this.#serving.add(keyText);
    try {
      const question = await readFrame(stream, VISIT_QUESTION_BYTES_MAX, this.#timers);
      const answer = question && (await this.#handler(node, question));
      if (answer === undefined || answer.length > VISIT_ANSWER_BYTES_MAX) return end('PEER_DECLINED');
      writeFrame(stream, answer);
      await stream.close({ signal: AbortSignal.timeout(VISIT_TIMEOUT_MS) });
    } catch {
      end('PEER_DECLINED');
    } finally {
      this.#serving.delete(keyText);
    }
  }
}

/** The side that asks, on a stream just opened. @throws ChainError PEER_UNREACHABLE */
export async function askOnce(stream: Stream, question: Uint8Array, timers: Timers): Promise<Uint8Array> {
  const answer = readFrame(stream, VISIT_ANSWER_BYTES_MAX, timers);
  writeFrame(stream, question);
  const bytes = await answer;
  if (bytes === undefined) throw new ChainError('PEER_UNREACHABLE', {});
  return bytes;
}

function writeFrame(stream: Stream, frame: Uint8Array): void {
  stream.send(frameHeader(frame.length));
  stream.send(frame);
}

/** The first frame; undefined when the stream ends before, it is too long, or it takes too long. */
function readFrame(stream: Stream, bytesMax: number, timers: Timers): Promise<Uint8Array | undefined> {
  const reader = new FrameReader(bytesMax);
  return new Promise((resolve) => {
    const cancel = timers.after(VISIT_TIMEOUT_MS, () => settle(undefined));
    const settle = (frame: Uint8Array | undefined): void => {
      cancel();
      resolve(frame);
    };
    const take = (chunk: Uint8Array): void => {
      const frames = reader.push(chunk);
      if (frames === undefined) settle(undefined);
      else if (frames[0]) settle(frames[0]);
    };
    stream.addEventListener('message', ({ data }) => {
      if (data instanceof Uint8Array) take(data);
      else for (const part of data) take(part);
    });
    stream.addEventListener('close', () => settle(undefined));
    stream.addEventListener('remoteCloseWrite', () => settle(undefined));
  });
}
