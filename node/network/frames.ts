/** Frames on a byte stream: four bytes of length, big-endian, then that many bytes. Pure, so that it is tested without a socket. */

export const FRAME_HEADER_BYTES = 4;

/** Cuts a byte stream into frames. A frame that arrives in many chunks is joined once, not once a chunk. */
export class FrameReader {
  readonly #bytesMax: number;
  #parts: Uint8Array[] = [];
  #have = 0;
  /** Bytes until something can be said: the header, or header and frame. */
  #need = FRAME_HEADER_BYTES;

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  /**
   * Whole frames that this chunk completes, none of them a view of the chunk; undefined when a length is zero or above the bound: the stream cannot be read on.
   */
  push(chunk: Uint8Array): readonly Uint8Array[] | undefined {
    this.#parts.push(chunk);
    this.#have += chunk.length;
    if (this.#have < this.#need) return [];
    const joined = this.#parts.length > 1;
    const bytes = joined ? join(this.#parts, this.#have) : chunk;
    const frames: Uint8Array[] = [];
    let at = 0;
    for (;;) {
      const left = bytes.length - at;
      this.#need = FRAME_HEADER_BYTES;
      if (left < FRAME_HEADER_BYTES) break;
      const length = readLength(bytes, at);
      if (length === 0 || length > this.#bytesMax) return undefined;
      this.#need = FRAME_HEADER_BYTES + length;
      if (left < this.#need) break;
      const frame = bytes.subarray(at + FRAME_HEADER_BYTES, at + this.#need);
      frames.push(joined ? frame : Uint8Array.from(frame)); // a small frame must not keep a whole chunk alive
      at += this.#need;
    }
    this.#parts = at === bytes.length ? [] : [bytes.subarray(at)];
    this.#have = bytes.length - at;
    return frames;
  }
}

function readLength(bytes: Uint8Array, at: number): number {
  return ((bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!) >>> 0;
}

function join(parts: readonly Uint8Array[], length: number): Uint8Array {
  const out = new Uint8Array(length);
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}

export function frameHeader(length: number): Uint8Array {
  return Uint8Array.of(length >>> 24, (length >>> 16) & 255, (length >>> 8) & 255, length & 255);
}

/** Frames waiting to be written, handed out in chunks: small frames together, a large one cut up. */
export class FrameQueue {
  #pieces: Uint8Array[] = [];
  #first = 0;
  #bytes = 0;

  /** Bytes waiting, headers included. */
  get bytes(): number {
    return this.#bytes;
  }

  push(frame: Uint8Array): void {
    this.#pieces.push(frameHeader(frame.length), frame);
    this.#bytes += FRAME_HEADER_BYTES + frame.length;
  }

  /** The next bytes to write, at most `bytesMax` of them; undefined when nothing waits. */
  take(bytesMax: number): Uint8Array | undefined {
    if (this.#bytes === 0) return undefined;
    const length = Math.min(bytesMax, this.#bytes);
    const out = new Uint8Array(length);
    for (let at = 0; at < length; ) {
      const piece = this.#pieces[this.#first]!;
      const count = Math.min(piece.length, length - at);
      out.set(count === piece.length ? piece : piece.subarray(0, count), at);
      at += count;
      if (count === piece.length) this.#pieces[this.#first++] = EMPTY;
      else this.#pieces[this.#first] = piece.subarray(count);
    }
    this.#bytes -= length;
    if (this.#first > 1024 || this.#bytes === 0) {
      this.#pieces = this.#pieces.slice(this.#first);
      this.#first = 0;
    }
    return out;
  }
}
const EMPTY = new Uint8Array(0);
