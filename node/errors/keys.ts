import type { ErrorRows } from './row.ts';

/** Settings, genesis file, keystore, certificates and the command line. */
export const keysErrors = {
  CONFIG_INVALID: {
    kind: 'invalid',
    httpStatus: 400,
    text: { en: 'The node configuration has faults', zh: '节点配置有误' },
    remedy: {
      en: 'Correct every place named in data.faults; node/config/README.md lists each setting, its range and its environment name',
      zh: '请改正 data.faults 中列出的各处；各项设置、范围和环境变量见 node/config/README.md',
    },
  },
  GENESIS_INVALID: {
    kind: 'invalid',
    httpStatus: 400,
    text: { en: 'The genesis file has faults', zh: '创世文件有误' },
    remedy: {
      en: 'Correct every place named in data.faults, or take the file again from another member of the chain',
      zh: '请改正 data.faults 中列出的各处，或向链上其他成员重新获取该文件',
    },
  },
  KEYSTORE_LOCKED: {
    kind: 'forbidden',
    httpStatus: 403,
    text: { en: 'The passphrase does not open the keystore', zh: '口令无法打开密钥库' },
    remedy: {
      en: 'Give the right passphrase by TRACEMILL_PASSPHRASE, --passphrase-file or at the prompt',
      zh: '请通过 TRACEMILL_PASSPHRASE、--passphrase-file 或交互提示提供正确口令',
    },
  },
  KEYSTORE_MISSING: {
    kind: 'missing',
    httpStatus: 404,
    text: { en: 'There is no keystore file at this path', zh: '该路径没有密钥库文件' },
    remedy: {
      en: 'Check the path keystore in node.json, or make one with tracemill init',
      zh: '请检查 node.json 中的 keystore 路径，或运行 tracemill init 创建',
    },
  },
  KEYSTORE_EXISTS: {
    kind: 'conflict',
    httpStatus: 409,
    text: { en: 'A keystore file is there already', zh: '密钥库文件已存在' },
    remedy: {
      en: 'Use another directory; a keystore is never overwritten, because its keys exist nowhere else',
      zh: '请使用其他目录；密钥库不会被覆盖，因为其中的密钥别处没有',
    },
  },
  KEYSTORE_DAMAGED: {
    kind: 'damaged',
    httpStatus: 500,
    text: { en: 'The keystore file is not whole', zh: '密钥库文件已损坏' },
    remedy: {
      en: 'Put back the copy of the file; without one, register new keys for the node by governance',
      zh: '请恢复该文件的备份；若无备份，请通过治理为节点登记新密钥',
    },
  },
  KEY_UNKNOWN: {
    kind: 'missing',
    httpStatus: 404,
    text: { en: 'The keystore holds no key of this id', zh: '密钥库中没有该密钥' },
    remedy: { en: 'List the ids with tracemill keys list', zh: '请运行 tracemill keys list 查看密钥标识' },
  },
  KEY_NOT_HELD: {
    kind: 'forbidden',
    httpStatus: 403,
    text: { en: 'This node holds no custodial key of the account', zh: '本节点未持有该账户的托管密钥' },
    remedy: {
      en: 'Use a node of the account’s organisation, or sign with a key of your own',
      zh: '请使用账户所属组织的节点，或使用自有密钥签名',
    },
  },
  KEY_EXISTS: {
    kind: 'conflict',
    httpStatus: 409,
    text: { en: 'The keystore holds a key of this id already', zh: '密钥库中已有该标识的密钥' },
    remedy: { en: 'Choose another id; keys are never replaced in place', zh: '请使用其他标识；密钥不会被原地替换' },
  },
  KEY_USE_FORBIDDEN: {
    kind: 'forbidden',
    httpStatus: 403,
    text: { en: 'A key of this kind may not be used like this', zh: '该类密钥不允许此用途' },
    remedy: {
      en: 'Signing keys only sign and never leave the keystore; sealing keys never sign',
      zh: '签名密钥只用于签名且不会离开密钥库；密封密钥不用于签名',
    },
  },
  CLI_USAGE: {
    kind: 'invalid',
    httpStatus: 400,
    text: { en: 'The command was not understood', zh: '无法识别该命令' },
    remedy: { en: 'Read tracemill help, or the same command with --help', zh: '请查看 tracemill help，或在该命令后加 --help' },
  },
  CLI_FILE_UNREADABLE: {
    kind: 'missing',
    httpStatus: 404,
    text: { en: 'A file named on the command line cannot be read', zh: '无法读取命令行中指定的文件' },
    remedy: { en: 'Check the path and the rights of the file in data.path', zh: '请检查 data.path 所示文件的路径和权限' },
  },
  CLI_FILE_MALFORMED: {
    kind: 'invalid',
    httpStatus: 400,
    text: { en: 'A file named on the command line is not in the form the command reads', zh: '命令行中指定文件的格式不符合要求' },
    remedy: { en: 'Correct the place named in data.reason', zh: '请改正 data.reason 所示之处' },
  },
  CLI_NODE_UNREACHABLE: {
    kind: 'busy',
    httpStatus: 503,
    text: { en: 'The node does not answer', zh: '节点没有响应' },
    remedy: {
      en: 'Check that the node runs, and --url and --ca; tracemill doctor looks at both ends',
      zh: '请确认节点正在运行，并检查 --url 和 --ca；可运行 tracemill doctor 检查',
    },
  },
  CLI_NODE_UNKNOWN: {
    kind: 'invalid',
    httpStatus: 400,
    text: { en: 'It is not said which node to talk to', zh: '未指定要连接的节点' },
    remedy: {
      en: 'Give --url and --ca, or TRACEMILL_URL and TRACEMILL_CA, or run inside the directory of a devnet',
      zh: '请提供 --url 和 --ca，或设置 TRACEMILL_URL 和 TRACEMILL_CA，或在 devnet 所在目录中运行',
    },
  },
  CLI_PASSPHRASE_MISSING: {
    kind: 'invalid',
    httpStatus: 400,
    text: { en: 'A passphrase is needed and there is nobody to ask', zh: '需要口令但无法交互输入' },
    remedy: { en: 'Set TRACEMILL_PASSPHRASE or give --passphrase-file', zh: '请设置 TRACEMILL_PASSPHRASE 或使用 --passphrase-file' },
  },
  CLI_VERIFICATION_FAILED: {
    kind: 'invalid',
    httpStatus: 400,
    text: { en: 'The proof does not hold', zh: '证明不成立' },
    remedy: {
      en: 'Do not rely on this file; data.check names the check that failed. Ask for the bundle again from a node you trust',
      zh: '请勿采信该文件；data.check 指出未通过的检查。请向可信节点重新获取',
    },
  },
  DEVNET_START_FAILED: {
    kind: 'internal',
    httpStatus: 500,
    text: { en: 'The devnet did not start', zh: '开发网络未能启动' },
    remedy: {
      en: 'Read the log named in data.log; --reset starts anew with empty nodes',
      zh: '请查看 data.log 所示日志；--reset 可清空后重新启动',
    },
  },
} as const satisfies ErrorRows;
