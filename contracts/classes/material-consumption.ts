/** `material_consumption`: how much of a supplier's batch went into a product or a step (design: record, "Other classes"). */
import { ID_LENGTH_MAX } from './ext.ts';
import type { ClassDefinition } from './schema.ts';

const ID = { type: 'text', maxLength: ID_LENGTH_MAX } as const;
const TIME = { type: 'text', format: 'time', maxLength: 64 } as const;

export const materialConsumption: ClassDefinition = {
  name: 'material_consumption',
  version: 1,
  key: ['factory_uid', 'supplier', 'batch_number', 'material', 'product_uid', 'production_batch', 'step_code', 'begin_time'],
  body: {
    type: 'struct',
    properties: {
      material: ID,
      supplier: ID,
      batch_number: ID,
      product_uid: ID,
      production_batch: ID,
      step_code: ID,
      quantity: { type: 'decimal', minimum: '0' },
      unit: { type: 'text', format: 'unit', maxLength: 64 },
      begin_time: TIME,
      end_time: TIME,
      factory_uid: ID,
    },
    required: ['material', 'supplier', 'batch_number', 'quantity', 'unit', 'begin_time'],
    requiredAny: ['product_uid', 'production_batch'],
  },
  facts: {
    product: 'product_uid',
    productionBatch: 'production_batch',
    device: 'ext.device_id',
    factory: 'factory_uid',
    time: 'begin_time',
    endTime: 'end_time',
    materials: { list: '', supplier: 'supplier', batch: 'batch_number' },
  },
};
