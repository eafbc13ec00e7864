/**
 * What four nodes do while everything is flooded at once, beside what they do in quiet, by turns in one run: what else the machine does meanwhile
 * falls on both. Each flood is held against the quiet before and after it.
 */
import { type ChildProcess, fork } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { toHex } from '../../node/format/index.ts';
import { NODE_KEY } from '../../node/keystore/index.ts';
import { type Latency, latencyOf, machineUse, processUse } from '../bench/statistics.ts';
import type { Actor } from '../conformance/context.ts';
import { deploy } from '../conformance/contracts.ts';
import { production, trySubmit } from '../conformance/records.ts';
import { keystoreOf, operators, startTestNet, type TestNet } from '../e2e/net.ts';
import type { Answers, Orders } from './attacker.ts';
import { DEAR_CODE } from './floods.ts';

/** What must hold under the flood. */
export const LIMITS = { p50Ratio: 3, healthzMs: 1_000, residentBytes: 1_000_000_000 } as const;
/** Part of the processors above which what others do on the machine decides how fast a node answers. */
const OTHERS_PART_MAX = 0.2;

/** How many times its quiet value p50 may be when one kind of flood runs alone, where that is less. */
const P50_RATIO_ALONE: Readonly<Record<string, number>> = { queries: 2 };

/** Five, so that one can be the traitor and the other four are just the quorum. */
const NODES = 5;
const TRAITOR = 4;
const TARGETS = [0, 1, 2, 3] as const;
/** Floods of a run unless it says otherwise; the median of their ratios counts. */
const ROUNDS = 3;
const QUIET_S = 10; // before and after each flood, unless it says otherwise
const SEND_INTERVAL_MS = 400;
const WATCH_MS = 500;
const AFTERWARDS_MS = 120_000; // for a node to answer again, for what waits to be worked off, and for a record to be taken
const SETTLE_MS = 3_000;

export interface FloodReport {
  /** Over all rounds. */
  readonly quiet: Latency;
  readonly flooded: Latency;
  /** How many times its quiet value p50 was, by round. */
  readonly ratios: readonly number[];
  /** Sends under the flood that were refused, or got no answer, or were told to come again for too long. */
  readonly failed: readonly string[];
  /** How often a sender was told to come again later, SERVER_BUSY; its record counts from the first time on. */
  readonly toldToWait: number;
  /** Height gained under the flood, by node. */
  readonly heights: readonly number[];
  readonly oneChain: boolean;
  readonly healthzMsMax: number;
  readonly residentBytesMax: readonly number[];
  readonly sameProcesses: boolean;
  /** What it may be at most. */
  readonly healthzMsLimit: number;
  /** Part of the machine's processors that other processes used meanwhile, 0 to 1: what they take is missing above. */
  readonly othersPart: number;
  readonly answers: Answers;
  /** What of LIMITS did not hold, but p50, and /healthz where others used the machine; empty when all did. */
  readonly broken: readonly string[];
  /** Said when p50 did not hold, a record was told to wait, or /healthz where others used the machine. */
  readonly slow: string | undefined;
}

export interface FloodOptions {
  /** How long the floods last together, s. */
  readonly seconds: number;
  readonly say: (line: string) => void;
  /** How long each quiet lasts that the floods are held against, and the warm-up, s. */
  readonly quietSeconds?: number;
  /** Floods that the seconds are divided into; three unless given. */
  readonly rounds?: number;
  /** How slow /healthz may be at most, ms; that of LIMITS unless given. */
  readonly healthzMsLimit?: number;
  /** See Orders. */
  readonly only?: string | undefined;
}

