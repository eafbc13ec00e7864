/**
 * How a replica that missed something catches up, since the network loses frames: everyone repeats its latest messages for the height being
 * decided and says where it stands; whoever is further on answers with a commit certificate or the new view. Also the two queries of
 * exceptional cases: the body of a bound digest, and, after a lost vote log, what this replica may have signed.
 */
import {
  encodeMessage,
  signingBytes,
  type Body,
  type Fetch,
  type RecoveryQuery,
  type RecoveryReply,
  type Status,
  type Verified,
} from './messages.ts';
import { mayAnswer, noteAsked } from './answers.ts';
import { onCertificate, requestSync } from './normal-case.ts';
import { liveRecords } from './replay.ts';
import {
  agreedBody,
  drop,
  enterView,
  ensureExecuted,
  hasExecuted,
  keptBodies,
  mayVote,
  nextHeight,
  note,
  ownVote,
  primaryOf,
  type Replica,
  sign,
  tryDecode,
} from './replica.ts';
import { judgedFault } from './verdicts.ts';
import { adoptView, startViewChange, viewTimeoutMs } from './view-change.ts';
import { equalBytes, toHex } from '../../node/format/index.ts';
import type { Certificate, Place } from './certificates.ts';
import type { Proposal } from './slot.ts';

/** Bounds of the time between two repetitions, ms. */
const RETRANSMIT_MIN_MS = 50;
const RETRANSMIT_MAX_MS = 500;
/** One peer is helped at most this often, ms. */
const HELP_INTERVAL_MS = 40;
/** Peers may be ahead for this long before sync is asked for: their last commit votes are usually under way to us, ms. */
const LAG_GRACE_MS = 100;
/** A validator alone in a higher view is joined after standing there for so many base time-outs of a view. */
const JOIN_AFTER_TIMEOUTS = 1;
/** One validator is joined at most once in so many final blocks: what a traitor can force is one view change each time. */
export const JOIN_EVERY_BLOCKS = 32;
/** A validator further behind in final blocks could not vote if it were joined. */
const JOIN_HEIGHTS_BEHIND_MAX = 4;
/** A view further up is no honest one: views would run out. */
const JOIN_VIEWS_ABOVE_MAX = 1_024;

export function retransmitMs(replica: Replica): number {
  return Math.max(RETRANSMIT_MIN_MS, Math.min(RETRANSMIT_MAX_MS, Math.floor(replica.parameters.viewTimeoutMs / 4)));
}

/**
 * Shortest time between two answers to one node, ms: a query is repeated at the retransmission interval, and one of two within half of it
 * is not answered.
 */
function answerIntervalMs(replica: Replica): number {
  return retransmitMs(replica) / 2;
}

/** Notes what a signed message shows of its sender: it has `height` final and is in `view`. */
export function noteClaim(replica: Replica, node: string, { height, view }: Place): void {
  const held = replica.claims.get(node);
  if (held && held.height >= height && held.view >= view) return;
  replica.claims.set(node, { height: Math.max(held?.height ?? 0, height), view: Math.max(held?.view ?? 0, view) });
}

/** Asks for sync when f+1 validators, so at least one honest, are further on and stay so. */
export function advanceSync(replica: Replica): void {
  const ahead = isAnyoneAhead(replica)
    ? [...replica.claims].filter(([node, claim]) => node !== replica.self && claim.height > replica.height)
    : [];
  if (ahead.length <= replica.faults || replica.slot.committing) {
    replica.laggingSinceMs = undefined;
    return;
  }
  replica.laggingSinceMs ??= replica.nowMs;
  if (replica.nowMs - replica.laggingSinceMs < LAG_GRACE_MS) return;
  const heights = ahead.map(([, claim]) => claim.height).sort((a, b) => b - a);
  requestSync(
    replica,
    heights[replica.faults]!, // at least one honest validator has this height
    ahead.map(([node]) => node),
  );
}

function isAnyoneAhead({ claims, height }: Replica): boolean {
  for (const claim of claims.values()) if (claim.height > height) return true;
  return false;
}

