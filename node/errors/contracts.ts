import type { ErrorRows } from './row.ts';

export const contractsErrors = {
  // Built-in contracts: registry, access, governance, audit.
  BUILTIN_ARGUMENTS_INVALID: {
    kind: 'invalid',
    httpStatus: 400,
    text: { en: 'The arguments of a built-in method are not as it declares', zh: '内置合约方法的参数不符合声明' },
    remedy: {
      en: 'Correct every fault that data.faults names; each path is a JSON Pointer',
      zh: '请逐一改正 data.faults 中列出的问题；path 为 JSON Pointer',
    },
  },
  ACCESS_DENIED: {
    kind: 'forbidden',
    httpStatus: 403,
    text: { en: 'The account does not hold the right, or not on this object', zh: '账户没有该权限，或对该对象没有权限' },
    remedy: {
      en: 'Ask an administrator of your organisation for the right named, or the owner of the object for a grant',
      zh: '请向本组织管理员申请所列权限，或请对象所有者授权',
    },
  },
  ACCESS_ESCALATION: {
    kind: 'forbidden',
    httpStatus: 403,
    text: { en: 'An account can hand on no right that it does not hold itself', zh: '账户不能授予自己没有的权限' },
    remedy: { en: 'Let an administrator who holds the missing rights do it', zh: '请由持有所缺权限的管理员操作' },
  },
  ACCESS_OBJECT_FOREIGN: {
    kind: 'forbidden',
    httpStatus: 403,
    text: { en: 'The object belongs to another organisation, or is not registered', zh: '对象属于其他组织或未登记' },
    remedy: { en: 'Grant only what your organisation has registered', zh: '只能授权本组织登记的对象' },
  },
  ACCESS_GRANT_TO_SELF: {
    kind: 'invalid',
    httpStatus: 400,
    text: { en: 'An organisation needs no grant on what it owns', zh: '组织无需对自有对象授权' },
    remedy: { en: 'Name another organisation', zh: '请填写其他组织' },
  },
  ACCESS_GRANT_UNKNOWN: {
    kind: 'missing',
    httpStatus: 404,
    text: { en: 'There is no such grant', zh: '该授权不存在' },
    remedy: { en: 'Check right, object and organisation of the grant', zh: '请检查授权的权限、对象和组织' },
  },
  ACCESS_ROLE_FOREIGN: {
    kind: 'forbidden',
    httpStatus: 403,
    text: { en: 'The role is not one of your organisation', zh: '该角色不属于本组织' },
    remedy: {
      en: 'Name the role as name@organisation; roles of the chain cannot be changed',
      zh: '请以“名称@组织”命名角色；链级角色不可更改',
    },
  },
  REGISTRY_ENTRY_UNKNOWN: {
    kind: 'missing',
    httpStatus: 404,
    text: { en: 'Nothing is registered under this kind and id', zh: '该类型和标识未登记' },
    remedy: { en: 'Check kind and id, or register it first', zh: '请检查类型和标识，或先登记' },
  },
  REGISTRY_ENTRY_KNOWN: {
    kind: 'conflict',
    httpStatus: 409,
    text: { en: 'The id has been used before; ids are never used twice', zh: '标识已被使用，不能重复使用' },
    remedy: { en: 'Update the entry that has it, or choose another id', zh: '请更新已有条目或更换标识' },
  },
  REGISTRY_ENTRY_FOREIGN: {
    kind: 'forbidden',
    httpStatus: 403,
    text: { en: 'The entry belongs to another organisation', zh: '条目属于其他组织' },
    remedy: { en: 'Ask the organisation named as owner', zh: '请联系所有者组织' },
  },
  REGISTRY_ENTRY_WITHDRAWN: {
    kind: 'conflict',
    httpStatus: 409,
    text: { en: 'The entry was withdrawn for good', zh: '条目已永久撤回' },
    remedy: { en: 'Register a new entry under a new id', zh: '请以新标识登记' },
  },
  REGISTRY_VERSION_MOVED: {
    kind: 'conflict',
    httpStatus: 409,
    text: { en: 'The entry has changed since the version named', zh: '条目版本已变更' },
    remedy: { en: 'Read the entry again and base the change on currentVersion', zh: '请重新读取条目，并基于 currentVersion 修改' },
  },
  REGISTRY_STATE_UNCHANGED: {
    kind: 'conflict',
    httpStatus: 409,
    text: { en: 'The entry is in this state already', zh: '条目已处于该状态' },
    remedy: { en: 'Nothing to do', zh: '无需处理' },
  },
  REGISTRY_KEY_UNKNOWN: {
    kind: 'missing',
    httpStatus: 404,
    text: { en: 'The account has no unrevoked key of this id', zh: '账户没有该未撤销的密钥' },
    remedy: { en: 'Read the account for its keys', zh: '请查询账户的密钥列表' },
  },
  REGISTRY_GOVERNANCE_ONLY: {
    kind: 'forbidden',
    httpStatus: 403,
    text: { en: 'Only a passed proposal may do this', zh: '只有通过的提案才能执行此操作' },
    remedy: { en: 'Propose it to governance and have it voted on', zh: '请提交治理提案并表决' },
  },
  GOVERNANCE_IMPOSSIBLE: {
    kind: 'conflict',
    httpStatus: 409,
    text: { en: 'The proposal cannot be carried out on the chain as it stands', zh: '提案在当前链状态下无法执行' },
    remedy: { en: 'Read reason; propose again once it no longer holds', zh: '请查看 reason，条件满足后重新提案' },
  },
  GOVERNANCE_PROPOSALS_FULL: {
    kind: 'limited',
    httpStatus: 429,
    text: { en: 'As many proposals are open as may be at once', zh: '未决提案数已达上限' },
    remedy: { en: 'Have open proposals decided, or wait for them to expire', zh: '请等待现有提案表决或过期' },
  },
  GOVERNANCE_PROPOSAL_UNKNOWN: {
    kind: 'missing',
    httpStatus: 404,
    text: { en: 'There is no proposal of this number', zh: '提案不存在' },
    remedy: { en: 'List the open proposals for their numbers', zh: '请查询未决提案列表' },
  },
  GOVERNANCE_PROPOSAL_DECIDED: {
    kind: 'conflict',
    httpStatus: 409,
    text: { en: 'The proposal is decided', zh: '提案已有结论' },
    remedy: { en: 'Propose anew to change the decision', zh: '如需更改，请重新提案' },
  },
  GOVERNANCE_PROPOSAL_EXPIRED: {
    kind: 'conflict',
    httpStatus: 409,
    text: { en: 'The time for votes on the proposal is over', zh: '提案表决期已过' },
    remedy: { en: 'Propose it again', zh: '请重新提案' },
  },
  GOVERNANCE_VOTE_REPEATED: {
    kind: 'conflict',
    httpStatus: 409,
    text: { en: 'The organisation has voted on this proposal', zh: '该组织已对此提案投票' },
    remedy: { en: 'Each organisation has one vote; propose anew to reconsider', zh: '每个组织一票；如需更改请重新提案' },
  },
  AUDIT_NODE_FOREIGN: {
    kind: 'forbidden',
    httpStatus: 403,
    text: { en: 'The node is not one of your organisation', zh: '节点不属于本组织' },
    remedy: { en: 'Anchor only the exchange logs of your own nodes', zh: '只能锚定本组织节点的交换日志' },
  },
  AUDIT_ANCHOR_BEHIND: {
    kind: 'conflict',
    httpStatus: 409,
    text: { en: 'An anchor of as many or more entries exists', zh: '已有相同或更多条目的锚定' },
    remedy: {
      en: 'Anchor again once the log has grown; if it has not, the log was cut',
      zh: '请在日志增长后再锚定；若日志未增长，则说明日志被截断',
    },
  },
  AUDIT_ANCHOR_UNKNOWN: {
    kind: 'missing',
    httpStatus: 404,
    text: { en: "No head of this node's exchange log was anchored", zh: '该节点的交换日志尚未锚定' },
    remedy: { en: 'Wait for the first anchor of the node', zh: '请等待该节点的首次锚定' },
  },
  // Execution and deployed contracts
  GAS_EXHAUSTED: {
    kind: 'invalid',
    httpStatus: 422,
    text: { en: 'The gas limit ran out', zh: '燃料（gas）已耗尽' },
    remedy: {
      en: 'Raise gasLimit up to transactionGasMax, or do less in one transaction; nothing was changed',
      zh: '请提高 gasLimit（不超过 transactionGasMax），或减少单笔交易的工作量；未作任何更改',
    },
  },
  CONTRACT_UNKNOWN: {
    kind: 'missing',
    httpStatus: 404,
    text: { en: 'There is no contract of this name or address', zh: '合约不存在' },
    remedy: { en: 'Check the spelling; GET contracts lists what is deployed', zh: '请检查名称或地址；可用 GET contracts 查看已部署的合约' },
  },
  CONTRACT_METHOD_UNKNOWN: {
    kind: 'missing',
    httpStatus: 404,
    text: { en: 'The contract has no such method, or it is no query', zh: '合约没有该方法，或该方法不是只读查询' },
    remedy: { en: 'Ask for the contract by address: it lists its methods and queries', zh: '请按地址查询合约，其中列有全部方法和查询' },
  },
  CONTRACT_ARGS_INVALID: {
    kind: 'invalid',
    httpStatus: 422,
    text: { en: 'The arguments are not what the method takes', zh: '方法参数无效' },
    remedy: { en: 'Compare them with the method; detail names what was expected', zh: '请对照方法说明检查参数，detail 中给出了期望的形式' },
  },
  CONTRACT_VALUE_INVALID: {
    kind: 'invalid',
    httpStatus: 422,
    text: { en: 'A contract made a value that cannot be stored or returned', zh: '合约产生了无法存储或返回的值' },
    remedy: {
      en: 'Use text, safe integers, true, false, null, lists and objects; BigInt for larger integers, text for decimals; mind the sizes',
      zh: '请使用文本、安全整数、布尔、null、列表和对象；大整数用 BigInt，小数用文本；并注意大小限制',
    },
  },
  CONTRACT_REFUSED: {
    kind: 'invalid',
    httpStatus: 422,
    text: { en: 'The contract refused the call', zh: '合约拒绝了该调用' },
    remedy: { en: 'detail holds the reason the contract gives: code and message', zh: 'detail 中有合约给出的原因（code 与 message）' },
  },
  CONTRACT_THREW: {
    kind: 'invalid',
    httpStatus: 422,
    text: { en: 'The contract ended with an error it did not handle', zh: '合约因未处理的错误而终止' },
    remedy: {
      en: 'detail names the error, its line and column; tell the author of the contract',
      zh: 'detail 中有错误名称及所在行列；请告知合约作者',
    },
  },
  CONTRACT_TRAPPED: {
    kind: 'invalid',
    httpStatus: 422,
    text: { en: 'The engine stopped the contract', zh: '执行引擎终止了该合约' },
    remedy: {
      en: 'Tell the author of the contract: it does something the engine cannot bear; nothing was changed',
      zh: '请告知合约作者：合约执行了引擎无法承受的操作；未作任何更改',
    },
  },
  CONTRACT_DEPTH_EXCEEDED: {
    kind: 'invalid',
    httpStatus: 422,
    text: { en: 'Calls are nested too deeply', zh: '调用嵌套过深' },
    remedy: { en: 'Recurse less deeply, or call fewer contracts inside one another', zh: '请减少递归深度，或减少合约之间的嵌套调用' },
  },
  CONTRACT_MEMORY_EXCEEDED: {
    kind: 'invalid',
    httpStatus: 422,
    text: { en: 'The contract needs more memory than there is', zh: '合约内存超限' },
    remedy: { en: 'Work on less data at a time', zh: '请减少一次处理的数据量' },
  },
  CONTRACT_READ_ONLY: {
    kind: 'invalid',
    httpStatus: 422,
    text: { en: 'A query tried to change something', zh: '只读查询试图修改状态' },
    remedy: { en: 'Send a transaction instead of a query', zh: '请改为发送交易' },
  },
  CONTRACT_EVENT_UNDECLARED: {
    kind: 'invalid',
    httpStatus: 422,
    text: { en: 'The contract emitted an event it does not declare', zh: '合约触发了未声明的事件' },
    remedy: {
      en: 'Declare the event under events in contract({...}) and deploy again',
      zh: '请在 contract({...}) 的 events 中声明该事件后重新部署',
    },
  },
  CONTRACT_EVENTS_TOO_MANY: {
    kind: 'invalid',
    httpStatus: 422,
    text: { en: 'One transaction emits too many events', zh: '单笔交易的事件过多' },
    remedy: { en: 'Split the transaction', zh: '请拆分交易' },
  },
  CONTRACT_PAUSED: {
    kind: 'conflict',
    httpStatus: 409,
    text: { en: 'The contract is paused', zh: '合约已暂停' },
    remedy: { en: 'Wait until its owner resumes it', zh: '请等待合约所有者恢复运行' },
  },
  CONTRACT_TERMINATED: {
    kind: 'conflict',
    httpStatus: 409,
    text: { en: 'The contract is terminated for good', zh: '合约已终止' },
    remedy: { en: 'Call another contract; a terminated one never runs again', zh: '请改用其他合约；已终止的合约不会再运行' },
  },
  CONTRACT_STATE_CONFLICT: {
    kind: 'conflict',
    httpStatus: 409,
    text: { en: 'The contract is not in a state that allows this', zh: '合约当前状态不允许该操作' },
    remedy: {
      en: 'An active contract can be paused, a paused one resumed, either terminated',
      zh: '运行中的合约可暂停，已暂停的可恢复，两者均可终止',
    },
  },
  CONTRACT_CODE_INVALID: {
    kind: 'invalid',
    httpStatus: 422,
    text: { en: 'The code does not load', zh: '合约代码无法加载' },
    remedy: {
      en: 'detail holds what the engine says; the code must call contract({...}) once',
      zh: 'detail 中有引擎给出的说明；代码须调用一次 contract({...})',
    },
  },
  CONTRACT_CODE_DAMAGED: {
    kind: 'damaged',
    httpStatus: 500,
    text: { en: 'Stored code does not match its digest and is not run', zh: '存储的合约代码与其摘要不符，拒绝运行' },
    remedy: {
      en: 'Run tracemill doctor on the nodes; the code was changed outside a transaction',
      zh: '请在各节点运行 tracemill doctor；代码在交易之外被改动',
    },
  },
  CONTRACT_ADDRESS_TAKEN: {
    kind: 'conflict',
    httpStatus: 409,
    text: { en: 'There is a contract at this address already', zh: '该地址已有合约' },
    remedy: { en: 'Deploy once per call of a transaction', zh: '一笔交易的每个调用只能部署一次' },
  },
  CONTRACT_ROOM_EXHAUSTED: {
    kind: 'conflict',
    httpStatus: 409,
    text: { en: 'All room for contract images is taken', zh: '合约镜像空间已用尽' },
    remedy: { en: 'Terminate contracts that are no longer used, or make this one smaller', zh: '请终止不再使用的合约，或缩小本合约' },
  },
  CONTRACT_CALLER_INDIRECT: {
    kind: 'forbidden',
    httpStatus: 403,
    text: {
      en: 'Only the signer himself may call this method, not another contract',
      zh: '该方法只能由签名者直接调用，不能由其他合约调用',
    },
    remedy: { en: 'Put the call into the transaction itself', zh: '请将该调用直接放入交易' },
  },
  CONTRACT_RIGHT_MISSING: {
    kind: 'forbidden',
    httpStatus: 403,
    text: { en: 'The account lacks the right named in detail', zh: '账户缺少 detail 中所列的权限' },
    remedy: { en: 'Ask an administrator of your organisation for that right', zh: '请向本组织管理员申请该权限' },
  },
  CONTRACT_ATTESTATION_INVALID: {
    kind: 'invalid',
    httpStatus: 422,
    text: { en: 'An attestation of the code does not hold', zh: '代码证明无效' },
    remedy: {
      en: 'Each must be signed by an active node of another organisation, once, over these very digests',
      zh: '每份证明须由其他组织的有效节点对相同摘要签名，且每个节点只能一份',
    },
  },
} as const satisfies ErrorRows;
