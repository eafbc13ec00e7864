/**
 * The content of a stored record in steps: one of megabytes, in hundreds of thousands of values or of escapes, takes a quarter of a second
 * at once.
 */
import { decodeContent, type TextStruct } from '../format/index.ts';
import { jsonBytesSteps, type Steps, UNBOUNDED } from '../pace/index.ts';

/** Bytes of a content that is read in one step. */
export const SHORT_BYTES = 8_192;

/** Content that was written by encodeContent: its form is not judged again where it is long. */
export function* contentSteps(bytes: Uint8Array): Steps<TextStruct> {
  if (bytes.length <= SHORT_BYTES) return decodeContent(bytes);
  return (yield* jsonBytesSteps(bytes, UNBOUNDED)) as TextStruct;
}
