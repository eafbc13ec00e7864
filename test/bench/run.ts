/**
 * `npm run bench [-- --quick] [--preload N] [--seconds N] [--json FILE] [--node PROGRAM]`: open-loop load on a fresh devnet of four validators, side by side with the bound of this
 * machine in the same run. Long form: 10^6 records preloaded.
 */
import { fork, type ChildProcess } from 'node:child_process';
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { cpus, tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { argv, execPath, exit, version } from 'node:process';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { type Devnet, startDevnet } from '../../devnet/index.ts';
import { createAuthority, issueServerCertificate } from '../../node/keystore/certificates.ts';
import { Load, type LoadResult } from './load.ts';
import { latencyOf, type Latency, processUse, threadsCpuUs } from './statistics.ts';
import { preload } from './preload.ts';
import { type Bound, measureBound } from './terms.ts';
import { type Share, whereCpuGoes } from './where.ts';
import { type Sender, sendersOf, submissionsOf, transactionOf } from './workload.ts';

const { values: options } = parseArgs({
  args: argv.slice(2),
  options: {
    quick: { type: 'boolean', default: false },
    preload: { type: 'string' },
    json: { type: 'string' },
    seconds: { type: 'string' },
    node: { type: 'string' },
  },
});
const ROOT = fileURLToPath(new URL('../../../', import.meta.url));
const PRELOAD = Number(options.preload ?? (options.quick ? 10_000 : 1_000_000));
const SECONDS = Number(options.seconds ?? (options.quick ? 6 : 20));
const PRELOAD_PER_TRANSACTION = 100;
const LOW_RATE_PER_S = 5;
const LOW_COUNT = 60;
const RATES_SINGLE = [100, 200, 300, 400, 600, 800, 1_000, 1_300, 1_600, 2_000];
const RATES_HUNDRED = [5, 10, 20, 30, 40, 60];
/** A rate is held when this share of what was offered was committed in time. */
const HELD_SHARE = 0.9;
/** The rate after the first that is not held still shows whether fuller blocks carry more. */
const UNHELD_MAX = 2;
/** Opened before the clock starts: for answers that take so many seconds. */
const CONNECTIONS_PER_RATE = 2;
const CONNECTIONS_MAX = 1_600;
/** A node compiles its code as it runs: this long at a bearable rate before anything is measured, s. */
const WARM_UP_S = { quick: 20, long: 60 } as const;
const WARM_UP_RATE_PER_S = 100;
const PROFILE_WAIT_MS = 5_000; // for a node to write what it sampled
const PROFILED_THREADS = 4; // main, executor, two that verify
/** What V8 calls the thread that takes the samples in; no part of a node. */
const SAMPLER_THREAD = 'v8:ProfEvntProc';

const say = (line: string): void => void process.stderr.write(`${line}\n`);

interface Series {
  readonly recordsPerTransaction: number;
  readonly best: LoadResult;
  readonly runs: readonly LoadResult[];
  readonly use: readonly { readonly node: string; readonly cpuShare: number; readonly residentMb: number }[];
  /** CPU us of all nodes, and of the load generator, per transaction at the best rate: what load of others on the machine changes least. */
  readonly nodesCpuUs: number;
  readonly loadCpuUs: number;
  /** Transactions of a block at the best rate, on average. */
  readonly perBlock: number;
}

/** The reference: the same nodes without HTTP and with empty execution. */
interface Bare {
  readonly latency: Latency;
  /** CPU us of all four nodes for one block of one empty transaction, idle ticks included. */
  readonly blockCpuUs: number;
}

async function ladder(
  net: Devnet,
  load: Load,
  make: (count: number) => Uint8Array[],
  rates: readonly number[],
  recordsPerTransaction: number,
): Promise<Series> {
  const runs: LoadResult[] = [];
  let best: LoadResult | undefined;
  let unheld = 0;
  let use: Series['use'] = [];
  let [nodesCpuUs, loadCpuUs, perBlock] = [0, 0, 1];
  for (const rate of rates) {
    const transactions = make(Math.ceil(rate * SECONDS));
    await load.warm(Math.ceil(Math.min(CONNECTIONS_MAX, rate * CONNECTIONS_PER_RATE) / net.nodes.length));
    const before = net.nodes.map((node) => processUse(node.pid!));
    const { height } = await net.nodes[0]!.head();
    const loadBefore = process.cpuUsage();
    const start = performance.now();
    const result = await load.run(transactions, rate);
    const seconds = (performance.now() - start) / 1000;
    const after = net.nodes.map((node) => processUse(node.pid!));
    const loadAfter = process.cpuUsage(loadBefore);
    const nodesUs = (after.reduce((sum, { cpuSeconds }, i) => sum + cpuSeconds - before[i]!.cpuSeconds, 0) * 1e6) / result.latency.count;
    const blocks = Math.max(1, (await net.nodes[0]!.head()).height - height);
    const loadUs = (loadAfter.user + loadAfter.system) / result.latency.count;
    runs.push(result);
    say(
      `  ${recordsPerTransaction} a transaction, offered ${rate}/s: committed ${result.committedPerS.toFixed(0)}/s, p50 ${result.latency.p50.toFixed(0)} ms, p95 ${result.latency.p95.toFixed(0)}, p99 ${result.latency.p99.toFixed(0)}, ${(result.latency.count / blocks).toFixed(1)} a block, CPU us a transaction ${nodesUs.toFixed(0)} nodes + ${loadUs.toFixed(0)} load, failed ${result.failed}, late ${result.late}${result.firstFailure ? ` (${result.firstFailure})` : ''}`,
    );
    if (result.committedPerS > (best?.committedPerS ?? 0)) {
      best = result;
      [nodesCpuUs, loadCpuUs, perBlock] = [nodesUs, loadUs, result.latency.count / blocks];
      use = net.nodes.map((node, i) => ({
        node: node.id,
        cpuShare: (after[i]!.cpuSeconds - before[i]!.cpuSeconds) / seconds,
        residentMb: after[i]!.residentBytes / 1e6,
      }));
    }
    const held = result.committedPerS >= rate * HELD_SHARE;
    if (!held) unheld++;
    if (result.failed + result.late > 0 || unheld >= UNHELD_MAX) break;
  }
  return { recordsPerTransaction, best: best!, runs, use, nodesCpuUs, loadCpuUs, perBlock };
}

/** Stacks of one node under the best rate, in a pass of its own: sampling costs something, and no figure of the ladder bears it. */
async function profiled(net: Devnet, load: Load, transactions: readonly Uint8Array[], rate: number, directory: string): Promise<Profiled> {
  const [first] = net.nodes;
  await load.warm(Math.ceil(Math.min(CONNECTIONS_MAX, rate * CONNECTIONS_PER_RATE) / net.nodes.length));
  const before = processUse(first!.pid!);
  process.kill(first!.pid!, 'SIGUSR2');
  const result = await load.run(transactions, rate);
  const { cpuSeconds } = processUse(first!.pid!);
  const samplerUs = threadsCpuUs(first!.pid!, SAMPLER_THREAD);
  process.kill(first!.pid!, 'SIGUSR2');
  for (let waitedMs = 0; readdirSync(directory).length < PROFILED_THREADS && waitedMs < PROFILE_WAIT_MS; waitedMs += 100) await sleep(100);
  await sleep(500); // the last file may still be being written
  const { count } = result.latency;
  const shares = whereCpuGoes(directory, (cpuSeconds - before.cpuSeconds) * 1e6 - samplerUs);
  return { perNode: shares.map(({ part, cpuUs }) => ({ part, cpuUs: cpuUs / count })), ratePerS: result.committedPerS };
}

interface Profiled {
  /** CPU us of one node for one transaction, by part. */
  readonly perNode: readonly Share[];
  readonly ratePerS: number;
}

/** A program that starts a node as `node` would, ready to be sampled. */
function samplingNode(directory: string): string {
  const path = join(directory, 'node');
  const hook = fileURLToPath(new URL('./profile-hook.js', import.meta.url));
  const program = options.node ?? execPath;
  writeFileSync(path, `#!/bin/sh\nexport BENCH_PROFILE_DIR='${profiles}'\nexec '${program}' --import '${hook}' "$@"\n`, { mode: 0o755 });
  return path;
}

/** The same nodes without HTTP and with empty execution, one transaction at a time. */
async function bareNetwork(net: Devnet): Promise<Bare> {
  const children: ChildProcess[] = net.nodes.map((node) =>
    fork(fileURLToPath(new URL('./bare-node.js', import.meta.url)), [node.configPath]),
  );
  const next = (child: ChildProcess, kind: string): Promise<{ latencies?: number[] }> =>
    new Promise((done, reject) => {
      child.on('message', (message: { kind: string; latencies?: number[] }) => message.kind === kind && done(message));
      child.once('exit', (code) => reject(new Error(`a bare node ended with ${code}`)));
    });
  try {
    await Promise.all(children.map((child) => next(child, 'started')));
    const [first] = children;
    const account = `operator@${net.nodes[0]!.organisation}`;
    const done = next(first!, 'done');
    const cpuSeconds = (): number => children.reduce((sum, child) => sum + processUse(child.pid!).cpuSeconds, 0);
    const before = cpuSeconds();
    first!.send({ kind: 'run', account, count: LOW_COUNT, intervalMs: 1000 / LOW_RATE_PER_S });
    const latency = latencyOf((await done).latencies!);
    return { latency, blockCpuUs: ((cpuSeconds() - before) * 1e6) / latency.count };
  } finally {
    await Promise.all(
      children.map(
        (child) =>
          new Promise<void>((gone) => {
            if (child.exitCode !== null) return gone();
            child.removeAllListeners('exit');
            child.once('exit', () => gone());
            child.send({ kind: 'stop' });
            setTimeout(() => child.kill('SIGKILL'), 15_000).unref();
          }),
      ),
    );
  }
}

function commitOf(): string {
  try {
    return execFileSync('git', ['rev-parse', '--short', 'HEAD'], { cwd: ROOT, encoding: 'utf8' }).trim();
  } catch {
    return 'unknown';
  }
}

/** A bench that is ended early takes its nodes with it. */
function endWithUs(killNow: () => void): void {
  process.on('exit', killNow);
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => exit(1));
}

