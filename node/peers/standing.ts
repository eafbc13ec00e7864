/**
 * Whether this node still belongs to the network. Its own chain may say so; but a node that was away when it was expelled is refused by
 * every peer, and its chain ends at a height where it was a member. So it visits peers that it cannot reach, asks for headers and what
 * proves them final above its head, and concludes that it is expelled when more validators say so than may be faulty (an answer to a visit
 * says so, see node/network/visits.ts). The headers show how far the chain has gone without it, as far as the validators it knows have
 * certified them; past a barrier it knows none.
 */
import {
  consensusHashOf,
  type ConsensusConfiguration,
  type Crypto,
  DecodeError,
  decodeHeader,
  type Digest,
  equalBytes,
  faultsMax,
  headerHash,
} from '../format/index.ts';
import { judgeFinality } from '../../consensus/index.ts';
import { decodeBulkMessage, encodeBulkMessage, type HeaderAnswer } from './messages.ts';
import type { Network, World } from '../world.ts';
import { type BlockSource, headersOf } from './block-server.ts';

/** Headers in one answer to a visit. */
export const VISIT_HEADERS_MAX = 64;
/** How often peers that cannot be reached are looked at. */
export const VISIT_CHECK_MS = 1_000;
/** A peer is visited when it could not be reached for this long, and again after each such time. */
export const VISIT_EVERY_MS = 10_000;
/** And no more often than this once the node knows. */
export const VISIT_QUIET_EVERY_MS = 30_000;

export interface Standing {
  readonly state: 'member' | 'expelled';
  /** Who says so: `chain` is this node's own. */
  readonly by: 'chain' | 'peers' | undefined;
  readonly peers: readonly string[];
  /** Last header above the head that validators known here have certified. */
  readonly seen: { readonly height: number; readonly hash: Digest } | undefined;
  /** It changed the validators or the parameters: what is above cannot be judged here. */
  readonly barrier: boolean;
}

export interface StandingOptions {
  readonly world: Pick<World, 'clock' | 'timers' | 'log'> & { readonly crypto: Crypto };
  readonly network: Network;
  readonly chainId: Digest;
  readonly tip: () => { readonly height: number; readonly hash: Digest; readonly configuration: ConsensusConfiguration };
  readonly source: BlockSource;
  readonly onChange: (standing: Standing) => void;
  /** It was expelled when it stopped; `onChange` says so again, or that it is over. */
  readonly wasExpelled?: boolean;
  /** Tests make it short. */
  readonly visitEveryMs?: number;
}

export interface StandingWatch {
  standing(): Standing;
  /** Whether the state of this node's chain names it as an active node. */
  namedByChain(active: boolean): void;
  start(): void;
  stop(): void;
}

interface Seen {
  readonly height: number;
  readonly hash: Digest;
  readonly barrier: boolean;
}

