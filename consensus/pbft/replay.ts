/**
 * The replica and its vote log as a whole: what a restart reads, and what of it is live at a checkpoint. Everything signed and promised
 * comes back; a log that cannot be trusted makes the replica start mute.
 */
import { toHex } from '../../node/format/index.ts';
import type { EngineStart } from '../engine.ts';
import { mint } from './messages.ts';
import { keptBodies, nextHeight, placeKey, type Replica, voteKey } from './replica.ts';
import { decodeRecord, encodeRecord, type LogRecord } from './vote-log.ts';

/** Brings a fresh replica to where its log and its last certificate leave it. */
export function restore(replica: Replica, start: EngineStart): void {
  replay(replica, start.log, start.signedHeight ?? 0);
  const certified = replica.certificate?.view ?? 0;
  if (certified > replica.view || (certified === replica.view && replica.changing && certified > 0)) {
    replica.view = certified; // a certified block proves its view began
    replica.changing = false;
    replica.viewChange = undefined;
    replica.slot.binding = undefined;
  }
  // Entered at a height that is final since, and not certified there: the view is not open here.
  if (!replica.changing && replica.view > certified && replica.slot.binding === undefined) replica.changing = true;
}

/** Everything a restart needs now; what the vote log is cut down to at a stable checkpoint. */
export function liveRecords(replica: Replica): Uint8Array[] {
  const height = nextHeight(replica);
  const records: LogRecord[] = [{ kind: 'mark', stableCheckpoint: replica.stableCheckpoint }];
  for (const publicKey of replica.excludedKeys) records.push({ kind: 'excluded', publicKey });
  if (replica.floor && replica.height < replica.floor.height) records.push({ kind: 'floor', ...replica.floor });
  if (replica.viewChange) records.push({ kind: 'viewChange', message: replica.viewChange });
  else if (replica.changing)
    records.push({ kind: 'entered', view: replica.view, height: replica.height, digest: undefined }); // open below only
  else records.push({ kind: 'entered', view: replica.view, height, digest: replica.slot.binding?.digest });
  for (const { digest, proposals } of replica.slot.bodies.values())
    for (const proposal of proposals) records.push({ kind: 'body', height, digest, proposal });
  for (const proposed of replica.proposed.values()) records.push({ kind: 'proposed', ...proposed });
  for (const vote of replica.signed.values()) if (vote.height >= height) records.push({ kind: 'vote', vote });
  if (replica.slot.prepared) records.push({ kind: 'prepared', certificate: replica.slot.prepared });
  return records.map(encodeRecord);
}

/**
 * Restores what the replica has signed and promised. A log that does not decode, none past genesis, or one that lacks a vote which stands
 * in a stored certificate makes the replica start mute.
 */
function replay(replica: Replica, log: readonly Uint8Array[], signedHeight: number): void {
  let whole = true;
  let through = 0;
  let marked = false;
  for (const bytes of log) {
    let record: LogRecord;
    try {
      record = decodeRecord(bytes);
    } catch {
      whole = false;
      continue;
    }
    marked = true;
    through = Math.max(through, heightPassed(record));
    switch (record.kind) {
      case 'mark':
        replica.stableCheckpoint = Math.max(replica.stableCheckpoint, record.stableCheckpoint);
        break;
      case 'body':
        if (record.height === nextHeight(replica)) {
          const { digest, proposal } = record;
          replica.slot.bodies.set(toHex(digest), { digest, proposals: [...keptBodies(replica, digest), proposal], isProven: false });
        }
        break;
      case 'proposed':
        if (record.height > replica.height) replica.proposed.set(placeKey(record), record);
        break;
      case 'vote': {
        const { vote } = record;
        if (vote.height > replica.height) {
          replica.signed.set(voteKey(vote.kind, vote), vote);
          if (vote.kind !== 'prepare') replica.book.addVote(mint(vote)); // that may not have been said: it is when its block is executed
        }
        break;
      }
      case 'prepared':
        if (record.certificate.height === nextHeight(replica) && record.certificate.view >= (replica.slot.prepared?.view ?? 0))
          replica.slot.prepared = record.certificate;
        break;
      case 'viewChange':
        if (record.message.view >= replica.view) {
          replica.view = record.message.view;
          replica.changing = true;
          replica.viewChange = record.message;
        }
        break;
      case 'entered':
        if (record.view >= replica.view) {
          replica.view = record.view;
          replica.changing = false;
          replica.viewChange = undefined;
          replica.slot.binding = record.height === nextHeight(replica) ? { digest: record.digest } : undefined;
        }
        break;
      case 'floor':
        replica.floor = { height: record.height, view: record.view };
        break;
      case 'excluded':
        replica.excludedKeys.push(record.publicKey);
        break;
    }
  }
  if (replica.viewChange) replica.book.addViewChange(mint(replica.viewChange)); // counts for its view as before
  replica.remembered = through;
  replica.unmarked = !marked && replica.height === 0;
  if (!whole || (!marked && replica.height > 0) || through < signedHeight) replica.muted = { round: replica.height, answers: new Map() };
}

/** Height up to which every commit vote was written before this record was. */
function heightPassed(record: LogRecord): number {
  switch (record.kind) {
    case 'mark':
      return record.stableCheckpoint;
    case 'vote':
      return record.vote.kind === 'prepare' ? record.vote.height - 1 : record.vote.height;
    case 'viewChange':
      return record.message.height;
    case 'body':
    case 'proposed':
    case 'entered':
      return record.height - 1;
    case 'prepared':
      return record.certificate.height - 1;
    case 'floor':
      return record.height;
    case 'excluded':
      return 0;
  }
}
