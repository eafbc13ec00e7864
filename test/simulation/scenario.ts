/**
 * One seed, one story: a cluster is drawn, troubled for a while within what PBFT bears, then healed; it must have kept its promises all along
 * and make progress again within a bound.
 */
import { ENGINE_LIMITS, inspect } from '../../consensus/index.ts';
import { JOIN_EVERY_BLOCKS } from '../../consensus/pbft/recovery.ts';
import { INBOX_LIMITS } from '../../node/chain/frame-inbox.ts';
import { faultsMax } from '../../node/format/index.ts';
import { type Behaviour, behaviours, byzantine } from './byzantine.ts';
import type { Bounds } from './chain.ts';
import { CheckFailed, Cluster, type CreateEngine, STOP_WITHIN_MS } from './cluster.ts';
import { HEALTHY } from './network.ts';
import { SeededRandom } from './random.ts';
import { traitors } from './traitors.ts';

/** Simulated time of the troubled phase, ms. */
const TROUBLE_MIN_MS = 3_000;
const TROUBLE_MAX_MS = 9_000;
/** After healing, this many further blocks on every honest node within this time, ms. */
const PROGRESS_BLOCKS = 4;
const PROGRESS_WITHIN_MS = 60_000;
/**
 * And some time later each honest validator has voted for one of them, ms; once more so long after the blocks that one waits who was alone in a higher
 * view and was joined shortly before (consensus/decisions/0005).
 */
const VOTES_WITHIN_MS = 30_000;
/** Handed in after healing, and so often until it is final, ms. */
const HEALED_TRANSACTION = 1_000_000;
const HAND_IN_AGAIN_MS = 1_000;
/** Views that fail at one height in some seeds, the longest such trouble, and the highest time-out that it is drawn for, ms. */
const VIEWS_STALLED = 40;
const STALL_MS_MAX = 60_000;
const STALL_TIMEOUT_MAX_MS = 800;
const STALLS = ['prePrepare', 'prepare', 'commit', 'newView'] as const;
/** One run in so many signs with real Ed25519. */
const REAL_EVERY = 100;

export interface Result {
  readonly seed: number;
  readonly failure: string | undefined;
  readonly story: string;
  readonly transcript: readonly string[];
  readonly height: number;
  /** Simulated time from healing to the progress asked for, ms. */
  readonly healedMs: number;
}

/**
 * `tearing` undefined: drawn, as are small bounds and traitors with a plan. These have generators of their own, so that seeds found without them
 * still tell their story with `tearing` given.
 */