export function createStanding(options: StandingOptions): StandingWatch {
  const { world, network } = options;
  const { crypto, clock, log } = world;
  const { visitEveryMs = VISIT_EVERY_MS } = options;
  /** Peers that hold this node to be expelled. */
  const saying = new Set<string>();
  const visitedMs = new Map<string, number>();
  let ownChain = true;
  let seen: Seen | undefined;
  let told: Standing['state'] | 'unknown' = options.wasExpelled ? 'unknown' : 'member';
  let cancel: (() => void) | undefined;
  let visiting = false;

  function standing(): Standing {
    const { configuration, height } = options.tip();
    const peers = configuration.validators.map(({ node }) => node).filter((node) => saying.has(node));
    const byPeers = peers.length > faultsMax(configuration.validators.length);
    const above = seen && seen.height > height ? { height: seen.height, hash: seen.hash } : undefined;
    return {
      state: ownChain && !byPeers ? 'member' : 'expelled',
      by: ownChain ? (byPeers ? 'peers' : undefined) : 'chain',
      peers,
      seen: above,
      barrier: above !== undefined && seen!.barrier,
    };
  }

  /** Who was expelled when it stopped takes it that this is so still, until a peer lets it in. */
  function judge(letIn = false): void {
    const now = standing();
    if (now.state === told || (told === 'unknown' && now.state === 'member' && !letIn)) return;
    told = now.state;
    network.keepQuiet(now.state === 'expelled');
    options.onChange(now);
  }

  network.onPeer((node, state) => {
    if (state === 'down') {
      visitedMs.set(node, clock.monotonic());
      return;
    }
    saying.delete(node); // it lets this node in
    visitedMs.delete(node);
    judge(true);
  });

  /** Visits those validators that were out of reach for long enough, one after the other. */
  async function check(): Promise<void> {
    if (visiting || !ownChain) return;
    visiting = true;
    try {
      const now = clock.monotonic();
      const every = told === 'expelled' ? VISIT_QUIET_EVERY_MS : visitEveryMs;
      for (const { node, connected } of network.peers()) {
        if (connected) continue;
        const last = visitedMs.get(node);
        if (last === undefined) visitedMs.set(node, now);
        else if (now - last >= every && cancel) {
          visitedMs.set(node, now);
          await visit(node);
        }
      }
    } finally {
      visiting = false;
    }
  }

  async function visit(node: string): Promise<void> {
    const tip = options.tip();
    const from = seen && seen.height > tip.height && !seen.barrier ? seen.height : tip.height;
    try {
      const question = encodeBulkMessage({ kind: 'getHeaders', id: 1, fromHeight: from + 1, count: VISIT_HEADERS_MAX });
      const answer = decodeBulkMessage(await network.visit(node, question));
      if (answer.kind !== 'headersAnswer') return;
      saying.add(node);
      follow(answer.headers);
      log.debug({ peer: node, height: seen?.height ?? tip.height }, 'peer holds this node to be expelled');
    } catch (error) {
      if (error instanceof DecodeError) network.report(node, 'PEER_MESSAGE_MALFORMED');
      log.debug({ peer: node, reason: String(error) }, 'visit not answered');
    }
    judge();
  }

  /** Goes on from what is known as long as each header fits on the one before and its validators are known. */
  function follow(headers: readonly HeaderAnswer[]): void {
    const { height, hash, configuration } = options.tip();
    const ours = consensusHashOf(crypto, configuration);
    let at: Seen = seen && seen.height > height ? seen : { height, hash, barrier: false };
    for (const { header: bytes, finality } of headers) {
      const header = decodeHeader(bytes);
      const digest = headerHash(crypto, bytes);
      if (at.barrier || header.height !== at.height + 1 || !equalBytes(header.parentHash, at.hash)) break;
      if (!equalBytes(header.consensusHash, ours) || finality === undefined) break;
      const { engine, validators } = configuration;
      const block = { engine, chainId: options.chainId, height: header.height, digest, validators };
      if (judgeFinality(crypto, block, finality).fault !== undefined) break;
      at = { height: header.height, hash: digest, barrier: !equalBytes(header.nextConsensusHash, ours) };
      seen = at;
    }
  }

  // What this node answers as a host. The network asks only for nodes that its own state names as expelled.
  network.onVisit(async (_from, bytes) => {
    let question: ReturnType<typeof decodeBulkMessage>;
    try {
      question = decodeBulkMessage(bytes);
    } catch {
      return undefined;
    }
    if (question.kind !== 'getHeaders') return undefined;
    const headers = await headersOf(options.source, question.fromHeight, Math.min(question.count, VISIT_HEADERS_MAX));
    return encodeBulkMessage({ kind: 'headersAnswer', id: question.id, headers });
  });

  return {
    standing,
    namedByChain(active) {
      ownChain = active;
      judge();
    },
    start() {
      cancel = world.timers.every(Math.min(VISIT_CHECK_MS, visitEveryMs), () => void check());
    },
    stop() {
      cancel?.();
      cancel = undefined;
    },
  };
}
