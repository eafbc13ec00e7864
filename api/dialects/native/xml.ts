/**
 * Answers as XML 1.0: the same value as the JSON answer, and nothing lost on the way. Root `response`; members are elements of their name, or
 * `<entry name="...">` where the name cannot be an element's; list items are `item`. What is not text says so in `type` (number, boolean, null,
 * list, object); text that XML 1.0 cannot carry is base64 with `encoding="base64"`.
 */
import type { Slot, TextForm } from '../../rest/index.ts';

const XML_DECLARATION = '<?xml version="1.0" encoding="UTF-8"?>\n';
/** Names every XML tool takes without a namespace: the ASCII part of NCName, and not beginning with `xml` (XML 1.0 §2.3). */
const ELEMENT_NAME = /^(?![xX][mM][lL])[A-Za-z_][A-Za-z0-9._-]*$/;
/** Characters outside `Char` of XML 1.0 §2.2; lone surrogates are found apart. */
const UNSPEAKABLE =
  /[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]|[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/;

/** Answers as XML, step by step. */
export const xmlForm: TextForm = {
  names: Object.keys,
  open: (slot, kind, empty) => {
    if (empty) return `${start(slot)} type="${kind}"${kind === 'object' ? '/>' : '>'}`;
    return `${start(slot)}${kind === 'list' ? ' type="list"' : ''}>`;
  },
  close: (slot, kind, empty) => (empty && kind === 'object' ? '' : end(slot)),
  scalar: (slot, value) =>
    value === null
      ? `${start(slot)} type="null"/>`
      : `${start(slot)} type="${typeof value === 'boolean' ? 'boolean' : 'number'}">${value}${end(slot)}`,
  *text(slot, pieces) {
    if (pieces.some((piece) => UNSPEAKABLE.test(piece))) {
      yield `${start(slot)} encoding="base64">`;
      yield* base64Of(pieces);
    } else {
      yield `${start(slot)}>`;
      for (const piece of pieces) yield text(piece);
    }
    yield end(slot);
  },
};

function start({ name, at }: Slot): string {
  if (at === 'top') return `${XML_DECLARATION}<response`;
  if (at === 'list') return '<item';
  return isElementName(name) ? `<${name}` : `<entry name="${attribute(name)}"`;
}

function end({ name, at }: Slot): string {
  if (at === 'top') return '</response>';
  if (at === 'list') return '</item>';
  return isElementName(name) ? `</${name}>` : '</entry>';
}

function isElementName(name: string): boolean {
  return ELEMENT_NAME.test(name) && name !== 'entry';
}

/** Base64 of the pieces together: each group of letters is of three whole bytes. */
function* base64Of(pieces: readonly string[]): Iterable<string> {
  let rest = Buffer.alloc(0);
  for (const piece of pieces) {
    const bytes = Buffer.concat([rest, Buffer.from(piece, 'utf8')]);
    const whole = bytes.length - (bytes.length % 3);
    yield bytes.toString('base64', 0, whole);
    rest = bytes.subarray(whole);
  }
  yield rest.toString('base64');
}

function text(value: string): string {
  return value.replace(/[&<>\r]/g, (c) => (c === '&' ? '&amp;' : c === '<' ? '&lt;' : c === '>' ? '&gt;' : '&#13;'));
}

/** Line ends and tabs in attributes are written as references, or a parser would turn them into blanks (XML 1.0 §3.3.3). */
function attribute(value: string): string {
  if (UNSPEAKABLE.test(value)) return `base64:${Buffer.from(value, 'utf8').toString('base64')}`;
  return text(value).replace(/["\t\n]/g, (c) => (c === '"' ? '&quot;' : c === '\t' ? '&#9;' : '&#10;'));
}
