/**
 * What belongs to the height being decided and goes with it. A replica has one: view, memory (what was signed, lost logs, keys) and chain
 * outlive it and stand in replica.ts.
 */
import { type Digest, toHex } from '../../node/format/index.ts';
import type { Input } from '../engine.ts';
import type { Certificate, Place } from './certificates.ts';

export interface Execution {
  readonly digest: Digest;
  readonly proposal: Uint8Array;
  /** Who the body came from; self for one of our own log. */
  readonly from: string;
  readonly fresh: boolean;
  /** The view in which it was first requested. */
  readonly view: number;
  state: 'running' | 'agreed' | 'refused';
  parent: Digest | undefined;
  attempts: number;
  /** Earliest time at which a refused one is tried again, ms. */
  retryAtMs: number;
}

/** What the view's new view binds the height to; `digest` undefined: the primary is free. */
export interface Binding {
  readonly digest: Digest | undefined;
}

/** The proposal accepted in a view. */
export interface Proposal extends Place {
  readonly digest: Digest;
  readonly proposal: Uint8Array;
  /** The frame to repeat, at its primary only. */
  readonly frame: Uint8Array | undefined;
  /** Our Prepare is said, and our Commit signed, by this process or one before: looked up no more. */
  prepareSaid: boolean;
  commitSigned: boolean;
}

/** What was given as the body of a digest. */
export interface KeptBodies {
  readonly digest: Digest;
  /** One when it is proven. Before that, and after a restart, each that came: a traitor may give another than the digest names. */
  readonly proposals: readonly Uint8Array[];
  /** Our execution agreed with it. */
  readonly isProven: boolean;
}

/** A block that the shell has built here. */
export type Built = Extract<Input, { kind: 'built' }>;

/** The block of the height above, built on our proposal of this one. */
export interface Ahead {
  readonly parent: Digest;
  building: boolean;
  built: Built | undefined;
}

export interface Slot {
  /** The proposal accepted in this view. */
  proposal: Proposal | undefined;
  building: boolean;
  buildRetryAtMs: number;
  /** Built for this height and not proposed yet. */
  built: Built | undefined;
  /** Our proposal left enough for a block on it. */
  more: boolean;
  ahead: Ahead | undefined;
  /** The certificate of the highest view in which the height was prepared here. */
  prepared: Certificate | undefined;
  committing: Certificate | undefined;
  binding: Binding | undefined;
  /** Bodies we may have sent Prepare for, about one a view: any of them may have to be proposed again, so no bound lets one go. */
  readonly bodies: Map<string, KeptBodies>;
  readonly executions: Map<string, Execution>;
  /** Whose body of the bound digest did not execute: peers, and this replica itself. */
  readonly fetchedFrom: Set<string>;
  /** Double votes reported, `node phase height view`. */
  readonly evidenceSeen: Set<string>;
  /** Views that failed in a row. */
  failures: number;
  deadlineMs: number | undefined;
  /** The deadline before which the primary was handed what waits here. */
  handedOverForMs: number | undefined;
}

export function createSlot(): Slot {
  return {
    proposal: undefined,
    building: false,
    buildRetryAtMs: 0,
    built: undefined,
    more: false,
    ahead: undefined,
    prepared: undefined,
    committing: undefined,
    binding: undefined,
    bodies: new Map(),
    executions: new Map(),
    fetchedFrom: new Set(),
    evidenceSeen: new Set(),
    failures: 0,
    deadlineMs: undefined,
    handedOverForMs: undefined,
  };
}

/** Forgets what only served the view that is over. */
export function leaveView(slot: Slot): void {
  slot.proposal = undefined;
  slot.building = false;
  slot.buildRetryAtMs = 0;
  slot.built = undefined;
  slot.more = false;
  slot.ahead = undefined;
  slot.deadlineMs = undefined;
  slot.fetchedFrom.clear();
  for (const [name, execution] of slot.executions) if (execution.state === 'refused') slot.executions.delete(name);
}

/** Keeps an execution; the oldest over the bound goes: it can be executed again, from a body we keep or are sent again. */
export function remember(slot: Slot, execution: Execution, executionsMax: number): void {
  slot.executions.set(toHex(execution.digest), execution);
  for (const oldest of slot.executions.keys()) {
    if (slot.executions.size <= executionsMax) break;
    slot.executions.delete(oldest);
  }
}
