/**
 * Going through the frames of one segment in order, past what is damaged. A frame stands where its checksums say it does, or there is a
 * gap.
 */
import type { DataFile } from '../../world.ts';
import {
  FRAME_HEAD_BYTES,
  FRAME_MAGIC_BYTES,
  frameBytes,
  type FrameHead,
  parseHead,
  parseTable,
  pieceBytes,
  PIECE_BYTES,
  pieceCount,
  prologueBytes,
  sumAt,
} from './form.ts';

/** Read at a time, in bytes: this thread checks so much in one turn. */
export const WINDOW_BYTES = 1_048_576;

/** From the first byte to the one behind the last. */
export interface Span {
  readonly from: number;
  readonly to: number;
}

export type Walked =
  | {
      readonly kind: 'frame';
      readonly from: number;
      readonly to: number;
      readonly head: FrameHead;
      readonly payload: Uint8Array | undefined;
    }
  /** What is no sound frame. With a head it is one frame; `unsound` are the parts of it that do not match their sums. */
  | {
      readonly kind: 'gap';
      readonly from: number;
      readonly to: number;
      readonly head: FrameHead | undefined;
      readonly unsound: readonly Span[];
    };

/** What becomes of the payload: handed over, only checked, or not even read. */
export type PayloadUse = 'keep' | 'check' | 'skip';

/** The frames from `span.from` on that begin before `span.to`, and the gaps between them. */
export async function* walkSegment(
  file: DataFile,
  seed: number,
  span: Span,
  use: (head: FrameHead) => PayloadUse,
  windowBytes = WINDOW_BYTES,
): AsyncGenerator<Walked, void, void> {
  const window = new Window(file, Math.min(windowBytes, span.to - span.from + FRAME_HEAD_BYTES));
  for (let at = span.from; at < span.to; ) {
    const head = await headAt(window, seed, at);
    if (head === undefined) {
      const to = (await findHead(window, seed, { from: at + 1, to: span.to })) ?? span.to;
      yield { kind: 'gap', from: at, to, head, unsound: [{ from: at, to: at + FRAME_HEAD_BYTES }] };
      at = to;
      continue;
    }
    const to = at + frameBytes(head.length);
    const wanted = use(head);
    if (wanted === 'skip') yield { kind: 'frame', from: at, to, head, payload: undefined };
    else {
      const payload = wanted === 'keep' ? new Uint8Array(head.length) : undefined;
      const unsound = await checkPayload(window, seed, at, head, payload);
      yield unsound.length === 0 ? { kind: 'frame', from: at, to, head, payload } : { kind: 'gap', from: at, to, head, unsound };
    }
    at = to;
  }
}

async function headAt(window: Window, seed: number, at: number): Promise<FrameHead | undefined> {
  return parseHead(await window.bytes(at, FRAME_HEAD_BYTES), seed, at);
}

/** Parts of the frame at `at` that are not what was written; `into` takes the payload. */
async function checkPayload(window: Window, seed: number, at: number, head: FrameHead, into: Uint8Array | undefined): Promise<Span[]> {
  const payloadAt = at + prologueBytes(head.length);
  const table = parseTable(await window.bytes(at + FRAME_HEAD_BYTES, payloadAt - at - FRAME_HEAD_BYTES), head, seed, at);
  if (table === undefined) return [{ from: at + FRAME_HEAD_BYTES, to: payloadAt }];
  const unsound: Span[] = [];
  for (let piece = 0; piece < pieceCount(head.length); piece++) {
    const from = payloadAt + piece * PIECE_BYTES;
    const bytes = await window.bytes(from, pieceBytes(head.length, piece));
    if (sumAt(seed, from, bytes) !== table[piece]) unsound.push({ from, to: from + bytes.length });
    into?.set(bytes, piece * PIECE_BYTES);
  }
  return unsound;
}

/** Offset of the first sound head in the span. */
export async function findHead(window: Window, seed: number, { from, to }: Span): Promise<number | undefined> {
  for (let at = from; at < to; at++) {
    const found = await window.find(FRAME_MAGIC_BYTES, { from: at, to });
    if (found === undefined) return undefined;
    at = found;
    if ((await headAt(window, seed, at)) !== undefined) return at;
  }
  return undefined;
}

/** A file read forwards, with room read ahead. */
export class Window {
  readonly #file: DataFile;
  #buffer: Uint8Array;
  #from = 0;
  #held = 0;

  constructor(file: DataFile, bytes = WINDOW_BYTES) {
    this.#file = file;
    this.#buffer = new Uint8Array(bytes);
  }

  /** A view that holds until the next call. */
  async bytes(at: number, length: number): Promise<Uint8Array> {
    if (at < this.#from || at + length > this.#from + this.#held) {
      if (length > this.#buffer.length) this.#buffer = new Uint8Array(length);
      this.#held = 0;
      await this.#file.read(at, this.#buffer);
      this.#from = at;
      this.#held = this.#buffer.length;
    }
    return this.#buffer.subarray(at - this.#from, at - this.#from + length);
  }

  /** First place in the span where these bytes begin. */
  async find(wanted: Uint8Array, { from, to }: Span): Promise<number | undefined> {
    for (let at = from; at < to; ) {
      await this.bytes(at, wanted.length);
      const buffer = this.#buffer;
      const end = Math.min(to, this.#from + this.#held - wanted.length + 1);
      for (let i = buffer.indexOf(wanted[0]!, at - this.#from); i >= 0 && this.#from + i < end; i = buffer.indexOf(wanted[0]!, i + 1))
        if (wanted.every((byte, k) => buffer[i + k] === byte)) return this.#from + i;
      at = end;
    }
    return undefined;
  }
}
