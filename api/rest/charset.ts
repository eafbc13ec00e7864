/**
 * The charset of a body: UTF-8, and nothing else yet. What the Content-Type, a byte order mark or an XML declaration states otherwise is refused by its
 * name, because other bytes read as UTF-8 are often well-formed and say something else. Compressed bodies are refused before they are read.
 */
import type { IncomingHttpHeaders } from 'node:http';
import { ChainError } from '../../node/errors/index.ts';

export const CHARSETS = ['utf-8'] as const;
export const CONTENT_ENCODINGS = ['identity'] as const;

const CHARSET_CHARACTERS_SHOWN = 40;
const DECLARATION_BYTES_MAX = 256; // of a body, within which an XML declaration names its encoding
/** Longest first: the mark of UTF-32LE begins with that of UTF-16LE. */
const MARKS: readonly (readonly [charset: string, mark: readonly number[]])[] = [
  ['utf-32le', [0xff, 0xfe, 0, 0]],
  ['utf-32be', [0, 0, 0xfe, 0xff]],
  ['gb18030', [0x84, 0x31, 0x95, 0x33]],
  ['utf-16le', [0xff, 0xfe]],
  ['utf-16be', [0xfe, 0xff]],
];

/** @throws ChainError CONTENT_ENCODING_UNSUPPORTED */
export function checkContentEncoding(headers: IncomingHttpHeaders): void {
  const stated = headers['content-encoding']?.trim().toLowerCase() ?? '';
  if (stated !== '' && stated !== 'identity')
    throw new ChainError('CONTENT_ENCODING_UNSUPPORTED', {
      contentEncoding: stated.slice(0, CHARSET_CHARACTERS_SHOWN),
      accepted: CONTENT_ENCODINGS,
    });
}

/** @param mediaType as the route knows it. @throws ChainError CHARSET_UNSUPPORTED */
export function checkCharset(contentType: string, mediaType: string, body: Uint8Array): void {
  if (mediaType === 'application/octet-stream') return; // no text
  for (const parameter of contentType.includes(';') ? contentType.split(';').slice(1) : []) {
    const [name = '', value = ''] = parameter.split(/=(.*)/s);
    if (name.trim().toLowerCase() === 'charset') accept(value.trim().replace(/^"(.*)"$/s, '$1'), 'Content-Type');
  }
  const [marked] = startsAsText(body) ? [] : (MARKS.find(([, mark]) => mark.every((byte, i) => body[i] === byte)) ?? []);
  if (marked !== undefined) accept(marked, 'byte order mark');
  if (mediaType !== 'application/xml') return;
  const start = Buffer.from(body.subarray(0, DECLARATION_BYTES_MAX)).toString('latin1');
  const declared = /^(?:\xef\xbb\xbf)?<\?xml\s[^>]*?\sencoding\s*=\s*["']([^"'>]*)["']/.exec(start)?.[1];
  if (declared !== undefined) accept(declared, 'XML declaration');
}

/** No mark begins with a byte of ASCII text. */
function startsAsText(body: Uint8Array): boolean {
  return body.length > 0 && body[0]! > 0 && body[0]! < 0x80;
}

function accept(charset: string, statedBy: string): void {
  if (/^utf-?8$/i.test(charset)) return;
  throw new ChainError('CHARSET_UNSUPPORTED', { charset: charset.slice(0, CHARSET_CHARACTERS_SHOWN), statedBy, accepted: CHARSETS });
}
