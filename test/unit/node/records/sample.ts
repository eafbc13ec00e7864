/** Annex A records and a hash, for tests. */
import { createHash } from 'node:crypto';
import type { TextStruct } from '../../../../node/format/index.ts';

export const crypto = { hash: (data: Uint8Array): Uint8Array => new Uint8Array(createHash('sha256').update(data).digest()) };

export function annexRecord(changes: Readonly<Record<string, TextStruct[string] | undefined>> = {}): TextStruct {
  const record: Record<string, TextStruct[string] | undefined> = {
    production_time: '2025-08-09T08:00:00+08:00',
    production_location: '昆明, line 3',
    product_uid: 'SN-0001',
    pro_raw_material: { pro_supplier: 'S-12', pro_batch_number: 'B-2025-081', pro_Report_qualify_eval: 'QR-77' },
    propara: { pro_temperature: '21.50', pro_humidity: '45', pro_pressure: 'UNAVAILABLE' },
    pro_op_info: { pro_op_name: '李雷', pro_op_id: 'E-1001', pro_op_record: 'assembled' },
    pro_factory_uid: 'F-001',
    ext: { device_id: 'D-1', production_batch: 'PB-7' },
    ...changes,
  };
  for (const name of Object.keys(record)) if (record[name] === undefined) delete record[name];
  return record as TextStruct;
}
