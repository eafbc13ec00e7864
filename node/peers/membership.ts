/**
 * Who may connect: the network is handed the registered nodes of the last final state and admits no others (DB53/T 1407-2025 6.4.1.a). An
 * expelled node is told the head and stays connected a little longer, or it would go on as if nothing had happened.
 */
import { CONTRACT, entryFrom, entryOf, registryKey, stateKey } from '../../contracts/index.ts';
import { type ByteText, fromHex, prefixEnd } from '../format/index.ts';
import { type FinalState, ledgerKey, type StateRows } from '../ledger/index.ts';
import { damagedKey, rangeAround } from '../store/index.ts';
import type { AdmittedNode, Network, World } from '../world.ts';
import { Leaving } from './leaving.ts';

const ADMIT_RETRY_MS = 1_000;
export const NODES_REGISTERED_MAX = 1_000; // nodes a network may register

export interface MembershipDependencies {
  readonly world: Pick<World, 'clock' | 'timers' | 'log'>;
  readonly network: Pick<Network, 'admit' | 'visitors'>;
  readonly rows: StateRows;
  readonly state: Pick<FinalState, 'read'>;
  readonly self: string;
  /** What the chain says of this node itself. */
  readonly onSelf: (active: boolean) => void;
  /** A node was expelled: the head is to be told. */
  readonly onExpelled: () => void;
  readonly damaged: (key: ByteText) => void;
}

export interface Membership {
  /** Admits those of the register for the first time. @throws ChainError of a store that cannot be read */
  start(): Promise<void>;
  /** The register may have changed. A store that cannot be read is tried again. */
  changed(): void;
  stop(): void;
}

export function createMembership(deps: MembershipDependencies): Membership {
  const { world, network, damaged } = deps;
  const leaving = new Leaving();
  let admitted: readonly AdmittedNode[] = [];
  let cancelExpel: (() => void) | undefined;
  let cancelRetry: (() => void) | undefined;
  let rounds = 0;
  let stopped = false;

  async function admitRegistered(): Promise<void> {
    const round = ++rounds;
    const prefix = ledgerKey.state(stateKey(CONTRACT.registry, registryKey.entriesOf('node')));
    let unread: unknown; // a node whose entry cannot be read stays out until it is repaired, by those that can be let in
    const rows = await rangeAround(deps.rows, { from: prefix, to: prefixEnd(prefix), limit: NODES_REGISTERED_MAX }, (key, error) => {
      unread = error;
      damaged(key);
      return undefined;
    });
    if (stopped || round !== rounds) return; // one that began later has read what is newer, or reads again
    const nodes: AdmittedNode[] = [];
    const suspended: AdmittedNode[] = [];
    let active: boolean;
    for (const row of rows) {
      const entry = entryFrom<'node'>(row.value);
      try {
        active = entry.state === 'active' && entryOf(deps.state.read, 'organisation', entry.owner)?.state === 'active';
      } catch (error) {
        unread = error;
        const key = damagedKey(error);
        if (key === undefined) throw error;
        damaged(key);
        continue;
      }
      const listed = { node: entry.id, transportKey: fromHex(entry.data.transportKey), addresses: entry.data.addresses };
      if (entry.id === deps.self) deps.onSelf(active);
      (active ? nodes : suspended).push(listed);
    }
    const others = admitted.filter(({ node }) => node !== deps.self);
    const expelled = leaving.change(others, nodes, world.clock.monotonic());
    admitted = nodes;
    admitWithLeaving();
    network.visitors(suspended);
    if (unread !== undefined) tryAgain(unread);
    if (expelled.length > 0) deps.onExpelled();
  }

  function admitWithLeaving(): void {
    const nowMs = world.clock.monotonic();
    network.admit([...admitted, ...leaving.heard(nowMs)]);
    cancelExpel?.();
    const nextMs = leaving.nextMs();
    // A timer that is early must not run on the spot.
    cancelExpel = nextMs === undefined ? undefined : world.timers.after(Math.ceil(nextMs - nowMs), admitWithLeaving);
  }

  /** The store could not be read just now: whom to let in is looked up again. */
  function tryAgain(error: unknown): void {
    world.log.error({ error: String(error) }, 'registered nodes could not be read');
    cancelRetry?.();
    if (!stopped) cancelRetry = world.timers.after(ADMIT_RETRY_MS, changed);
  }

  function changed(): void {
    admitRegistered().catch(tryAgain);
  }

  return {
    start: admitRegistered,
    changed,
    stop() {
      stopped = true;
      cancelExpel?.();
      cancelRetry?.();
    },
  };
}
