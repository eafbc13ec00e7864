/** The way of a client's transaction into this node: refused while the node could not have it committed, else admitted and spread. */
import type { ChainTip, Mempool, Waiting } from './chain/index.ts';
import { ChainError } from './errors/index.ts';
import type { Health } from './feeds/index.ts';
import { type Digest, quorumSize } from './format/index.ts';
import type { Spreading } from './peers/index.ts';
import type { Network } from './world.ts';

export interface SubmitDependencies {
  readonly self: string;
  readonly network: Pick<Network, 'peers'>;
  readonly tip: Pick<ChainTip, 'configuration'>;
  readonly mempool: Pick<Mempool, 'add' | 'same'>;
  readonly health: Pick<Health, 'stalled'>;
  readonly spreading: Pick<Spreading, 'spread'>;
  /** Why this node takes nothing at all. */
  readonly refusal: () => 'NODE_STOPPING' | 'NODE_EXPELLED' | undefined;
  readonly onAdmitted: (entries: readonly Waiting[]) => void;
}

/** @returns takes encoded transactions. @throws ChainError NODE_STOPPING, NODE_EXPELLED, CHAIN_STALLED, and what the mempool refuses it with */
export function createSubmit(deps: SubmitDependencies): (bytes: Uint8Array) => Promise<Digest> {
  const { self, network, tip, mempool, health, spreading, onAdmitted } = deps;

  /** How many validators are within reach, this node among them, and how many a block takes. */
  function quorumFacts(): { readonly validators: number; readonly withinReach: number; readonly needed: number } {
    const { validators } = tip.configuration;
    const reached = new Set(network.peers().flatMap((peer) => (peer.connected ? [peer.node] : []))).add(self);
    return {
      validators: validators.length,
      withinReach: validators.filter(({ node }) => reached.has(node)).length,
      needed: quorumSize(validators.length),
    };
  }

  return async (bytes) => {
    const refusal = deps.refusal();
    if (refusal) throw new ChainError(refusal, refusal === 'NODE_EXPELLED' ? { node: self } : {});
    const stall = health.stalled();
    if (stall) throw new ChainError('CHAIN_STALLED', { ...stall, ...quorumFacts() });
    try {
      const entry = await mempool.add(bytes, 'client');
      spreading.spread([entry]);
      onAdmitted([entry]);
      return entry.id;
    } catch (error) {
      const same = error instanceof ChainError && error.code === 'MEMPOOL_TRANSACTION_KNOWN' ? await mempool.same(bytes) : undefined;
      if (!same) throw error;
      return same.id; // sent more than once: all callers wait for the one transaction
    }
  };
}
