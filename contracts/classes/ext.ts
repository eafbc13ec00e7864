/** `ext`: the one struct beside the class's fields, the same for every class (design: record, "Stored form"). */
import type { StructSchema } from './schema.ts';

export const ID_LENGTH_MAX = 256; // code points of a name or number of a thing
export const LINE_LENGTH_MAX = 4_096; // code points of a line of free text
export const LONG_TEXT_LENGTH_MAX = 3_000_000; // code points of a document carried in a field; the record's own bound is in bytes
const ID = { type: 'text', maxLength: ID_LENGTH_MAX } as const;
const PATH = { type: 'text', format: 'path', maxLength: 512 } as const;
const UNIT = { type: 'text', maxLength: 64, format: 'unit' } as const;

export const linkRelations = ['consumes', 'contains', 'derived_from', 'produced_on', 'inspected_by', 'reported_in'] as const;
export const linkTypes = ['product', 'production_batch', 'material_batch', 'device', 'report', 'record', 'order'] as const;

export const EXT_SCHEMA: StructSchema = {
  type: 'struct',
  properties: {
    device_id: ID,
    production_batch: ID,
    step_code: ID,
    order_id: ID,
    record_key: ID,
    parameters: {
      type: 'map',
      names: 'name',
      maxItems: 10_000,
      values: {
        type: 'struct',
        properties: { value: { type: 'text', minLength: 0, maxLength: LONG_TEXT_LENGTH_MAX }, unit: UNIT },
        required: ['value'],
      },
    },
    units: { type: 'map', names: 'path', maxItems: 1_000, values: UNIT },
    links: {
      type: 'list',
      maxItems: 1_000,
      items: {
        type: 'struct',
        properties: {
          rel: { type: 'text', enum: linkRelations },
          type: { type: 'text', enum: linkTypes },
          id: ID,
          org: { type: 'text', maxLength: 128 },
          quantity: { type: 'decimal' },
          unit: UNIT,
        },
        required: ['rel', 'type', 'id'],
      },
    },
    documents: {
      type: 'list',
      maxItems: 100,
      items: {
        type: 'struct',
        properties: {
          digest: { type: 'text', format: 'digest' },
          bytes: { type: 'text', format: 'integer', maxLength: 16 },
          mediaType: { type: 'text', format: 'mediaType', maxLength: 128 },
          name: { type: 'text', maxLength: LINE_LENGTH_MAX },
        },
        required: ['digest'],
      },
    },
    filled: {
      type: 'list',
      maxItems: 1_000,
      items: {
        type: 'struct',
        properties: { path: PATH, rule: { type: 'text', maxLength: LINE_LENGTH_MAX } },
        required: ['path', 'rule'],
        variant: {
          name: 'mapping', // a registered one: its document holds the rules
          schema: {
            type: 'struct',
            properties: { mapping: ID, paths: { type: 'list', maxItems: 1_000, items: PATH } },
            required: ['mapping', 'paths'],
          },
        },
      },
    },
  },
};
