/**
 * State of one PBFT replica and what every phase shares: signing a vote once, keeping bodies, the present primary and quorum.
 * Views run on over heights (PBFT §4.4): a new height stays with the primary that served the last one. Effects gather in `out`.
 */
import { type Digest, equalBytes, faultsMax, quorumSize, tagged, toHex, utf8, type Validator } from '../../node/format/index.ts';
import { type Certificate, decodeCertificate, type Place, type VotePhase, voteSigningBytes } from './certificates.ts';
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
import { decodeMessage, encodeMessage, mint, type Plain, signingBytes, type ViewChange, type Vote } from './messages.ts';
import { createSlot, type Execution, leaveView, remember, type Slot } from './slot.ts';
import type { ValidVotes, Verdicts } from './verdicts.ts';
import { encodeRecord, type LogRecord } from './vote-log.ts';

export interface Replica {
  readonly chainId: Digest;
  readonly self: string;
  readonly crypto: EngineCrypto;
  readonly limits: EngineLimits;
  /** Sorted by node id. */
  validators: readonly Validator[];
  /** The list that they came in. */
  given: readonly Validator[] | undefined;
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
  newView: Uint8Array | undefined;
  /** A new view of a height above ours, until block sync has reached that height, with those of its signatures that were found valid. */
  pendingNewView: { readonly bytes: Uint8Array; readonly valid: readonly SignatureCheck[] } | undefined;

  /** What belongs to height + 1. */
  slot: Slot;

  /** Everything signed for heights not final yet: `phase height view` -> vote. */
  readonly signed: Map<string, Vote>;
  /** As primary: what was proposed per `height view`. */
  readonly proposed: Map<string, Place & { readonly digest: Digest; readonly signature: Uint8Array }>;
  viewChange: ViewChange | undefined;

  readonly book: Book;
  /** Highest final height and view each validator has claimed. */
  readonly claims: Map<string, Place>;
  readonly verdicts: Verdicts;
  readonly validVotes: ValidVotes;
  /** The last text signed of each phase: the votes of all validators for one block share it. */
  readonly voteTexts: Map<VotePhase, Place & { readonly digest: Digest; readonly bytes: Uint8Array }>;
  /** When each peer was last helped, ms. */
  readonly helpedAt: Map<string, number>;
  /** Validators whose status names a view above ours, and since when the same one, ms. */
  readonly above: Map<string, { readonly view: number; readonly sinceMs: number }>;
  /** Our last final height when we last joined a validator that stood alone. */
  readonly joinedAt: Map<string, number>;
  /** Answers that validators owe us, and when each was last answered, ms; see answers.ts. */
  readonly answersDue: Map<string, number>;
  readonly answeredAt: Map<string, number>;

  checkpoint: Vote | undefined;
  stableCheckpoint: number;

  /** Up to here the vote log once held every commit vote of ours; it is cut at checkpoints. */
  remembered: number;
  /**
   * `round` is the height when the loss was noticed: answers to an earlier loss name another, for between two losses the chain moves on.
   */
  muted: { readonly round: number; readonly answers: Map<string, Place> } | undefined;
  floor: Place | undefined;
  /** Keys of ours that somebody else votes with; governance gives another. */
  readonly excludedKeys: Uint8Array[];
  /** The validator set names the key we sign with: governance may replace its key before or after the operator replaces ours. */
  holdsKey: boolean;

