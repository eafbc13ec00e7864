/**
 * `source`: where a record came from, as its sender states it. Beside the class's fields in what is submitted, beside the content in what
 * is stored.
 */
import { SOURCE_TEXT_BYTES_MAX, type TextTree, utf8 } from '../../node/format/index.ts';
import { checkContent, type RecordFault } from './check.ts';
import type { ClassDefinition } from './schema.ts';

const TEXT = { type: 'text', maxLength: SOURCE_TEXT_BYTES_MAX } as const; // code points; the bound in bytes is checked below

/** Checked by the same code as a class, so that its faults read alike. */
const SOURCE: ClassDefinition = {
  name: 'source',
  version: 1,
  key: [],
  facts: {},
  body: {
    type: 'struct',
    properties: {
      source: {
        type: 'struct',
        properties: {
          system: TEXT,
          id: TEXT,
          time: { ...TEXT, format: 'time' },
          seq: { ...TEXT, format: 'integer' },
          interfaceId: TEXT,
          mapping: TEXT,
        },
      },
    },
  },
};

/** Every fault of `source` as it stands beside the fields of a record. */
export function checkSource(source: TextTree): readonly RecordFault[] {
  const faults = checkContent(SOURCE, { source }, 'clear');
  if (faults.length > 0) return faults;
  return Object.entries(source).flatMap(([name, text]) => {
    const length = utf8(text as string).length;
    return length > SOURCE_TEXT_BYTES_MAX
      ? [
          {
            code: 'RECORD_LENGTH',
            path: ['source', name],
            data: { length: `${length} bytes`, lengthMax: `${SOURCE_TEXT_BYTES_MAX} bytes` },
          },
        ]
      : [];
  });
}