export async function runSeed(seed: number, engine = 'pbft', tearing?: boolean): Promise<Result> {
  const tearDraw = new SeededRandom(seed ^ 0x7ea5);
  const tears = tearing ?? tearDraw.chance(0.5);
  const more = tearing === undefined ? new SeededRandom(seed ^ 0x5afe) : undefined;
  const draw = new SeededRandom(seed ^ 0x5eed);
  const validators = draw.pick([4, 4, 4, 4, 4, 5, 7, 1]);
  const observers = draw.chance(0.15) ? 1 : 0;
  const faults = faultsMax(validators);
  const drawn: Behaviour | undefined = faults > 0 && draw.chance(0.4) ? draw.pick(behaviours) : undefined;
  const lying: Behaviour | undefined = drawn && tearing === undefined && tearDraw.chance(0.25) ? 'wrongBody' : drawn;
  const behaviour: Behaviour | undefined = faults > 0 && more?.chance(0.3) ? more.pick(traitors) : lying;
  const faulty = new Map<number, (random: SeededRandom) => CreateEngine>();
  if (behaviour)
    for (let i = 0; i < draw.integer(1, faults); i++) faulty.set(draw.integer(0, validators - 1), (random) => byzantine(behaviour, random));
  const viewTimeoutMs = draw.pick([200, 400, 1_000]);
  const rotates = draw.chance(0.15) && validators === 4 && !behaviour;
  const barrier = draw.integer(2, 12);
  const viewTimeoutMaxMs = viewTimeoutMs * (more?.pick([1, 2, 8]) ?? 8);
  const bounds: Bounds = {
    blockTransactionsMax: more?.pick([1, 3, 20]) ?? 20,
    syncBlocksMax: more?.pick([1, 2, 16]) ?? 16,
    ...(more ? drawLimits(new SeededRandom(seed ^ 0xb0d)) : {}),
  };
  const cluster = new Cluster({
    seed,
    nodes: validators + observers + (rotates ? 1 : 0),
    validators,
    engine,
    real: seed % REAL_EVERY === REAL_EVERY - 1,
    faulty,
    bounds,
    parameters: {
      viewTimeoutMs,
      viewTimeoutMaxMs,
      idleBlockIntervalMs: draw.pick([200, 1_000]),
      checkpointIntervalBlocks: draw.pick([1, 4, 16]),
    },
    // One validator leaves and another joins when the barrier block is final.
    ...(rotates ? { validatorsAt: (height: number) => (height <= barrier ? [0, 1, 2, 3] : [1, 2, 3, 4]) } : {}),
  });
  const trouble = {
    lossRatio: draw.pick([0, 0.02, 0.1, 0.25]),
    duplicateRatio: draw.pick([0, 0.1]),
    delayMinMs: 1,
    delayMaxMs: draw.pick([5, 40, 250]),
  };
  const crashes = draw.pick([0, 0.3, 1, 2]); // per second, over the cluster
  const parts = draw.pick([0, 0.3, 0.6]);
  const persists = draw.chance(0.4);
  /** A vote log lost once; a node that lost its memory counts as faulty until it is back. */
  const forgets = (faulty.size === 0 && faults > 0 && draw.chance(0.2)) || (faulty.size > 0 && (more?.chance(0.2) ?? false));
  /** A traitor and a lost memory together are more than PBFT bears at four: nothing may be contradicted, but progress is owed to nobody. */
  const owed = !forgets || faulty.size === 0;
  /** Views that fail one after the other at one height, since messages of this kind reach nobody. */
  const stalls = viewTimeoutMaxMs <= STALL_TIMEOUT_MAX_MS && more?.chance(0.15) ? more.pick(STALLS) : undefined;
  const story = `${validators} validators, ${observers} observers, ${behaviour ?? 'no traitor'} ${[...faulty.keys()]}, loss ${trouble.lossRatio}, delay ${trouble.delayMaxMs}, views of ${viewTimeoutMs} to ${viewTimeoutMaxMs} ms, blocks of ${bounds.blockTransactionsMax}${tellLimits(bounds)}, crashes ${crashes}/s, partitions ${parts}/s${persists ? ', killed at persist points' : ''}${forgets ? ', a vote log lost' : ''}${tears ? ', phases torn' : ''}${stalls ? `, ${VIEWS_STALLED} views without ${stalls}` : ''}${rotates ? `, barrier ${barrier}` : ''}`;
  let height = 0;
  let healedMs = 0;
  try {
    await troubled(cluster, draw, { trouble, crashes, parts, persists, forgets, tears: tears ? tearDraw : undefined });
    if (stalls) await stalled(cluster, engine, stalls);
    healedMs = await healed(cluster, owed);
    height = cluster.heights().max;
    return { seed, failure: undefined, story, transcript: cluster.transcript, height, healedMs };
  } catch (error) {
    if (!(error instanceof CheckFailed)) throw error;
    return { seed, failure: error.message, story, transcript: [...cluster.transcript, ...describe(cluster)], height, healedMs };
  }
}

type Limits = Required<Pick<Bounds, 'inbox' | 'engine'>>;

/** What driver and engine hold, often as little as they can live with. */
export function drawLimits(draw: SeededRandom): Limits {
  return {
    inbox: {
      ...INBOX_LIMITS,
      framesMax: draw.pick([8, INBOX_LIMITS.framesMax]),
      framesPerPeerMax: draw.pick([2, INBOX_LIMITS.framesPerPeerMax]),
    },
    engine: {
      executionsMax: draw.pick([1, 2, ENGINE_LIMITS.executionsMax]),
      votesPerSignerMax: draw.pick([2, ENGINE_LIMITS.votesPerSignerMax]),
    },
  };
}

export function tellLimits({ inbox, engine }: Partial<Limits>): string {
  if (!inbox || !engine) return '';
  return `, inboxes of ${inbox.framesMax} and ${inbox.framesPerPeerMax} a peer, ${engine.executionsMax} executions, ${engine.votesPerSignerMax} votes of a signer`;
}