/** Repeats what others may have missed; called on every tick. */
export function retransmit(replica: Replica): void {
  if (replica.nowMs < replica.retransmitAtMs) return;
  replica.retransmitAtMs = replica.nowMs + retransmitMs(replica);
  if (!replica.byNode.has(replica.self) || !replica.holdsKey) return;
  const height = nextHeight(replica);
  const broadcast = (bytes: Uint8Array) => replica.out.push({ kind: 'broadcast', bytes });
  const { view, changing, self: node } = replica;
  broadcast(encodeMessage(sign(replica, { kind: 'status', height: replica.height, view, changing, node } as const)));
  if (replica.muted) {
    for (const validator of replica.validators) if (validator.node !== node) noteAsked(replica, 'recoveryQuery', validator.node);
    broadcast(encodeMessage(sign(replica, { kind: 'recoveryQuery', round: replica.muted.round, node } as const)));
    return;
  }
  if (!mayVote(replica)) return;
  if (replica.checkpoint && replica.checkpoint.height > replica.stableCheckpoint) broadcast(encodeMessage(replica.checkpoint));
  if (changing) {
    if (replica.viewChange) broadcast(encodeMessage(replica.viewChange));
    return;
  }
  if (replica.slot.proposal?.frame) repeatProposal(replica, replica.slot.proposal, replica.slot.proposal.frame);
  const prepare = replica.slot.proposal?.prepareSaid ? ownVote(replica, 'prepare', { height, view }) : undefined;
  for (const vote of [prepare, ownVote(replica, 'commit', { height, view })]) if (vote) broadcast(encodeMessage(vote));
  fetchBody(replica);
}

/**
 * A primary that proposes nothing may know of nothing: whoever alone holds what waits would end each of its views alone. So the primary is
 * handed it when half of the view's time is left, as backups relay requests (PBFT §4.4; decisions/0008).
 */
export function handOver(replica: Replica, deadlineMs: number): void {
  if (replica.changing || !replica.workWaiting || replica.slot.proposal || replica.slot.handedOverForMs === deadlineMs) return;
  if (replica.nowMs < deadlineMs - viewTimeoutMs(replica) / 2) return;
  const to = primaryOf(replica, replica.view);
  if (to === replica.self) return;
  replica.slot.handedOverForMs = deadlineMs;
  replica.out.push({ kind: 'handOver', to });
}

/** The body is large: only who has not prepared yet gets it again. */
function repeatProposal(replica: Replica, proposal: Proposal, frame: Uint8Array): void {
  const prepared = new Set(replica.book.votes('prepare', proposal, proposal.digest).map((vote) => vote.node));
  for (const { node } of replica.validators)
    if (node !== replica.self && !prepared.has(node)) replica.out.push({ kind: 'send', to: node, bytes: frame });
}

/**
 * A peer's status says where it stands: it gets what it lacks. Of what comes from no validator peers heed certificates alone; but its sender may be the
 * only one that saw the block final by which it left, while those that voted for that wait for each other.
 */
function help(replica: Replica, node: string, peer: Place & { readonly changing: boolean }): void {
  const isValidator = replica.byNode.has(replica.self);
  if (!isValidator && peer.height >= replica.height) return;
  if (node === replica.self || replica.nowMs - (replica.helpedAt.get(node) ?? -HELP_INTERVAL_MS) < HELP_INTERVAL_MS) return;
  const behindInView = isValidator && (peer.view < replica.view || (peer.view === replica.view && peer.changing));
  const { certificate } = replica;
  const answers: Uint8Array[] = [];
  const laterView = certificate && (certificate.view > peer.view || (certificate.view === peer.view && peer.changing));
  if (certificate && (peer.height < replica.height || (peer.height === replica.height && laterView)))
    answers.push(encodeMessage({ kind: 'committed', certificate }));
  if (behindInView && !replica.changing && replica.newView) answers.push(replica.newView);
  if (behindInView && replica.changing && replica.viewChange) answers.push(encodeMessage(replica.viewChange));
  if (answers.length === 0) return;
  replica.helpedAt.set(node, replica.nowMs);
  for (const bytes of answers) replica.out.push({ kind: 'send', to: node, bytes });
}

export function onStatus(replica: Replica, message: Verified<Status>): void {
  help(replica, message.node, message);
  joinAbove(replica, message);
}

