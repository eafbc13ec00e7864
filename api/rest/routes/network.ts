/** Nodes, peers, the event stream, alarms, and what operators watch (DB53 5.1.4, 6.4). */
import { Type } from '@sinclair/typebox';
import { CONTRACT, entryOf, governanceKey, registryKey, type RegistryEntry, stateKey } from '../../../contracts/index.ts';
import { ChainError } from '../../../node/errors/index.ts';
import { decodeJson, quorumSize } from '../../../node/format/index.ts';
import type { PeerStatus } from '../../../node/world.ts';
import type { ApiContext } from '../context.ts';
import type { Call } from '../call.ts';
import { API_PREFIX, type Route, route } from '../route.ts';
import { choiceOf, inPath, inQuery, strictObject } from '../schema.ts';
import { openEventStream, streamParameters } from '../stream.ts';
import { listAnswer, listOf, name128, READ_TIMEOUT_MS, Row } from './parts.ts';
import { listRoute, type Page, type PageAsked, readRoute, statePages } from './shapes.ts';

const listNodes = listRoute({
  operationId: 'listNodes',
  url: `${API_PREFIX}/nodes`,
  layer: 'network',
  summary: { en: 'Registered nodes and whether this one is connected to them', zh: '已注册节点及其连接状态' },
  access: { right: 'node:read' },
  page: (call, api, asked) => {
    const peers = new Map(api.node.peers().map((peer) => [peer.node, peer])); // once for all rows
    const rows = statePages(CONTRACT.registry, registryKey.entriesOf('node'), (entry) =>
      nodeAnswer(api, peers, entry as unknown as RegistryEntry<'node'>),
    );
    return rows(call, api, asked);
  },
});

const getNode = readRoute({
  operationId: 'getNode',
  url: `${API_PREFIX}/nodes/:id`,
  layer: 'network',
  summary: { en: 'One registered node', zh: '查询一个已注册节点' },
  access: { right: 'node:read' },
  parameters: { id: inPath(name128, 'node-a', { en: 'Node id', zh: '节点标识' }) },
  errors: ['NOT_FOUND'],
  handler: (call, api) => {
    const entry = entryOf(api.read, 'node', call.parameters.id);
    if (entry === undefined) throw new ChainError('NOT_FOUND', { node: call.parameters.id });
    const peers = new Map(api.node.peers().map((peer) => [peer.node, peer]));
    return { data: nodeAnswer(api, peers, entry) };
  },
});

const listPeers = readRoute({
  operationId: 'listPeers',
  url: `${API_PREFIX}/peers`,
  layer: 'network',
  summary: { en: 'Peers of this node', zh: '本节点的对等节点' },
  access: { right: 'node:read' },
  response: { schema: listOf(Row), statuses: [200] },
  handler: (_call, { node }) => ({ data: listAnswer(node.peers(), node.head().height) }),
});

const streamEvents = route({
  operationId: 'streamEvents',
  method: 'GET',
  url: `${API_PREFIX}/events/stream`,
  layer: 'contract',
  summary: {
    en: 'Final events as they come (server-sent events); resumes after Last-Event-ID',
    zh: '实时推送已最终确认的事件（SSE），支持 Last-Event-ID 断点续传',
  },
  access: { right: 'chain:read' },
  timeoutMs: READ_TIMEOUT_MS,
  rateLimit: { count: 20, perMs: 1_000 },
  parameters: streamParameters,
  errors: ['EVENT_ID_AHEAD'],
  response: { schema: Type.String(), statuses: [200], outside: ['text/event-stream'] },
  handler: (call, api) => ({ stream: openEventStream(call, api) }),
});

const listAlarms = listRoute({
  operationId: 'listAlarms',
  url: `${API_PREFIX}/alarms`,
  layer: 'contract',
  summary: { en: 'Alarms of this node, newest first', zh: '本节点的告警，按时间倒序' },
  access: { right: 'alarm:read' },
  parameters: {
    state: inQuery(
      choiceOf('all', 'open', 'acknowledged'),
      { default: 'all', example: 'open' },
      { en: 'open: not yet acknowledged', zh: 'open：尚未确认' },
    ),
  },
  page: alarmPage,
});

const acknowledgeAlarm = route({
  operationId: 'acknowledgeAlarm',
  method: 'POST',
  url: `${API_PREFIX}/alarms/:id/acknowledge`,
  layer: 'contract',
  summary: { en: 'Say that an alarm was seen', zh: '确认告警' },
  access: { right: 'alarm:acknowledge' },
  timeoutMs: READ_TIMEOUT_MS,
  rateLimit: { count: 100, perMs: 1_000 },
  parameters: { id: inPath(Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER }), 1, { en: 'Alarm', zh: '告警编号' }) },
  body: {
    formats: ['application/json'],
    schema: strictObject({}),
    bytesMax: 1_024,
    example: '{}',
    description: { en: 'Nothing', zh: '无内容' },
  },
  repeatable: true,
  errors: ['NOT_FOUND'],
  response: { schema: Row, statuses: [200] },
  handler: async (call, { node }) => ({ data: await node.acknowledgeAlarm(call.parameters.id, call.caller.account) }),
});

