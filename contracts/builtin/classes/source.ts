/** `source`: where a record came from, as its sender states it. Beside the class's fields in what is submitted, beside the content in what is stored. */
import { SOURCE_TEXT_BYTES_MAX } from '../../../node/format/index.ts';
import type { StructSchema } from './schema.ts';

const ID = { type: 'text', maxLength: SOURCE_TEXT_BYTES_MAX } as const; // code points; the bound in bytes is checked with it

export const SOURCE_SCHEMA: StructSchema = {
  type: 'struct',
  properties: {
    system: ID,
    id: ID,
    time: { ...ID, format: 'time' },
    seq: { ...ID, format: 'integer' },
    interfaceId: ID,
    mapping: ID,
  },
};
