/**
 * The 17 names of DB53/T 1407-2025 table A.1 as the interface registry tells them, printed spelling included, and the example that follows them. What a
 * record must hold is said by its class (contracts/classes/production.ts); a test holds the two together.
 */
import type { BodyField } from './route.ts';

const field = (name: string, type: string, range: string, example: string, en: string, zh: string): BodyField => ({
  name,
  type,
  range,
  required: true,
  example,
  description: { en, zh },
});

const ID = 'text, 1..256 characters, not blank';
const LINE = 'text, 1..4096 characters, not blank';
const LONG = 'text, not blank, within the size of a record';
const DECIMAL = 'decimal, or UNAVAILABLE when not measured';
const MEMBERS = 'once, or a list of 1 to 100';

export const annexFields: readonly BodyField[] = [
  field(
    'production_time',
    'string',
    'RFC 3339, or 13-digit epoch milliseconds',
    '2025-08-09T08:00:00+08:00',
    'Time of production; spellings of one instant are one record, and the first is the one stored. A leap second (:60) counts in order as the first instant after it; a time that never was is refused',
    '生产时间的时间戳；同一时刻的不同写法视为同一记录，保存首次的写法。闰秒（:60）按其后第一个时刻排序；不存在的时刻被拒绝',
  ),
  field('production_location', 'string', LINE, 'Kunming, line 3', 'Where the product was made', '产品生产地点'),
  field('product_uid', 'string', ID, 'M14860', 'Serial number of the product', '产品序列号'),
  field(
    'pro_raw_material',
    'struct',
    MEMBERS,
    '{"pro_supplier":"S-12","pro_batch_number":"B-2025-081","pro_Report_qualify_eval":"QR-77"}',
    'Raw material used',
    '所用原材料',
  ),
  field('pro_raw_material.pro_supplier', 'string', ID, 'S-12', 'Supplier of the material', '原材料供应商'),
  field('pro_raw_material.pro_batch_number', 'string', ID, 'B-2025-081', "The supplier's batch number", '原材料批次号'),
  field(
    'pro_raw_material.pro_Report_qualify_eval',
    'string',
    `${LONG}, or UNAVAILABLE`,
    'QR-77',
    'Quality-inspection report of the material',
    '质检报告',
  ),
  field(
    'propara',
    'struct',
    'once',
    '{"pro_temperature":"21.5","pro_humidity":"45","pro_pressure":"101.3"}',
    'Parameters of the production process',
    '生产过程参数',
  ),
  field('propara.pro_temperature', 'string', DECIMAL, '21.5', 'Temperature', '温度'),
  field('propara.pro_humidity', 'string', DECIMAL, '45', 'Humidity', '湿度'),
  field('propara.pro_pressure', 'string', DECIMAL, '101.3', 'Pressure', '压力'),
  field(
    'pro_op_info',
    'struct',
    `${MEMBERS}; members are sealed`,
    '{"pro_op_name":"Li","pro_op_id":"E-1001","pro_op_record":"assembled"}',
    'Operator of the production step',
    '生产操作人员信息',
  ),
  field('pro_op_info.pro_op_name', 'string', ID, 'Li', "Operator's name", '操作人员姓名'),
  field('pro_op_info.pro_op_id', 'string', ID, 'E-1001', "Operator's staff number", '操作人员工号'),
  field('pro_op_info.pro_op_record', 'string', LONG, 'assembled', 'What the operator did', '操作记录'),
  field('pro_factory_uid', 'string', ID, 'F-001', 'Factory of the product, as registered', '产品生产厂商'),
  field(
    'token',
    'string',
    'text',
    '<access token>',
    'Access token: here, or in the Authorization header; never stored',
    '访问令牌：可置于此处或请求头，不存储',
  ),
];

/** A whole record of the table but its token, as JSON. */
export const annexExample = JSON.stringify(structOf(annexFields.filter(({ name, type }) => type !== 'struct' && name !== 'token')));

function structOf(fields: readonly BodyField[]): object {
  const out: Record<string, unknown> = {};
  for (const { name, example } of fields) {
    const [top, member] = name.split('.') as [string, string?];
    if (member === undefined) out[top] = example;
    else out[top] = { ...(out[top] as object | undefined), [member]: example };
  }
  return out;
}