  nowMs: number;
  started: boolean;
  /**
   * The vote log is empty, as on a chain that begins: its first record is written at the first tick, so that an empty log later shows a
   * loss.
   */
  unmarked: boolean;
  workWaiting: boolean;
  deliveredAtMs: number;
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
    given: undefined,
    byNode: new Map(),
    quorum: 0,
    faults: 0,
    parameters: start.parameters,
    height: start.height,
    digest: start.digest,
    certificate: start.finality && decodeCertificate(start.finality),
    view: 0,
    changing: false,
    newView: undefined,
    pendingNewView: undefined,
    slot: createSlot(),
    signed: new Map(),
    proposed: new Map(),
    viewChange: undefined,
    book: new Book(limits.votesPerSignerMax),
    claims: new Map(),
    verdicts: new Map(),
    validVotes: new Map(),
    voteTexts: new Map(),
    helpedAt: new Map(),
    above: new Map(),
    joinedAt: new Map(),
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

/**
 * Takes over the validators of the next height. What was signed with a key that is replaced counts no more: votes belong to a key, not to a
 * name.
 */
export function setValidators(replica: Replica, validators: readonly Validator[]): void {
  const before = replica.byNode;
  replica.verdicts.clear();
  replica.validVotes.clear();
  if (validators === replica.given) return; // the same list, as after most blocks
  replica.given = validators;
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

/**
 * False for an observer, after a lost vote log until voting is safe, and with a key that somebody else uses or that the validator set does
 * not name.
 */
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

export const placeKey = ({ height, view }: Place) => `${height} ${view}`;

/** Name of a vote's place among `signed`. */
export const voteKey = (phase: VotePhase, place: Place) => `${phase} ${placeKey(place)}`;

export function ownVote(replica: Replica, phase: VotePhase, place: Place): Vote | undefined {
  return replica.signed.size === 0 ? undefined : replica.signed.get(voteKey(phase, place));
}

/** The bytes that a vote for `digest` signs, made once for the votes of all validators. */
export function voteText(replica: Replica, phase: VotePhase, votedOn: Place & { readonly digest: Digest }): Uint8Array {
  const { view, height, digest } = votedOn;
  const held = replica.voteTexts.get(phase);
  if (held && held.height === height && held.view === view && equalBytes(held.digest, digest)) return held.bytes;
  const bytes = voteSigningBytes(replica.chainId, phase, votedOn);
  replica.voteTexts.set(phase, { view, height, digest, bytes });
  return bytes;
}

/**
 * Signs a vote and writes it to the log, once; it may be said later, or never. The same vote again is not signed again; another digest for
 * the same (height, view, phase) is refused: this is the one place where votes come into being.
 */
export function writeVote(replica: Replica, phase: VotePhase, { height, view }: Place, digest: Digest): Vote | undefined {
  const key = voteKey(phase, { height, view });
  const earlier = replica.signed.get(key);
  if (earlier) {
    if (equalBytes(earlier.digest, digest)) return earlier;
    note(replica, 'PBFT_SECOND_VOTE_REFUSED', { phase, height, view });
    return undefined;
  }
  const signature = replica.crypto.sign(voteText(replica, phase, { view, height, digest }));
  const vote: Vote = { kind: phase, view, height, digest, node: replica.self, signature };
  replica.signed.set(key, vote);
  persist(replica, { kind: 'vote', vote, frame: encodeMessage(vote) });
  return vote;
}

/** Sends a vote that is written, and counts it. */
export function sayVote(replica: Replica, vote: Vote): void {
  replica.out.push({ kind: 'broadcast', bytes: encodeMessage(vote) });
  replica.book.addVote(mint(vote)); // our own signature needs no check
}

/** Writes a vote and says it, once. */
export function castVote(replica: Replica, phase: VotePhase, place: Place, digest: Digest): void {
  const isWritten = ownVote(replica, phase, place) !== undefined;
  const vote = writeVote(replica, phase, place, digest);
  if (vote && !isWritten) sayVote(replica, vote);
}

/** Keeps the body of a proposal we are about to vote for until its height is final, on disk too. */
export function keepBody(replica: Replica, height: number, digest: Digest, proposal: Uint8Array): void {
  const { bodies } = replica.slot;
  const name = toHex(digest);
  const kept = bodies.get(name);
  if (kept && (kept.isProven || isAmong(kept.proposals, proposal))) return;
  bodies.set(name, { digest, proposals: [...(kept?.proposals ?? []), proposal], isProven: false });
  persist(replica, { kind: 'body', height, digest, proposal });
}

/** Our execution agreed with this one: any other under its digest is none. */
export function proveBody(replica: Replica, height: number, digest: Digest, proposal: Uint8Array): void {
  const { bodies } = replica.slot;
  const name = toHex(digest);
  const kept = bodies.get(name);
  if (kept?.isProven) return;
  bodies.set(name, { digest, proposals: [proposal], isProven: true });
  if (!kept || !isAmong(kept.proposals, proposal)) persist(replica, { kind: 'body', height, digest, proposal });
}

function isAmong(proposals: readonly Uint8Array[], proposal: Uint8Array): boolean {
  return proposals.some((each) => each === proposal || equalBytes(each, proposal));
}

/** The body that our execution agreed with; undefined when none has. */
export function agreedBody(replica: Replica, digest: Digest): Uint8Array | undefined {
  const name = toHex(digest);
  if (hasExecuted(replica, digest)) return replica.slot.executions.get(name)?.proposal;
  const kept = replica.slot.bodies.get(name);
  return kept?.isProven ? kept.proposals[0] : undefined;
}

/** What was given as the body of a digest, in the order to try. */
export function keptBodies(replica: Replica, digest: Digest): readonly Uint8Array[] {
  return replica.slot.bodies.get(toHex(digest))?.proposals ?? [];
}

/** Has the shell execute a body, unless it is being done or has agreed. A refused one is tried again, at most a few times per view. */
export function ensureExecuted(replica: Replica, digest: Digest, proposal: Uint8Array, from: string, fresh: boolean): void {
  const name = toHex(digest);
  if (replica.slot.executions.has(name)) return;
  const request = { digest, proposal, from, fresh, view: replica.view };
  const running = { ...request, state: 'running', parent: undefined, attempts: 1, retryAtMs: 0 } as const;
  remember(replica.slot, running, replica.limits.executionsMax);
  requestExecution(replica, request);
}

type ExecutionRequest = Pick<Execution, 'digest' | 'proposal' | 'from' | 'fresh' | 'view'>;

export function requestExecution(replica: Replica, { digest, proposal, from, fresh, view }: ExecutionRequest): void {
  replica.out.push({ kind: 'execute', height: nextHeight(replica), engineData: encodeEngineData(view), digest, proposal, from, fresh });
}

/** True when our own execution of `digest` agreed with its header and it stands on the last final block. */
export function hasExecuted(replica: Replica, digest: Digest): boolean {
  const { executions } = replica.slot;
  const execution = executions.size === 0 ? undefined : executions.get(toHex(digest));
  return execution?.state === 'agreed' && execution.parent !== undefined && equalBytes(execution.parent, replica.digest);
}

/**
 * The next height begins: what belonged to the final one is dropped, votes and proposals signed for it included. A block built ahead
 * becomes this height's if its parent is the block that became final.
 */
export function openSlot(replica: Replica): void {
  const { ahead } = replica.slot;
  replica.slot = createSlot();
  if (ahead && equalBytes(ahead.parent, replica.digest)) {
    replica.slot.building = ahead.building;
    replica.slot.built = ahead.built;
  }
  for (const [key, vote] of replica.signed) if (vote.height <= replica.height) replica.signed.delete(key);
  for (const [key, proposed] of replica.proposed) if (proposed.height <= replica.height) replica.proposed.delete(key);
}

/** Enters `view` and may vote in it. The vote log keeps the view and what it binds the next height to, so that a restart is bound too. */
export function enterView(replica: Replica, view: number, digest: Digest | undefined): void {
  leaveView(replica.slot);
  replica.view = view;
  replica.book.leaveViewsBelow(view);
  replica.changing = false;
  replica.viewChange = undefined;
  replica.pendingNewView = undefined;
  replica.slot.binding = { digest };
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
