import type { ErrorRows } from './row.ts';

/** Transactions, mempool and blocks. */
export const ledgerErrors = {
  TRANSACTION_MALFORMED: {
    kind: 'invalid',
    httpStatus: 400,
    text: { en: 'The bytes are not a transaction in canonical form', zh: '交易编码不规范' },
    remedy: {
      en: 'Encode the transaction with the published codec; data.reason names the place',
      zh: '请使用公布的编码格式；data.reason 指出问题所在',
    },
  },
  TRANSACTION_TOO_LARGE: {
    kind: 'tooLarge',
    httpStatus: 413,
    text: { en: 'The transaction is larger than transactionBytesMax', zh: '交易超过大小上限' },
    remedy: { en: 'Split it into several transactions', zh: '请拆分为多个交易' },
  },
  TRANSACTION_CHAIN_FOREIGN: {
    kind: 'invalid',
    httpStatus: 400,
    text: { en: 'The transaction is signed for another chain', zh: '交易属于另一条链' },
    remedy: { en: 'Sign with the chainId that GET /api/v1/blocks/0 shows', zh: '请使用 GET /api/v1/blocks/0 返回的 chainId 签名' },
  },
  TRANSACTION_EXPIRED: {
    kind: 'conflict',
    httpStatus: 409,
    text: { en: 'The height named by expiryHeight has passed', zh: '交易已过期' },
    remedy: {
      en: 'Sign it again with a later expiryHeight; it can never be included now',
      zh: '请使用更大的 expiryHeight 重新签名；原交易不会再上链',
    },
  },
  TRANSACTION_EXPIRY_TOO_FAR: {
    kind: 'invalid',
    httpStatus: 400,
    text: { en: 'expiryHeight lies further ahead than txLifetimeBlocksMax', zh: 'expiryHeight 超出允许范围' },
    remedy: {
      en: 'Choose an expiryHeight within txLifetimeBlocksMax of the head',
      zh: '请选择距当前高度 txLifetimeBlocksMax 以内的 expiryHeight',
    },
  },
  TRANSACTION_REPEATED: {
    kind: 'conflict',
    httpStatus: 409,
    text: { en: 'A transaction with this id is on the chain already', zh: '交易已上链，不能重复提交' },
    remedy: {
      en: 'Read GET /api/v1/transactions/{id}; to do it again, sign with a new salt',
      zh: '请查询 GET /api/v1/transactions/{id}；如需再次执行，请更换 salt 重新签名',
    },
  },
  TRANSACTION_SENDER_UNKNOWN: {
    kind: 'forbidden',
    httpStatus: 403,
    text: { en: 'The sender is not an active account of this chain', zh: '发送方账户未注册或已停用' },
    remedy: { en: 'Register the account, or use one that is active', zh: '请先注册账户或使用有效账户' },
  },
  TRANSACTION_KEY_UNKNOWN: {
    kind: 'forbidden',
    httpStatus: 403,
    text: { en: 'The account holds no valid key of this id', zh: '账户没有该有效密钥' },
    remedy: { en: 'Use a registered key that is neither expired nor revoked', zh: '请使用已注册且未过期、未撤销的密钥' },
  },
  TRANSACTION_SIGNATURE_INVALID: {
    kind: 'forbidden',
    httpStatus: 403,
    text: { en: 'The signature does not verify under the key', zh: '交易签名无效' },
    remedy: { en: 'Sign the tagged transaction id with the private key of keyId', zh: '请用 keyId 对应的私钥对带标签的交易标识签名' },
  },
  TRANSACTION_GAS_LIMIT: {
    kind: 'invalid',
    httpStatus: 400,
    text: { en: 'gasLimit is zero or above transactionGasMax', zh: 'gasLimit 超出允许范围' },
    remedy: { en: 'Choose a gasLimit from 1 to transactionGasMax', zh: '请将 gasLimit 设为 1 至 transactionGasMax' },
  },
  TRANSACTION_EMPTY: {
    kind: 'invalid',
    httpStatus: 400,
    text: { en: 'The transaction holds no call', zh: '交易不包含任何调用' },
    remedy: { en: 'Put at least one call into it', zh: '请至少包含一个调用' },
  },
  MEMPOOL_FULL: {
    kind: 'busy',
    httpStatus: 503,
    text: { en: 'The node holds as many waiting transactions as it may', zh: '交易池已满' },
    remedy: { en: 'Send it again after Retry-After; nothing was stored', zh: '请按 Retry-After 稍后重试；本次未存储' },
  },
  MEMPOOL_SENDER_QUOTA: {
    kind: 'limited',
    httpStatus: 429,
    text: { en: 'This sender has as many waiting transactions as one sender may', zh: '该发送方的待处理交易已达上限' },
    remedy: { en: 'Wait for receipts before sending more', zh: '请等待回执后再提交' },
  },
  MEMPOOL_TRANSACTION_KNOWN: {
    kind: 'conflict',
    httpStatus: 409,
    text: { en: 'The same transaction is waiting already', zh: '交易已在等待处理' },
    remedy: { en: 'Read GET /api/v1/transactions/{id}', zh: '请查询 GET /api/v1/transactions/{id}' },
  },
  BLOCK_MALFORMED: {
    kind: 'invalid',
    httpStatus: 400,
    text: { en: 'The bytes are not a block in canonical form', zh: '区块编码不规范' },
    remedy: { en: 'Send the exact bytes of GET /api/v1/blocks/{ref}?form=raw', zh: '请发送 GET /api/v1/blocks/{ref}?form=raw 的原始字节' },
  },
  EVIDENCE_NOT_READY: {
    kind: 'conflict',
    httpStatus: 409,
    text: { en: 'The block is not certified, so nothing can be proved by it', zh: '该区块尚无证书，无法用于证明' },
    remedy: { en: 'Ask again after the next block', zh: '请在下一区块后重试' },
  },
  BLOCK_REFUSED: {
    kind: 'invalid',
    httpStatus: 422,
    text: { en: 'The block fails a check of the chain', zh: '区块未通过链上校验' },
    remedy: {
      en: 'data.failed names each failed check with the computed and the stated value; nothing was stored',
      zh: 'data.failed 列出每项未通过的检查及计算值与声明值；未写入任何数据',
    },
  },
  BLOCK_OUT_OF_TURN: {
    kind: 'conflict',
    httpStatus: 409,
    text: { en: 'The proposal is not for the next height', zh: '提案高度不是下一高度' },
    remedy: { en: 'Nothing to do: the replica synchronises by itself', zh: '无需处理：副本会自动同步' },
  },
  BLOCK_STALE: {
    kind: 'conflict',
    httpStatus: 409,
    text: { en: 'The proposal is older than the view allows', zh: '提案的时间早于当前视图允许的范围' },
    remedy: {
      en: 'Nothing to do when it is rare; when it is not, compare the clocks of the nodes',
      zh: '偶发时无需处理；频繁出现时请核对各节点的时钟',
    },
  },
  BLOCK_INCOMPLETE: {
    kind: 'conflict',
    httpStatus: 409,
    text: { en: 'Transactions named by the proposal could not be had, or are bad', zh: '提案中的交易无法取得或无效' },
    remedy: { en: 'Nothing to do: the view changes if its primary withholds them', zh: '无需处理：若主节点隐瞒交易，将触发视图切换' },
  },
  BLOCK_LIMITS: {
    kind: 'invalid',
    httpStatus: 422,
    text: { en: 'The block holds more than the chain parameters allow', zh: '区块超出链参数限制' },
    remedy: {
      en: 'See blockTransactionsMax, blockBytesMax and blockGasMax',
      zh: '请参阅 blockTransactionsMax、blockBytesMax 和 blockGasMax',
    },
  },
  NOTHING_TO_INCLUDE: {
    kind: 'conflict',
    httpStatus: 409,
    text: { en: 'No waiting transaction can be included', zh: '没有可打包的交易' },
    remedy: { en: 'Nothing to do', zh: '无需处理' },
  },
  BLOCK_NOT_FOUND: {
    kind: 'missing',
    httpStatus: 404,
    text: { en: 'This node holds no final block of this height or hash', zh: '未找到该区块' },
    remedy: { en: 'Ask for a height up to that of GET /api/v1/consensus', zh: '请查询不高于当前高度的区块' },
  },
  TRANSACTION_NOT_FOUND: {
    kind: 'missing',
    httpStatus: 404,
    text: { en: 'This node knows no transaction of this id', zh: '未找到该交易' },
    remedy: {
      en: 'Check the id; a transaction past its expiryHeight can never appear',
      zh: '请检查交易标识；超过 expiryHeight 的交易不会再出现',
    },
  },
} as const satisfies ErrorRows;
