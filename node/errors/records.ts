import type { ErrorRows } from './row.ts';

/** Records and queries of them. */
export const recordsErrors = {
  RECORD_FIELD_MISSING: {
    kind: 'invalid',
    httpStatus: 422,
    text: { en: 'A required field is missing', zh: '缺少必填字段' },
    remedy: { en: 'Add the field; data.name names it', zh: '请补充 data.name 所示的字段' },
  },
  RECORD_FIELD_UNKNOWN: {
    kind: 'invalid',
    httpStatus: 422,
    text: { en: 'The class has no field of this name', zh: '该类别没有此字段' },
    remedy: {
      en: 'Use data.nearest when it is meant; free values go into ext.parameters',
      zh: '若有 data.nearest 请核对拼写；其他数值请放入 ext.parameters',
    },
  },
  RECORD_FIELD_EMPTY: {
    kind: 'invalid',
    httpStatus: 422,
    text: { en: 'The field is empty or holds only white space', zh: '字段为空或仅含空白字符' },
    remedy: { en: 'Give a value, or leave an optional field out', zh: '请填写值；可选字段可省略' },
  },
  RECORD_FIELD_TYPE: {
    kind: 'invalid',
    httpStatus: 422,
    text: { en: 'The value is not of the type of the field', zh: '字段类型不符' },
    remedy: { en: 'Send what data.expected names', zh: '请按 data.expected 所示类型提交' },
  },
  SEALED_PEER_FOREIGN: {
    kind: 'forbidden',
    httpStatus: 403,
    text: { en: 'A node of another organisation asked for sealed values', zh: '其他组织的节点请求了密封数据' },
    remedy: { en: 'Nothing was given; look at the peer', zh: '未提供任何数据；请检查对端' },
  },
  SEALED_KEYS_DIFFER: {
    kind: 'conflict',
    httpStatus: 409,
    text: {
      en: 'A node of the organisation seals under a key that this node does not hold',
      zh: '本组织另一节点使用了本节点未持有的密封密钥',
    },
    remedy: {
      en: 'Run tracemill keys export-sealing there and import-sealing here, then start this node again',
      zh: '请在对方节点运行 tracemill keys export-sealing，在本节点运行 import-sealing，然后重启本节点',
    },
  },
  RECORD_FIELD_NOT_SEALED: {
    kind: 'invalid',
    httpStatus: 422,
    text: { en: 'A sealed field stands in clear', zh: '密封字段以明文出现' },
    remedy: {
      en: 'Submit through the records interface, or replace the value by its commitment',
      zh: '请通过记录接口提交，或以承诺值代替明文',
    },
  },
  RECORD_VALUE_RANGE: {
    kind: 'invalid',
    httpStatus: 422,
    text: { en: 'The value lies outside its range', zh: '数值超出范围' },
    remedy: { en: 'Keep to data.minimum and data.maximum', zh: '请使数值处于 data.minimum 与 data.maximum 之间' },
  },
  RECORD_VALUE_UNKNOWN: {
    kind: 'invalid',
    httpStatus: 422,
    text: { en: 'The value is none of those allowed', zh: '取值不在允许范围内' },
    remedy: { en: 'Use one of data.allowed', zh: '请使用 data.allowed 中的取值' },
  },
  RECORD_LENGTH: {
    kind: 'invalid',
    httpStatus: 422,
    text: { en: 'The text is too long or too short', zh: '文本长度不符合要求' },
    remedy: { en: 'Keep to data.lengthMin and data.lengthMax code points', zh: '请使长度符合 data.lengthMin 与 data.lengthMax' },
  },
  RECORD_COUNT: {
    kind: 'invalid',
    httpStatus: 422,
    text: { en: 'There are too many or too few items', zh: '项数不符合要求' },
    remedy: { en: 'Keep to data.countMin and data.countMax', zh: '请使项数符合 data.countMin 与 data.countMax' },
  },
  RECORD_NAME_MALFORMED: {
    kind: 'invalid',
    httpStatus: 422,
    text: { en: 'A free name has characters not every format can carry', zh: '名称含有不允许的字符' },
    remedy: {
      en: 'Begin with a letter or underscore, go on with letters, digits, _ and -',
      zh: '名称须以字母或下划线开头，后接字母、数字、_ 或 -',
    },
  },
  RECORD_PATH_UNKNOWN: {
    kind: 'invalid',
    httpStatus: 422,
    text: { en: 'ext.filled or ext.units names a field that is not there', zh: 'ext.filled 或 ext.units 指向不存在的字段' },
    remedy: {
      en: 'Name a field of this record, such as propara.pro_temperature',
      zh: '请填写本记录中存在的字段，如 propara.pro_temperature',
    },
  },
  RECORD_UNAVAILABLE_NOT_ALLOWED: {
    kind: 'invalid',
    httpStatus: 422,
    text: { en: 'UNAVAILABLE is not allowed in this field', zh: '该字段不允许 UNAVAILABLE' },
    remedy: {
      en: 'Give a value; UNAVAILABLE may stand in propara and pro_Report_qualify_eval only',
      zh: '请填写值；仅 propara 成员和 pro_Report_qualify_eval 可为 UNAVAILABLE',
    },
  },
  RECORD_TIME_MALFORMED: {
    kind: 'invalid',
    httpStatus: 422,
    text: { en: 'The time is neither RFC 3339 nor 13-digit epoch milliseconds', zh: '时间格式不正确' },
    remedy: { en: 'Write for example 2025-08-09T08:00:00+08:00', zh: '请使用如 2025-08-09T08:00:00+08:00 的格式' },
  },
  RECORD_TIME_AMBIGUOUS: {
    kind: 'invalid',
    httpStatus: 422,
    text: { en: 'A number of 10 digits could be seconds or a cut time', zh: '10 位数字的时间含义不明确' },
    remedy: { en: 'Write RFC 3339, or milliseconds with 13 digits', zh: '请使用 RFC 3339 或 13 位毫秒时间戳' },
  },
  RECORD_TIME_AHEAD: {
    kind: 'invalid',
    httpStatus: 422,
    text: { en: 'The time lies further ahead of block time than recordTimeAheadMaxMs', zh: '时间超前于区块时间过多' },
    remedy: { en: 'Check the clock and time zone of the sender', zh: '请检查发送方的时钟与时区' },
  },
  RECORD_TOO_LARGE: {
    kind: 'tooLarge',
    httpStatus: 413,
    text: { en: 'The record, or what is sealed of it, is larger than it may be', zh: '单条记录或其密封字段超过大小上限' },
    remedy: { en: 'Put documents outside and their digests into ext.documents', zh: '请将文件存放在链外，并在 ext.documents 中填写摘要' },
  },
  RECORD_FACTORY_FOREIGN: {
    kind: 'forbidden',
    httpStatus: 403,
    text: { en: 'The factory belongs to another organisation', zh: '该工厂属于其他组织' },
    remedy: {
      en: 'Submit as its organisation, or have it grant record:submit on the factory',
      zh: '请以所属组织提交，或由其授予该工厂的 record:submit 权限',
    },
  },
  RECORD_FACTORY_UNKNOWN: {
    kind: 'forbidden',
    httpStatus: 403,
    text: { en: 'No active factory of this id is registered', zh: '未登记该工厂或已停用' },
    remedy: { en: 'Register the factory for your organisation', zh: '请先为本组织登记该工厂' },
  },
  RECORD_DEVICE_FOREIGN: {
    kind: 'forbidden',
    httpStatus: 403,
    text: { en: 'The device belongs to another organisation', zh: '该设备属于其他组织' },
    remedy: {
      en: 'Submit as its organisation, or have it grant record:submit on the device',
      zh: '请以所属组织提交，或由其授予该设备的 record:submit 权限',
    },
  },
  RECORD_MAPPING_UNKNOWN: {
    kind: 'invalid',
    httpStatus: 422,
    text: { en: 'ext.filled names a mapping that is not registered for this class', zh: 'ext.filled 指向未为该类别登记或已停用的映射' },
    remedy: {
      en: 'Register the mapping data.mapping with its document, or state path and rule of each value',
      zh: '请登记映射 data.mapping 及其文档，或逐项填写 path 与 rule',
    },
  },
  RECORD_DEVICE_UNKNOWN: {
    kind: 'forbidden',
    httpStatus: 403,
    text: { en: 'No active device of this id is registered', zh: '未登记该设备或已停用' },
    remedy: { en: 'Register the device for your organisation', zh: '请先为本组织登记该设备' },
  },
  RECORD_RIGHT_MISSING: {
    kind: 'forbidden',
    httpStatus: 403,
    text: { en: 'The account lacks the right that this takes', zh: '账户缺少所需权限' },
    remedy: { en: 'Have an administrator give a role with data.right', zh: '请由管理员授予包含 data.right 的角色' },
  },
  RECORD_CALLER_CONTRACT: {
    kind: 'forbidden',
    httpStatus: 403,
    text: { en: 'Records are written by accounts, not by contracts in their name', zh: '合约不能代替账户写入记录' },
    remedy: { en: 'Put the call into the transaction itself', zh: '请在交易中直接调用' },
  },
  RECORD_CLASS_UNKNOWN: {
    kind: 'invalid',
    httpStatus: 422,
    text: { en: 'There is no such record class', zh: '没有该记录类别' },
    remedy: {
      en: 'Use production, device, quality, material_consumption or a class that an organisation registered',
      zh: '请使用 production、device、quality、material_consumption 或机构已注册的类别',
    },
  },
  RECORD_CLASS_VERSION: {
    kind: 'conflict',
    httpStatus: 409,
    text: { en: 'The class has another version now', zh: '记录类别版本已变更' },
    remedy: { en: 'Prepare the record again by the current version', zh: '请按当前版本重新提交' },
  },
  RECORD_KEY_CONFLICT: {
    kind: 'conflict',
    httpStatus: 409,
    text: { en: 'A record with this key and other content is on the chain', zh: '链上已有相同标识但内容不同的记录' },
    remedy: {
      en: 'Use records/update to change it; data.currentVersion is what stands',
      zh: '如需修改请使用 records/update；当前版本见 data.currentVersion',
    },
  },
  RECORD_KEY_CHANGED: {
    kind: 'conflict',
    httpStatus: 409,
    text: { en: 'The change would alter what identifies the record', zh: '修改会改变记录的标识字段' },
    remedy: { en: 'Withdraw the record and submit a new one', zh: '请撤回该记录后重新提交' },
  },
  RECORD_KEY_EMPTY: {
    kind: 'invalid',
    httpStatus: 422,
    text: { en: 'The record has no field that identifies it', zh: '记录缺少标识字段' },
    remedy: { en: 'Give the key fields of the class, or ext.record_key', zh: '请填写该类别的标识字段或 ext.record_key' },
  },
  RECORD_VERSION_MOVED: {
    kind: 'conflict',
    httpStatus: 409,
    text: { en: 'The record has another current version than expected', zh: '记录当前版本已变更' },
    remedy: { en: 'Read it again and decide anew', zh: '请重新读取后再提交' },
  },
  RECORD_VERSIONS_EXHAUSTED: {
    kind: 'conflict',
    httpStatus: 409,
    text: { en: 'The record has as many versions as it may', zh: '记录版本数已达上限' },
    remedy: { en: 'Submit a new record that links to it', zh: '请提交新记录并建立关联' },
  },
  RECORD_UNCHANGED: {
    kind: 'conflict',
    httpStatus: 409,
    text: { en: 'The new version equals the current one', zh: '新版本与当前版本相同' },
    remedy: { en: 'Nothing to do', zh: '无需处理' },
  },
  RECORD_DELETED: {
    kind: 'conflict',
    httpStatus: 409,
    text: { en: 'The record has been withdrawn', zh: '记录已撤回' },
    remedy: { en: 'Its history stays readable; submit a new record', zh: '其历史仍可查询；请提交新记录' },
  },
  RECORD_FOREIGN: {
    kind: 'forbidden',
    httpStatus: 403,
    text: { en: 'The record belongs to another organisation', zh: '该记录属于其他组织' },
    remedy: { en: 'Ask data.org to change it', zh: '请联系 data.org 进行修改' },
  },
  RECORD_NOT_FOUND: {
    kind: 'missing',
    httpStatus: 404,
    text: { en: 'There is no record under this id', zh: '未找到该记录' },
    remedy: { en: 'Check the id, and that its transaction is final', zh: '请检查记录标识，并确认交易已最终确认' },
  },
  RECORD_NOT_CANONICAL: {
    kind: 'invalid',
    httpStatus: 400,
    text: { en: 'The content is not in canonical form', zh: '记录内容不是规范形式' },
    remedy: { en: 'Send the bytes of tracemill record canonical', zh: '请使用 tracemill record canonical 生成的字节' },
  },
  RECORD_ARGS_MALFORMED: {
    kind: 'invalid',
    httpStatus: 400,
    text: { en: 'The arguments of the call do not decode', zh: '调用参数无法解码' },
    remedy: { en: 'Use the published codec; data.reason names the place', zh: '请使用公布的编码格式；data.reason 指出问题所在' },
  },
  RECORD_NONE: {
    kind: 'invalid',
    httpStatus: 400,
    text: { en: 'The call holds no record', zh: '调用中没有记录' },
    remedy: { en: 'Send at least one record', zh: '请至少提交一条记录' },
  },
  RECORD_REASON_MISSING: {
    kind: 'invalid',
    httpStatus: 422,
    text: { en: 'A change must state its reason', zh: '修改必须说明原因' },
    remedy: { en: 'Give a reason', zh: '请填写原因' },
  },
  RECORD_CONTENT_MISSING: {
    kind: 'invalid',
    httpStatus: 400,
    text: { en: 'An amendment needs the new content', zh: '修改缺少新内容' },
    remedy: { en: 'Give the whole new content', zh: '请提供完整的新内容' },
  },
  RECORD_CONTENT_UNEXPECTED: {
    kind: 'invalid',
    httpStatus: 400,
    text: { en: 'A withdrawal carries no content', zh: '撤回不应携带内容' },
    remedy: { en: 'Leave the content out', zh: '请去掉内容' },
  },
  RECORD_DIGEST_MISMATCH: {
    kind: 'invalid',
    httpStatus: 422,
    text: { en: 'The stated digest does not match the record', zh: '声明的摘要与记录不符' },
    remedy: {
      en: 'Repeat the digest over the record without token; data.algorithm says how',
      zh: '请对不含 token 的记录重新计算摘要；算法见 data.algorithm',
    },
  },
  RECORD_DIGEST_SINGLE: {
    kind: 'invalid',
    httpStatus: 400,
    text: { en: 'A stated digest covers one record, but the body holds several', zh: '声明的摘要仅适用于单条记录，但请求体包含多条' },
    remedy: { en: 'Send one record with its digest, or leave the digest out', zh: '请单独提交该记录及其摘要，或不提供摘要' },
  },
  RECORD_DIGEST_MALFORMED: {
    kind: 'invalid',
    httpStatus: 400,
    text: { en: 'The stated digest is not 64 hex digits', zh: '声明的摘要格式不正确' },
    remedy: { en: 'State SHA-256 in hexadecimal', zh: '请以十六进制填写 SHA-256' },
  },
  RECORD_FAULTY: {
    kind: 'invalid',
    httpStatus: 422,
    text: { en: 'The body holds records with faults; nothing was stored', zh: '提交的记录存在错误，未存储任何数据' },
    remedy: { en: 'See details for every fault and its place', zh: '请在 details 中查看所有错误及其位置' },
  },
  TOKEN_MALFORMED: {
    kind: 'unauthenticated',
    httpStatus: 401,
    text: { en: 'The token in the body is not a text', zh: '请求体中的令牌不是文本' },
    remedy: { en: 'Give the token as one text', zh: '请以文本形式提供令牌' },
  },
  RECORD_CURSOR_INVALID: {
    kind: 'invalid',
    httpStatus: 400,
    text: { en: 'The cursor belongs to another query or is damaged', zh: '游标无效或属于其他查询' },
    remedy: { en: 'Begin again without after', zh: '请去掉 after 重新查询' },
  },
  RECORD_QUERY_INVALID: {
    kind: 'invalid',
    httpStatus: 400,
    text: { en: 'A condition of the query is not valid', zh: '查询条件无效' },
    remedy: { en: 'See data.name', zh: '请参阅 data.name' },
  },
  RECORD_INDEX_ORDER: {
    kind: 'internal',
    httpStatus: 500,
    text: { en: 'The query index was fed a block out of order', zh: '查询索引收到顺序错误的区块' },
    remedy: { en: 'Rebuild the index', zh: '请重建索引' },
  },
} as const satisfies ErrorRows;
