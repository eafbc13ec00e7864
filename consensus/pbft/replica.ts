/**
 * State of one PBFT replica and the few acts every phase shares: signing once, keeping bodies, the names of the moment (primary, quorum).
 * Views run on over heights (PBFT §4.4): a new height stays with the primary that served the last one. Effects gather in `out`.
 */
import { type Digest, equalBytes, faultsMax, quorumSize, tagged, toHex, utf8, type Validator } from '../../node/format/index.ts';
import { type Certificate, decodeCertificate, type VotePhase } from './certificates.ts';
import {
  type Effect,
  ENGINE_LIMITS,
  type EngineCrypto,
  type EngineLimits,
  type EngineParameters,
  type EngineStart,
  type SignatureCheck,
  PRODUCER_CHANGED,
} from '../engine.ts';
import { Book } from './book.ts';
import { encodeEngineData, primaryAmong } from './engine-data.ts';
import { decodeMessage, encodeMessage, type Plain, signingBytes, type Verified, type ViewChange, type Vote } from './messages.ts';
import type { ValidVotes, Verdicts } from './verdicts.ts';
import { encodeRecord, type LogRecord } from './vote-log.ts';

export interface Execution {
  readonly digest: Digest;
  readonly proposal: Uint8Array;
  /** Who the body came from; self for one of our own log. */
  readonly from: string;
  readonly fresh: boolean;
  /** In which it was first met. */
  readonly view: number;
  state: 'running' | 'agreed' | 'refused';
  parent: Digest | undefined;
  attempts: number;
  /** Not before this is a refused one tried again, ms. */
  retryAtMs: number;
}

/** What the view's new view binds a height to; `digest` undefined: the primary is free. */
export interface Binding {
  readonly height: number;
  readonly digest: Digest | undefined;
}

/** The proposal taken up in a view. */
export interface Proposal {
  readonly view: number;
  readonly height: number;
  readonly digest: Digest;
  readonly proposal: Uint8Array;
  /** The frame to repeat, at its primary only. */
  readonly frame: Uint8Array | undefined;
}

export interface Replica {
  readonly chainId: Digest;
  readonly self: string;
  readonly crypto: EngineCrypto;
  readonly limits: EngineLimits;
  validators: readonly Validator[];
  byNode: ReadonlyMap<string, Validator>;
  quorum: number;
  faults: number;
  parameters: EngineParameters;

  /** Last final height. */
  height: number;
  digest: Digest;
  certificate: Certificate | undefined;

  view: number;
  /** True from our view change for `view` until its new view. */
  changing: boolean;
  binding: Binding | undefined;
  newView: Uint8Array | undefined;
  /** Of a height above ours, until sync is there, with those of its signatures that were found valid. */
  pendingNewView: { readonly bytes: Uint8Array; readonly valid: readonly SignatureCheck[] } | undefined;
  /** Views that failed in a row since the last final block. */
  failures: number;

  /** The proposal taken up in this view, for height + 1. */
  proposal: Proposal | undefined;
  building: boolean;
  buildRetryAtMs: number;
  prepared: Certificate | undefined;
  committing: Certificate | undefined;
  /** Bodies of this height we sent Prepare for, about one a view: any of them may have to be proposed again, so no bound lets one go. */
  readonly bodies: Map<string, { readonly digest: Digest; readonly proposal: Uint8Array }>;
  readonly executions: Map<string, Execution>;
  /** Everything signed for heights not final yet: `phase height view` -> vote. */
  readonly signed: Map<string, Vote>;
  /** As primary: what was proposed per `height view`. */
  readonly proposed: Map<
    string,
    { readonly height: number; readonly view: number; readonly digest: Digest; readonly signature: Uint8Array }
  >;
  viewChange: ViewChange | undefined;
  /** Peers whose body of the bound digest did not execute. */
  readonly fetchedFrom: Set<string>;

