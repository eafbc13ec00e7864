/**
 * The three phases of one height: pre-prepare, prepare, commit (PBFT §4.2), with execution before the first vote: a backup prepares only
 * what its own execution agreed with, so a wrong result is a refused proposal and never a fork. Every function here looks at the state and
 * does what is possible now; the order in which messages came does not matter.
 */
import { equalBytes, hashTagged, toHex } from '../../node/format/index.ts';
import { type Certificate, certificateOf, encodeCertificate } from './certificates.ts';
import type { Input } from '../engine.ts';
import type { Added } from './book.ts';
import { encodeEngineData } from './engine-data.ts';
import { encodeMessage, type PrePrepare, type Verified } from './messages.ts';
import {
  agreedBody,
  castVote,
  ensureExecuted,
  hasExecuted,
  keepBody,
  keptBodies,
  mayVote,
  nextHeight,
  note,
  ownVote,
  persist,
  placeKey,
  primaryOf,
  proveBody,
  requestExecution,
  type Replica,
  sayVote,
  sign,
  writeVote,
} from './replica.ts';
import type { Ahead, Built, Slot } from './slot.ts';
import { judgedFault } from './verdicts.ts';

/** A build that found nothing is asked for again after this, ms. */
const BUILD_RETRY_MS = 100;
/** Executions of one refused body per view: the shell may have lacked a transaction. */
const EXECUTE_ATTEMPTS_MAX = 3;

/** True when an idle chain is due its block. */
export function idleOverdue(replica: Replica): boolean {
  return replica.started && replica.nowMs - replica.deliveredAtMs >= replica.parameters.idleBlockIntervalMs;
}

export function onBuilt(replica: Replica, input: Built): void {
  const awaiting = awaitingOf(replica, input);
  if (!awaiting) return;
  awaiting.building = false;
  awaiting.built = input;
}

export function onNotBuilt(replica: Replica, input: Extract<Input, { kind: 'notBuilt' }>): void {
  const awaiting = awaitingOf(replica, input);
  if (!awaiting) return;
  awaiting.building = false;
  if (awaiting === replica.slot) replica.slot.buildRetryAtMs = replica.nowMs + BUILD_RETRY_MS;
}

/**
 * Where the answer to a build belongs: the height being decided or the one above. Undefined for one of a view, height or parent that is
 * over.
 */
function awaitingOf(
  replica: Replica,
  { height, engineData, parent }: Pick<Built, 'height' | 'engineData' | 'parent'>,
): Slot | Ahead | undefined {
  const { slot } = replica;
  if (!equalBytes(engineData, encodeEngineData(replica.view))) return undefined;
  if (height === nextHeight(replica)) return slot.building && equalBytes(parent, replica.digest) ? slot : undefined;
  const { ahead } = slot;
  return height === nextHeight(replica) + 1 && ahead?.building && equalBytes(parent, ahead.parent) ? ahead : undefined;
}

export function onExecuted(replica: Replica, height: number, digest: Uint8Array, parent: Uint8Array, code: string): void {
  const execution = replica.slot.executions.get(toHex(digest));
  if (height !== nextHeight(replica) || !execution || execution.state !== 'running') return;
  replica.verifications++;
  execution.parent = parent;
  if (code === 'OK' && equalBytes(parent, replica.digest)) {
    execution.state = 'agreed';
    return;
  }
  execution.state = 'refused';
  execution.retryAtMs = replica.nowMs + replica.parameters.viewTimeoutMs / 8;
  note(replica, 'proposal refused', { height, code, from: execution.from });
  const { proposal, binding, executions } = replica.slot;
  const kept = keptBodies(replica, digest);
  const at = kept.findIndex((each) => equalBytes(each, execution.proposal));
  const next = at < 0 ? undefined : kept[at + 1];
  if (next) {
    executions.delete(toHex(digest)); // another body that was given under this digest
    ensureExecuted(replica, digest, next, primaryOf(replica, replica.view), binding?.digest === undefined);
  } else if (!proposal && binding?.digest && equalBytes(binding.digest, digest)) {
    replica.slot.fetchedFrom.add(at < 0 ? execution.from : replica.self); // a body that is not what its digest says: another holder is asked
    executions.delete(toHex(digest));
  }
}

/** Asks again for executions that failed for want of something the shell may have by now. */
export function retryExecutions(replica: Replica): void {
  for (const execution of replica.slot.executions.values()) {
    if (execution.state !== 'refused' || execution.attempts >= EXECUTE_ATTEMPTS_MAX || replica.nowMs < execution.retryAtMs) continue;
    execution.state = 'running';
    execution.attempts++;
    requestExecution(replica, execution);
  }
}

