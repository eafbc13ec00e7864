/** The process that floods: is told what to flood, begins at once, and says what it was answered when it is asked to stop. */
import { setMaxListeners } from 'node:events';
import { ProbeContext } from '../conformance/context.ts';
import type { ChainIdentity } from '../e2e/outsider.ts';
import { CALLERS_ADDRESS, floodsOf } from './floods.ts';

/** The first message to the process. */
export interface Orders {
  readonly nodes: readonly { readonly id: string; readonly url: string; readonly dir: string }[];
  readonly ca: string;
  readonly tokens: Readonly<Record<string, string>>;
  readonly genesisText: string;
  readonly dir: string;
  readonly targets: readonly number[];
  readonly traitor: { readonly node: string /** Hexadecimal. */; readonly transportSeed: string };
  readonly chain: ChainIdentity;
  readonly contract: string;
  /** Part of the name of the floods that run; all of them without it. */
  readonly only?: string;
}

/** The only message from it: what was answered, how often, by `flood (holder): answer`. */
export type Answers = Readonly<Record<string, number>>;

process.once('message', (orders: Orders) => void attack(orders));

async function attack(orders: Orders): Promise<void> {
  const beyondReach = () => Promise.reject(new Error('The flood starts and ends no node'));
  const nodes = orders.nodes.map((node) => ({ ...node, pid: undefined, kill: beyondReach, restart: beyondReach }));
  const context = new ProbeContext({ ...orders, nodes, stop: async () => undefined }, orders.dir, CALLERS_ADDRESS);
  const stop = new AbortController();
  setMaxListeners(0, stop.signal); // one a client
  const answers: Record<string, number> = {};
  process.once('message', () => stop.abort());
  process.once('disconnect', () => process.exit(1)); // the measurement is gone
  const runs = floodsOf(orders.only).map((flood) =>
    flood
      .run({
        context,
        targets: orders.targets,
        traitor: { node: orders.traitor.node, transportSeed: Buffer.from(orders.traitor.transportSeed, 'hex') },
        chain: orders.chain,
        contract: orders.contract,
        signal: stop.signal,
        count(what) {
          const row = `${flood.name} (${flood.holder}): ${what}`;
          answers[row] = (answers[row] ?? 0) + 1;
        },
      })
      .catch((error: unknown) => {
        answers[`${flood.name} (${flood.holder}): fell, ${String(error)}`] = 1;
      }),
  );
  const stopped = new Promise<void>((resolve) => stop.signal.addEventListener('abort', () => resolve()));
  await stopped;
  await Promise.race([Promise.all(runs), new Promise((resolve) => setTimeout(resolve, 5_000))]);
  context.close();
  process.removeAllListeners('disconnect');
  process.send!(answers, () => process.exit(0));
}