/**
 * A validator that timed out alone promised to vote in no view below, so it comes back only when the others reach its view: they go there
 * themselves. A promise is never taken back, so this touches no argument of safety (decisions/0005).
 */
function joinAbove(replica: Replica, { node, view, height }: Verified<Status>): void {
  if (view <= replica.view) {
    replica.above.delete(node);
    return;
  }
  const held = replica.above.get(node);
  if (held?.view !== view) {
    replica.above.set(node, { view, sinceMs: replica.nowMs });
    return;
  }
  if (replica.changing || replica.slot.committing || !mayVote(replica)) return;
  if (replica.nowMs - held.sinceMs < JOIN_AFTER_TIMEOUTS * replica.parameters.viewTimeoutMs) return;
  if (height + JOIN_HEIGHTS_BEHIND_MAX < replica.height || view - replica.view > JOIN_VIEWS_ABOVE_MAX) return;
  const joined = replica.joinedAt.get(node);
  if (joined !== undefined && replica.height - joined < JOIN_EVERY_BLOCKS) return;
  replica.joinedAt.set(node, replica.height);
  note(replica, 'joins a validator alone in a higher view', { node, view });
  startViewChange(replica, view);
}

/**
 * A forwarded certificate: makes the next height final, shows that others are ahead, or that our own block was certified in a later view,
 * which is a view to enter.
 */
export function onCommitted(replica: Replica, certificate: Certificate, from: string): void {
  if (certificate.height > replica.height) onCertificate(replica, certificate, from);
  else if (certificate.height === replica.height && equalBytes(certificate.digest, replica.digest)) {
    const newer = certificate.view > replica.view || (certificate.view === replica.view && replica.changing);
    // Judged by the present validators; after a barrier it fails, and a later certificate will do.
    if (newer && !judgedFault(replica, 'commit', certificate)) {
      replica.certificate = certificate;
      adoptView(replica, certificate);
    }
  }
}

/** As primary of a view bound to a digest we have no body of: asks those who may hold it. */
function fetchBody(replica: Replica): void {
  const bound = replica.slot.binding?.digest;
  if (!bound || replica.slot.proposal || primaryOf(replica, replica.view) !== replica.self) return;
  const { bodies, executions, fetchedFrom } = replica.slot;
  if (executions.has(toHex(bound)) || (bodies.has(toHex(bound)) && !fetchedFrom.has(replica.self))) return;
  if (replica.validators.every(({ node }) => node === replica.self || fetchedFrom.has(node))) fetchedFrom.clear();
  const bytes = encodeMessage(sign(replica, { kind: 'fetch', height: nextHeight(replica), digest: bound, node: replica.self } as const));
  for (const { node } of replica.validators) {
    if (node === replica.self || replica.slot.fetchedFrom.has(node)) continue;
    noteAsked(replica, 'fetch', node);
    replica.out.push({ kind: 'send', to: node, bytes });
  }
}

export function onFetch(replica: Replica, message: Verified<Fetch>): void {
  const proposal = agreedBody(replica, message.digest) ?? keptBodies(replica, message.digest)[0];
  if (!proposal || message.height !== nextHeight(replica) || !replica.holdsKey) return;
  const { height, digest, node } = message;
  if (!mayAnswer(replica, 'fetch', node, answerIntervalMs(replica))) return;
  const answer = sign(replica, { kind: 'body', height, digest, proposal, node: replica.self } as const);
  replica.out.push({ kind: 'send', to: node, bytes: encodeMessage(answer) });
}

/** The body is judged by executing it: only one that agrees with the digest is proposed again. */
export function onBody(replica: Replica, message: Verified<Body>): void {
  const bound = replica.slot.binding?.digest;
  if (!mayVote(replica) || replica.changing || !bound || message.height !== nextHeight(replica)) return;
  if (primaryOf(replica, replica.view) !== replica.self) return; // only a bound primary asks
  if (!equalBytes(bound, message.digest) || hasExecuted(replica, bound) || replica.slot.fetchedFrom.has(message.node)) return;
  if (replica.slot.executions.get(toHex(bound))?.state === 'running') return;
  ensureExecuted(replica, bound, message.proposal, message.node, false);
}

