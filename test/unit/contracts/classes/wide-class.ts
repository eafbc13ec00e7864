/** A registered class that uses everything the schema language has. */
import { type ClassDefinition, readClass } from '../../../../contracts/index.ts';
import type { JsonObject } from '../../../../node/format/index.ts';

const part = {
  type: 'struct',
  properties: {
    name: { type: 'text', maxLength: 12 },
    mass: { type: 'decimal', minimum: '-1.5', maximum: '2000' },
    secret: { type: 'text', sealed: true, minLength: 0 },
    notes: { type: 'list', maxItems: 3, minItems: 0, items: { type: 'text', minLength: 2, maxLength: 4 } },
    tags: { type: 'map', names: 'name', maxItems: 3, values: { type: 'list', maxItems: 2, items: { type: 'decimal', unavailable: true } } },
  },
  required: ['name'],
};

const definition = {
  name: 'wide',
  version: 3,
  key: ['number', 'at', 'mass', 'where.line', 'ext.step_code', '名称'],
  body: {
    type: 'struct',
    properties: {
      number: { type: 'text', format: 'integer' },
      at: { type: 'text', format: 'time', unavailable: true },
      until: { type: 'text', format: 'time' },
      mass: { type: 'decimal', unavailable: true },
      名称: { type: 'text', maxLength: 8 },
      where: {
        type: 'struct',
        properties: { line: { type: 'text' }, hall: { type: 'text', minLength: 0, maxLength: 3 } },
        requiredAny: ['line', 'hall'],
      },
      loose: {
        type: 'struct',
        properties: {
          a: { type: 'text' },
          'b-2': { type: 'text', const: 'x"y\n' },
          c_3: { type: 'text', enum: ['é', 'aa', 'UNAVAILABLE'] },
        },
      },
      sealed: {
        type: 'struct',
        properties: { sealed: { type: 'text', sealed: true }, amount: { type: 'decimal', sealed: true, maximum: '9' } },
      },
      digest: { type: 'text', format: 'digest' },
      unit: { type: 'text', format: 'unit', minLength: 0 },
      media: { type: 'text', format: 'mediaType' },
      path: { type: 'text', format: 'path', maxLength: 40 },
      state: { type: 'text', enum: ['on', 'off'], const: 'on', unavailable: true },
      part: {
        type: 'struct',
        properties: { supplier: { type: 'text' }, batch: { type: 'text' }, report: { type: 'text', unavailable: true } },
        required: ['supplier', 'batch'],
      },
      parts: { type: 'list', minItems: 2, maxItems: 3, items: part },
      more: { type: 'list', maxItems: 2, items: part },
      byPath: { type: 'map', names: 'path', maxItems: 2, values: { type: 'struct', properties: { z: { type: 'text' } } } },
      byName: { type: 'map', names: 'name', maxItems: 4, values: { type: 'text', sealed: true } },
    },
    required: ['number'],
  },
  facts: {
    product: '名称',
    productionBatch: 'where.line',
    device: 'where.hall',
    factory: 'number',
    time: 'at',
    endTime: 'until',
    materials: { list: 'part', supplier: 'supplier', batch: 'batch', report: 'report' },
    report: 'loose.a',
    verdict: 'state',
  },
  provable: ['until', 'mass', 'where.line', 'state'],
};

const reading = readClass(definition as unknown as JsonObject);
if (!reading.ok) throw new Error(`The class is not one of the language: ${reading.reason}`);
export const wideClass: ClassDefinition = reading.definition;
