/**
 * `production`: the 16 names of DB53/T 1407-2025 annex A, table A.1, without `token`, spelled as printed (`pro_Report_qualify_eval`). The
 * annex prints eight top-level parameters as required and no requirement for the members; here all members are required, and those that may
 * not have been measured or inspected take UNAVAILABLE. Temperature, humidity and pressure are decimals; their units go into `ext.units`.
 */
import { ID_LENGTH_MAX, LINE_LENGTH_MAX, LONG_TEXT_LENGTH_MAX } from './ext.ts';
import type { ClassDefinition } from './schema.ts';

export const MATERIALS_MAX = 100; // materials, and operators, of one record

const ID = { type: 'text', maxLength: ID_LENGTH_MAX } as const;
const MEASURED = { type: 'decimal', unavailable: true } as const;

export const production: ClassDefinition = {
  name: 'production',
  version: 1,
  key: ['pro_factory_uid', 'product_uid', 'production_time', 'ext.step_code', 'ext.device_id'],
  body: {
    type: 'struct',
    properties: {
      production_time: { type: 'text', format: 'time', maxLength: 64 },
      production_location: { type: 'text', maxLength: LINE_LENGTH_MAX },
      product_uid: ID,
      pro_raw_material: {
        type: 'list',
        maxItems: MATERIALS_MAX,
        items: {
          type: 'struct',
          properties: {
            pro_supplier: ID,
            pro_batch_number: ID,
            pro_Report_qualify_eval: { type: 'text', maxLength: LONG_TEXT_LENGTH_MAX, unavailable: true },
          },
          required: ['pro_supplier', 'pro_batch_number', 'pro_Report_qualify_eval'],
        },
      },
      propara: {
        type: 'struct',
        properties: { pro_temperature: MEASURED, pro_humidity: MEASURED, pro_pressure: MEASURED },
        required: ['pro_temperature', 'pro_humidity', 'pro_pressure'],
      },
      pro_op_info: {
        type: 'list',
        maxItems: MATERIALS_MAX,
        items: {
          type: 'struct',
          properties: {
            pro_op_name: { ...ID, sealed: true },
            pro_op_id: { ...ID, sealed: true },
            pro_op_record: { type: 'text', maxLength: LONG_TEXT_LENGTH_MAX, sealed: true },
          },
          required: ['pro_op_name', 'pro_op_id', 'pro_op_record'],
        },
      },
      pro_factory_uid: ID,
    },
    required: ['production_time', 'production_location', 'product_uid', 'pro_raw_material', 'propara', 'pro_op_info', 'pro_factory_uid'],
  },
  facts: {
    product: 'product_uid',
    productionBatch: 'ext.production_batch',
    device: 'ext.device_id',
    factory: 'pro_factory_uid',
    time: 'production_time',
    materials: { list: 'pro_raw_material', supplier: 'pro_supplier', batch: 'pro_batch_number', report: 'pro_Report_qualify_eval' },
  },
};
