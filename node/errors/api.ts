import type { ErrorRows } from './row.ts';

/** The REST interface: requests, tokens, login, limits. */
export const apiErrors = {
  METHOD_NOT_ALLOWED: {
    kind: 'unsupported',
    httpStatus: 405,
    text: { en: 'This path does not answer this method', zh: '该路径不支持此请求方法' },
    remedy: {
      en: 'Use GET to read and POST to submit; the Allow header names what this path takes',
      zh: '查询请使用 GET，提交请使用 POST；Allow 响应头列出支持的方法',
    },
  },
  REQUEST_MALFORMED: {
    kind: 'invalid',
    httpStatus: 400,
    text: { en: 'The request is not well-formed HTTP', zh: 'HTTP 请求格式错误' },
    remedy: {
      en: 'Send HTTP/1.1 over TLS 1.2 or later with a valid request line, headers and URL',
      zh: '请通过 TLS 1.2 及以上发送格式正确的 HTTP/1.1 请求',
    },
  },
  REQUEST_INVALID: {
    kind: 'invalid',
    httpStatus: 400,
    text: { en: 'Parameters or fields of the request are missing or wrong', zh: '请求参数或字段缺失或有误' },
    remedy: {
      en: 'Every bad one stands in details with its name or pointer; correct them all and send again',
      zh: 'details 列出全部有误的参数或字段，请一并更正后重试',
    },
  },
  BODY_MALFORMED: {
    kind: 'invalid',
    httpStatus: 400,
    text: { en: 'The body cannot be read in the format it claims', zh: '请求体与声明的格式不符' },
    remedy: { en: 'Send well-formed UTF-8 in the format that Content-Type names', zh: '请发送与 Content-Type 一致、格式正确的 UTF-8 内容' },
  },
  BODY_TOO_LARGE: {
    kind: 'tooLarge',
    httpStatus: 413,
    text: { en: 'The body is larger than this operation takes', zh: '请求体超过大小上限' },
    remedy: { en: 'Split the submission; data.bytesMax is the bound', zh: '请拆分提交；data.bytesMax 为上限' },
  },
  MEDIA_TYPE_UNSUPPORTED: {
    kind: 'unsupported',
    httpStatus: 415,
    text: { en: 'This operation does not take this Content-Type', zh: '不支持该 Content-Type' },
    remedy: { en: 'Use one of data.formats', zh: '请使用 data.formats 中的格式' },
  },
  CHARSET_UNSUPPORTED: {
    kind: 'unsupported',
    httpStatus: 415,
    text: { en: 'The body is stated to be in a charset that is not read here', zh: '不支持请求体声明的字符编码' },
    remedy: {
      en: 'Send the body in one of data.accepted, and let Content-Type, byte order mark and XML declaration say so or nothing',
      zh: '请使用 data.accepted 中的编码，并使 Content-Type、字节序标记和 XML 声明与之一致或不作声明',
    },
  },
  CONTENT_ENCODING_UNSUPPORTED: {
    kind: 'unsupported',
    httpStatus: 415,
    text: { en: 'Compressed bodies are not read', zh: '不支持压缩的请求体' },
    remedy: { en: 'Send the body as it is, without Content-Encoding', zh: '请直接发送未压缩的请求体，不使用 Content-Encoding' },
  },
  NOT_ACCEPTABLE: {
    kind: 'unsupported',
    httpStatus: 406,
    text: { en: 'No format of the Accept header can be answered', zh: '无法按 Accept 要求的格式应答' },
    remedy: { en: 'Ask for application/json or application/xml', zh: '请使用 application/json 或 application/xml' },
  },
  CHAIN_UNKNOWN: {
    kind: 'missing',
    httpStatus: 404,
    text: { en: 'This node serves no chain of this name', zh: '本节点不提供该链' },
    remedy: {
      en: 'Leave chain out, or give the chainId of GET /api/v1/consensus',
      zh: '请省略 chain 参数，或使用 GET /api/v1/consensus 返回的 chainId',
    },
  },
  CURSOR_INVALID: {
    kind: 'invalid',
    httpStatus: 400,
    text: { en: 'The cursor was not made by this list or belongs to another filter', zh: '游标无效或属于其他查询条件' },
    remedy: {
      en: 'Start again without after, and keep the filter the same from page to page',
      zh: '请去掉 after 重新查询，翻页时保持条件不变',
    },
  },
  INDEX_BEHIND: {
    kind: 'busy',
    httpStatus: 503,
    text: { en: 'The index of this node has not reached atLeastHeight', zh: '本节点索引尚未达到 atLeastHeight' },
    remedy: { en: 'Ask again after Retry-After, or ask another node', zh: '请按 Retry-After 稍后重试，或改用其他节点' },
  },
  EVENT_ID_AHEAD: {
    kind: 'conflict',
    httpStatus: 409,
    text: { en: 'Last-Event-ID names a block that this node does not have yet', zh: 'Last-Event-ID 所指区块高度超过本节点当前高度' },
    remedy: {
      en: 'Compare chain and height: where this node is behind, ask again later or ask another; an id of another chain has no place here',
      zh: '请核对链标识与高度：若本节点落后，请稍后重试或改用其他节点；其他链的标识不可使用',
    },
  },
  RATE_LIMITED: {
    kind: 'limited',
    httpStatus: 429,
    text: { en: 'This operation was called more often than it allows', zh: '调用次数超过限制' },
    remedy: { en: 'Wait as Retry-After says; the interface registry gives the limit', zh: '请按 Retry-After 等待；接口注册表给出限制' },
  },
  SERVER_BUSY: {
    kind: 'busy',
    httpStatus: 503,
    text: { en: 'The node serves as many calls of this kind as it may', zh: '节点当前繁忙' },
    remedy: { en: 'Send it again after Retry-After; nothing was stored', zh: '请按 Retry-After 稍后重试；本次未存储' },
  },
  REQUEST_TIMEOUT: {
    kind: 'timeout',
    httpStatus: 408,
    text: { en: 'The request did not arrive whole in time; nothing was begun', zh: '请求未能按时完整到达，未做任何处理' },
    remedy: { en: 'Send it again after Retry-After', zh: '请在 Retry-After 之后重新发送' },
  },
  CALL_TIMEOUT: {
    kind: 'timeout',
    httpStatus: 504,
    text: { en: 'The call ran over its declared time', zh: '调用超时' },
    remedy: {
      en: 'Repeat a read; for a submission first ask for its transaction, or repeat it with the same Idempotency-Key',
      zh: '查询可直接重试；提交请先查询交易状态，或使用相同 Idempotency-Key 重试',
    },
  },
  IDEMPOTENCY_KEY_REUSED: {
    kind: 'conflict',
    httpStatus: 409,
    text: { en: 'This Idempotency-Key was used for another request', zh: '该 Idempotency-Key 已用于其他请求' },
    remedy: {
      en: 'Use a new key for a new request; the same key only to repeat the same bytes',
      zh: '新请求请使用新的 Idempotency-Key；相同的 key 仅用于重发相同内容',
    },
  },
  IDEMPOTENCY_INTERRUPTED: {
    kind: 'conflict',
    httpStatus: 409,
    text: {
      en: 'The first request with this Idempotency-Key was cut off by a restart; its outcome was not kept',
      zh: '首次请求因节点重启中断，结果未保留',
    },
    remedy: {
      en: 'Look up what the first request did before sending it under a new key',
      zh: '请先查询首次请求的结果，再使用新的 key 重发',
    },
  },
  TOKEN_MISSING: {
    kind: 'unauthenticated',
    httpStatus: 401,
    text: { en: 'The call carries no token', zh: '缺少访问令牌' },
    remedy: {
      en: 'Send Authorization: Bearer with a token of POST /api/v1/auth/login; a token inside the body serves for bodies of at most 64 KiB',
      zh: '请在 Authorization: Bearer 中携带 POST /api/v1/auth/login 获得的令牌；请求体内的令牌仅适用于不超过 64 KiB 的请求体',
    },
  },
  TOKEN_INVALID: {
    kind: 'unauthenticated',
    httpStatus: 401,
    text: { en: 'The token is damaged or its signature does not verify', zh: '令牌损坏或签名无效' },
    remedy: { en: 'Log in again', zh: '请重新登录' },
  },
  TOKEN_EXPIRED: {
    kind: 'unauthenticated',
    httpStatus: 401,
    text: { en: 'The token has expired', zh: '令牌已过期' },
    remedy: { en: 'Log in again; session tokens live minutes', zh: '请重新登录；会话令牌有效期为数分钟' },
  },
  TOKEN_FOREIGN: {
    kind: 'unauthenticated',
    httpStatus: 401,
    text: {
      en: 'The token was issued for another chain, or by a node that may not issue for this account',
      zh: '令牌属于其他链，或签发节点无权为该账户签发',
    },
    remedy: { en: "Log in at a node of the account's own organisation on this chain", zh: '请在本链上账户所属组织的节点登录' },
  },
  TOKEN_REVOKED: {
    kind: 'unauthenticated',
    httpStatus: 401,
    text: { en: "The token was issued before the account's sessions were revoked", zh: '令牌已被撤销' },
    remedy: { en: 'Log in again', zh: '请重新登录' },
  },
  ACCOUNT_INACTIVE: {
    kind: 'forbidden',
    httpStatus: 403,
    text: { en: 'The account is not registered, suspended, or outside its validity', zh: '账户未注册、已停用或不在有效期内' },
    remedy: { en: 'Ask an administrator of the organisation', zh: '请联系组织管理员' },
  },
  ACCOUNT_FOREIGN: {
    kind: 'forbidden',
    httpStatus: 403,
    text: { en: 'The account belongs to another organisation', zh: '账户属于其他组织' },
    remedy: { en: 'Ask an administrator of that organisation', zh: '请联系该组织的管理员' },
  },
  LOGIN_REFUSED: {
    kind: 'unauthenticated',
    httpStatus: 401,
    text: { en: 'Account, password or one-time password is wrong', zh: '账户、密码或动态口令错误' },
    remedy: { en: 'Check all three; repeated failures lock the account for a while', zh: '请检查后重试；多次失败会暂时锁定账户' },
  },
  LOGIN_LOCKED: {
    kind: 'limited',
    httpStatus: 429,
    text: { en: 'Logins to this account from this address must wait after repeated failures', zh: '多次失败，该地址登录此账户须稍后再试' },
    remedy: { en: 'Wait as Retry-After says; sessions that are open go on', zh: '请按 Retry-After 等待；已有会话不受影响' },
  },
  OTP_REQUIRED: {
    kind: 'unauthenticated',
    httpStatus: 401,
    text: { en: 'This account logs in with a one-time password as well', zh: '该账户登录需要动态口令' },
    remedy: { en: 'Send the current code as otp', zh: '请在 otp 字段提供当前动态口令' },
  },
  STEP_UP_REQUIRED: {
    kind: 'forbidden',
    httpStatus: 403,
    text: { en: 'This operation asks for a one-time password', zh: '该操作需要动态口令确认' },
    remedy: {
      en: 'Send the current code in the otp header, or use a token of POST /api/v1/auth/step-up',
      zh: '请在 otp 请求头提供当前动态口令，或使用 POST /api/v1/auth/step-up 的令牌',
    },
  },
  OTP_INVALID: {
    kind: 'forbidden',
    httpStatus: 403,
    text: { en: 'The one-time password is wrong', zh: '动态口令错误' },
    remedy: { en: 'Send the current code; check the clock of the device that makes it', zh: '请提供当前口令，并检查生成设备的时钟' },
  },
  OTP_REUSED: {
    kind: 'forbidden',
    httpStatus: 403,
    text: { en: 'This one-time password was used already', zh: '该动态口令已被使用' },
    remedy: { en: 'Wait for the next code, at most 30 seconds', zh: '请等待下一个口令（最多 30 秒）' },
  },
  OTP_NOT_SET: {
    kind: 'forbidden',
    httpStatus: 403,
    text: { en: 'The account has no one-time password at this node', zh: '该账户在本节点未设置动态口令' },
    remedy: {
      en: 'Ask an administrator to set one, or use a node of your organisation that holds it',
      zh: '请联系管理员设置，或使用本组织持有该信息的节点',
    },
  },
  RIGHT_MISSING: {
    kind: 'forbidden',
    httpStatus: 403,
    text: { en: 'The account lacks the right for this operation', zh: '账户没有该操作的权限' },
    remedy: { en: 'Ask an administrator for a role that holds data.right', zh: '请联系管理员授予包含 data.right 的角色' },
  },
  TOKEN_CONFLICT: {
    kind: 'invalid',
    httpStatus: 400,
    text: { en: 'The request carries two tokens that differ', zh: '请求中存在两个不同的令牌' },
    remedy: {
      en: 'Send one token, in the Authorization header or in the body',
      zh: '请只提供一个令牌：置于 Authorization 请求头或请求体中',
    },
  },
  TRANSACTION_FAILED: {
    kind: 'conflict',
    httpStatus: 409,
    text: { en: 'The transaction is on the chain and failed; it changed nothing', zh: '交易已上链但执行失败，未改变任何状态' },
    remedy: {
      en: 'data.code and data.detail give the reason of the contract; correct the call and send it again',
      zh: 'data.code 与 data.detail 给出合约返回的原因，请更正后重新提交',
    },
  },
  CONTRACT_NOT_FOUND: {
    kind: 'missing',
    httpStatus: 404,
    text: { en: 'There is no contract at this address', zh: '未找到该合约' },
    remedy: { en: 'Take the address from GET /api/v1/contracts', zh: '请从 GET /api/v1/contracts 获取地址' },
  },
} as const satisfies ErrorRows;