const scratch = mkdtempSync(join(tmpdir(), 'tracemill-bench-'));
const dir = join(scratch, 'net');
const profiles = join(scratch, 'profiles');
mkdirSync(dir);
mkdirSync(profiles);
let net: Devnet | undefined;
let failedRun: unknown;
try {
  say(`bench: ${PRELOAD} records preloaded, ${SECONDS} s a rate`);
  net = await startDevnet({
    dir,
    nodes: 4,
    settings: { logLevel: 'warn' },
    nodePath: samplingNode(scratch),
    onProcesses: endWithUs,
    say,
  });
  const senders = await sendersOf(net.nodes);
  await Promise.all(net.nodes.map((node) => node.kill()));
  await preload({
    nodes: senders.map(({ node: { id, organisation, dir: home }, keystore }) => ({ id, organisation, dir: home, keystore })),
    genesisText: net.genesisText,
    root: ROOT,
    records: PRELOAD,
    recordsPerTransaction: PRELOAD_PER_TRANSACTION,
    say,
  });
  await Promise.all(net.nodes.map((node) => node.restart()));
  const genesisBlock = await net.nodes[0]!.client(`auditor@${net.nodes[0]!.organisation}`).get<{ header: { chainId: string } }>(
    '/api/v1/blocks/0',
  );
  const { chainId } = genesisBlock.data.header;
  const sources = senders.map((sender) => submissionsOf(sender, ROOT, `b${sender.node.id}`));
  const tokens = senders.map((sender) => net!.tokens[sender.account]!);
  const { height } = await net.nodes[0]!.head();
  const make =
    (recordCount: number) =>
    (count: number): Uint8Array[] =>
      Array.from({ length: count }, (_, i) => {
        const at = i % senders.length;
        return transactionOf(senders[at] as Sender, chainId, height, sources[at]!, recordCount);
      });
  const load = new Load({ net, tokens });

  await load.warm(WARM_UP_RATE_PER_S);
  await load.run(make(1)(WARM_UP_RATE_PER_S * WARM_UP_S[options.quick ? 'quick' : 'long']), WARM_UP_RATE_PER_S);
  await load.warm(LOW_RATE_PER_S);
  const low = await load.run(make(1)(LOW_COUNT), LOW_RATE_PER_S);
  say(`  low load: p50 ${low.latency.p50.toFixed(1)} ms, p95 ${low.latency.p95.toFixed(1)}, p99 ${low.latency.p99.toFixed(1)}`);
  const single = await ladder(net, load, make(1), RATES_SINGLE, 1);
  const bestRate = Math.max(1, Math.floor(single.best.committedPerS));
  const where = await profiled(net, load, make(1)(bestRate * SECONDS), bestRate, profiles);
  const hundred = await ladder(net, load, make(100), RATES_HUNDRED, 100);
  load.close();
  const sample = make(1)(1)[0]!;
  await net.stop();
  const bare = await bareNetwork(net);
  say(`  empty execution, no HTTP: p50 ${bare.latency.p50.toFixed(1)} ms`);
  const authority = await createAuthority('bench', Date.now());
  const tls = await issueServerCertificate(authority, 'bench', Date.now());
  const perBlock = Math.max(1, Math.min(1_000, Math.round(single.perBlock)));
  const bound = await measureBound({
    transaction: sample,
    keys: Math.min(PRELOAD * 4, 400_000),
    transactionsPerBlock: perBlock,
    tls,
    ca: authority.certificate,
  });
  const cpuUs = single.nodesCpuUs + single.loadCpuUs;
  const report = {
    machine: `${cpus().length} x ${cpus()[0]!.model}`,
    node: version,
    commit: commitOf(),
    preloaded: PRELOAD,
    low,
    bare,
    single,
    hundred,
    bound,
    where,
    ratios: {
      cpuToBound: bound.eachUs * 4 + bound.onceUs > 0 ? (bound.eachUs * 4 + bound.onceUs) / cpuUs : 0,
      singleToBound: single.best.committedPerS / bound.perSecond,
      lowToBareP50: low.latency.p50 / bare.latency.p50,
    },
  };
  print(report);
  if (options.json) writeFileSync(resolve(options.json), `${JSON.stringify(report, undefined, 2)}\n`);
} catch (error) {
  failedRun = error;
} finally {
  await net?.stop();
  rmSync(scratch, { recursive: true, force: true });
}
if (failedRun !== undefined) {
  say(`bench failed: ${failedRun instanceof Error ? failedRun.stack : String(failedRun)}`);
  exit(1);
}
exit(0);

