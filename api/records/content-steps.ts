/** Contents of records in steps: one may be of megabytes, in hundreds of thousands of values, and is read on the thread that votes. */
import { type ClassDefinition, storedSpelling } from '../../contracts/index.ts';
import { decodeContent, equalBytes, type TextStruct, type TextTree } from '../../node/format/index.ts';
import { jsonBytesSteps, UNBOUNDED } from '../rest/json-steps.ts';
import type { Steps } from '../../node/slices.ts';

/** Bytes of a content that is read in one step. */
const SHORT_BYTES = 8_192;
/** Members compared between two pauses. */
const STEP_MEMBERS = 256;

/** Content that was written by encodeContent: its form is not judged again where it is long. */
export function* contentSteps(bytes: Uint8Array): Steps<TextStruct> {
  if (bytes.length <= SHORT_BYTES) return decodeContent(bytes);
  return (yield* jsonBytesSteps(bytes, UNBOUNDED)) as TextStruct;
}

/** The verdict of sameContent. */
export function* sameContentSteps(definition: ClassDefinition, content: Uint8Array, stored: Uint8Array): Steps<boolean> {
  if (equalBytes(content, stored)) return true;
  if (content.length === 0 || stored.length === 0) return false; // a tombstone
  const own = yield* contentSteps(content);
  const held = yield* contentSteps(stored);
  const respelled = new Set(Object.keys(storedSpelling(definition, own, held)));
  return respelled.size > 0 && (yield* alike(own, held, '', respelled));
}

/**
 * Alike but for the texts at the paths in `except`.
 * @param path of both; undefined inside a list, where no key field stands
 */
function* alike(own: TextTree, held: TextTree, path: string | undefined, except: ReadonlySet<string>): Steps<boolean> {
  if (typeof own === 'string' || typeof held === 'string')
    return typeof own === typeof held && (own === held || (path !== undefined && except.has(path)));
  if (Array.isArray(own) !== Array.isArray(held)) return false;
  const [names, others] = [Object.keys(own), Object.keys(held)];
  if (names.length !== others.length) return false;
  yield;
  for (const [i, name] of names.entries()) {
    if (name !== others[i]) return false;
    const at = Array.isArray(own) || path === undefined ? undefined : path === '' ? name : `${path}.${name}`;
    if (!(yield* alike((own as TextStruct)[name]!, (held as TextStruct)[name]!, at, except))) return false;
    if (i % STEP_MEMBERS === 0) yield;
  }
  return true;
}
