/**
 * Checkpoints (PBFT §4.3): every checkpointIntervalBlocks the replica signs the final digest, which covers the state; a quorum of such
 * votes is the stable checkpoint, and what the vote log holds from before it goes. The low water mark is the last final height: with one
 * height in flight nothing below it can be voted on again.
 */
import { liveRecords } from './replay.ts';
import { castVote, mayVote, note, ownVote, type Replica } from './replica.ts';

/** Checkpoint votes name no view: they must add up over views. */
const NO_VIEW = 0;

export function onFinalHeight(replica: Replica): void {
  if (replica.height % replica.parameters.checkpointIntervalBlocks !== 0 || !mayVote(replica)) return;
  const place = { height: replica.height, view: NO_VIEW };
  castVote(replica, 'checkpoint', place, replica.digest);
  replica.checkpoint = ownVote(replica, 'checkpoint', place);
}

export function advanceCheckpoint(replica: Replica): void {
  const own = replica.checkpoint;
  if (!own || own.height <= replica.stableCheckpoint) return;
  if (replica.book.votes('checkpoint', own, own.digest).length < replica.quorum) return;
  replica.stableCheckpoint = own.height;
  replica.out.push({ kind: 'truncate', keep: liveRecords(replica) });
  note(replica, 'checkpoint stable', { height: own.height });
}
