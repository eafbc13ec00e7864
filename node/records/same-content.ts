/** Contents of records compared in steps: one may be of megabytes, in hundreds of thousands of values, and is read on the thread that votes. */
import { type ClassDefinition, storedSpelling } from '../../contracts/index.ts';
import { equalBytes, type TextStruct, type TextTree } from '../format/index.ts';
import { contentSteps } from './index.ts';
import type { Steps } from '../pace/slices.ts';

/** Members compared between two pauses. */
const STEP_MEMBERS = 256;

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
  if (Array.isArray(own) || Array.isArray(held)) {
    if (!Array.isArray(own) || !Array.isArray(held) || own.length !== held.length) return false;
    for (const [i, item] of own.entries()) {
      if (!(yield* alike(item, held[i], undefined, except))) return false;
      if (i % STEP_MEMBERS === 0) yield;
    }
    return true;
  }
  const [struct, other] = [own as TextStruct, held as TextStruct];
  const names = Object.keys(struct);
  yield;
  const others = Object.keys(other);
  if (names.length !== others.length) return false;
  yield;
  for (const [i, name] of names.entries()) {
    if (name !== others[i]) return false;
    const at = path === undefined ? undefined : path === '' ? name : `${path}.${name}`;
    if (!(yield* alike(struct[name]!, other[name]!, at, except))) return false;
    if (i % STEP_MEMBERS === 0) yield;
  }
  return true;
}
