/** `device`: a state of a machine over a time, with what was measured in it (design: record, "Other classes"). */
import { ID_LENGTH_MAX, LINE_LENGTH_MAX, LONG_TEXT_LENGTH_MAX } from './ext.ts';
import type { ClassDefinition } from './schema.ts';

const ID = { type: 'text', maxLength: ID_LENGTH_MAX } as const;
const TIME = { type: 'text', format: 'time', maxLength: 64 } as const;

export const device: ClassDefinition = {
  name: 'device',
  version: 1,
  key: ['factory_uid', 'device_id', 'begin_time', 'status'],
  body: {
    type: 'struct',
    properties: {
      device_id: ID,
      status: { type: 'text', enum: ['running', 'idle', 'stopped', 'fault', 'maintenance'] },
      begin_time: TIME,
      end_time: TIME,
      fault_cause: { type: 'text', maxLength: LINE_LENGTH_MAX },
      measurements: {
        type: 'list',
        maxItems: 10_000,
        items: {
          type: 'struct',
          properties: {
            name: ID,
            value: { type: 'text', minLength: 0, maxLength: LONG_TEXT_LENGTH_MAX },
            unit: { type: 'text', format: 'unit', maxLength: 64 },
            time: TIME,
          },
          required: ['name', 'value'],
        },
      },
      location: { type: 'text', maxLength: LINE_LENGTH_MAX },
      factory_uid: ID,
    },
    required: ['device_id', 'status', 'begin_time', 'factory_uid'],
  },
  facts: { productionBatch: 'ext.production_batch', device: 'device_id', factory: 'factory_uid', time: 'begin_time', endTime: 'end_time' },
};