/** A replica lost its vote log: it gets what proves our height, and its own latest messages. */
export function onRecoveryQuery(replica: Replica, message: Verified<RecoveryQuery>): void {
  if (replica.muted || !replica.holdsKey) return; // a replica that lost its own log knows too little to answer
  if (!mayAnswer(replica, 'recoveryQuery', message.node, answerIntervalMs(replica))) return;
  const answer = sign(replica, {
    kind: 'recoveryReply',
    about: message.node,
    round: message.round,
    certificate: replica.certificate,
    messages: replica.book.latestMessagesOf(message.node).map(encodeMessage),
    node: replica.self,
  } as const);
  replica.out.push({ kind: 'send', to: message.node, bytes: encodeMessage(answer) });
}

/** How far a reply proves that this replica may have signed; undefined when its proof does not hold, or cannot be judged here yet. */
function provenBy(replica: Replica, { certificate, messages }: RecoveryReply): Place | undefined {
  const self = replica.byNode.get(replica.self);
  if (!self) return undefined;
  let height = (certificate?.height ?? 0) + 1;
  let view = 0;
  // At or below our own height it says nothing we do not know. Validators may have changed below a higher one: after sync it is asked for
  // again.
  if (certificate && certificate.height > replica.height && judgedFault(replica, 'commit', certificate)) return undefined;
  for (const bytes of messages) {
    const own = tryDecode(bytes);
    if (own?.kind !== 'prepare' && own?.kind !== 'commit' && own?.kind !== 'checkpoint' && own?.kind !== 'viewChange') return undefined;
    if (own.node !== replica.self) return undefined;
    if (!replica.crypto.verify(self.suite, self.publicKey, signingBytes(replica.chainId, own), own.signature)) return undefined;
    height = Math.max(height, own.kind === 'viewChange' ? own.height + 1 : own.height);
    view = Math.max(view, own.view);
  }
  return { height, view };
}

/** With replies of a quorum: silent up to the highest height proven, plus the window, and in no view below the highest proven. */
export function onRecoveryReply(replica: Replica, message: Verified<RecoveryReply>): void {
  const { muted } = replica;
  if (!muted || message.about !== replica.self || message.round !== muted.round || message.node === replica.self) return;
  const proven = provenBy(replica, message);
  if (!proven) {
    drop(replica, 'PBFT_HELD_UNPROVEN', message.node, 'ignore');
    return;
  }
  muted.answers.set(message.node, proven);
  if (muted.answers.size < Math.min(replica.quorum, replica.validators.length - 1)) return;
  let { height } = replica;
  let view = 0;
  for (const answer of muted.answers.values()) {
    height = Math.max(height, answer.height);
    view = Math.max(view, answer.view);
  }
  replica.floor = { height: height + 1, view };
  replica.muted = undefined;
  replica.out.push({ kind: 'truncate', keep: liveRecords(replica) }); // a damaged log ends here
  note(replica, 'vote log lost: silent until', { height: replica.floor.height, view });
}

/**
 * A final block is certified by a vote of ours that we do not remember: our data was emptied since. It is noticed only now, because a new
 * network starts with an empty log too; from here on it is treated like any lost log.
 */
export function noticeForgotten(replica: Replica, certificate: Certificate): void {
  const { height, view } = certificate;
  if (replica.muted || height <= Math.max(replica.remembered, replica.floor?.height ?? 0)) return;
  if (!certificate.votes.some((vote) => vote.node === replica.self) || ownVote(replica, 'commit', certificate)) return;
  replica.muted = { round: height, answers: new Map() };
  replica.slot.deadlineMs = undefined;
  note(replica, 'vote log lost: a certificate holds a vote it does not know', { height, view });
}

/** The floor is final without us: takes part again, in a view no promise of ours can lie above. */
export function liftFloor(replica: Replica): void {
  const { floor } = replica;
  if (!floor || !replica.byNode.has(replica.self) || replica.height < floor.height) return;
  replica.floor = undefined;
  if (replica.view < floor.view) startViewChange(replica, floor.view);
  else if (!replica.changing) enterView(replica, replica.view, undefined); // the block certified in it opened it
  note(replica, 'taking part again', { height: nextHeight(replica), view: replica.view });
}
