/**
 * View change and new view by the chained rule (PBFT §4.4; design: chain, "PBFT with chained, executed blocks"). A view change carries the
 * highest commit certificate and what was prepared above it. A new view is made of view changes that share one height, its base, and opens
 * its view for the height above alone: there it takes the prepare certificate of the highest view, and that block is proposed again byte
 * for byte. There are no null requests: with no certificate the new primary proposes afresh. Who is behind the base, or passes it, says its
 * view change again. Why that suffices: decisions/0004.
 */
import { equalBytes } from '../../node/format/index.ts';
import type { Certificate } from './certificates.ts';
import { encodeMessage, mint, type NewView, type Verified, type ViewChange } from './messages.ts';
import { requestSync } from './normal-case.ts';
import { drop, enterView, mayVote, nextHeight, note, persist, primaryOf, type Replica, sign, tryDecode } from './replica.ts';
import { leaveView } from './slot.ts';
import { judgedFault, isSigned, validIn } from './verdicts.ts';

/** Time-out of the present view, ms: doubled for every view that failed since the last final block, capped. */
export function viewTimeoutMs(replica: Replica): number {
  const { viewTimeoutMs: base, viewTimeoutMaxMs: cap } = replica.parameters;
  return Math.min(cap, base * 2 ** Math.min(replica.slot.failures, 30));
}

/** Leaves the present view for `view`: promises to vote in none below it and reports what was prepared. */
export function startViewChange(replica: Replica, view: number): void {
  leaveView(replica.slot);
  replica.view = view;
  replica.book.leaveViewsBelow(view);
  replica.changing = true;
  replica.slot.binding = undefined;
  replica.slot.failures++;
  note(replica, 'view change started', { view, height: nextHeight(replica), failures: replica.slot.failures });
  broadcastViewChange(replica);
}

/** Signs the view change for `replica.view` with what is final and prepared now. A later one for the same view only ever reports more. */
export function broadcastViewChange(replica: Replica): void {
  const message = sign(replica, {
    kind: 'viewChange',
    view: replica.view,
    height: replica.height,
    certificate: replica.certificate,
    prepared: replica.slot.prepared ? [replica.slot.prepared] : [],
    node: replica.self,
  } as const);
  replica.viewChange = message;
  persist(replica, { kind: 'viewChange', message });
  replica.out.push({ kind: 'broadcast', bytes: encodeMessage(message) });
  replica.book.addViewChange(mint<ViewChange>(message)); // our own signature needs no check
}

/** Form of a view change that no state is needed to judge. */
export function viewChangeShapeFault(message: ViewChange): string | undefined {
  if (message.view === 0) return 'view 0 needs no change';
  if (message.certificate ? message.certificate.height !== message.height : message.height !== 0) return 'height without its certificate';
  let height = message.height;
  let view = message.view - 1;
  for (const certificate of message.prepared) {
    if (certificate.height !== height + 1) return 'prepared heights are not contiguous above the final one';
    if (certificate.view > view) return 'prepared views rise with height, or reach the new view';
    height = certificate.height;
    view = certificate.view;
  }
  return undefined;
}

/** What is wrong with a view change as one of a new view whose base is our last final height. */
function viewChangeFault(replica: Replica, message: ViewChange): string | undefined {
  if (message.height !== replica.height) return 'its height is not the base';
  if (message.certificate && !equalBytes(message.certificate.digest, replica.digest)) return 'its final block is not ours';
  for (const certificate of message.prepared) {
    const fault = judgedFault(replica, 'prepare', certificate);
    if (fault) return fault;
  }
  return undefined;
}

export function onViewChange(replica: Replica, message: Verified<ViewChange>, from: string): void {
  if (viewChangeShapeFault(message)) {
    drop(replica, 'PBFT_VIEW_CHANGE_INVALID', from, 'reject');
    return;
  }
  const over = message.view === replica.view && !replica.changing && message.height <= replica.height;
  if (message.view < replica.view || over) return; // helped by its status
  replica.book.addViewChange(message);
}

/** Everything view changes can do in the present state: join f+1 others, and as primary of the new view start it. */
export function advanceViewChange(replica: Replica): void {
  if (!mayVote(replica) || !replica.book.hasViewChanges) return; // as most of the time
  const ahead = replica.book.viewChanges().filter((message) => message.view > replica.view && message.node !== replica.self);
  if (ahead.length > replica.faults) startViewChange(replica, Math.min(...ahead.map((message) => message.view)));
  if (!replica.changing) return;
  const upward = replica.book.viewChanges().filter((message) => message.view >= replica.view);
  if (upward.length < replica.quorum) return;
  // A quorum has left the views below: from now on the new primary is on the clock. Who went further counts, or those behind would wait for
  // ever.
  replica.slot.deadlineMs ??= replica.nowMs + viewTimeoutMs(replica);
  const support = upward.filter((message) => message.view === replica.view);
  if (support.length < replica.quorum) return;
  if (primaryOf(replica, replica.view) === replica.self) startNewView(replica, support);
}

