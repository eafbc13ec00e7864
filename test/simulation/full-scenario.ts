/** One seed, one story, told of whole nodes: the same trouble as scenario.ts, and clients who must be able to rely on their receipts. */
import { faultsMax } from '../../node/format/index.ts';
import { BLOCK_FILES_DIRECTORY } from '../../node/ledger/block-files.ts';
import { VERSIONS_MAX } from '../../node/ledger/versions.ts';
import { PEERING_LIMITS } from '../../node/peers/peering.ts';
import { byzantine, wholeBlockTwin } from './byzantine.ts';
import { CheckFailed, Cluster, type CreateEngine } from './cluster.ts';
import { Council, type Motion } from './council.ts';
import { FullNodes, SEGMENT_BYTES } from './full-node.ts';
import { type FullLimits, type FullSetup, fullSetup, loadMachine } from './full-setup.ts';
import { SeededRandom } from './random.ts';
import { RecordClients } from './record-clients.ts';
import { describe, drawLimits, healed, type Result, tellLimits, troubled } from './scenario.ts';
import { ServicesCheck } from './services-check.ts';
import { traitors } from './traitors.ts';

/** One run in so many signs with real Ed25519. */
const REAL_EVERY = 100;
/** Simulated time after healing in which the council gets what is left of its motions passed, ms. */
const COUNCIL_WITHIN_MS = 60_000;
/** Of what clients hand in where nodes have services: as bodies of records; the rest are transactions. */
const BODIES_RATIO = 0.6;
/** What an honest node may be told off for by another: the network repeats and delays across restarts. */
const BLAMELESS_CODES: ReadonlySet<string> = new Set(['PEER_ANSWER_UNASKED', 'PBFT_HELD_UNASKED', 'PBFT_BODY_UNASKED']);

/** What a seed's story holds beside the trouble; drawn from the seed unless given. */
export interface Plot {
  /** The organisations govern meanwhile. */
  readonly governed: boolean;
  /** The traitor, if there is one, equivocates. */
  readonly equivocates: boolean;
}

/** One seed in so many has record services on its nodes: such a story costs about twice as much. */
const SERVICES_EVERY = 3;

/**
 * `plot` has a generator of its own, so that seeds found without governance still tell their story with it off. So have the services of nodes: all else of a
 * story is drawn alike with and without them.
 */
