/**
 * Replaces the texts at given paths of a record's canonical bytes, in one pass that decodes no value it need not: a record may have
 * megabytes. The pass goes in steps, so that it does not hold the thread that votes; a contract takes all of them at once.
 */
import { concat, encodeJson, fromUtf8 } from '../../node/format/index.ts';

/** Values and names walked between two pauses. */
const STEP_TEXTS = 4_096;
const QUOTE = 0x22;
const COMMA = 0x2c;
const COLON = 0x3a;
const LIST = 0x5b;
const BACKSLASH = 0x5c;
const LIST_END = 0x5d;
const STRUCT = 0x7b;
const STRUCT_END = 0x7d;

/** A struct or list that is open; its path is undefined where no text to replace stands in it. */
interface Open {
  readonly path: string | undefined;
  readonly isStruct: boolean;
}

/**
 * @param content canonical text of a struct
 * @param texts dotted path -> text; every path leads to a text, through structs alone
 */
export function* respell(content: Uint8Array, texts: ReadonlyMap<string, string>): Generator<void, Uint8Array, void> {
  const paths = [...texts.keys()];
  const leads = (path: string | undefined): boolean => path === '' || (path !== undefined && paths.some((p) => p.startsWith(`${path}.`)));
  const parts: Uint8Array[] = [];
  const open: Open[] = [];
  let path: string | undefined = ''; // of the value that comes
  let isName = false;
  let copied = 0;
  let walked = 0;
  for (let at = 0; at < content.length; at++) {
    switch (content[at]) {
      case STRUCT:
      case LIST:
        isName = content[at] === STRUCT;
        open.push({ path: isName && leads(path) ? path : undefined, isStruct: isName });
        path = undefined;
        break;
      case STRUCT_END:
      case LIST_END:
        open.pop();
        break;
      case COMMA:
        isName = open.at(-1)?.isStruct === true;
        path = undefined;
        break;
      case COLON:
        isName = false;
        break;
      case QUOTE: {
        const end = textEnd(content, at);
        const inside = open.at(-1)?.path;
        if (isName && inside !== undefined) {
          const name = JSON.parse(fromUtf8(content.subarray(at, end))) as string;
          path = name.includes('.') ? undefined : inside === '' ? name : `${inside}.${name}`; // of a map: no field has a dot in its name
        }
        const text = isName || path === undefined ? undefined : texts.get(path);
        if (text !== undefined) {
          parts.push(content.subarray(copied, at), encodeJson(text));
          copied = end;
        }
        at = end - 1;
        if (++walked % STEP_TEXTS === 0) yield;
        break;
      }
    }
  }
  yield; // the copy is a step of its own
  return concat(...parts, content.subarray(copied));
}

/** Behind the closing quote of the text that begins at `from`. */
function textEnd(content: Uint8Array, from: number): number {
  for (let at = content.indexOf(QUOTE, from + 1); at > 0; at = content.indexOf(QUOTE, at + 1)) {
    let escapes = 0;
    while (content[at - 1 - escapes] === BACKSLASH) escapes++;
    if (escapes % 2 === 0) return at + 1;
  }
  throw new RangeError('Cannot respell content with a text that does not end');
}
