/**
 * AI4I 2020 as annex A records: 10,000 rows of a milling machine's data set, spread over the factories of a devnet. Same input, same
 * records, on every run. What the data does not hold is UNAVAILABLE or invented; what is invented is listed in `ext.filled` beside the
 * registered mapping whose document holds the rules (AI4I_MAPPING_FILE; licence CC BY 4.0, see SOURCE.md there).
 */
import { parse } from 'csv-parse/sync';
import { formatTime, parseTime, type RecordOrigin, type TextStruct } from '../node/format/index.ts';

export const AI4I_FILE = 'devnet/data/ai4i2020/ai4i2020.csv';
export const AI4I_ROWS = 10_000;
export const AI4I_MAPPING = 'ai4i2020/1';
/** The document of that mapping; the chain holds its digest. */
export const AI4I_MAPPING_FILE = 'devnet/data/ai4i2020/MAPPING.md';
/** Interface of the registry by which the loader delivers. */
export const AI4I_INTERFACE = 'submitRecords';
const AI4I_START = '2020-01-06T00:00:00.000000Z'; // invented: the data has an order, no times
const ROW_INTERVAL_US = 60_000_000n; // one product a minute
const PRODUCTION_BATCH_ROWS = 100;
const MATERIAL_BATCH_ROWS = 250;

/** Invented operators; a test looks for these names in files and logs of every node and must not find them in clear. */
export const AI4I_OPERATORS: readonly { readonly id: string; readonly name: string }[] = [
  'Wang Jianguo 王建国',
  'Li Xiuying 李秀英',
  'Zhang Guilan 张桂兰',
  'Liu Zhiqiang 刘志强',
  'Chen Yulan 陈玉兰',
  'Yang Haiyan 杨海燕',
  'Zhao Lihua 赵丽华',
  'Huang Shaoming 黄绍明',
].map((name, i) => ({ id: `E-${1001 + i}`, name }));

const SUPPLIERS: Readonly<Record<string, string>> = { L: 'Yunnan Light Alloy', M: 'Panzhihua Steel Trade', H: 'Honghe Special Steel' };

export interface Ai4iFactory {
  readonly id: string;
  readonly organisation: string;
  readonly location: string;
  /** Registered devices of the factory; at least one. */
  readonly devices: readonly string[];
}

export interface Ai4iRecord {
  readonly organisation: string;
  /** As a factory would submit it: annex A names and `ext`, without token, in clear. */
  readonly record: TextStruct;
  /** The data has no times: `time` is absent. */
  readonly source: RecordOrigin;
}

/** Rows of the file as name -> text. @throws Error when the file is not the data set. */
export function readAi4iRows(csv: string): readonly Readonly<Record<string, string>>[] {
  const rows = parse(csv, { bom: true, columns: true, record_delimiter: ['\r\n', '\n'] }) as Record<string, string>[];
  if (rows.length !== AI4I_ROWS || rows[0]?.['Product ID'] !== 'M14860') throw new Error(`Cannot read AI4I 2020: ${rows.length} rows`);
  return rows;
}

/** @param count records wanted; past the 10,000 of the data the rows repeat with a suffix to the product id and later times. */
export function* ai4iRecords(
  rows: readonly Readonly<Record<string, string>>[],
  factories: readonly Ai4iFactory[],
  count: number = rows.length,
): Generator<Ai4iRecord> {
  const start = parseTime(AI4I_START);
  if (!start.ok || factories.length === 0) throw new RangeError('Cannot spread records over no factory');
  for (let i = 0; i < count; i++) {
    const row = rows[i % rows.length]!;
    const cycle = Math.floor(i / rows.length);
    const batch = Math.floor(i / PRODUCTION_BATCH_ROWS);
    const factory = factories[batch % factories.length]!;
    yield recordOf(row, i, cycle, batch, factory, formatTime(start.us + BigInt(i) * ROW_INTERVAL_US)!);
  }
}

function recordOf(
  row: Readonly<Record<string, string>>,
  i: number,
  cycle: number,
  batch: number,
  factory: Ai4iFactory,
  time: string,
): Ai4iRecord {
  const cell = (name: string): string => row[name]!;
  const grade = cell('Type');
  const operator = AI4I_OPERATORS[Math.floor(i / PRODUCTION_BATCH_ROWS) % AI4I_OPERATORS.length]!;
  const number = (value: number): string => String(value + 1).padStart(4, '0');
  const record: TextStruct = {
    production_time: time,
    production_location: factory.location,
    product_uid: cell('Product ID') + (cycle === 0 ? '' : `-${cycle + 1}`),
    pro_raw_material: {
      pro_supplier: SUPPLIERS[grade]!,
      pro_batch_number: `RM-${grade}-${number(Math.floor(i / MATERIAL_BATCH_ROWS))}`,
      pro_Report_qualify_eval: 'UNAVAILABLE',
    },
    propara: { pro_temperature: cell('Process temperature [K]'), pro_humidity: 'UNAVAILABLE', pro_pressure: 'UNAVAILABLE' },
    pro_op_info: { pro_op_name: operator.name, pro_op_id: operator.id, pro_op_record: `milled grade ${grade}, row ${cell('UDI')}` },
    pro_factory_uid: factory.id,
    ext: {
      device_id: factory.devices[i % factory.devices.length]!,
      production_batch: `PB-${number(batch)}`,
      step_code: 'milling',
      parameters: {
        product_grade: { value: grade },
        air_temperature: { value: cell('Air temperature [K]'), unit: 'K' },
        rotational_speed: { value: cell('Rotational speed [rpm]'), unit: '/min' },
        torque: { value: cell('Torque [Nm]'), unit: 'N.m' },
        tool_wear: { value: cell('Tool wear [min]'), unit: 'min' },
        machine_failure: { value: cell('Machine failure') },
        failure_tool_wear: { value: cell('TWF') },
        failure_heat_dissipation: { value: cell('HDF') },
        failure_power: { value: cell('PWF') },
        failure_overstrain: { value: cell('OSF') },
        failure_random: { value: cell('RNF') },
      },
      units: { 'propara.pro_temperature': 'K' },
      filled: FILLED,
    },
  };
  return {
    organisation: factory.organisation,
    record,
    source: { system: 'ai4i2020', id: cell('UDI'), seq: `${i + 1}`, interfaceId: AI4I_INTERFACE, mapping: AI4I_MAPPING },
  };
}

const FILLED = {
  mapping: AI4I_MAPPING,
  paths: [
    'production_time',
    'production_location',
    'pro_factory_uid',
    'pro_raw_material.pro_supplier',
    'pro_raw_material.pro_batch_number',
    'pro_op_info',
    'ext.device_id',
    'ext.production_batch',
    'ext.step_code',
  ],
};
