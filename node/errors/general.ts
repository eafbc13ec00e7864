import type { ErrorRows } from './row.ts';

/** Codes any layer may use. */
export const generalErrors = {
  OK: { kind: 'internal', httpStatus: 200, text: { en: 'Done', zh: '成功' }, remedy: { en: 'Nothing to do', zh: '无需处理' } },
  INTERNAL: {
    kind: 'internal',
    httpStatus: 500,
    text: { en: 'The node met a fault of its own', zh: '节点内部故障' },
    remedy: { en: 'Report the requestId to the operator; the log names the fault', zh: '请将 requestId 告知运维人员，日志中有故障原因' },
  },
  NOT_FOUND: {
    kind: 'missing',
    httpStatus: 404,
    text: { en: 'There is nothing under this name', zh: '未找到该对象' },
    remedy: {
      en: 'Check the spelling, and that the object is final at the height asked',
      zh: '请检查名称，并确认该对象在所查高度已最终确认',
    },
  },
  STORE_DAMAGED: {
    kind: 'damaged',
    httpStatus: 500,
    text: { en: 'A stored value does not match its checksum', zh: '存储数据校验失败' },
    remedy: {
      en: 'Ask again shortly, or ask another node: the value is never served, and the running node repairs it from its own rows or its peers; its alarm says when, and look at the disk',
      zh: '请稍后重试或改用其他节点；损坏的数据不会被返回，运行中的节点会利用自身数据或其他节点进行修复，完成后在告警中说明；请检查磁盘',
    },
  },
  STORE_NOT_OPENED: {
    kind: 'damaged',
    httpStatus: 500,
    text: { en: 'The files of a store are damaged, so that it cannot be opened', zh: '数据库文件已损坏，无法打开' },
    remedy: {
      en: 'Look at the disk, keep a copy of the directory data.path and move it away: chain and sealed are fetched from other nodes again, index is made anew by the node itself; of local put back a backup, or lose its passwords, alarms and exchange log',
      zh: '请检查磁盘，备份 data.path 目录后将其移走：chain 和 sealed 会重新从其他节点获取，index 由节点自行重建；local 请恢复备份，否则其中的口令、告警和调用日志将丢失',
    },
  },
  STORE_FORM: {
    kind: 'conflict',
    httpStatus: 409,
    text: {
      en: 'The data directory was written in another form by another version of the program',
      zh: '数据目录由其他版本的程序以另一种形式写入',
    },
    remedy: {
      en: 'Start the version that wrote it, or set the directory aside and start with an empty one: the node then takes the chain from the others. Its keys and settings stand outside the directory; passwords, alarms and the exchange log in its folder local are lost with it',
      zh: '请启动写入该目录的版本，或将该目录移开并以空目录启动：节点随后从其他节点获取链数据。密钥与设置不在该目录中；其中 local 内的口令、告警和调用日志将随之丢失',
    },
  },
  STORE_FOREIGN: {
    kind: 'conflict',
    httpStatus: 409,
    text: { en: 'The data directory holds files of another chain', zh: '数据目录中的文件属于另一条链' },
    remedy: {
      en: 'Give the node a data directory of its own, or the genesis file that its files were written under; data.segment names the first such file',
      zh: '请为该节点指定独立的数据目录，或使用写入这些文件时的创世文件；data.segment 为首个此类文件',
    },
  },
  STORE_FULL: {
    kind: 'busy',
    httpStatus: 503,
    text: { en: 'The disk of the node is full', zh: '节点磁盘已满' },
    remedy: {
      en: 'Free space on the data directory; nothing of this request was stored; the node goes on by itself',
      zh: '请清理数据目录所在磁盘；本次请求未写入任何数据；节点会自动恢复',
    },
  },
  NODE_STOPPING: {
    kind: 'busy',
    httpStatus: 503,
    text: { en: 'The node is stopping', zh: '节点正在停止' },
    remedy: { en: 'Send the request to another node, or again after the restart', zh: '请改用其他节点，或在重启后重试' },
  },
} as const satisfies ErrorRows;
