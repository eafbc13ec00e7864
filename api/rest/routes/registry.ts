/**
 * The register as a resource: entries of every kind are read here, those an organisation keeps for itself are changed here, and the classes that
 * records may have (design: api, "Registry entries"; DB53/T 1407-2025 6.1.3). Accounts are read, their changes have rights and keys of their own.
 */
import { Type } from '@sinclair/typebox';
import {
  builtinClasses,
  CONTRACT,
  dataReaders,
  ENTRY_DATA_BYTES_MAX,
  entryFrom,
  registryKey,
  registryKinds,
  type RegistryEntry,
  stateKey,
} from '../../../contracts/index.ts';
import { ChainError } from '../../../node/errors/index.ts';
import type { JsonObject } from '../../../node/format/index.ts';
import type { ApiContext } from '../context.ts';
import type { Caller } from '../../../node/records/index.ts';
import type { Call } from '../call.ts';
import { API_PREFIX, type Route } from '../route.ts';
import { choiceOf, field, inPath, strictObject } from '../schema.ts';
import { versionParameter, type WaitParameters } from './parts.ts';
import { listRoute, readRoute, readsAll, statePages, submitRoute } from './shapes.ts';
import { encodeArgs, submitCalls } from './submission.ts';

const BODY_BYTES_MAX = 4 * ENTRY_DATA_BYTES_MAX; // text of the data, as escaped as can be
const ENTRY_ID_LENGTH_MAX = 128;
const TIME_MS_MAX = Number.MAX_SAFE_INTEGER;
const CHANGE_RATE = { count: 100, perMs: 1_000 } as const;

const ownKinds = Object.keys(dataReaders) as readonly (keyof typeof dataReaders)[];
const anyKind = inPath(choiceOf(...registryKinds), 'class', { en: 'Kind of entry', zh: '条目类型' });
const ownKind = inPath(choiceOf(...ownKinds), 'class', {
  en: 'Kind of entry that an organisation keeps for itself',
  zh: '由组织自行维护的条目类型',
});
const entryId = inPath(Type.String({ minLength: 1, maxLength: ENTRY_ID_LENGTH_MAX }), 'heat', {
  en: 'Id of the entry',
  zh: '条目标识',
});

const exampleClass = {
  name: 'heat',
  version: 1,
  key: ['furnace', 'started'],
  body: {
    type: 'struct',
    properties: { furnace: { type: 'text', maxLength: 64 }, started: { type: 'text', format: 'time', maxLength: 64 } },
    required: ['furnace', 'started'],
  },
  facts: { time: 'started' },
};

const id = field(Type.String({ minLength: 1, maxLength: ENTRY_ID_LENGTH_MAX }), 'heat', { en: 'Id of the entry', zh: '条目标识' });
const terms = {
  data: field(Type.Record(Type.String(), Type.Unknown()), exampleClass, {
    en: 'What the kind says; of a class its definition, of others name and facts (the contract names bad fields)',
    zh: '该类型的内容；类别为其定义，其他类型为名称及相关信息（由合约逐项指出错误字段）',
  }),
  validFrom: field(
    Type.Union([Type.Integer({ minimum: 0, maximum: TIME_MS_MAX }), Type.Null()]),
    1_740_000_000_000,
    { en: 'In force from, ms since 1970; null: at once', zh: '生效时间（毫秒）；null 表示立即生效' },
    null,
  ),
  validTo: field(
    Type.Union([Type.Integer({ minimum: 0, maximum: TIME_MS_MAX }), Type.Null()]),
    1_790_000_000_000,
    { en: 'In force until, ms since 1970; null: without end', zh: '失效时间（毫秒）；null 表示长期有效' },
    null,
  ),
  documentDigest: field(
    Type.Union([Type.String({ pattern: '^[0-9a-f]{64}$' }), Type.Null()]),
    'c'.repeat(64),
    {
      en: 'SHA-256 of the paper behind it; required of mappings, agreements, authorisations and documents',
      zh: '相关文件的 SHA-256；映射、协议、授权和文件类型必填',
    },
    null,
  ),
};

const listEntries = listRoute({
  operationId: 'listEntries',
  url: `${API_PREFIX}/registry/:kind`,
  layer: 'application',
  summary: { en: 'Registered entries of one kind', zh: '查询某一类型的注册条目' },
  access: { right: 'chain:read' },
  parameters: { kind: anyKind },
  page: (call, api, asked) => statePages(CONTRACT.registry, registryKey.entriesOf(call.parameters.kind))(call, api, asked),
});

const getEntry = readRoute({
  operationId: 'getEntry',
  url: `${API_PREFIX}/registry/:kind/:id`,
  layer: 'application',
  summary: { en: 'One entry, as it stands or in an earlier version', zh: '查询一个注册条目的当前或历史版本' },
  access: { right: 'chain:read', own: true },
  parameters: {
    kind: anyKind,
    id: entryId,
    version: versionParameter,
  },
  errors: ['REGISTRY_ENTRY_UNKNOWN'],
  handler: (call, api) => {
    const { kind, id, version } = call.parameters;
    const entry = readRow(api, version === 0 ? registryKey.entry(kind, id) : registryKey.version(kind, id, version));
    if (entry === undefined || !(readsAll(call, api, 'chain:read') || isNeeded(entry, call.caller)))
      throw new ChainError('REGISTRY_ENTRY_UNKNOWN', { kind, id, ...(version === 0 ? {} : { version }) });
    return { data: entry };
  },
});

