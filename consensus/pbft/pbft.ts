/**
 * The PBFT engine: one replica behind the plug of consensus/engine.ts. An input changes the state, then every phase looks whether it can go
 * on; effects come back in the order they arose. Source: Castro & Liskov 1999, with chained, executed blocks (design: chain).
 */
import { equalBytes, hashTagged } from '../../node/format/index.ts';
import type { Effect, Engine, EngineCrypto, EngineStart, EngineStatus, Input } from '../engine.ts';
import { forgetAnswers, takeAnswer } from './answers.ts';
import { decodeCertificate } from './certificates.ts';
import { advanceCheckpoint, onFinalHeight } from './checkpoint.ts';
import { encodeMessage, type Message, mint, type PrePrepare, signingBytes, type Verified, type Vote } from './messages.ts';
import { advance, idleOverdue, onBuilt, onExecuted, onNotBuilt, onPrePrepare, retryExecutions } from './normal-case.ts';
import {
  advanceSync,
  handOver,
  liftFloor,
  noteClaim,
  noticeForgotten,
  onBody,
  onCommitted,
  onFetch,
  onRecoveryQuery,
  onRecoveryReply,
  onStatus,
  retransmit,
} from './recovery.ts';
import { restore } from './replay.ts';
import {
  createReplica,
  drop,
  mayVote,
  nextHeight,
  note,
  openSlot,
  ownVote,
  persist,
  placeKey,
  primaryOf,
  type Replica,
  setValidators,
  tryDecode,
} from './replica.ts';
import { isSignedBy, noteValid, signaturesOf } from './verdicts.ts';
import { advanceViewChange, onNewView, onViewChange, reopenView, repeatViewChange, startViewChange, viewTimeoutMs } from './view-change.ts';

/** Proofs of double votes reported per height. */
const EVIDENCE_PER_HEIGHT_MAX = 64;

export function createPbft(start: EngineStart, crypto: EngineCrypto): Engine {
  const replica = createReplica(start, crypto);
  restore(replica, start);
  return {
    name: 'pbft',
    step: (input) => step(replica, input),
    signatures: (bytes) => signaturesOf(replica, bytes),
    status: () => status(replica),
  };
}

function step(replica: Replica, input: Input): readonly Effect[] {
  replica.out = [];
  switch (input.kind) {
    case 'tick':
      onTick(replica, input.nowMs);
      break;
    case 'message':
      noteValid(replica, input.valid ?? []);
      onMessage(replica, input.from, input.bytes);
      break;
    case 'work':
      if (input.waiting && !replica.workWaiting) replica.slot.buildRetryAtMs = 0;
      replica.workWaiting = input.waiting;
      break;
    case 'built':
      onBuilt(replica, input);
      break;
    case 'notBuilt':
      onNotBuilt(replica, input);
      break;
    case 'executed':
      onExecuted(replica, input.height, input.digest, input.parent, input.code);
      break;
    case 'delivered':
      onDelivered(replica, input);
      break;
    case 'searched':
      break; // PBFT asks for no search
  }
  if (replica.started) {
    advanceViewChange(replica);
    advance(replica);
    advanceCheckpoint(replica);
    advanceSync(replica);
  }
  const { out } = replica;
  replica.out = [];
  return out;
}

function onTick(replica: Replica, nowMs: number): void {
  replica.nowMs = Math.max(replica.nowMs, nowMs);
  if (!replica.started) {
    replica.started = true;
    replica.deliveredAtMs = replica.nowMs;
    if (replica.unmarked) persist(replica, { kind: 'mark', stableCheckpoint: 0 });
    repeatViewChange(replica); // blocks may have become final since it was written
  }
  retryExecutions(replica);
  retransmit(replica);
  runTimer(replica);
}