// --- operations: outside /api/v1 ------------------------------------------------------------------------------------------------------

const healthz = route({
  operationId: 'healthz',
  method: 'GET',
  url: '/healthz',
  layer: 'network',
  summary: { en: 'The process lives', zh: '进程存活检查' },
  access: 'public',
  timeoutMs: 2_000,
  rateLimit: 'none',
  parameters: {},
  errors: [],
  response: { schema: Row, statuses: [200] },
  handler: (_call, { node }) => ({ data: { node: node.info.node, version: node.info.version, height: node.head().height } }),
});

const readyz = route({
  operationId: 'readyz',
  method: 'GET',
  url: '/readyz',
  layer: 'network',
  summary: {
    en: 'The node can take part in consensus and serve; 503 with the failed checks otherwise',
    zh: '就绪检查；未就绪时返回 503 及失败项',
  },
  access: 'public',
  timeoutMs: 2_000,
  rateLimit: 'none',
  parameters: {},
  errors: ['NODE_NOT_READY'],
  response: { schema: Row, statuses: [200] },
  handler: (_call, api) => {
    const checks = readiness(api);
    if (checks.some((check) => !check.passed)) throw new ChainError('NODE_NOT_READY', { checks });
    return { data: { checks } };
  },
});

const metrics = route({
  operationId: 'metrics',
  method: 'GET',
  url: '/metrics',
  layer: 'network',
  summary: { en: 'Metrics in Prometheus text', zh: 'Prometheus 格式的运行指标' },
  access: { right: 'metrics:read' },
  timeoutMs: 5_000,
  rateLimit: { count: 10, perMs: 1_000 },
  parameters: {},
  errors: [],
  response: { schema: Type.String(), statuses: [200], outside: ['text/plain'] },
  handler: async (_call, api) => ({ raw: await api.metrics.text(), mediaType: api.metrics.contentType }),
});

export const networkRoutes: readonly Route[] = [
  listNodes,
  getNode,
  listPeers,
  streamEvents,
  listAlarms,
  acknowledgeAlarm,
  healthz,
  readyz,
  metrics,
];

function nodeAnswer(api: ApiContext, peers: ReadonlyMap<string, PeerStatus>, entry: RegistryEntry<'node'>) {
  const peer = peers.get(entry.id);
  const self = entry.id === api.node.info.node;
  return { ...entry, self, connected: self || peer?.connected === true, lastSeenMs: peer?.lastSeenMs ?? null };
}

/** Enough validators within reach that a quorum could form with this node. */
function readiness(api: ApiContext) {
  const bytes = api.node.state.get(stateKey(CONTRACT.governance, governanceKey.validators));
  const validators = bytes === undefined ? [] : (decodeJson(bytes) as readonly { readonly node: string }[]);
  const connected = new Set(api.node.peers().flatMap((peer) => (peer.connected ? [peer.node] : [])));
  connected.add(api.node.info.node);
  const reachable = validators.filter((validator) => connected.has(validator.node)).length;
  const needed = validators.length === 0 ? 1 : quorumSize(validators.length);
  const standing = api.node.standing?.();
  return [
    {
      check: 'standing',
      passed: standing?.state !== 'expelled',
      detail:
        standing?.state === 'expelled'
          ? `NODE_EXPELLED, says ${standing.by === 'chain' ? 'its own chain' : standing.peers.join(', ')}`
          : 'member',
    },
    { check: 'state', passed: bytes !== undefined, detail: `height ${api.node.head().height}` },
    {
      check: 'quorum',
      passed: reachable >= needed,
      detail: `${reachable} of ${validators.length} validators within reach, ${needed} needed`,
    },
    ...api.node.health().checks,
    { check: 'exchangeLog', passed: api.exchanges.ready(), detail: `entry ${api.exchanges.head().sequence}` },
  ];
}

async function alarmPage(
  { parameters }: Call<{ state: 'all' | 'open' | 'acknowledged' }>,
  api: ApiContext,
  { limit, cursor }: PageAsked,
): Promise<Page> {
  const below = cursor === undefined ? Number.POSITIVE_INFINITY : Number(cursor.at);
  const { state } = parameters;
  const all = (await api.node.alarms())
    .filter((alarm) => alarm.id < below && (state === 'all' || (alarm.acknowledgedBy === undefined) === (state === 'open')))
    .sort((a, b) => b.id - a.id);
  const items = all.slice(0, limit);
  const shown = items.map((alarm) => ({
    ...alarm,
    acknowledgedBy: alarm.acknowledgedBy ?? null,
    acknowledgedAtMs: alarm.acknowledgedAtMs ?? null,
    resolvedAtMs: alarm.resolvedAtMs ?? null,
    resolution: alarm.resolution ?? null,
  }));
  return { items: shown, height: api.node.head().height, at: all.length > items.length ? items[items.length - 1]!.id : undefined };
}