  readonly book: Book;
  /** Highest final height and view each validator has claimed. */
  readonly claims: Map<string, { height: number; view: number }>;
  readonly verdicts: Verdicts;
  readonly validVotes: ValidVotes;
  /** When each peer was last helped, ms. */
  readonly helpedAt: Map<string, number>;
  /** Validators whose status names a view above ours, and since when the same one, ms. */
  readonly above: Map<string, { readonly view: number; readonly sinceMs: number }>;
  /** Our last final height when we last joined a validator that stood alone. */
  readonly joinedAt: Map<string, number>;
  readonly evidenceSeen: Set<string>;
  /** Answers that validators owe us, and when each was last answered, ms; see answers.ts. */
  readonly answersDue: Map<string, number>;
  readonly answeredAt: Map<string, number>;

  checkpoint: Vote | undefined;
  stableCheckpoint: number;

  /** Up to here the vote log once held every commit vote of ours; it is cut at checkpoints. */
  remembered: number;
  /** `round` is the height when the loss was noticed: answers to an earlier loss name another, for between two losses the chain moves on. */
  muted: { readonly round: number; readonly answers: Map<string, { height: number; view: number }> } | undefined;
  floor: { readonly height: number; readonly view: number } | undefined;
  /** Keys of ours that somebody else votes with; governance gives another. */
  readonly excludedKeys: Uint8Array[];
  /** The validator set names the key we sign with: it may be replaced before or after our own. */
  holdsKey: boolean;

  nowMs: number;
  started: boolean;
  /** The vote log is empty and should not be: nothing was signed yet on this chain. */
  unmarked: boolean;
  workWaiting: boolean;
  deliveredAtMs: number;
  deadlineMs: number | undefined;
  /** The deadline before which the primary was handed what waits here. */
  handedOverForMs: number | undefined;
  retransmitAtMs: number;
  laggingSinceMs: number | undefined;
  syncRetryAtMs: number;

  proposals: number;
  verifications: number;
  out: Effect[];
}

export function createReplica(start: EngineStart, crypto: EngineCrypto): Replica {
  const limits = start.limits ?? ENGINE_LIMITS;
  const replica: Replica = {
    chainId: start.chainId,
    self: start.self,
    crypto,
    limits,
    validators: [],
    byNode: new Map(),
    quorum: 0,
    faults: 0,
    parameters: start.parameters,
    height: start.height,
    digest: start.digest,
    certificate: start.finality && decodeCertificate(start.finality),
    view: 0,
    changing: false,
    binding: undefined,
    newView: undefined,
    pendingNewView: undefined,
    failures: 0,
    proposal: undefined,
    building: false,
    buildRetryAtMs: 0,
    prepared: undefined,
    committing: undefined,
    bodies: new Map(),
    executions: new Map(),
    signed: new Map(),
    proposed: new Map(),
    viewChange: undefined,
    fetchedFrom: new Set(),
    book: new Book(limits.votesPerSignerMax),
    claims: new Map(),
    verdicts: new Map(),
    validVotes: new Map(),
    helpedAt: new Map(),
    above: new Map(),
    joinedAt: new Map(),
    evidenceSeen: new Set(),
    answersDue: new Map(),
    answeredAt: new Map(),
    checkpoint: undefined,
    stableCheckpoint: 0,
    remembered: 0,
    muted: undefined,
    floor: undefined,
    excludedKeys: [],
    holdsKey: false,
    nowMs: 0,
    started: false,
    unmarked: false,
    workWaiting: false,
    deliveredAtMs: 0,
    deadlineMs: undefined,
    handedOverForMs: undefined,
    retransmitAtMs: 0,
    laggingSinceMs: undefined,
    syncRetryAtMs: 0,
    proposals: 0,
    verifications: 0,
    out: [],
  };
  setValidators(replica, start.validators);
  return replica;
}