export async function runFullSeed(seed: number, plot?: Plot, serves = plot === undefined && seed % SERVICES_EVERY === 0): Promise<Result> {
  const machine = await loadMachine();
  const plotDraw = new SeededRandom(seed ^ 0x901d);
  const { governed, equivocates } = { governed: plotDraw.chance(0.5), equivocates: plotDraw.chance(0.6), ...plot };
  const draw = new SeededRandom(seed ^ 0xf011);
  const drawnValidators = draw.pick([4, 4, 4, 4, 4, 5, 7]);
  const validators = governed ? 4 : drawnValidators;
  const observers = draw.chance(0.15) ? 1 : 0;
  const drawn = draw.chance(0.3) ? draw.pick(['silent', 'garbage'] as const) : undefined;
  const lying = equivocates && (drawn !== undefined || plotDraw.chance(0.4));
  const more = plot === undefined ? new SeededRandom(seed ^ 0x5afe) : undefined; // seeds found with a plot given still tell their story
  const plain = lying ? plotDraw.pick(['equivocate', 'wild'] as const) : drawn;
  const behaviour = more?.chance(0.3) ? more.pick(traitors) : plain;
  const mempoolCountMax = more?.pick([4, 1_000]) ?? 1_000;
  const faulty = new Map<number, (random: SeededRandom) => CreateEngine>();
  if (behaviour)
    for (let i = 0; i < draw.integer(1, faultsMax(validators)); i++)
      faulty.set(draw.integer(0, validators - 1), (random) => byzantine(behaviour, random, wholeBlockTwin));
  const motions = governed ? drawMotions(plotDraw, validators, observers) : [];
  if (governed && more?.chance(0.5))
    motions.splice(more.integer(0, motions.length), 0, { kind: 'replaceValidatorKey', node: more.integer(0, validators - 1) });
  const limits = more ? drawFullLimits(new SeededRandom(seed ^ 0xb0d)) : {};
  const viewTimeoutMs = draw.pick([200, 400, 1_000]);
  const parameters = {
    viewTimeoutMs,
    viewTimeoutMaxMs: viewTimeoutMs * 8,
    idleBlockIntervalMs: draw.pick([500, 1_000]),
    checkpointIntervalBlocks: draw.pick([1, 4, 16]),
  };
  const blockTransactionsMax = draw.pick([2, 1_000]);
  const servicesDraw = serves ? new SeededRandom(seed ^ 0x5e21) : undefined;
  const services = servicesDraw && { anchorEntries: servicesDraw.pick([3, 1_000]), anchorMs: servicesDraw.pick([1_000, 4_000]) };
  let setup: FullSetup | undefined;
  let nodes: FullNodes | undefined;
  const cluster = new Cluster({
    seed,
    nodes: validators + observers + (governed ? 1 : 0),
    validators,
    real: seed % REAL_EVERY === REAL_EVERY - 1,
    faulty,
    parameters,
    factory: (create, cluster) => {
      setup ??= fullSetup(
        cluster,
        machine,
        validators,
        { ...parameters, blockTransactionsMax },
        { motions, mempoolCountMax, limits, services },
      );
      nodes ??= new FullNodes(cluster, setup);
      return nodes.factory(create);
    },
  });
  cluster.fabric.onReport = (by, node, code) => {
    if (cluster.faulty.has(cluster.names.indexOf(node)) || cluster.faulty.has(cluster.names.indexOf(by))) return;
    if (!BLAMELESS_CODES.has(code)) cluster.fail(`${by} reports ${node}, which is honest: ${code}`);
  };
  const trouble = {
    lossRatio: draw.pick([0, 0.02, 0.1, 0.25]),
    duplicateRatio: draw.pick([0, 0.1]),
    delayMinMs: 1,
    delayMaxMs: draw.pick([5, 40, 250]),
  };
  const crashes = draw.pick([0, 0.3, 1, 2]);
  const parts = draw.pick([0, 0.3, 0.6]);
  const persists = draw.chance(0.5);
  const forgets = (faulty.size === 0 && draw.chance(0.15)) || (faulty.size > 0 && (more?.chance(0.2) ?? false));
  /** See scenario.ts: nothing may be contradicted, but progress is owed to nobody. */
  const owed = !forgets || faulty.size === 0;
  /** A node with its next key too early is silent: one fault more. */
  const keysEarly = faulty.size === 0 && !forgets && (more?.chance(0.5) ?? false);
  const tears = draw.chance(0.4) ? draw.fork() : undefined;
  const perSecond = draw.pick([2, 10]);
  const clients = servicesDraw && new RecordClients(cluster, setup!, nodes!, servicesDraw.fork());
  const submit = (id: number) => {
    if (clients && servicesDraw.chance(BODIES_RATIO)) return clients.handIn(id);
    cluster.submit(draw.integer(0, cluster.names.length - 1), id);
    if (draw.chance(0.3)) cluster.submit(draw.integer(0, cluster.names.length - 1), id); // the client asks another node as well
  };
  const story = `full: ${validators} validators, ${observers} observers, ${behaviour ?? 'no traitor'} ${[...faulty.keys()]}, blocks of ${blockTransactionsMax}, mempools of ${mempoolCountMax}${tellFullLimits(limits)}, loss ${trouble.lossRatio}, delay ${trouble.delayMaxMs}, crashes ${crashes}/s, partitions ${parts}/s${persists ? ', killed at persist points' : ''}${forgets ? ', a vote log lost' : ''}${tears ? ', phases torn' : ''}${governed ? `, governed: ${motions.map((motion) => `${motion.kind} ${'node' in motion ? motion.node : `${motion.name} ${motion.value}`}`).join(', ')}${keysEarly ? ', keys early' : ''}` : ''}${services ? `, record services, anchors every ${services.anchorEntries} entries or ${services.anchorMs} ms` : ''}`;
  let healedMs = 0;
  const council = governed
    ? new Council(cluster, motions, plotDraw.fork(), { nextSigners: () => setup!.nextSigners, keysEarly })
    : undefined;
  try {
    council?.start(plotDraw.integer(200, 2_500));
    await troubled(cluster, draw, {
      ...{ trouble, crashes, parts, persists, forgets, tears, clients: { perSecond, submit } },
      ...(servicesDraw ? { stops: servicesDraw.fork() } : {}),
      ...(more ? { syncFaults: new SeededRandom(seed ^ 0xd15c) } : {}),
    });
    healedMs = await healed(cluster, owed);
    if (council && owed) {
      if (!(await cluster.run(COUNCIL_WITHIN_MS, () => council.done))) cluster.fail('the council does not get its motions passed');
      healedMs += await healed(cluster);
    }
    const found = clients && (await new ServicesCheck(cluster, setup!, nodes!, clients).check(owed));
    await nodes!.check({ motionsPassed: owed && (council === undefined || council.done) });
    return {
      seed,
      failure: undefined,
      story: `${story}, ${nodes!.told} receipts told${found ? `, ${found.told} records, ${found.entries} exchanges, ${found.anchors} anchors` : ''}, up to ${filesMax(cluster)} files of bodies`,
      transcript: cluster.transcript,
      height: cluster.heights().max,
      healedMs,
    };
  } catch (error) {
    if (!(error instanceof CheckFailed)) throw error;
    return { seed, failure: error.message, story, transcript: [...cluster.transcript, ...describe(cluster)], height: 0, healedMs };
  }
}

