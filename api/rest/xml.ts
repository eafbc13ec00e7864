/**
 * Answers as XML 1.0: the same value as the JSON answer, and nothing lost on the way. Root `response`; members are elements of their name, or
 * `<entry name="...">` where the name cannot be an element's; list items are `item`. What is not text says so in `type` (number, boolean, null,
 * list, object); text that XML 1.0 cannot carry is base64 with `encoding="base64"`.
 */

/** Names every XML tool takes without a namespace: the ASCII part of NCName, and not beginning with `xml` (XML 1.0 §2.3). */
const ELEMENT_NAME = /^(?![xX][mM][lL])[A-Za-z_][A-Za-z0-9._-]*$/;
/** Characters outside `Char` of XML 1.0 §2.2; lone surrogates are found apart. */
const UNSPEAKABLE =
  /[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]|[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/;

export function toXml(value: unknown): string {
  return `<?xml version="1.0" encoding="UTF-8"?>\n${element('response', undefined, value)}`;
}

function element(name: string, entryName: string | undefined, value: unknown): string {
  const open = entryName === undefined ? name : `${name} name="${attribute(entryName)}"`;
  if (value === null || value === undefined) return `<${open} type="null"/>`;
  switch (typeof value) {
    case 'string':
      if (UNSPEAKABLE.test(value)) return `<${open} encoding="base64">${Buffer.from(value, 'utf8').toString('base64')}</${name}>`;
      return `<${open}>${text(value)}</${name}>`;
    case 'number':
    case 'bigint':
      return `<${open} type="number">${value}</${name}>`;
    case 'boolean':
      return `<${open} type="boolean">${value}</${name}>`;
    default: {
      if (Array.isArray(value)) return `<${open} type="list">${value.map((item) => element('item', undefined, item)).join('')}</${name}>`;
      const members = Object.entries(value as Record<string, unknown>).filter(([, member]) => member !== undefined);
      const inner = members.map(([key, member]) =>
        ELEMENT_NAME.test(key) && key !== 'entry' ? element(key, undefined, member) : element('entry', key, member),
      );
      return inner.length === 0 ? `<${open} type="object"/>` : `<${open}>${inner.join('')}</${name}>`;
    }
  }
}

function text(value: string): string {
  return value.replace(/[&<>\r]/g, (c) => (c === '&' ? '&amp;' : c === '<' ? '&lt;' : c === '>' ? '&gt;' : '&#13;'));
}

/** Line ends and tabs in attributes are written as references, or a parser would turn them into blanks (XML 1.0 §3.3.3). */
function attribute(value: string): string {
  if (UNSPEAKABLE.test(value)) return `base64:${Buffer.from(value, 'utf8').toString('base64')}`;
  return text(value).replace(/["\t\n]/g, (c) => (c === '"' ? '&quot;' : c === '\t' ? '&#9;' : '&#10;'));
}
