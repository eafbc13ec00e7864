/** The format door: bytes of a body in, records as trees of texts out, or every fault at once. */
import type { BodyFormat, ParsedBody } from './body.ts';
import { parseCsvBody } from './csv.ts';
import { parseJsonBody } from './json.ts';
import { parseXmlBody } from './xml.ts';

export * from './body.ts';
export { parseCsvBody, parseJsonBody, parseXmlBody };

const MEDIA_TYPES: Readonly<Record<string, BodyFormat>> = {
  'application/json': 'json',
  'application/xml': 'xml',
  'text/xml': 'xml',
  'text/csv': 'csv',
  'application/csv': 'csv',
};

/** Format of a Content-Type header; undefined for any other. */
export function formatOfMediaType(contentType: string): BodyFormat | undefined {
  const type = contentType.split(';')[0]!.trim().toLowerCase();
  return Object.hasOwn(MEDIA_TYPES, type) ? MEDIA_TYPES[type] : undefined;
}

export function parseBody(format: BodyFormat, bytes: Uint8Array): ParsedBody {
  switch (format) {
    case 'json':
      return parseJsonBody(bytes);
    case 'xml':
      return parseXmlBody(bytes);
    case 'csv':
      return parseCsvBody(bytes);
  }
}
