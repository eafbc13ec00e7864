/** Bytes that came in parts. */

/** Copied between two pauses. */
const STEP_BYTES = 1_048_576;

/** Parts one behind the other, of megabytes too. */
export function* joined(parts: readonly Uint8Array[]): Generator<void, Uint8Array, void> {
  let length = 0;
  for (const part of parts) length += part.length;
  const out = new Uint8Array(length);
  let to = 0;
  let copied = 0;
  for (const part of parts) {
    for (let at = 0; at < part.length; at += STEP_BYTES) {
      const piece = part.subarray(at, at + STEP_BYTES);
      out.set(piece, to);
      to += piece.length;
      copied += piece.length;
      if (copied < STEP_BYTES) continue;
      yield;
      copied = 0;
    }
  }
  return out;
}
