import type { ErrorRows } from './row.ts';

/** Codes of single fields in `details`; the answer itself carries REQUEST_INVALID or the like. */
export const detailErrors = {
  PARAMETER_UNKNOWN: {
    kind: 'invalid',
    httpStatus: 400,
    text: { en: 'There is no parameter of this name', zh: '没有该名称的参数' },
    remedy: { en: 'Correct the name; the message gives the nearest known one', zh: '请更正名称；提示中给出最接近的参数名' },
  },
  PARAMETER_MISSING: {
    kind: 'invalid',
    httpStatus: 400,
    text: { en: 'A required parameter is missing', zh: '缺少必填参数' },
    remedy: { en: 'Add it; the interface registry shows its type, range and an example', zh: '请补充；接口注册表给出其类型、范围和示例' },
  },
  PARAMETER_REPEATED: {
    kind: 'invalid',
    httpStatus: 400,
    text: { en: 'A parameter stands more than once', zh: '参数重复出现' },
    remedy: { en: 'Send it once', zh: '每个参数只发送一次' },
  },
  PARAMETER_INVALID: {
    kind: 'invalid',
    httpStatus: 400,
    text: { en: 'The value of a parameter lies outside its type or range', zh: '参数值的类型或范围不符' },
    remedy: { en: 'Choose a value within what the message names', zh: '请按提示的范围取值' },
  },
  PARAMETER_ENCODING: {
    kind: 'invalid',
    httpStatus: 400,
    text: { en: 'The percent-encoding of a parameter is broken or not UTF-8', zh: '参数的百分号编码有误或不是 UTF-8' },
    remedy: {
      en: 'Encode its text as UTF-8, then each byte as % and two hex digits',
      zh: '请将文本按 UTF-8 编码后，再对每个字节做百分号编码',
    },
  },
  PARAMETER_COMBINATION: {
    kind: 'invalid',
    httpStatus: 400,
    text: { en: 'Parameters that exclude or need each other were combined otherwise', zh: '参数组合不符合限制' },
    remedy: { en: 'Follow the rule that the message states', zh: '请按提示的组合规则发送' },
  },
  FIELD_MISSING: {
    kind: 'invalid',
    httpStatus: 400,
    text: { en: 'A required field of the body is missing', zh: '请求体缺少必填字段' },
    remedy: { en: 'Add the field at the pointer named', zh: '请在所指位置补充该字段' },
  },
  FIELD_UNKNOWN: {
    kind: 'invalid',
    httpStatus: 400,
    text: { en: 'The body holds a field of no known name', zh: '请求体含有未知字段' },
    remedy: { en: 'Correct the name, or leave the field out', zh: '请更正名称或删除该字段' },
  },
  FIELD_TYPE: {
    kind: 'invalid',
    httpStatus: 400,
    text: { en: 'A field of the body has the wrong type', zh: '请求体字段类型不符' },
    remedy: { en: 'Send the type that the message names', zh: '请按提示的类型发送' },
  },
  FIELD_RANGE: {
    kind: 'invalid',
    httpStatus: 400,
    text: { en: 'A field of the body lies outside its range', zh: '请求体字段超出范围' },
    remedy: { en: 'Choose a value within what the message names', zh: '请按提示的范围取值' },
  },
} as const satisfies ErrorRows;
