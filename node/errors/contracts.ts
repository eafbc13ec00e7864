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
} as const satisfies ErrorRows;
