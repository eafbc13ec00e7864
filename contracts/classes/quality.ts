/** `quality`: an inspection of a product or a production batch; the checker is sealed (design: record, "Other classes"). */
import { ID_LENGTH_MAX, LINE_LENGTH_MAX } from './ext.ts';
import type { ClassDefinition } from './schema.ts';

const ID = { type: 'text', maxLength: ID_LENGTH_MAX } as const;
const TIME = { type: 'text', format: 'time', maxLength: 64 } as const;
const VERDICT = { type: 'text', enum: ['pass', 'fail', 'conditional'] } as const;

export const quality: ClassDefinition = {
  name: 'quality',
  version: 1,
  key: ['report_id', 'product_uid', 'production_batch', 'step_code', 'start_time'],
  body: {
    type: 'struct',
    properties: {
      report_id: ID,
      product_uid: ID,
      production_batch: ID,
      step_code: ID,
      start_time: TIME,
      end_time: TIME,
      checker_id: { ...ID, sealed: true },
      verdict: VERDICT,
      grade: ID,
      quantity: { type: 'decimal' },
      characteristics: {
        type: 'list',
        maxItems: 10_000,
        items: {
          type: 'struct',
          properties: {
            name: ID,
            value: { type: 'text', maxLength: LINE_LENGTH_MAX },
            unit: { type: 'text', format: 'unit', maxLength: 64 },
            lower: { type: 'decimal' },
            upper: { type: 'decimal' },
            verdict: VERDICT,
          },
          required: ['name', 'value'],
        },
      },
      method: { type: 'text', maxLength: LINE_LENGTH_MAX },
    },
    required: ['report_id', 'start_time', 'checker_id', 'verdict'],
    requiredAny: ['product_uid', 'production_batch'],
  },
  facts: {
    product: 'product_uid',
    productionBatch: 'production_batch',
    device: 'ext.device_id',
    time: 'start_time',
    endTime: 'end_time',
    report: 'report_id',
    verdict: 'verdict',
  },
};