export async function measureFlood(options: FloodOptions): Promise<FloodReport> {
  const { seconds, say, only, rounds = ROUNDS, quietSeconds = QUIET_S, healthzMsLimit = LIMITS.healthzMs } = options;
  const testNet = await startTestNet('flood', { nodes: NODES, settings: { verifyWorkers: 1 } });
  const attackers: ChildProcess[] = [];
  try {
    const { net, context } = testNet;
    const contract = await deploy(context, DEAR_CODE);
    const { chainId, genesisHash } = await context.get(0, 'consensus');
    const transportSeed = toHex((await keystoreOf(net, TRAITOR)).secret(NODE_KEY.transport));
    await net.nodes[TRAITOR]!.kill('SIGTERM');
    await sleep(SETTLE_MS);

    await sendFor(testNet, quietSeconds); // a node compiles its code as it runs
    const pids = TARGETS.map((node) => net.nodes[node]!.pid);
    const before = await heightsOf(testNet);
    const orders: Orders = {
      nodes: net.nodes.map(({ id, url, dir }) => ({ id, url, dir })),
      ca: net.ca,
      tokens: net.tokens,
      genesisText: net.genesisText,
      dir: net.dir,
      targets: TARGETS,
      traitor: { node: net.nodes[TRAITOR]!.id, transportSeed },
      chain: { chainId, genesisHash },
      contract,
      ...(only === undefined ? {} : { only }),
    };
    const answers: Record<string, number> = {};
    const seen = { healthzMsMax: 0, residentBytesMax: TARGETS.map(() => 0) };
    const quiet = [await sendFor(testNet, quietSeconds)];
    const floods: Sends[] = [];
    const ratios: number[] = [];
    const others: number[] = [];
    for (let round = 0; round < rounds; round++) {
      const attacker = startAttacker(orders);
      attackers.push(attacker.process);
      const watch = watchNodes(testNet, seen);
      const own = [process.pid, attacker.process.pid, ...pids].filter((pid) => pid !== undefined);
      const othersPart = othersSince(own);
      const flood = await sendFor(testNet, seconds / rounds);
      others.push(othersPart());
      await watch.stop();
      for (const [what, count] of Object.entries(await attacker.stop())) answers[what] = (answers[what] ?? 0) + count;
      await workedOff(testNet);
      quiet.push(await sendFor(testNet, quietSeconds));
      floods.push(flood);
      const around = latencyOf(quiet.slice(-2).flatMap(({ samples }) => samples));
      const under = latencyOf(flood.samples);
      ratios.push(under.p50 / around.p50);
      say(
        `round ${round + 1}: p50 ${around.p50.toFixed(0)} ms in quiet, ${under.p50.toFixed(0)} ms of ${under.count} records under the flood, ${flood.failed.length} failed`,
      );
    }

    const after = await heightsOf(testNet);
    const report = {
      quiet: latencyOf(quiet.flatMap(({ samples }) => samples)),
      flooded: latencyOf(floods.flatMap(({ samples }) => samples)),
      ratios,
      failed: floods.flatMap(({ failed }) => failed),
      toldToWait: floods.reduce((sum, { toldToWait }) => sum + toldToWait, 0),
      heights: after.map((height, i) => height - before[i]!),
      oneChain: await sameBlock(testNet, Math.min(...after)),
      ...seen,
      healthzMsLimit,
      othersPart: others.reduce((sum, part) => sum + part, 0) / others.length,
      sameProcesses: TARGETS.every((node, i) => net.nodes[node]!.running && net.nodes[node]!.pid === pids[i]),
      answers,
    };
    return { ...report, broken: brokenLimits(report), slow: slowness(report, P50_RATIO_ALONE[only ?? ''] ?? LIMITS.p50Ratio) };
  } finally {
    for (const attacker of attackers) attacker.kill('SIGKILL');
    await testNet.stop();
  }
}

type Measured = Omit<FloodReport, 'broken' | 'slow'>;

function slowness(report: Measured, ratioMax: number): string | undefined {
  const ratio = [...report.ratios].sort((a, b) => a - b)[report.ratios.length >> 1]!;
  const said = ratio <= ratioMax ? [] : [`p50 is ${ratio.toFixed(1)} times its quiet value, at most ${ratioMax}`];
  if (report.toldToWait > 0) said.push(`records were told to come again later ${report.toldToWait} times`);
  if (isBusy(report)) said.push(...slowHealthz(report));
  return said.length === 0 ? undefined : said.join('; ');
}

const isBusy = ({ othersPart }: Measured): boolean => othersPart > OTHERS_PART_MAX;

function slowHealthz({ healthzMsMax, healthzMsLimit, othersPart }: Measured): readonly string[] {
  if (healthzMsMax <= healthzMsLimit) return [];
  const others = `while others used ${(100 * othersPart).toFixed(0)} % of the processors`;
  return [`healthz took ${healthzMsMax.toFixed(0)} ms, at most ${healthzMsLimit}, ${others}`];
}

function brokenLimits(report: Measured): readonly string[] {
  const heaviest = Math.max(...report.residentBytesMax);
  const checks: readonly (readonly [boolean, string])[] = [
    [report.heights.every((gained) => gained > 0), `heights gained: ${report.heights.join(', ')}`],
    [report.oneChain, 'the four nodes hold different blocks at one height'],
    [Number.isFinite(report.healthzMsMax), 'healthz gave no answer'],
    [heaviest <= LIMITS.residentBytes, `a node took ${(heaviest / 1e6).toFixed(0)} MB, at most ${LIMITS.residentBytes / 1e6}`],
    [report.sameProcesses, 'a node ended'],
    [report.failed.length === 0, `${report.failed.length} records were refused or got no answer: ${report.failed.slice(0, 3).join('; ')}`],
  ];
  const broken = checks.filter(([holds]) => !holds).map(([, what]) => what);
  return isBusy(report) ? broken : [...broken, ...slowHealthz(report)];
}