export interface Trouble {
  readonly trouble: typeof HEALTHY;
  readonly crashes: number;
  readonly parts: number;
  readonly persists: boolean;
  readonly forgets: boolean;
  /** Chance of its own; undefined: phases are not torn. */
  readonly tears: SeededRandom | undefined;
  /** Chance of its own that a node which would crash is stopped by its operator instead; none is when absent. */
  readonly stops?: SeededRandom;
  /** Chance of its own that syncs of a disk fail for a while, behind which its operator starts the node again; they never do when absent. */
  readonly syncFaults?: SeededRandom;
  /** How clients hand in transaction `id`, and how often a second; undefined: most nodes get it at once. */
  readonly clients?: { readonly perSecond: number; readonly submit: (id: number) => void };
}

export async function troubled(
  cluster: Cluster,
  draw: SeededRandom,
  { trouble, crashes, parts, persists, forgets, tears, stops, syncFaults, clients }: Trouble,
): Promise<void> {
  const { scheduler, machines, names } = cluster;
  const end = draw.integer(TROUBLE_MIN_MS, TROUBLE_MAX_MS);
  let healing = false;
  const restart = (i: number) => scheduler.after(draw.integer(20, 1_500), () => cluster.boot(i));
  machines.forEach((machine, i) => {
    machine.onKilled = () => {
      cluster.say(names[i]!, 'killed at a persist point');
      restart(i);
    };
    if (persists) machine.disk.onPersist = () => !healing && draw.chance(0.004);
  });
  cluster.bootAll();
  cluster.fabric.faults = { ...trouble };
  const every = (perSecond: number, act: () => void) => {
    if (perSecond === 0) return;
    const again = () =>
      scheduler.after((draw.ratio() * 2_000) / perSecond, () => {
        if (healing) return;
        act();
        again();
      });
    again();
  };
  every(crashes, () => {
    const i = draw.integer(0, names.length - 1);
    if (!machines[i]!.up) return;
    if (stops?.chance(0.3)) return void cluster.stop(i).then(() => restart(i));
    cluster.crash(i);
    restart(i);
  });
  every(parts, () => {
    cluster.fabric.groups.clear();
    if (draw.chance(0.3)) return;
    for (const name of names) cluster.fabric.groups.set(name, draw.chance(0.3) ? 1 : 0);
    cluster.say('network', `parts ${names.filter((name) => cluster.fabric.groups.get(name) === 1).join(' ')}`);
  });
  // For a while, some kinds of messages hardly reach some nodes: one replica may be final, others prepared, when the next view begins.
  const tear = (draw: SeededRandom) => {
    const kinds = new Set([1, 2, 4, 7, 8].filter(() => draw.chance(0.4)));
    const kept = draw.chance(0.7) ? draw.pick(names) : undefined;
    const ratio = draw.pick([0.7, 0.95, 1]);
    const sync = draw.chance(0.5);
    cluster.fabric.loses = (_, to, channel, frame) =>
      to !== kept && draw.chance(ratio) && (channel === 'bulk' ? sync : kinds.has(frame[0]!));
    cluster.say('network', `loses kinds ${[...kinds]} for all but ${kept ?? 'nobody'}`);
    scheduler.after(draw.integer(100, 1_500), () => healing || tear(draw));
  };
  if (tears) tear(tears);
  let id = 0;
  every(clients?.perSecond ?? draw.pick([1, 10]), () => {
    id++;
    if (clients) return clients.submit(id);
    for (let i = 0; i < names.length; i++) if (draw.chance(0.8)) cluster.submit(i, id);
  });
  if (forgets)
    scheduler.after(draw.integer(1_000, end), () => {
      const i = draw.integer(0, names.length - 1);
      // The crash takes a last block that is not synced yet, and a replica without block and log takes its chain for one that begins.
      if (!cluster.node(i) || cluster.node(i)!.height() <= 1) return;
      cluster.crash(i);
      cluster.loseVoteLog(i);
      restart(i);
    });
  if (draw.chance(0.1))
    scheduler.after(draw.integer(500, end), () => {
      const { disk } = draw.pick(machines);
      disk.full = true;
      scheduler.after(draw.integer(500, 3_000), () => {
        disk.full = false;
      });
    });
  if (syncFaults?.chance(0.3))
    scheduler.after(syncFaults.integer(300, end), () => {
      const i = syncFaults.integer(0, names.length - 1);
      const { disk } = machines[i]!;
      disk.syncFails = true;
      cluster.say(names[i]!, 'has a disk whose syncs fail');
      scheduler.after(syncFaults.integer(20, 3_000), () => {
        disk.syncFails = false;
        if (!disk.syncFailed) return;
        cluster.crash(i);
        scheduler.after(syncFaults.integer(20, 1_500), () => cluster.boot(i));
      });
    });
  await cluster.run(end);
  healing = true; // no fault may start from here
}

