import type { ErrorRows } from './row.ts';

/** Peers, sync and the files of a node. */
export const networkErrors = {
  STORE_LOCKED: {
    kind: 'busy',
    httpStatus: 503,
    text: { en: 'Another process holds the data directory', zh: '数据目录已被其他进程占用' },
    remedy: { en: 'Stop the other node, or give this one a directory of its own', zh: '请停止另一个节点，或为本节点指定独立的数据目录' },
  },
  STORE_IO: {
    kind: 'internal',
    httpStatus: 500,
    text: { en: 'The disk refused to read or write', zh: '磁盘读写失败' },
    remedy: {
      en: 'Check the disk and its permissions; data.reason holds the words of the system',
      zh: '请检查磁盘及权限；data.reason 为系统给出的原因',
    },
  },
  VOTE_LOG_DAMAGED: {
    kind: 'damaged',
    httpStatus: 500,
    text: { en: 'The vote log is damaged, or cannot be read', zh: '投票日志已损坏或无法读取' },
    remedy: {
      en: 'Start the node and look at the disk: the node keeps the file under another name and votes again only above every height it may have signed',
      zh: '请启动节点并检查磁盘：节点会以其他文件名保留该文件，并仅在其可能签署过的高度之后恢复投票',
    },
  },
  NETWORK_LISTEN_FAILED: {
    kind: 'internal',
    httpStatus: 500,
    text: { en: 'The node cannot listen on its network address', zh: '节点无法监听其网络地址' },
    remedy: {
      en: 'Free the port or choose another in node.json; data.listen names the addresses',
      zh: '请释放端口或在 node.json 中更换；data.listen 为相关地址',
    },
  },
  PEER_CHAIN_FOREIGN: {
    kind: 'forbidden',
    httpStatus: 403,
    text: { en: 'The peer belongs to another chain', zh: '对端节点属于另一条链' },
    remedy: { en: 'Compare the genesis files of both nodes: their hashes differ', zh: '请比较两个节点的创世文件：其哈希不一致' },
  },
  PEER_VERSION_UNKNOWN: {
    kind: 'unsupported',
    httpStatus: 400,
    text: { en: 'The peer speaks a protocol version this node does not know', zh: '对端协议版本不受支持' },
    remedy: { en: 'Run releases that share a protocol version', zh: '请使用协议版本兼容的发行版' },
  },
  PEER_UNREGISTERED: {
    kind: 'forbidden',
    httpStatus: 403,
    text: { en: 'The peer is not a registered node of this chain', zh: '对端不是本链已注册的节点' },
    remedy: { en: 'Register its transport key by governance', zh: '请通过治理注册其传输密钥' },
  },
  NODE_EXPELLED: {
    kind: 'forbidden',
    httpStatus: 403,
    text: {
      en: 'The network has expelled this node: it takes part in nothing and stays quiet',
      zh: '本节点已被网络移出：不再参与任何活动并保持静默',
    },
    remedy: {
      en: 'Use another node of the organisation; the members decide by governance whether this one is let in again, and it notices by itself',
      zh: '请改用本组织的其他节点；是否重新接纳由成员通过治理决定，本节点会自行察觉',
    },
  },
  VOTE_LOG_UNANSWERED: {
    kind: 'busy',
    httpStatus: 503,
    text: {
      en: 'A validator without its vote log has yet to hear from validators that could have its votes, and stays mute until then',
      zh: '丢失投票日志的验证节点尚未收到其他验证节点的应答，在此之前保持静默',
    },
    remedy: {
      en: 'Have the named nodes started and reached; one that stays silent gives way to another validator by governance (suspendNode, addNode): a new key does not help',
      zh: '请启动所列节点并确认可达；若某节点始终不应答，请通过治理以其他验证节点替换它（suspendNode、addNode）；更换密钥无效',
    },
  },
  CHAIN_STALLED: {
    kind: 'busy',
    httpStatus: 503,
    text: {
      en: 'The chain stands still: no block has become final for longer than its view time-outs allow',
      zh: '链已停滞：超过视图超时允许的时间仍无新区块最终确认',
    },
    remedy: {
      en: 'Nothing was taken; data says how many validators are within reach and how many a block needs, GET /readyz what is wrong with this node; send it again when the chain moves',
      zh: '本次未受理；data 给出可达的验证节点数与出块所需数量，GET /readyz 给出本节点的问题；请在链恢复后重新提交',
    },
  },
  NODE_NOT_READY: {
    kind: 'busy',
    httpStatus: 503,
    text: { en: 'The node cannot do its part at the moment', zh: '节点当前未就绪' },
    remedy: {
      en: 'data.checks names what is wrong; the alarms of the node say since when',
      zh: 'data.checks 列出未通过的检查；节点告警给出起始时间',
    },
  },
  PEER_HELLO_INVALID: {
    kind: 'invalid',
    httpStatus: 400,
    text: { en: 'The peer did not introduce itself as the protocol asks', zh: '对端握手信息无效' },
    remedy: { en: 'Check that the peer runs an unchanged release', zh: '请确认对端运行的是未经修改的发行版' },
  },
  PEER_FRAME_TOO_LARGE: {
    kind: 'tooLarge',
    httpStatus: 413,
    text: { en: 'A frame of the peer is longer than its channel allows', zh: '对端数据帧超过通道上限' },
    remedy: { en: 'The link was closed; look at the peer if it happens again', zh: '连接已关闭；如再次出现请检查对端' },
  },
  PEER_MESSAGE_MALFORMED: {
    kind: 'invalid',
    httpStatus: 400,
    text: { en: 'A message of the peer is not in canonical form', zh: '对端消息编码不规范' },
    remedy: { en: 'Look at the log of the peer; past a bound it is cut off for a while', zh: '请检查对端日志；超过上限将暂时断开' },
  },
  PEER_ANSWER_UNASKED: {
    kind: 'invalid',
    httpStatus: 400,
    text: { en: 'The peer answered a question that was not put to it', zh: '对端返回了未请求的应答' },
    remedy: { en: 'Nothing to do unless it goes on; then look at the peer', zh: '偶发无需处理；如持续出现请检查对端' },
  },
  PEER_NOT_VALIDATOR: {
    kind: 'forbidden',
    httpStatus: 403,
    text: { en: 'A peer that is no validator floods this node with consensus messages', zh: '非验证节点向本节点大量发送共识消息' },
    remedy: { en: 'It is cut off for a while if it goes on; look at the peer', zh: '如持续将被暂时断开；请检查对端' },
  },
  PEER_RATE_EXCEEDED: {
    kind: 'limited',
    httpStatus: 429,
    text: { en: 'The peer asks more often than it may', zh: '对端请求过于频繁' },
    remedy: { en: 'The question was refused; the peer may ask again later', zh: '该请求已被拒绝；对端可稍后重试' },
  },
  PEER_TIMEOUT: {
    kind: 'timeout',
    httpStatus: 504,
    text: { en: 'The peer did not answer in time', zh: '对端应答超时' },
    remedy: { en: 'Another peer is asked; check the link if all time out', zh: '将改向其他节点请求；若全部超时请检查网络' },
  },
  PEER_UNREACHABLE: {
    kind: 'busy',
    httpStatus: 503,
    text: { en: 'The peer is not connected, or its queue is full', zh: '对端未连接或发送队列已满' },
    remedy: { en: 'It is tried again by itself; see GET /api/v1/nodes', zh: '系统会自动重试；可查看 GET /api/v1/nodes' },
  },
  PEER_DECLINED: {
    kind: 'busy',
    httpStatus: 503,
    text: { en: 'The peer declined to answer', zh: '对端拒绝应答' },
    remedy: { en: 'Another peer is asked; the peer may be busy', zh: '将改向其他节点请求；对端可能繁忙' },
  },
  SYNC_BLOCK_FALSE: {
    kind: 'invalid',
    httpStatus: 400,
    text: { en: 'A block the peer gave does not fit the chain or its certificate', zh: '对端提供的区块与本链或其证书不符' },
    remedy: { en: 'The block was dropped and is fetched from others; look at the peer', zh: '该区块已丢弃并改从其他节点获取；请检查对端' },
  },
  REPAIR_ROW_FALSE: {
    kind: 'invalid',
    httpStatus: 400,
    text: {
      en: 'A row the peer gave for a damaged one does not come to the hash stated here',
      zh: '对端为修复损坏数据提供的内容与本链哈希不符',
    },
    remedy: { en: 'The row was refused and is asked of others; look at the peer', zh: '该内容已拒绝并改向其他节点请求；请检查对端' },
  },
  SYNC_NO_PEER: {
    kind: 'busy',
    httpStatus: 503,
    text: { en: 'No connected peer could give the blocks that are missing', zh: '没有已连接的节点可提供缺失的区块' },
    remedy: {
      en: 'Check that other nodes run and are reachable; the node goes on trying',
      zh: '请确认其他节点正常运行且可达；节点会持续重试',
    },
  },
} as const satisfies ErrorRows;