/** A proposal whose signature holds. Only the primary of its view may send it; two for one place prove its guilt. */
export function onPrePrepare(replica: Replica, message: Verified<PrePrepare>): Added<PrePrepare> {
  return replica.book.addProposal(message);
}

/** Everything the normal case can do in the present state. */
export function advance(replica: Replica): void {
  if (mayVote(replica) && !replica.changing && !replica.slot.committing) {
    const leads = primaryOf(replica, replica.view) === replica.self;
    if (leads) lead(replica);
    acceptProposal(replica);
    prepare(replica);
    commit(replica);
    if (leads) buildAhead(replica);
  }
  finish(replica);
}

function lead(replica: Replica): void {
  const height = nextHeight(replica);
  if (replica.slot.proposal || replica.slot.building) return;
  const earlier = replica.proposed.size === 0 ? undefined : replica.proposed.get(placeKey({ height, view: replica.view }));
  const bound = earlier?.digest ?? replica.slot.binding?.digest;
  if (bound) {
    const agreed = agreedBody(replica, bound);
    const body = agreed ?? (replica.slot.fetchedFrom.has(replica.self) ? undefined : keptBodies(replica, bound)[0]);
    if (!body) return; // recovery fetches it
    if (hasExecuted(replica, bound)) propose(replica, bound, body);
    else ensureExecuted(replica, bound, body, replica.self, false);
    return;
  }
  const { built } = replica.slot;
  if (built) {
    replica.slot.built = undefined;
    replica.slot.more = built.more;
    propose(replica, built.digest, built.proposal);
    writeVote(replica, 'prepare', { height, view: replica.view }, built.digest); // in one append with the proposal
    ensureExecuted(replica, built.digest, built.proposal, replica.self, true); // its body may still be on its way to the disk
    return;
  }
  const emptyAllowed = idleOverdue(replica);
  if (!(replica.workWaiting || emptyAllowed) || replica.nowMs < replica.slot.buildRetryAtMs) return;
  replica.slot.building = true;
  replica.out.push({ kind: 'build', height, engineData: encodeEngineData(replica.view), parent: replica.digest, emptyAllowed });
}

/**
 * Has the next block built on our proposal while that is voted on. It leaves once its parent is final (openSlot) and not before: one height
 * is open. A view that fails takes it along.
 */
function buildAhead(replica: Replica): void {
  const { proposal, more, ahead } = replica.slot;
  if (!proposal || !more || ahead) return;
  replica.slot.ahead = { parent: proposal.digest, building: true, built: undefined };
  const height = nextHeight(replica) + 1;
  replica.out.push({ kind: 'build', height, engineData: encodeEngineData(replica.view), parent: proposal.digest, emptyAllowed: false });
}

/** Signs and sends the one proposal of this primary for (height, view). After a restart the same one goes out again, never a second. */
function propose(replica: Replica, digest: Uint8Array, proposal: Uint8Array): void {
  const height = nextHeight(replica);
  const { view } = replica;
  const key = placeKey({ height, view });
  const bodyHash = hashTagged(replica.crypto, 'engine-message', proposal);
  const message = sign(replica, { kind: 'prePrepare', view, height, digest, bodyHash, node: replica.self, proposal } as const);
  const earlier = replica.proposed.get(key);
  if (earlier && !equalBytes(earlier.digest, digest)) {
    note(replica, 'PBFT_SECOND_VOTE_REFUSED', { phase: 'prePrepare', height, view });
    return;
  }
  keepBody(replica, height, digest, proposal);
  if (!earlier) {
    replica.proposed.set(key, { height, view, digest, signature: message.signature });
    persist(replica, { kind: 'proposed', height, view, digest, signature: message.signature });
  }
  const frame = encodeMessage(message);
  replica.slot.proposal = { view, height, digest, proposal, frame, prepareSaid: false, commitSigned: false };
  replica.proposals++;
  replica.out.push({ kind: 'broadcast', bytes: frame });
}

/**
 * Accepts the proposal of this view: the one we voted for before a restart, the one its new view binds us to, or what the primary sent. The
 * first two need no frame when we hold the body; a bound view has no other choice. The Prepare is written while the execution runs and said
 * when that agrees: once written it binds this replica, through restarts too (decisions/0011).
 */
