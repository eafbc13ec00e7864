/**
 * The messages of the validators, bounded per signer: a Byzantine one can push out its own messages only, and those of the highest place
 * stay. Votes are kept for the height being decided and the next (a peer may be one block ahead), any view; of proposals and view changes
 * only the latest.
 */
import { type Digest, equalBytes } from '../../node/format/index.ts';
import { ENGINE_LIMITS } from '../engine.ts';
import { comparePlaces, type Place } from './certificates.ts';
import type { PrePrepare, Verified, ViewChange, Vote } from './messages.ts';

const VOTE_KINDS = ['prepare', 'commit', 'checkpoint'] as const satisfies readonly Vote['kind'][];

export type Added<M> = { readonly kind: 'new' } | { readonly kind: 'known' } | { readonly kind: 'conflict'; readonly earlier: M };

export class Book {
  readonly #votesPerSignerMax: number;
  /** Of each phase, by signer, lowest place first. */
  readonly #votes: Readonly<Record<Vote['kind'], Map<string, Verified<Vote>[]>>> = {
    prepare: new Map(),
    commit: new Map(),
    checkpoint: new Map(),
  };
  /** `node height` -> the proposal of its highest view: a primary that is further on has given up its earlier views. */
  readonly #proposals = new Map<string, Verified<PrePrepare>>();
  readonly #viewChanges = new Map<string, Verified<ViewChange>>();

  constructor(votesPerSignerMax = ENGINE_LIMITS.votesPerSignerMax) {
    this.#votesPerSignerMax = votesPerSignerMax;
  }

  addVote(vote: Verified<Vote>): Added<Vote> {
    const ofPhase = this.#votes[vote.kind];
    const held = ofPhase.get(vote.node) ?? [];
    const earlier = at(held, vote);
    if (earlier) return equalBytes(earlier.digest, vote.digest) ? { kind: 'known' } : { kind: 'conflict', earlier };
    held.push(vote);
    held.sort(comparePlaces);
    if (held.length > this.#votesPerSignerMax) held.shift();
    ofPhase.set(vote.node, held);
    return { kind: 'new' };
  }

  /** Whether this vote is kept, with this signature. */
  holds(vote: Vote): boolean {
    const held = at(this.#votes[vote.kind].get(vote.node) ?? [], vote);
    return held !== undefined && equalBytes(held.digest, vote.digest) && equalBytes(held.signature, vote.signature);
  }

  /** Votes of one phase and place, for `digest` when given. */
  votes(kind: Vote['kind'], place: Place, digest?: Digest): Verified<Vote>[] {
    const out: Verified<Vote>[] = [];
    for (const held of this.#votes[kind].values()) {
      const vote = at(held, place);
      if (vote && (!digest || equalBytes(vote.digest, digest))) out.push(vote);
    }
    return out;
  }

  /** The first group of at least `quorum` commit votes of `height` that agree on view and digest. */
  committed(height: number, quorum: number): Verified<Vote>[] | undefined {
    const signers = this.#votes.commit;
    if (signers.size < quorum) return undefined;
    let count = 0;
    for (const held of signers.values()) for (const vote of held) if (vote.height === height) count++;
    if (count < quorum) return undefined; // as most of the time
    const groups: Verified<Vote>[][] = [];
    for (const held of signers.values()) {
      for (const vote of held) {
        if (vote.height !== height) continue;
        const group = groups.find((other) => other[0]!.view === vote.view && equalBytes(other[0]!.digest, vote.digest));
        if (group) group.push(vote);
        else groups.push([vote]);
      }
    }
    return groups.find((group) => group.length >= quorum);
  }

  addProposal(proposal: Verified<PrePrepare>): Added<PrePrepare> {
    const key = `${proposal.node} ${proposal.height}`;
    const held = this.#proposals.get(key);
    if (held && held.view > proposal.view) return { kind: 'known' };
    if (held?.view === proposal.view)
      return equalBytes(held.digest, proposal.digest) ? { kind: 'known' } : { kind: 'conflict', earlier: held };
    this.#proposals.set(key, proposal);
    return { kind: 'new' };
  }

  proposal(node: string, { height, view }: Place): Verified<PrePrepare> | undefined {
    const held = this.#proposals.get(`${node} ${height}`);
    return held?.view === view ? held : undefined;
  }

  /** Keeps the highest view of a signer, and for one view the highest final height. */
  addViewChange(message: Verified<ViewChange>): boolean {
    const held = this.#viewChanges.get(message.node);
    if (held && (held.view > message.view || (held.view === message.view && held.height >= message.height))) return false;
    this.#viewChanges.set(message.node, message);
    return true;
  }

  get hasProposals(): boolean {
    return this.#proposals.size > 0;
  }

  get hasViewChanges(): boolean {
    return this.#viewChanges.size > 0;
  }

  viewChanges(): readonly Verified<ViewChange>[] {
    return [...this.#viewChanges.values()];
  }

  /** The latest vote and the view change of one signer, as far as they are kept. */
  latestMessagesOf(node: string): (Verified<Vote> | Verified<ViewChange>)[] {
    const votes = VOTE_KINDS.flatMap((kind) => this.#votes[kind].get(node) ?? []).sort(comparePlaces);
    return [votes.at(-1), this.#viewChanges.get(node)].filter((message) => message !== undefined);
  }

  /** Forgets every message of a node: it was signed with a key that is no longer the node's own. */
  forget(node: string): void {
    for (const kind of VOTE_KINDS) this.#votes[kind].delete(node);
    for (const [key, proposal] of this.#proposals) if (proposal.node === node) this.#proposals.delete(key);
    this.#viewChanges.delete(node);
  }

  /** Forgets proposals and view changes of views below `view`. Votes stay: late commits of a view that is over still make a block final. */
  leaveViewsBelow(view: number): void {
    for (const [key, proposal] of this.#proposals) if (proposal.view < view) this.#proposals.delete(key);
    for (const [node, message] of this.#viewChanges) if (message.view < view) this.#viewChanges.delete(node);
  }

  /** Forgets what lies at or below the final height, in views that are over, and messages of nodes that are no longer validators. */
  prune(height: number, view: number, isValidator: (node: string) => boolean): void {
    this.leaveViewsBelow(view);
    for (const kind of VOTE_KINDS) {
      for (const [node, held] of this.#votes[kind]) {
        const kept = isValidator(node) ? held.filter((vote) => vote.height > height || kind === 'checkpoint') : [];
        if (kept.length > 0) this.#votes[kind].set(node, kept);
        else this.#votes[kind].delete(node);
      }
    }
    for (const [key, { node, height: of }] of this.#proposals) if (of <= height || !isValidator(node)) this.#proposals.delete(key);
    for (const node of this.#viewChanges.keys()) if (!isValidator(node)) this.#viewChanges.delete(node);
  }
}

function at<V extends Place>(held: readonly V[], { height, view }: Place): V | undefined {
  for (const vote of held) if (vote.height === height && vote.view === view) return vote;
  return undefined;
}
