/** Where a node's CPU goes: stacks sampled in its threads, laid to the part of the node that stands nearest above each. */
import type { Profiler } from 'node:inspector';
import type { DevnetNode } from '../../devnet/index.ts';
import type { ThreadFinding } from './hook.ts';
import type { Hooked } from './hooked.ts';
import { processUse, threadsCpuUs } from './statistics.ts';

export interface Share {
  readonly part: string;
  readonly cpuUs: number;
}

/** Parts by the modules that make them; the first one met from the innermost frame outwards has the sample. What all use (codec, hashes) goes to its caller. */
const MAIN_PARTS: readonly (readonly [string, RegExp])[] = [
  ['query index and its LevelDB calls', /node\/records\/(feeder|query|source)/],
  ['signature checks: messages to the worker', /node\/crypto\/verify-pool/],
  ['executor: messages to the worker', /node\/ledger\/executor-(thread|wire)/],
  ['bodies of proposals to disk', /node\/(chain\/pending-bodies|ledger\/block-files|store\/segments)/],
  ['receipts, outbox, exchange log', /node\/(feeds\/|chain\/receipts|records\/inclusion)/],
  ['records: door, coalescing', /node\/records\//],
  ['mempool', /node\/chain\/mempool\//],
  ['consensus and vote log', /consensus\/|node\/chain\/driver|node\/store\/vote-log/],
  ['chain: proposals, gathering, storing', /node\/(chain\/|node\.js|services\.js)/],
  ['peers: spreading, block sync', /node\/peers\//],
  ['links: frames, libp2p, Noise, yamux, sockets', /node\/network\/|@libp2p|@chainsafe|libp2p|multiformats|it-|uint8array/],
  ['route: token, parameters, answer', /api\//],
  ['HTTPS server: fastify, HTTP, TLS', /fastify|find-my-way|avvio|helmet|node:_http|node:https|node:_tls/],
];
const EXECUTOR_PARTS: readonly (readonly [string, RegExp])[] = [
  ['state map', /node\/state\//],
  ['contract records: class check, content, identity, index entries', /contracts\/(builtin|classes)|contracts\/(execute|overlay|gas)/],
  ['contract machine', /contracts\/quickjs/],
  ['commit: one LevelDB batch', /node\/store\/level-store|node\/ledger\/undo/],
  ['opening, admission, receipts, roots', /node\/ledger\//],
];
const OTHER = 'else (timers, sockets without an owner, the engine)';
const GC = 'garbage collection';
/** What V8 calls the thread that takes the samples in; no part of a node. */
const SAMPLER_THREAD = 'v8:ProfEvntProc';

/** @returns CPU us of one node for one record, by part, while the load runs; sampling costs something, so that no other figure comes from it */
export async function whereCpuGoes(hooked: Hooked, node: DevnetNode, load: () => Promise<{ readonly records: number }>): Promise<Share[]> {
  await hooked.order('profile', [node]);
  const use = (): number => processUse(node.pid!).cpuSeconds * 1e6 - threadsCpuUs(node.pid!, SAMPLER_THREAD);
  const beforeUs = use();
  const { records } = await load();
  const cpuUs = use() - beforeUs;
  const shares = sharesOf((await hooked.end([node])).get(node.pid!) ?? [], cpuUs);
  return shares.map((share) => ({ part: share.part, cpuUs: share.cpuUs / records })).sort((a, b) => b.cpuUs - a.cpuUs);
}

/** What no thread with JavaScript used are collection and compilation helpers, LevelDB's compaction and the pool of libuv. */
function sharesOf(findings: readonly ThreadFinding[], processCpuUs: number): Share[] {
  const shares = new Map<string, number>();
  const add = (part: string, cpuUs: number): void => void shares.set(part, (shares.get(part) ?? 0) + cpuUs);
  let javaScriptUs = 0;
  for (const { script, cpuUs, profile } of findings) {
    javaScriptUs += cpuUs;
    if (profile === undefined) {
      add('verify threads', cpuUs);
      continue;
    }
    const [name, parts] = script === '' ? (['main thread', MAIN_PARTS] as const) : (['executor thread', EXECUTOR_PARTS] as const);
    for (const [part, share] of partsOf(profile, parts)) add(`${name}: ${part}`, share * cpuUs);
  }
  add('threads without JavaScript: compaction, collection, compilation, file pool', Math.max(0, processCpuUs - javaScriptUs));
  return Array.from(shares, ([part, cpuUs]) => ({ part, cpuUs }));
}

/** Share of each part in the samples that were not idle. */
export function partsOf(profile: Profiler.Profile, parts: typeof MAIN_PARTS): Map<string, number> {
  const nodes = new Map(profile.nodes.map((node) => [node.id, node]));
  const parents = new Map<number, number>();
  for (const node of profile.nodes) for (const child of node.children ?? []) parents.set(child, node.id);
  const known = new Map<number, string>();
  const partOf = (id: number): string => {
    const { functionName, url } = nodes.get(id)!.callFrame;
    if (functionName === '(garbage collector)') return GC;
    const own = parts.find(([, modules]) => url !== '' && modules.test(url))?.[0];
    if (own !== undefined) return own;
    const parent = parents.get(id);
    if (parent === undefined) return OTHER;
    let part = known.get(parent);
    if (part === undefined) {
      part = partOf(parent);
      known.set(parent, part);
    }
    return part;
  };
  const times = new Map<string, number>();
  let total = 0;
  for (const [i, id] of (profile.samples ?? []).entries()) {
    if (nodes.get(id)!.callFrame.functionName === '(idle)') continue;
    const us = profile.timeDeltas![i + 1] ?? 0;
    total += us;
    const part = partOf(id);
    times.set(part, (times.get(part) ?? 0) + us);
  }
  return new Map([...times].sort((a, b) => b[1] - a[1]).map(([part, us]) => [part, us / total]));
}