/** The view's timer runs only while something is owed: work waits, a proposal is under way, or an idle chain is due its block. */
function runTimer(replica: Replica): void {
  const { slot } = replica;
  if (!mayVote(replica) || slot.committing) {
    slot.deadlineMs = undefined;
    return;
  }
  if (!replica.changing) {
    const owed = replica.workWaiting || slot.proposal !== undefined || slot.building || idleOverdue(replica);
    slot.deadlineMs = owed ? (slot.deadlineMs ?? replica.nowMs + viewTimeoutMs(replica)) : undefined;
  }
  if (slot.deadlineMs === undefined) return;
  if (replica.nowMs >= slot.deadlineMs) startViewChange(replica, replica.view + 1);
  else handOver(replica, slot.deadlineMs);
}

function onDelivered(replica: Replica, block: Extract<Input, { kind: 'delivered' }>): void {
  if (block.height <= replica.height) return;
  const certificate = decodeCertificate(block.finality);
  noticeForgotten(replica, certificate);
  replica.height = block.height;
  replica.digest = block.digest;
  replica.certificate = certificate;
  replica.parameters = block.parameters;
  replica.deliveredAtMs = replica.nowMs;
  replica.laggingSinceMs = undefined;
  replica.syncRetryAtMs = 0;
  setValidators(replica, block.validators);
  openSlot(replica);
  reopenView(replica, certificate);
  replica.book.prune(block.height, replica.view, (node) => replica.byNode.has(node));
  for (const rows of [replica.claims, replica.helpedAt, replica.above, replica.joinedAt])
    for (const node of rows.keys()) if (!replica.byNode.has(node)) rows.delete(node);
  forgetAnswers(replica);
  liftFloor(replica);
  repeatViewChange(replica);
  onFinalHeight(replica);
  const pending = replica.pendingNewView;
  if (pending) {
    replica.pendingNewView = undefined;
    noteValid(replica, pending.valid); // or this step would check all of them again: verdicts went with the block
    onMessage(replica, replica.self, pending.bytes);
  }
}

/** From the wire: decode, place, signature, then Verified. What fails is a value with a verdict on the peer. */
function onMessage(replica: Replica, from: string, bytes: Uint8Array): void {
  const message = tryDecode(bytes);
  if (!message) {
    drop(replica, 'PBFT_MALFORMED', from, 'reject');
    return;
  }
  if (message.kind === 'committed') {
    onCommitted(replica, message.certificate, from);
    return;
  }
  const validator = replica.byNode.get(message.node);
  if (!validator) {
    drop(replica, 'PBFT_NOT_VALIDATOR', from, 'ignore'); // the set may have changed at a height one of us has not seen
    return;
  }
  if (message.node === replica.self && from !== replica.self) {
    onOwnMessage(replica, message);
    return;
  }
  const direct = message.kind !== 'newView' && message.kind !== 'viewChange' && message.kind !== 'prePrepare';
  if (direct && message.node !== from) {
    drop(replica, 'PBFT_NOT_SENDER', from, 'reject');
    return;
  }
  if ((message.kind === 'body' || message.kind === 'recoveryReply') && !takeAnswer(replica, message.kind, from)) return;
  if (isKnown(replica, message)) return;
  const misplaced = misplacedCode(replica, message);
  const counts = misplaced === undefined || misplaced === 'PBFT_AHEAD';
  if (!counts) {
    drop(replica, misplaced, from, misplaced === 'PBFT_NOT_PRIMARY' && !isSignerAhead(replica, message) ? 'reject' : 'ignore');
    return;
  }
  if (!isSignedBy(replica, validator, message, bytes)) {
    drop(replica, 'PBFT_SIGNATURE_INVALID', from, isSignerLevel(replica, message) ? 'reject' : 'ignore');
    return;
  }
  claim(replica, message);
  if (misplaced) {
    drop(replica, misplaced, from, 'ignore');
    return;
  }
  dispatch(replica, mint(message), bytes, from);
}

