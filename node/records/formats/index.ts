/** The format door: bytes of a body in, records as trees of texts out, or every fault at once. */
import type { BodyFormat, ParsedBody, ParseSteps } from './body.ts';
import { parseCsvSteps } from './csv.ts';
import { parseJsonSteps } from './json.ts';
import { parseXmlSteps } from './xml.ts';

export {
  BODY_BYTES_MAX,
  BODY_FAULTS_MAX,
  BODY_RECORDS_MAX,
  type BodyFault,
  type BodyFormat,
  type ParsedBody,
  type ParsedRecord,
  type Place,
  placeUnder,
} from './body.ts';
export { foreignForm } from './csv.ts';

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

export function parseSteps(format: BodyFormat, bytes: Uint8Array): ParseSteps {
  switch (format) {
    case 'json':
      return parseJsonSteps(bytes);
    case 'xml':
      return parseXmlSteps(bytes);
    case 'csv':
      return parseCsvSteps(bytes);
  }
}

/** All steps at once, where nothing else waits. */
export function parseBody(format: BodyFormat, bytes: Uint8Array): ParsedBody {
  const steps = parseSteps(format, bytes);
  for (;;) {
    const step = steps.next();
    if (step.done === true) return step.value;
  }
}
