/** One seed, one story, told of whole nodes: the same trouble as scenario.ts, and clients who must be able to rely on their receipts. */
import { faultsMax } from '../../node/format/index.ts';
import { byzantine } from './byzantine.ts';
import { CheckFailed, Cluster, type CreateEngine } from './cluster.ts';
import { FullNodes, fullSetup, loadMachine } from './full-node.ts';
import { SeededRandom } from './random.ts';
import { describe, healed, type Result, troubled } from './scenario.ts';

/** One run in so many signs with real Ed25519. */
const REAL_EVERY = 100;
/** What an honest node may be told off for by another: the network repeats and delays across restarts. */
const BLAMELESS_CODES: ReadonlySet<string> = new Set(['PEER_ANSWER_UNASKED']);

export async function runFullSeed(seed: number): Promise<Result> {
  const machine = await loadMachine();
  const draw = new SeededRandom(seed ^ 0xf011);
  const validators = draw.pick([4, 4, 4, 4, 4, 5, 7]);
  const observers = draw.chance(0.15) ? 1 : 0;
  const behaviour = draw.chance(0.3) ? draw.pick(['silent', 'garbage'] as const) : undefined;
  const faulty = new Map<number, (random: SeededRandom) => CreateEngine>();
  if (behaviour)
    for (let i = 0; i < draw.integer(1, faultsMax(validators)); i++)
      faulty.set(draw.integer(0, validators - 1), (random) => byzantine(behaviour, random));
  const viewTimeoutMs = draw.pick([200, 400, 1_000]);
  const parameters = {
    viewTimeoutMs,
    viewTimeoutMaxMs: viewTimeoutMs * 8,
    idleBlockIntervalMs: draw.pick([500, 1_000]),
    checkpointIntervalBlocks: draw.pick([1, 4, 16]),
  };
  const blockTransactionsMax = draw.pick([2, 1_000]);
  let nodes: FullNodes | undefined;
  const cluster = new Cluster({
    seed,
    nodes: validators + observers,
    validators,
    real: seed % REAL_EVERY === REAL_EVERY - 1,
    faulty,
    parameters,
    factory: (create, cluster) => {
      nodes ??= new FullNodes(cluster, fullSetup(cluster, machine, validators, { ...parameters, blockTransactionsMax }));
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
  const forgets = faulty.size === 0 && draw.chance(0.15);
  const tears = draw.chance(0.4) ? draw.fork() : undefined;
  const perSecond = draw.pick([2, 10]);
  const submit = (id: number) => {
    cluster.submit(draw.integer(0, cluster.names.length - 1), id);
    if (draw.chance(0.3)) cluster.submit(draw.integer(0, cluster.names.length - 1), id); // the client asks another node as well
  };
  const story = `full: ${validators} validators, ${observers} observers, ${behaviour ?? 'no traitor'} ${[...faulty.keys()]}, blocks of ${blockTransactionsMax}, loss ${trouble.lossRatio}, delay ${trouble.delayMaxMs}, crashes ${crashes}/s, partitions ${parts}/s${persists ? ', killed at persist points' : ''}${forgets ? ', a vote log lost' : ''}${tears ? ', phases torn' : ''}`;
  let healedMs = 0;
  try {
    await troubled(cluster, draw, { trouble, crashes, parts, persists, forgets, tears, clients: { perSecond, submit } });
    healedMs = await healed(cluster);
    await nodes!.check();
    return {
      seed,
      failure: undefined,
      story: `${story}, ${nodes!.told} receipts told`,
      transcript: cluster.transcript,
      height: cluster.heights().max,
      healedMs,
    };
  } catch (error) {
    if (!(error instanceof CheckFailed)) throw error;
    return { seed, failure: error.message, story, transcript: [...cluster.transcript, ...describe(cluster)], height: 0, healedMs };
  }
}