function dispatch(replica: Replica, message: Verified<Exclude<Message, { kind: 'committed' }>>, bytes: Uint8Array, from: string): void {
  switch (message.kind) {
    case 'prepare':
    case 'commit':
    case 'checkpoint':
      onVote(replica, message);
      break;
    case 'prePrepare':
      if (!equalBytes(message.bodyHash, hashTagged(replica.crypto, 'engine-message', message.proposal)))
        drop(replica, 'PBFT_BODY_FOREIGN', from, 'reject');
      else onProposal(replica, message);
      break;
    case 'viewChange':
      onViewChange(replica, message, from);
      break;
    case 'newView':
      onNewView(replica, message, bytes, from);
      break;
    case 'status':
      onStatus(replica, message);
      break;
    case 'fetch':
      onFetch(replica, message);
      break;
    case 'body':
      onBody(replica, message);
      break;
    case 'recoveryQuery':
      onRecoveryQuery(replica, message);
      break;
    case 'recoveryReply':
      onRecoveryReply(replica, message);
      break;
  }
}

/** True for a repetition of a message that is kept already: it costs no signature check. */
function isKnown(replica: Replica, message: Message): boolean {
  switch (message.kind) {
    case 'prepare':
    case 'commit':
    case 'checkpoint':
      return replica.book.holds(message);
    case 'prePrepare': {
      const held = replica.book.proposal(message.node, message);
      return held !== undefined && equalBytes(held.digest, message.digest);
    }
    default:
      return false;
  }
}

/** The code of a message outside the water marks or out of its signer's turn; one with `PBFT_AHEAD` still shows where its signer stands. */
function misplacedCode(replica: Replica, message: Message): string | undefined {
  const next = nextHeight(replica);
  switch (message.kind) {
    case 'checkpoint':
      if (message.height <= replica.stableCheckpoint || message.view !== 0) return 'PBFT_OUTSIDE_WATERMARKS';
      return message.height > replica.height + 1 ? 'PBFT_AHEAD' : undefined;
    case 'prePrepare':
      if (message.height < next || message.view < replica.view) return 'PBFT_OUTSIDE_WATERMARKS';
      if (message.height > next + 1) return 'PBFT_AHEAD';
      return message.node === primaryOf(replica, message.view) ? undefined : 'PBFT_NOT_PRIMARY';
    case 'prepare':
    case 'commit':
      if (message.height < next) return 'PBFT_OUTSIDE_WATERMARKS';
      return message.height > next + 1 ? 'PBFT_AHEAD' : undefined; // one ahead is kept: its sender got the last commit votes first
    default:
      return undefined;
  }
}

/** True when the signer has heights final that we lack: the order of primaries may have changed at a barrier among them. */
function isSignerAhead(replica: Replica, message: Message): boolean {
  return (finalHeightOf(message) ?? 0) > replica.height;
}

/** True when the signer has the same last final block as we: between two different ones a barrier may have replaced its key. */
function isSignerLevel(replica: Replica, message: Message): boolean {
  return finalHeightOf(message) === replica.height;
}

/** Last final height a message shows its sender to have had; undefined when it shows none. */
function finalHeightOf(message: Message): number | undefined {
  switch (message.kind) {
    case 'prepare':
    case 'commit':
    case 'prePrepare':
    case 'fetch':
    case 'body':
      return message.height - 1;
    case 'recoveryReply':
      return message.certificate?.height ?? 0;
    case 'checkpoint':
    case 'viewChange':
    case 'status':
      return message.height;
    default:
      return undefined;
  }
}

function claim(replica: Replica, message: Message): void {
  const height = finalHeightOf(message);
  if (height !== undefined && 'view' in message && 'node' in message) noteClaim(replica, message.node, { height, view: message.view });
}

function onVote(replica: Replica, vote: Verified<Vote>): void {
  const added = replica.book.addVote(vote);
  if (added.kind === 'conflict')
    report(replica, 'PBFT_DOUBLE_VOTE', vote.node, `${vote.kind} ${vote.height} ${vote.view}`, added.earlier, vote);
}

function onProposal(replica: Replica, message: Verified<PrePrepare>): void {
  const added = onPrePrepare(replica, message);
  if (added.kind !== 'conflict') return;
  // The signature covers the hash of the body.
  const bare = (proposal: PrePrepare): PrePrepare => ({ ...proposal, proposal: new Uint8Array(0) });
  report(replica, 'PBFT_DOUBLE_PROPOSAL', message.node, `prePrepare ${message.height} ${message.view}`, bare(added.earlier), bare(message));
  const current = message.height === nextHeight(replica) && message.view === replica.view && !replica.changing && !replica.slot.committing;
  if (current && mayVote(replica)) startViewChange(replica, replica.view + 1); // a primary proved faulty is not waited for
}