function acceptProposal(replica: Replica): void {
  const height = nextHeight(replica);
  const { view } = replica;
  const primary = primaryOf(replica, view);
  if (replica.slot.proposal || primary === replica.self) return;
  if (replica.signed.size === 0 && !replica.slot.binding?.digest && !replica.book.hasProposals) return; // as between two blocks
  const written = ownVote(replica, 'prepare', { height, view });
  const binding = replica.slot.binding?.digest;
  const message = replica.book.proposal(primary, { height, view });
  const digest = written?.digest ?? binding ?? message?.digest;
  if (!digest) return;
  const agreed = agreedBody(replica, digest);
  // Another digest than the bound one is no proposal.
  const sent = message && equalBytes(message.digest, digest) ? message.proposal : undefined;
  if (!agreed && sent) keepBody(replica, height, digest, sent);
  const proposal = agreed ?? (sent || written ? keptBodies(replica, digest)[0] : undefined);
  if (!proposal) return;
  replica.slot.proposal = { view, height, digest, proposal, frame: undefined, prepareSaid: false, commitSigned: false };
  writeVote(replica, 'prepare', { height, view }, digest);
  // Whether a vote of before a restart was said nobody knows, so its block is judged as it was then.
  ensureExecuted(replica, digest, proposal, agreed || !sent ? replica.self : primary, binding === undefined && !agreed);
}

/** Says Prepare for the proposal of this view once our own execution agrees with it. */
function prepare(replica: Replica): void {
  const { proposal } = replica.slot;
  if (!proposal || proposal.prepareSaid || !hasExecuted(replica, proposal.digest)) return;
  proposal.prepareSaid = true;
  proveBody(replica, proposal.height, proposal.digest, agreedBody(replica, proposal.digest)!);
  const vote = writeVote(replica, 'prepare', proposal, proposal.digest);
  if (vote) sayVote(replica, vote);
}

/**
 * Becomes prepared with a quorum of Prepare and sends Commit. The certificate is on disk before the vote leaves: a view change needs it.
 */
function commit(replica: Replica): void {
  const { proposal } = replica.slot;
  if (!proposal || proposal.commitSigned) return;
  const votes = replica.book.votes('prepare', proposal, proposal.digest);
  if (votes.length < replica.quorum || !hasExecuted(replica, proposal.digest)) return;
  proposal.commitSigned = true;
  if (ownVote(replica, 'commit', proposal)) return;
  replica.slot.prepared = certificateOf(votes);
  persist(replica, { kind: 'prepared', certificate: replica.slot.prepared });
  castVote(replica, 'commit', proposal, proposal.digest);
}

/** A quorum of Commit makes the height final, in whatever view this replica is. Observers and mute replicas follow the same way. */
function finish(replica: Replica): void {
  if (replica.slot.committing) return;
  const votes = replica.book.committed(nextHeight(replica), replica.quorum);
  if (votes) finalize(replica, certificateOf(votes));
}

/** Has the shell store a block it executed; one it lacks comes by sync. */
function finalize(replica: Replica, certificate: Certificate): void {
  const execution = replica.slot.executions.get(toHex(certificate.digest));
  if (execution?.state === 'running') return; // its answer brings us back here
  if (hasExecuted(replica, certificate.digest)) {
    replica.slot.committing = certificate;
    replica.slot.deadlineMs = undefined;
    replica.out.push({ kind: 'commit', height: certificate.height, digest: certificate.digest, finality: encodeCertificate(certificate) });
    return;
  }
  const [kept] = execution ? [] : keptBodies(replica, certificate.digest);
  if (kept) {
    ensureExecuted(replica, certificate.digest, kept, replica.self, false); // so many views old that its execution was dropped
    return;
  }
  requestSync(
    replica,
    certificate.height,
    certificate.votes.map((vote) => vote.node),
  );
}

/** A certificate somebody forwarded. */
export function onCertificate(replica: Replica, certificate: Certificate, from: string): void {
  if (certificate.height <= replica.height || replica.slot.committing) return;
  const fault = judgedFault(replica, 'commit', certificate);
  if (fault) {
    // Above the next height the validators may have changed since: then it is only a claim, and others must share it.
    replica.out.push({
      kind: 'drop',
      code: 'PBFT_CERTIFICATE_INVALID',
      from,
      verdict: certificate.height === nextHeight(replica) ? 'reject' : 'ignore',
    });
    return;
  }
  if (certificate.height === nextHeight(replica)) finalize(replica, certificate);
  else requestSync(replica, certificate.height, [from]);
}

/** Asks the shell for blocks up to `height`, not more often than the retry time. */
export function requestSync(replica: Replica, height: number, from: readonly string[]): void {
  if (replica.nowMs < replica.syncRetryAtMs) return;
  replica.syncRetryAtMs = replica.nowMs + replica.parameters.viewTimeoutMs / 4;
  replica.out.push({ kind: 'sync', height, from: from.filter((node) => node !== replica.self) });
}
