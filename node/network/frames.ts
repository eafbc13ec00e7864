/** Frames on a byte stream: four bytes of length, big-endian, then that many bytes. Pure, so that it is tested without a socket. */

export const FRAME_HEADER_BYTES = 4;
const NOTHING = new Uint8Array(0);

/**
 * Cuts a byte stream into frames. A frame that arrives in many chunks is put in its place chunk by chunk: joining 32 MiB at once takes too
 * long.
 */
export class FrameReader {
  readonly #bytesMax: number;
  /** Of the next frame. */
  #nextBytesMax: number;
  /** Header bytes so far, when a chunk ended within one. */
  #header: Uint8Array = NOTHING;
  /** The frame under way and how much of it is there. */
  #frame: Uint8Array | undefined;
  #have = 0;

  /** @param firstBytesMax of the first frame */
  constructor(bytesMax: number, firstBytesMax = bytesMax) {
    this.#bytesMax = bytesMax;
    this.#nextBytesMax = firstBytesMax;
  }

  /**
   * Whole frames that this chunk completes, none of them a view of the chunk; undefined when a length is zero or above the bound: the
   * stream cannot be read on.
   */
  push(chunk: Uint8Array): readonly Uint8Array[] | undefined {
    const frames: Uint8Array[] = [];
    let rest = chunk;
    while (rest.length > 0) {
      if (!this.#frame) {
        const missing = FRAME_HEADER_BYTES - this.#header.length;
        const header = this.#header.length === 0 ? rest : join(this.#header, rest.subarray(0, missing));
        rest = rest.subarray(missing);
        if (header.length < FRAME_HEADER_BYTES) {
          this.#header = Uint8Array.from(header);
          break;
        }
        const length = readLength(header, 0);
        if (length === 0 || length > this.#nextBytesMax) return undefined;
        this.#nextBytesMax = this.#bytesMax;
        this.#header = NOTHING;
        this.#frame = new Uint8Array(length);
        this.#have = 0;
      }
      const part = rest.subarray(0, this.#frame.length - this.#have);
      this.#frame.set(part, this.#have);
      this.#have += part.length;
      rest = rest.subarray(part.length);
      if (this.#have < this.#frame.length) break;
      frames.push(this.#frame);
      this.#frame = undefined;
    }
    return frames;
  }
}

function readLength(bytes: Uint8Array, at: number): number {
  return ((bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!) >>> 0;
}

function join(first: Uint8Array, second: Uint8Array): Uint8Array {
  const out = new Uint8Array(first.length + second.length);
  out.set(first);
  out.set(second, first.length);
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
      if (count === piece.length) this.#pieces[this.#first++] = NOTHING;
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