function print(report: {
  machine: string;
  node: string;
  commit: string;
  preloaded: number;
  low: LoadResult;
  bare: Bare;
  where: Profiled;
  single: Series;
  hundred: Series;
  bound: Bound;
  ratios: { singleToBound: number; cpuToBound: number; lowToBareP50: number };
}): void {
  const { bound, single, hundred } = report;
  const out = (line: string): void => void process.stdout.write(`${line}\n`);
  out(`\nFour validators, ${report.machine}, Node ${report.node}, commit ${report.commit}, ${report.preloaded} records preloaded\n`);
  out('| load | committed records/s | p50 ms | p95 ms | p99 ms |');
  out('| --- | ---: | ---: | ---: | ---: |');
  const row = (name: string, result: LoadResult, records: number): void =>
    out(
      `| ${name} | ${(result.committedPerS * records).toFixed(0)} | ${result.latency.p50.toFixed(1)} | ${result.latency.p95.toFixed(1)} | ${result.latency.p99.toFixed(1)} |`,
    );
  row('low load, 1 a transaction', report.low, 1);
  row(`1 a transaction, offered ${single.best.offeredPerS}/s`, single.best, 1);
  row(`100 a transaction, offered ${hundred.best.offeredPerS}/s`, hundred.best, 100);
  out(
    `| empty execution, no HTTP, low load | | ${report.bare.latency.p50.toFixed(1)} | ${report.bare.latency.p95.toFixed(1)} | ${report.bare.latency.p99.toFixed(1)} |`,
  );
  out('\n| node at the best rate | CPU (cores) | resident MB |');
  out('| --- | ---: | ---: |');
  for (const use of single.use) out(`| ${use.node} | ${use.cpuShare.toFixed(2)} | ${use.residentMb.toFixed(0)} |`);
  const { where, bare } = report;
  const spent = single.nodesCpuUs + single.loadCpuUs;
  const sampled = where.perNode.reduce((sum, { cpuUs }) => sum + cpuUs, 0);
  out(
    `\nWhere the CPU of (a) goes: ${single.nodesCpuUs.toFixed(0)} us of four nodes and ${single.loadCpuUs.toFixed(0)} us of the load generator a transaction.`,
  );
  out(
    `One node sampled at ${where.ratePerS.toFixed(0)}/s, ${sampled.toFixed(0)} us a transaction there; ${single.perBlock.toFixed(1)} transactions a block, and a block of the empty reference costs ${bare.blockCpuUs.toFixed(0)} us of four nodes.\n`,
  );
  out('| part of a node | us a transaction | share of the node |');
  out('| --- | ---: | ---: |');
  for (const { part, cpuUs } of [...where.perNode].sort((a, b) => b.cpuUs - a.cpuUs))
    out(`| ${part} | ${cpuUs.toFixed(0)} | ${((cpuUs / sampled) * 100).toFixed(1)} % |`);
  out('\n| term of the bound | us a call | calls | us a transaction | where | count from |');
  out('| --- | ---: | ---: | ---: | --- | --- |');
  for (const term of bound.terms) {
    const count = Number.isInteger(term.count) ? String(term.count) : term.count.toFixed(3);
    out(
      `| ${term.name} | ${term.us.toFixed(term.us < 1 ? 4 : 1)} | ${count} | ${(term.us * term.count).toFixed(1)} | ${term.where} | ${term.source} |`,
    );
  }
  out(
    `\nbound: 2,000,000 us/s over (4 x ${bound.eachUs.toFixed(0)} + ${bound.onceUs.toFixed(0)}) us = ${bound.perSecond.toFixed(0)} records/s`,
  );
  out(
    `CPU of a transaction in (a): ${spent.toFixed(0)} us, so the bound's ${(4 * bound.eachUs + bound.onceUs).toFixed(0)} us are ${report.ratios.cpuToBound.toFixed(2)} of it: that ratio does not depend on what else the machine runs`,
  );
  out(`(a) ${single.best.committedPerS.toFixed(0)} records/s is ${report.ratios.singleToBound.toFixed(2)} of the bound (target 0.5)`);
  out(`(b) ${(hundred.best.committedPerS * 100).toFixed(0)} records/s`);
  out(`p50 at low load is ${report.ratios.lowToBareP50.toFixed(2)} times that of empty execution without HTTP (target at most 2.5)`);
}