/** Takes over the validators of the next height. What was said under a key that is replaced counts no more: votes belong to a key, not to a name. */
export function setValidators(replica: Replica, validators: readonly Validator[]): void {
  const before = replica.byNode;
  replica.verdicts.clear();
  replica.validVotes.clear();
  replica.validators = [...validators].sort((a, b) => (a.node < b.node ? -1 : 1));
  replica.byNode = new Map(replica.validators.map((validator) => [validator.node, validator]));
  replica.quorum = quorumSize(replica.validators.length);
  replica.faults = faultsMax(replica.validators.length);
  for (const { node, suite, publicKey } of replica.validators) {
    const held = before.get(node);
    if (held?.suite === suite && equalBytes(held.publicKey, publicKey)) continue;
    replica.book.forget(node);
    replica.claims.delete(node);
    replica.above.delete(node);
    if (node !== replica.self) continue;
    replica.checkpoint = undefined;
    const probe = tagged('engine-message', replica.chainId, utf8('which key')); // no message begins like this
    replica.holdsKey = replica.crypto.verify(suite, publicKey, probe, replica.crypto.sign(probe));
  }
}

export function primaryOf(replica: Replica, view: number): string {
  return primaryAmong(replica.validators, view);
}

/** False for an observer, while a lost vote log makes silence the only safe course, and with a key that is not ours alone or not the set's. */
export function mayVote(replica: Replica): boolean {
  const self = replica.byNode.get(replica.self);
  return (
    self !== undefined &&
    replica.holdsKey &&
    !replica.excludedKeys.some((key) => equalBytes(key, self.publicKey)) &&
    replica.muted === undefined &&
    (replica.floor === undefined || replica.height >= replica.floor.height)
  );
}

/** The height being decided. */
export function nextHeight(replica: Replica): number {
  return replica.height + 1;
}

export function drop(replica: Replica, code: string, from: string, verdict: 'ignore' | 'reject'): void {
  replica.out.push({ kind: 'drop', code, from, verdict });
}

export function note(replica: Replica, event: string, fields: Readonly<Record<string, string | number>>): void {
  replica.out.push({ kind: 'note', event, fields });
}

/** A mute replica signs nothing and writes nothing: a log that exists again would end its silence at the next start. */
export function persist(replica: Replica, record: LogRecord): void {
  if (replica.muted) return;
  replica.out.push({ kind: 'persist', record: encodeRecord(record) });
}

export function sign<M extends Omit<Plain, 'signature'>>(replica: Replica, message: M): M & { readonly signature: Uint8Array } {
  return { ...message, signature: replica.crypto.sign(signingBytes(replica.chainId, message as unknown as Plain)) };
}

/** Name of a vote's place among `signed`. */
export const voteKey = (phase: VotePhase, height: number, view: number) => `${phase} ${height} ${view}`;

export function ownVote(replica: Replica, phase: VotePhase, height: number, view: number): Vote | undefined {
  return replica.signed.get(voteKey(phase, height, view));
}

/**
 * Signs a vote, writes it to the log and sends it, once. The same vote again is not signed again; another digest for the same (height, view,
 * phase) is refused: this is the one place where votes come into being.
 */
export function castVote(replica: Replica, phase: VotePhase, view: number, height: number, digest: Digest): void {
  const key = voteKey(phase, height, view);
  const earlier = replica.signed.get(key);
  if (earlier) {
    if (!equalBytes(earlier.digest, digest)) note(replica, 'PBFT_SECOND_VOTE_REFUSED', { phase, height, view });
    return;
  }
  const unsigned = { kind: phase, view, height, digest, node: replica.self } as const;
  const vote: Vote = { ...unsigned, signature: replica.crypto.sign(signingBytes(replica.chainId, unsigned)) };
  replica.signed.set(key, vote);
  persist(replica, { kind: 'vote', vote });
  replica.out.push({ kind: 'broadcast', bytes: encodeMessage(vote) });
  replica.book.addVote(vote as Verified<Vote>); // our own signature needs no check
}