function startAttacker(orders: Orders): { readonly process: ChildProcess; stop(): Promise<Answers> } {
  // A session of its own, as every node has: a scheduler that shares by session does not make the measurement wait for the attacker.
  const attacker = fork(fileURLToPath(new URL('./attacker.js', import.meta.url)), { detached: true });
  const ended = new Promise<Answers>((resolve, reject) => {
    attacker.once('message', (answers) => resolve(answers as Answers));
    attacker.once('exit', (code) => reject(new Error(`the flooding process ended with ${code}`)));
  });
  ended.catch(() => undefined); // awaited by stop
  attacker.send(orders);
  return {
    process: attacker,
    stop() {
      attacker.send('stop');
      return ended;
    },
  };
}

/** The part of the processors that all but these processes use from now on. */
function othersSince(own: readonly number[]): () => number {
  const ownSeconds = (): number => own.reduce((sum, pid) => sum + processUse(pid).cpuSeconds, 0);
  const machine = machineUse();
  const ownBefore = ownSeconds();
  return () => {
    const now = machineUse();
    const used = now.usedSeconds - machine.usedSeconds - (ownSeconds() - ownBefore);
    return Math.max(0, used) / (now.seconds - machine.seconds);
  };
}

/** Quiet begins when what the flood left waiting is in blocks. */
async function workedOff({ context }: TestNet): Promise<void> {
  for (const node of TARGETS)
    await context.until(
      `an empty mempool of node ${node}`,
      AFTERWARDS_MS,
      async () => (await context.get(node, 'consensus')).mempool.count === 0,
    );
}

interface Sends {
  /** ms until the receipt, or Infinity. */
  readonly samples: readonly number[];
  readonly failed: readonly string[];
  readonly toldToWait: number;
}

/**
 * One record every SEND_INTERVAL_MS, each through the next node, timed until its receipt: the next one does not wait for the last, so that a node
 * which stands still is seen in every record that should have come meanwhile. Who is told to come again later does, as a client that was built for it.
 */
async function sendFor({ context }: TestNet, seconds: number): Promise<Sends> {
  const actors = operators(context).slice(0, TARGETS.length);
  const samples: number[] = [];
  const failed: string[] = [];
  let toldToWait = 0;
  const send = async (actor: Actor): Promise<void> => {
    const startMs = performance.now();
    const record = production(context, actor);
    const submit = () => trySubmit(context, record, { actor });
    try {
      let answer = await submit();
      while (answer.json.code === 'SERVER_BUSY' && performance.now() - startMs < AFTERWARDS_MS) {
        const waitS = Number(answer.headers['retry-after']);
        if (!(waitS > 0)) break; // nothing was told
        toldToWait++;
        await sleep(1_000 * waitS);
        answer = await submit();
      }
      if (answer.status !== 200 && answer.status !== 202) failed.push(`${answer.status} ${answer.json.code}`);
      samples.push(answer.status === 200 ? performance.now() - startMs : Number.POSITIVE_INFINITY);
    } catch (error) {
      failed.push(String(error));
      samples.push(Number.POSITIVE_INFINITY);
    }
  };
  const sends: Promise<void>[] = [];
  for (let turn = 0; turn < (seconds * 1_000) / SEND_INTERVAL_MS; turn++) {
    sends.push(send(actors[turn % actors.length]!));
    await sleep(SEND_INTERVAL_MS);
  }
  await Promise.all(sends);
  return { samples, failed, toldToWait };
}

/** Raises what `seen` holds. */
function watchNodes(
  { net, context }: TestNet,
  seen: { healthzMsMax: number; readonly residentBytesMax: number[] },
): { stop(): Promise<void> } {
  let watching = true;
  const loops = TARGETS.map(async (node) => {
    while (watching) {
      const { pid } = net.nodes[node]!;
      if (pid !== undefined) seen.residentBytesMax[node] = Math.max(seen.residentBytesMax[node]!, processUse(pid).residentBytes);
      const startMs = performance.now();
      const passed = await context.call(node, 'GET', '/healthz', { token: null }).then(
        (answer) => answer.status === 200,
        () => false,
      );
      seen.healthzMsMax = Math.max(seen.healthzMsMax, passed ? performance.now() - startMs : Number.POSITIVE_INFINITY);
      await sleep(WATCH_MS);
    }
  });
  return {
    async stop() {
      watching = false;
      await Promise.all(loops);
    },
  };
}

/** A node that was flooded until now gets AFTERWARDS_MS to answer. */
function heightsOf({ net, context }: TestNet): Promise<number[]> {
  return Promise.all(
    TARGETS.map((node) => context.until(`a head of node ${node}`, AFTERWARDS_MS, async () => (await net.nodes[node]!.head()).height)),
  );
}

async function sameBlock({ context }: TestNet, height: number): Promise<boolean> {
  const hashes = await Promise.all(TARGETS.map(async (node) => (await context.get(node, `blocks/${height}`)).hash as string));
  return new Set(hashes).size === 1;
}