/** Of the files of bodies that a node has. */
function filesMax({ machines }: Cluster): number {
  const names = machines.map(({ disk }) => [...(disk.directories.get(BLOCK_FILES_DIRECTORY)?.files.keys() ?? [])]);
  return Math.max(...names.map((files) => files.filter((name) => name.endsWith('.segment')).length));
}

/** A body or two each: files of bodies close all the time, and most of what is read stands in closed ones. */
const SEGMENT_BYTES_MIN = 4_096;

/** What nodes hold and ask for, often as little as they can live with. */
function drawFullLimits(draw: SeededRandom): FullLimits {
  return {
    ...drawLimits(draw),
    versionsMax: draw.pick([2, VERSIONS_MAX]),
    peering: {
      rangeBlocks: draw.pick([1, 3, PEERING_LIMITS.rangeBlocks]),
      rangesMax: draw.pick([1, PEERING_LIMITS.rangesMax]),
      answerBytesMax: draw.pick([1, 4_096, PEERING_LIMITS.answerBytesMax]),
      fetchHashesMax: draw.pick([1, PEERING_LIMITS.fetchHashesMax]),
      intakeMax: draw.pick([2, PEERING_LIMITS.intakeMax]),
    },
    segmentBytes: draw.pick([SEGMENT_BYTES_MIN, SEGMENT_BYTES]),
  };
}

function tellFullLimits({ inbox, engine, versionsMax, peering, segmentBytes }: FullLimits): string {
  if (!inbox || !engine || !peering) return '';
  const segments = segmentBytes === undefined ? '' : `, segments of ${segmentBytes} bytes`;
  const { rangeBlocks, rangesMax, answerBytesMax, fetchHashesMax, intakeMax } = peering;
  return `${tellLimits({ inbox, engine })}, ${versionsMax} versions, ${rangesMax} ranges of ${rangeBlocks}, answers of ${answerBytesMax} bytes, ${fetchHashesMax} hashes a question, intake of ${intakeMax}${segments}`;
}

/** A node joins, then one of the first four is suspended, who may be the traitor, and perhaps resumed; parameters change between. */
function drawMotions(draw: SeededRandom, validators: number, observers: number): Motion[] {
  const parameter = (): Motion => {
    const [name, values] = draw.pick([
      ['viewTimeoutMs', [200, 300, 900]],
      ['idleBlockIntervalMs', [200, 1_500]],
      ['blockTransactionsMax', [1, 50]],
      ['checkpointIntervalBlocks', [1, 2, 8]],
    ] as const);
    return { kind: 'setParameter', name, value: draw.pick<number>(values) };
  };
  const suspended = draw.integer(0, validators - 1);
  const motions: Motion[] = [{ kind: 'addNode', node: validators + observers }];
  if (draw.chance(0.5)) motions.unshift(parameter());
  const suspends = draw.chance(0.7);
  if (suspends) motions.push({ kind: 'suspendNode', node: suspended });
  if (draw.chance(0.5)) motions.push(parameter());
  if (suspends && draw.chance(0.5)) motions.push({ kind: 'resumeNode', node: suspended });
  return motions;
}