/** Hands a proof of guilt to the shell, once per place. */
function report(replica: Replica, code: string, node: string, place: string, first: Message, second: Message): void {
  const key = `${node} ${place}`;
  const { evidenceSeen } = replica.slot;
  if (evidenceSeen.has(key) || evidenceSeen.size >= EVIDENCE_PER_HEIGHT_MAX) return;
  evidenceSeen.add(key);
  const proof = [encodeMessage(first), encodeMessage(second)] as const;
  replica.out.push({ kind: 'evidence', code, node, first: proof[0], second: proof[1] });
  for (const bytes of proof) replica.out.push({ kind: 'send', to: node, bytes }); // an honest owner of a stolen key learns of it
}

/**
 * A vote or proposal under our key that is not the one we signed for its place: somebody else holds the key, or our memory is gone. Either
 * way this key votes no more here; the evidence goes to the operator, and another key comes by governance.
 */
function onOwnMessage(replica: Replica, message: Message): void {
  if (message.kind !== 'prepare' && message.kind !== 'commit' && message.kind !== 'prePrepare') return;
  const self = replica.byNode.get(replica.self);
  if (!self || !mayVote(replica) || message.height <= replica.height) return; // votes of final heights are not kept
  const { kind, height, view, digest } = message;
  const vote = kind === 'prePrepare' ? undefined : ownVote(replica, kind, message);
  const ours = kind === 'prePrepare' ? replica.proposed.get(placeKey(message)) : vote;
  if (ours && equalBytes(ours.digest, digest)) return;
  if (!replica.crypto.verify(self.suite, self.publicKey, signingBytes(replica.chainId, message), message.signature)) return;
  replica.excludedKeys.push(self.publicKey);
  replica.slot.deadlineMs = undefined;
  persist(replica, { kind: 'excluded', publicKey: self.publicKey });
  const second = encodeMessage(message.kind === 'prePrepare' ? { ...message, proposal: new Uint8Array(0) } : message);
  const first = vote ? encodeMessage(vote) : second; // the log keeps a proposal without its message
  replica.out.push({ kind: 'evidence', code: 'PBFT_KEY_USED_ELSEWHERE', node: replica.self, first, second });
  note(replica, 'excluded itself: its key was voted with elsewhere', { height, view });
}

function status(replica: Replica): EngineStatus {
  const { view } = replica;
  const place = { height: nextHeight(replica), view };
  const { proposal } = replica.slot;
  const count = (phase: 'prepare' | 'commit') => (proposal ? replica.book.votes(phase, place, proposal.digest).length : 0);
  return {
    engine: 'pbft',
    height: place.height,
    phase: phaseOf(replica),
    producer: primaryOf(replica, view),
    details: {
      view,
      proposals: replica.proposals,
      verifications: replica.verifications,
      votes: {
        prepare: count('prepare'),
        commit: count('commit'),
        viewChange: replica.book.viewChanges().filter((message) => message.view >= view).length,
      },
      stableCheckpoint: replica.stableCheckpoint,
      ...(replica.muted && replica.byNode.has(replica.self) ? { unanswered: unanswered(replica, replica.muted.answers) } : {}),
    },
  };
}

function unanswered({ validators, self }: Replica, answers: ReadonlyMap<string, unknown>): readonly string[] {
  return validators.flatMap(({ node }) => (node === self || answers.has(node) ? [] : [node]));
}

function phaseOf(replica: Replica): string {
  if (!replica.byNode.has(replica.self)) return 'observing';
  if (!mayVote(replica)) return replica.muted || replica.floor ? 'mute' : 'excluded';
  if (replica.slot.committing) return 'committing';
  if (replica.changing) return 'viewChange';
  if (replica.slot.prepared?.view === replica.view) return 'prepared';
  if (replica.slot.proposal) return 'proposed';
  return replica.slot.building ? 'building' : 'idle';
}
