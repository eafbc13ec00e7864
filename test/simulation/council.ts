/**
 * The organisations of a whole-node cluster govern it while it is troubled: motions one after another, each proposed, voted on and handed in again
 * at any node until the votes stand on the chain. What passes takes effect at the barrier that the deciding block is.
 */
import { type Call, encodeJson, type Json, type ParameterName } from '../../node/format/index.ts';
import type { Cluster } from './cluster.ts';
import type { SimSigner } from './crypto.ts';
import type { SeededRandom } from './random.ts';

/** The first is that of the clients; a node belongs to the one of its number. */
export const ORGANISATIONS = ['works', 'mill', 'forge', 'yard'] as const;
/** Three of four organisations decide. */
const VOTES_NEEDED = 3;
/** Numbers of the council's transactions: so many for each motion, the proposal first. */
export const COUNCIL_FROM = 2_000_000;
const NUMBERS_PER_MOTION = 10;
/** How often the council looks whether it can go on, and after how long it hands a transaction in again, ms. */
const LOOK_INTERVAL_MS = 150;
const HAND_IN_AGAIN_MS = 1_000;
/** An operator gives a node its next key within this time of the decision, ms. */
const KEY_CHANGED_WITHIN_MS = 3_000;

export type Motion =
  | { readonly kind: 'setParameter'; readonly name: ParameterName; readonly value: number }
  | { readonly kind: 'addNode' | 'suspendNode' | 'resumeNode' | 'replaceValidatorKey'; readonly node: number };

export const organisationOfNode = (node: number): string => ORGANISATIONS[node % ORGANISATIONS.length]!;

/** Whose transaction `number` is and what it calls. `body` gives the arguments of a motion's proposal. */
export function councilCall(
  motions: readonly Motion[],
  number: number,
  body: (motion: Motion) => { readonly [name: string]: Json },
): { readonly organisation: string; readonly call: Call } {
  const step = Math.floor((number - COUNCIL_FROM) / NUMBERS_PER_MOTION);
  const part = (number - COUNCIL_FROM) % NUMBERS_PER_MOTION;
  const motion = motions[step]!;
  if (part === 0)
    return { organisation: ORGANISATIONS[0], call: { contract: 'governance', method: 'propose', args: encodeJson(body(motion)) } };
  return {
    organisation: ORGANISATIONS[(step + part) % ORGANISATIONS.length]!,
    call: { contract: 'governance', method: 'vote', args: encodeJson({ id: String(step + 1), approve: true }) },
  };
}

export interface CouncilOptions {
  /** By node, for motions that replace its key. */
  readonly nextSigners?: () => ReadonlyMap<number, SimSigner>;
  /** The operator gives a node its next key before the organisations decide on it, not after. */
  readonly keysEarly?: boolean;
}

export class Council {
  readonly #cluster: Cluster;
  readonly #options: CouncilOptions;
  readonly #motions: readonly Motion[];
  readonly #random: SeededRandom;
  readonly #handedInMs = new Map<number, number>();
  #step = 0;

  constructor(cluster: Cluster, motions: readonly Motion[], random: SeededRandom, options: CouncilOptions = {}) {
    this.#cluster = cluster;
    this.#options = options;
    this.#motions = motions;
    this.#random = random;
    for (const motion of motions) if (motion.kind === 'addNode') cluster.absent.set(motion.node, cluster.scheduler.nowMs);
  }

  get done(): boolean {
    return this.#step === this.#motions.length;
  }

  /** Begins after `ms`, and goes on until every motion is decided. */
  start(ms: number): void {
    const look = () => {
      this.#look();
      if (!this.done) this.#cluster.scheduler.after(LOOK_INTERVAL_MS, look);
    };
    this.#cluster.scheduler.after(ms, look);
  }

  /** Its operator gives the node its next key and starts it again, sooner or later. */
  #changeKey(node: number): void {
    const signer = this.#options.nextSigners?.().get(node);
    if (!signer || this.#cluster.signers[node] === signer) return;
    this.#cluster.scheduler.after(this.#random.integer(0, KEY_CHANGED_WITHIN_MS), () => {
      this.#cluster.changeSigner(node, signer);
    });
  }

  #look(): void {
    const next = this.#motions[this.#step];
    if (this.#options.keysEarly && next?.kind === 'replaceValidatorKey') this.#changeKey(next.node);
    const first = COUNCIL_FROM + this.#step * NUMBERS_PER_MOTION;
    if (!this.#stands(first)) return;
    const votes = Array.from({ length: VOTES_NEEDED }, (_, i) => this.#stands(first + 1 + i));
    if (votes.includes(false)) return;
    const motion = this.#motions[this.#step]!;
    if (motion.kind === 'suspendNode') this.#cluster.absent.set(motion.node, this.#cluster.scheduler.nowMs);
    else if (motion.kind === 'replaceValidatorKey') this.#changeKey(motion.node);
    else if (motion.kind !== 'setParameter') this.#cluster.absent.delete(motion.node);
    this.#cluster.say('council', `has passed ${JSON.stringify(motion)}`);
    this.#step++;
  }

  /** True once the transaction is final somewhere; until then it is handed in now and again. */
  #stands(number: number): boolean {
    const { acknowledged, scheduler, names } = this.#cluster;
    if (acknowledged.has(number)) return true;
    if (scheduler.nowMs - (this.#handedInMs.get(number) ?? Number.NEGATIVE_INFINITY) < HAND_IN_AGAIN_MS) return false;
    this.#handedInMs.set(number, scheduler.nowMs);
    this.#cluster.submit(this.#random.integer(0, names.length - 1), number);
    return false;
  }
}