/** Everything is up, and no block becomes final for so many views. */
async function stalled(cluster: Cluster, engine: string, kind: string): Promise<void> {
  cluster.say('network', `loses every ${kind}`);
  cluster.fabric.faults = { ...HEALTHY };
  cluster.fabric.groups.clear();
  cluster.fabric.loses = (_from, _to, channel, frame) => channel === 'votes' && inspect(engine, frame)?.place.kind === kind;
  cluster.bootAll();
  const views = () => cluster.honest().map((i) => Number(/ view (\d+) /.exec(cluster.node(i)?.describe() ?? '')?.[1] ?? 0));
  const from = Math.max(...views());
  await cluster.run(STALL_MS_MAX, () => Math.max(...views()) >= from + VIEWS_STALLED);
}

/** Everything is up and the network is whole: every honest node must get further, together, where that is `owed`. */
export async function healed(cluster: Cluster, owed = true): Promise<number> {
  cluster.say('network', 'heals');
  cluster.fabric.faults = { ...HEALTHY };
  cluster.fabric.groups.clear();
  cluster.fabric.loses = () => false;
  for (const machine of cluster.machines) {
    machine.disk.onPersist = () => false;
    machine.disk.full = false;
    machine.disk.syncFails = false;
  }
  await cluster.run(STOP_WITHIN_MS, () => !cluster.isStopping); // or a node would be down in the middle of what follows
  for (const [i, { disk }] of cluster.machines.entries()) if (disk.syncFailed) cluster.crash(i); // it does not vote before it is started again
  cluster.bootAll();
  const healedAtMs = cluster.scheduler.nowMs;
  const present = () => cluster.honest().filter((i) => !cluster.absent.has(i)); // the council may go on meanwhile
  const { max } = cluster.heights();
  // Who is asked while it starts takes nothing: a client asks again. A traitor is asked too: as primary it may leave out what it does not know.
  const handIn = () => {
    if (cluster.acknowledged.has(HEALED_TRANSACTION)) return;
    for (let i = 0; i < cluster.names.length; i++) if (!cluster.absent.has(i)) cluster.submit(i, HEALED_TRANSACTION);
    cluster.scheduler.after(HAND_IN_AGAIN_MS, handIn);
  };
  handIn();
  const target = max + PROGRESS_BLOCKS;
  const reached = await cluster.run(
    PROGRESS_WITHIN_MS,
    () => present().every((i) => (cluster.node(i)?.height() ?? 0) >= target) && cluster.acknowledged.has(HEALED_TRANSACTION),
  );
  if (!reached && !owed) return 0;
  if (!reached) {
    cluster.fail(`no progress from ${max} within ${PROGRESS_WITHIN_MS} ms of healing`);
    throw cluster.failure!;
  }
  const silent = () => cluster.silentAbove(max);
  const allVoted = () => cluster.run(VOTES_WITHIN_MS, () => silent().length === 0);
  if (owed && !(await allVoted())) {
    await cluster.run(PROGRESS_WITHIN_MS, () => cluster.heights().max >= max + JOIN_EVERY_BLOCKS);
    if (!(await allVoted())) cluster.fail(`no vote of ${silent()} since healing`);
  }
  cluster.checkAcknowledged();
  return cluster.scheduler.nowMs - healedAtMs;
}

export function describe(cluster: Cluster): string[] {
  return cluster.names.map((name, i) => `          ${name} ${cluster.node(i)?.describe() ?? 'is down'}`);
}