const getEntryHistory = listRoute({
  operationId: 'getEntryHistory',
  url: `${API_PREFIX}/registry/:kind/:id/history`,
  layer: 'application',
  summary: { en: 'Every version of an entry, oldest first', zh: '查询注册条目的全部版本（由旧到新）' },
  access: { right: 'chain:read' },
  parameters: { kind: anyKind, id: entryId },
  errors: ['REGISTRY_ENTRY_UNKNOWN'],
  page: async (call, api, asked) => {
    const { kind, id } = call.parameters;
    if (readRow(api, registryKey.entry(kind, id)) === undefined) throw new ChainError('REGISTRY_ENTRY_UNKNOWN', { kind, id });
    const first = registryKey.version(kind, id, 0);
    return await statePages(CONTRACT.registry, first.slice(0, -VERSION_BYTES))(call, api, asked);
  },
});

const registerEntry = submitRoute({
  operationId: 'registerEntry',
  url: `${API_PREFIX}/registry/:kind`,
  layer: 'application',
  summary: { en: 'Register an entry of your organisation', zh: '为本组织注册条目' },
  access: { right: 'registry:manage' },
  stepUp: true,
  rateLimit: CHANGE_RATE,
  parameters: { kind: ownKind },
  body: {
    formats: ['application/json'],
    schema: strictObject({ id, ...terms }),
    bytesMax: BODY_BYTES_MAX,
    example: JSON.stringify({ id: 'heat', data: exampleClass }),
    description: { en: 'The entry', zh: '注册条目' },
  },
  handler: (call, api) => change(call, api, 'register', { kind: call.parameters.kind, ...call.body }),
});

const updateEntry = submitRoute({
  operationId: 'updateEntry',
  url: `${API_PREFIX}/registry/:kind/:id/update`,
  layer: 'application',
  summary: { en: 'Replace data and terms of an entry of your organisation', zh: '更新本组织注册条目的内容与期限' },
  access: { right: 'registry:manage' },
  stepUp: true,
  rateLimit: CHANGE_RATE,
  parameters: { kind: ownKind, id: entryId },
  body: {
    formats: ['application/json'],
    schema: strictObject({
      version: field(Type.Integer({ minimum: 1, maximum: 4_294_967_295 }), 1, {
        en: 'Version of the entry that the change is based on',
        zh: '本次变更所依据的条目版本',
      }),
      ...terms,
    }),
    bytesMax: BODY_BYTES_MAX,
    example: JSON.stringify({ version: 1, data: { ...exampleClass, version: 2 } }),
    description: { en: 'The entry as it shall stand', zh: '变更后的条目' },
  },
  handler: (call, api) => change(call, api, 'update', { kind: call.parameters.kind, id: call.parameters.id, ...call.body }),
});

const METHOD_OF_STATE = { active: 'resume', suspended: 'suspend', withdrawn: 'withdraw' } as const;
const entryStates = Object.keys(METHOD_OF_STATE) as readonly (keyof typeof METHOD_OF_STATE)[];

const setEntryState = submitRoute({
  operationId: 'setEntryState',
  url: `${API_PREFIX}/registry/:kind/:id/state`,
  layer: 'application',
  summary: { en: 'Suspend, resume or withdraw an entry of your organisation', zh: '暂停、恢复或撤销本组织的注册条目' },
  access: { right: 'registry:manage' },
  stepUp: true,
  rateLimit: CHANGE_RATE,
  parameters: { kind: ownKind, id: entryId },
  body: {
    formats: ['application/json'],
    schema: strictObject({
      state: field(choiceOf(...entryStates), 'withdrawn', {
        en: 'active, suspended, or withdrawn, which is for good',
        zh: 'active、suspended，或 withdrawn（不可恢复）',
      }),
    }),
    bytesMax: 4_096,
    example: '{"state":"withdrawn"}',
    description: { en: 'The state', zh: '状态' },
  },
  handler: (call, api) => {
    const { kind, id } = call.parameters;
    return change(call, api, METHOD_OF_STATE[call.body.state], { kind, id });
  },
});

const registeredClasses = statePages(CONTRACT.registry, registryKey.entriesOf('class'), (entry) => ({
  builtin: false,
  ...(entry as JsonObject),
}));

const listClasses = listRoute({
  operationId: 'listClasses',
  url: `${API_PREFIX}/classes`,
  layer: 'application',
  summary: { en: 'Record classes: the built-in ones, then those organisations registered', zh: '记录类别：内置类别及各组织注册的类别' },
  access: { right: 'chain:read', own: true }, // who submits records needs their classes
  page: async (call, api, asked) => {
    const page = await registeredClasses(call, api, asked);
    return asked.cursor === undefined ? { ...page, items: [...builtinRows, ...page.items] } : page;
  },
});

export const registryRoutes: readonly Route[] = [
  listEntries,
  getEntry,
  getEntryHistory,
  registerEntry,
  updateEntry,
  setEntryState,
  listClasses,
];

/** u32 at the end of a history key. */
const VERSION_BYTES = 4;

const builtinRows = Object.values(builtinClasses).map((definition) => ({
  builtin: true,
  kind: 'class',
  id: definition.name,
  data: definition,
}));

/** What an account that reads only its own needs to submit records: its own entry, classes, and the factories and devices its records may name. */
function isNeeded({ kind, id, owner }: RegistryEntry, caller: Caller): boolean {
  if (kind === 'account') return id === caller.account;
  return kind === 'class' || ((kind === 'factory' || kind === 'device') && owner === caller.organisation);
}

function readRow(api: ApiContext, key: string): RegistryEntry | undefined {
  const bytes = api.node.state.get(stateKey(CONTRACT.registry, key));
  return bytes && entryFrom(bytes);
}

async function change(call: Call<WaitParameters>, api: ApiContext, method: string, values: Readonly<Record<string, unknown>>) {
  const args = await encodeArgs(api, values, '/data');
  return await submitCalls(call, api, [{ contract: CONTRACT.registry, method, args }]);
}
