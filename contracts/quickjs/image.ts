/** The memory of an engine at rest as its difference from the base image, and the bytes such a difference is kept as. */
const BLOCK_BYTES = 256; // granularity of a delta

/** Memory of the engine at rest: what differs from the base image, or for the base image everything. */
export interface Image {
  readonly pages: number;
  readonly chunks: readonly { readonly at: number; readonly bytes: Uint8Array }[];
}

/** What the digest of an image is taken over: its pages and every differing chunk. */
export function imageBytes(image: Image): Uint8Array {
  const size = image.chunks.reduce((sum, chunk) => sum + 8 + chunk.bytes.length, 4);
  const out = new Uint8Array(size);
  const view = new DataView(out.buffer);
  view.setUint32(0, image.pages);
  let at = 4;
  for (const chunk of image.chunks) {
    view.setUint32(at, chunk.at);
    view.setUint32(at + 4, chunk.bytes.length);
    out.set(chunk.bytes, at + 8);
    at += 8 + chunk.bytes.length;
  }
  return out;
}

/** The image that `imageBytes` was made of. The digest has been checked: what does not read as one is a fault of this program. */
export function imageOf(bytes: Uint8Array): Image {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const chunks: { at: number; bytes: Uint8Array }[] = [];
  for (let at = 4; at < bytes.length; ) {
    const length = view.getUint32(at + 4);
    chunks.push({ at: view.getUint32(at), bytes: bytes.slice(at + 8, at + 8 + length) });
    at += 8 + length;
  }
  return { pages: view.getUint32(0), chunks };
}

/** Where the bytes that are not zero end, in whole blocks. */
export function usedEnd(bytes: Uint8Array, from: number, to: number): number {
  let end = to;
  while (end > from && bytes[end - 1] === 0) end--;
  return Math.min(to, Math.ceil(end / BLOCK_BYTES) * BLOCK_BYTES);
}

/** Appends the blocks of [from, to) that differ from the base chunk, which counts as zero behind its end; neighbours are joined. */
export function addDifferences(
  out: { at: number; bytes: Uint8Array }[],
  bytes: Uint8Array,
  from: number,
  to: number,
  base: Image['chunks'][number],
): void {
  const words = new Int32Array(bytes.buffer);
  const baseWords = new Int32Array(base.bytes.buffer);
  let start = -1;
  for (let at = from; at < to; at += BLOCK_BYTES) {
    const end = Math.min(at + BLOCK_BYTES, to);
    if (differs(words, at >> 2, end >> 2, baseWords, base.at >> 2)) {
      if (start < 0) start = at;
    } else if (start >= 0) {
      out.push({ at: start, bytes: bytes.slice(start, at) });
      start = -1;
    }
  }
  if (start >= 0) out.push({ at: start, bytes: bytes.slice(start, to) });
}

/**
 * Compares word by word: images begin and end on multiples of four. `offset` is the word where `base` begins; it counts as zero past its
 * end.
 */
function differs(words: Int32Array, from: number, to: number, base: Int32Array, offset: number): boolean {
  const shared = Math.min(to, offset + base.length);
  let at = from;
  for (; at < shared; at++) if (words[at] !== base[at - offset]) return true;
  for (; at < to; at++) if (words[at] !== 0) return true;
  return false;
}