/** The prepare certificate of the highest view just above the base of `messages`, if any was reported. */
function chosenAbove(messages: readonly ViewChange[]): Certificate | undefined {
  let chosen: Certificate | undefined;
  for (const message of messages) {
    const certificate = message.prepared[0];
    if (certificate && (!chosen || certificate.view > chosen.view)) chosen = certificate;
  }
  return chosen;
}

function startNewView(replica: Replica, support: readonly ViewChange[]): void {
  const usable: ViewChange[] = [];
  for (const message of support) {
    if (message.height > replica.height) {
      if (message.certificate && !judgedFault(replica, 'commit', message.certificate)) {
        requestSync(replica, message.height, [message.node]); // a block is final that we lack: first that
        return;
      }
      continue; // a height nobody can prove to us is left out
    }
    if (!viewChangeFault(replica, message)) usable.push(message);
  }
  if (usable.length < replica.quorum) return; // those behind get our certificate and send theirs again; the view's timer runs meanwhile
  const chosen = chosenAbove(usable);
  const message = sign(replica, {
    kind: 'newView',
    view: replica.view,
    viewChanges: usable.map(encodeMessage),
    node: replica.self,
  } as const);
  enterView(replica, replica.view, chosen?.digest);
  replica.newView = encodeMessage(message);
  replica.out.push({ kind: 'broadcast', bytes: replica.newView });
}

/** Opens the view changes of a new view; undefined when it does not prove itself or they do not share one height. */
function openViewChanges(replica: Replica, message: NewView): ViewChange[] | undefined {
  const opened: ViewChange[] = [];
  const signers = new Set<string>();
  for (const bytes of message.viewChanges) {
    const inner = tryDecode(bytes);
    if (inner?.kind !== 'viewChange' || inner.view !== message.view || signers.has(inner.node) || viewChangeShapeFault(inner))
      return undefined;
    if (opened[0] && opened[0].height !== inner.height) return undefined;
    if (!isSigned(replica, inner, bytes)) return undefined;
    signers.add(inner.node);
    opened.push(inner);
  }
  return opened.length >= replica.quorum ? opened : undefined;
}

/** Only its signer answers for an invalid new view, and only where no barrier can lie between us. */
function verdictOn(replica: Replica, message: NewView, from: string): 'ignore' | 'reject' {
  const bases = new Set<number>();
  for (const bytes of message.viewChanges) {
    const inner = tryDecode(bytes);
    if (inner?.kind === 'viewChange') bases.add(inner.height);
  }
  const elsewhere = bases.size === 1 && !bases.has(replica.height); // one of several bases is invalid at every height
  return message.node === from && !elsewhere ? 'reject' : 'ignore';
}

/** A new view whose signature holds. `bytes` are kept, to be handed on to whoever missed it. */
export function onNewView(replica: Replica, message: Verified<NewView>, bytes: Uint8Array, from: string): void {
  if (message.view < replica.view || (message.view === replica.view && !replica.changing)) return;
  if (message.node !== primaryOf(replica, message.view)) {
    drop(replica, 'PBFT_NOT_PRIMARY', from, 'ignore'); // after a barrier we have not seen, another may be primary
    return;
  }
  const opened = openViewChanges(replica, message);
  if (!opened) {
    drop(replica, 'PBFT_NEW_VIEW_INVALID', from, verdictOn(replica, message, from));
    return;
  }
  const base = opened[0]!.height;
  if (base < replica.height) return; // its sender gets our certificate, and every view change is sent again at our height
  if (base > replica.height) {
    const proof = opened.find(({ certificate }) => certificate && !judgedFault(replica, 'commit', certificate));
    if (proof) {
      replica.pendingNewView = { bytes, valid: validIn(replica, bytes) };
      requestSync(replica, base, [message.node, proof.node]);
    }
    return;
  }
  if (opened.some((inner) => viewChangeFault(replica, inner))) {
    drop(replica, 'PBFT_NEW_VIEW_INVALID', from, verdictOn(replica, message, from));
    return;
  }
  if (!mayVote(replica)) return;
  enterView(replica, message.view, chosenAbove(opened)?.digest);
  replica.newView = bytes;
}

/**
 * What a new final block means for the view. Certified in our view or a later one it opens that view for the next height. Certified below
 * our view, it opens nothing there: a new view speaks for the height above its base alone, so everyone sends its view change again at the
 * new base.
 */
export function reopenView(replica: Replica, certificate: Certificate): void {
  adoptView(replica, certificate);
  replica.newView = undefined; // of a base that is over
  if (certificate.view >= replica.view) return;
  replica.changing = true;
  replica.slot.binding = undefined;
  replica.viewChange = undefined;
}

/** Sends the view change of a view that is not open at our height, unless it was sent at this height already. */
export function repeatViewChange(replica: Replica): void {
  if (replica.changing && mayVote(replica) && replica.viewChange?.height !== replica.height) broadcastViewChange(replica);
}

/**
 * A block certified in a view opens it for the height above without a new view: the quorum that committed it was in that view and votes in
 * none below, so nothing above the block can be final in a lower view.
 */
export function adoptView(replica: Replica, certificate: Certificate): void {
  if (certificate.view < replica.view || (certificate.view === replica.view && !replica.changing)) return;
  enterView(replica, certificate.view, undefined);
  replica.newView = undefined;
}