/** Keeps the body of a proposal we are about to vote for until its height is final, on disk too. */
export function keepBody(replica: Replica, height: number, digest: Digest, proposal: Uint8Array): void {
  const name = toHex(digest);
  if (replica.bodies.has(name)) return;
  replica.bodies.set(name, { digest, proposal });
  persist(replica, { kind: 'body', height, digest, proposal });
}

/** Has the shell execute a body, unless it is being done or has agreed. A refused one is tried again, at most a few times per view. */
export function ensureExecuted(replica: Replica, digest: Digest, proposal: Uint8Array, from: string, fresh: boolean): void {
  const name = toHex(digest);
  if (replica.executions.has(name)) return;
  const { view } = replica;
  remember(replica, { digest, proposal, from, fresh, view, state: 'running', parent: undefined, attempts: 1, retryAtMs: 0 });
  requestExecution(replica, { digest, proposal, from, fresh, view });
}

type ExecutionRequest = Pick<Execution, 'digest' | 'proposal' | 'from' | 'fresh' | 'view'>;

export function requestExecution(replica: Replica, { digest, proposal, from, fresh, view }: ExecutionRequest): void {
  replica.out.push({ kind: 'execute', height: nextHeight(replica), engineData: encodeEngineData(view), digest, proposal, from, fresh });
}

/** Keeps an execution; the oldest over the bound goes: it can be executed again, from a body we keep or are sent again. */
export function remember(replica: Replica, execution: Execution): void {
  replica.executions.set(toHex(execution.digest), execution);
  for (const oldest of replica.executions.keys()) {
    if (replica.executions.size <= replica.limits.executionsMax) break;
    replica.executions.delete(oldest);
  }
}

/** True when our own execution of `digest` agreed with its header and it stands on the last final block. */
export function hasExecuted(replica: Replica, digest: Digest): boolean {
  const execution = replica.executions.get(toHex(digest));
  return execution?.state === 'agreed' && execution.parent !== undefined && equalBytes(execution.parent, replica.digest);
}

/** Forgets the height that became final and what only served the view that is over. */
export function clearHeight(replica: Replica): void {
  clearView(replica);
  replica.prepared = undefined;
  replica.committing = undefined;
  replica.bodies.clear();
  replica.executions.clear();
  for (const [key, vote] of replica.signed) if (vote.height <= replica.height) replica.signed.delete(key);
  for (const [key, proposed] of replica.proposed) if (proposed.height <= replica.height) replica.proposed.delete(key);
  if (replica.binding && replica.binding.height <= replica.height) replica.binding = undefined;
}

export function clearView(replica: Replica): void {
  replica.proposal = undefined;
  replica.building = false;
  replica.buildRetryAtMs = 0;
  replica.deadlineMs = undefined;
  replica.fetchedFrom.clear();
  for (const [name, execution] of replica.executions) if (execution.state === 'refused') replica.executions.delete(name);
}

/** Goes to `view` as an active member. Written down, with what the view binds the next height to, so that a restart is bound too. */
export function enterView(replica: Replica, view: number, digest: Digest | undefined): void {
  clearView(replica);
  replica.view = view;
  replica.book.leaveViewsBelow(view);
  replica.changing = false;
  replica.viewChange = undefined;
  replica.pendingNewView = undefined;
  replica.binding = { height: nextHeight(replica), digest };
  replica.retransmitAtMs = replica.nowMs; // others may have entered before us and wait
  persist(replica, { kind: 'entered', view, height: nextHeight(replica), digest });
  note(replica, PRODUCER_CHANGED, { view, height: nextHeight(replica) });
}

/** Decodes without exceptions; undefined for bytes that are no message. */
export function tryDecode(bytes: Uint8Array): ReturnType<typeof decodeMessage> | undefined {
  try {
    return decodeMessage(bytes);
  } catch {
    return undefined;
  }
}
