/**
 * The vote log: the replica's only memory of what it signed. Records are written before what they describe leaves, so replaying them
 * brings the replica back to its view, its prepared certificate and every digest it is bound to. Replay is idempotent.
 */
import { decodeAll, DecodeError, DIGEST_BYTES, type Digest, encodeShort, SIGNATURE_BYTES_MAX, Writer } from '../../node/format/index.ts';
import { type Certificate, encodeCertificate, readCertificate } from './certificates.ts';
import { decodeMessage, encodeMessage, PROPOSAL_BYTES_MAX, type ViewChange, type Vote } from './messages.ts';

/** Longest public key of any suite, in bytes. */
const PUBLIC_KEY_BYTES_MAX = 128;

export type LogRecord =
  /** The log exists; everything up to the stable checkpoint was dropped. */
  | { readonly kind: 'mark'; readonly stableCheckpoint: number }
  /** Body of a proposal voted for, kept until its height is final. */
  | { readonly kind: 'body'; readonly height: number; readonly digest: Digest; readonly proposal: Uint8Array }
  /** As primary: the one proposal signed for (height, view). */
  | { readonly kind: 'proposed'; readonly height: number; readonly view: number; readonly digest: Digest; readonly signature: Uint8Array }
  /** `frame` is its encoding, where that is at hand. */
  | { readonly kind: 'vote'; readonly vote: Vote; readonly frame?: Uint8Array }
  | { readonly kind: 'prepared'; readonly certificate: Certificate }
  | { readonly kind: 'viewChange'; readonly message: ViewChange }
  /** A view entered, and the digest its new view binds `height` to. */
  | { readonly kind: 'entered'; readonly view: number; readonly height: number; readonly digest: Digest | undefined }
  /** After a lost log: no part is taken at heights up to `height`, nor in views below `view`. */
  | { readonly kind: 'floor'; readonly height: number; readonly view: number }
  /** Somebody else votes with this key: it signs nothing more here. */
  | { readonly kind: 'excluded'; readonly publicKey: Uint8Array };

const NUMBER = { mark: 1, body: 2, proposed: 3, vote: 4, prepared: 5, viewChange: 6, entered: 7, floor: 8, excluded: 9 } as const;

/** Bytes of a body's record beside the proposal. */
const BODY_BYTES = 64;

export function encodeRecord(record: LogRecord): Uint8Array {
  if (record.kind !== 'body') return encodeShort(writeRecord, record);
  const writer = new Writer(BODY_BYTES + record.proposal.length);
  writeRecord(writer, record);
  return writer.finish();
}

function writeRecord(writer: Writer, record: LogRecord): void {
  writer.u8(NUMBER[record.kind]);
  switch (record.kind) {
    case 'mark':
      writer.u64(record.stableCheckpoint);
      break;
    case 'body':
      writer.u64(record.height).fixed(record.digest, DIGEST_BYTES).bytes(record.proposal);
      break;
    case 'proposed':
      writer.u64(record.height).u64(record.view).fixed(record.digest, DIGEST_BYTES).bytes(record.signature);
      break;
    case 'vote':
      writer.bytes(record.frame ?? encodeMessage(record.vote));
      break;
    case 'prepared':
      writer.bytes(encodeCertificate(record.certificate));
      break;
    case 'viewChange':
      writer.bytes(encodeMessage(record.message));
      break;
    case 'entered':
      writer
        .u64(record.view)
        .u64(record.height)
        .optional(record.digest, (w, digest) => w.fixed(digest, DIGEST_BYTES));
      break;
    case 'floor':
      writer.u64(record.height).u64(record.view);
      break;
    case 'excluded':
      writer.bytes(record.publicKey);
      break;
  }
}

/** @throws DecodeError */
export function decodeRecord(bytes: Uint8Array): LogRecord {
  return decodeAll(bytes, (reader): LogRecord => {
    const number = reader.u8();
    switch (number) {
      case NUMBER.mark:
        return { kind: 'mark', stableCheckpoint: reader.u64() };
      case NUMBER.body:
        return { kind: 'body', height: reader.u64(), digest: reader.fixed(DIGEST_BYTES), proposal: reader.bytes(PROPOSAL_BYTES_MAX) };
      case NUMBER.proposed:
        return {
          kind: 'proposed',
          height: reader.u64(),
          view: reader.u64(),
          digest: reader.fixed(DIGEST_BYTES),
          signature: reader.bytes(SIGNATURE_BYTES_MAX),
        };
      case NUMBER.vote: {
        const vote = decodeMessage(reader.bytes());
        if (vote.kind !== 'prepare' && vote.kind !== 'commit' && vote.kind !== 'checkpoint') throw new DecodeError('record is no vote');
        return { kind: 'vote', vote };
      }
      case NUMBER.prepared:
        return { kind: 'prepared', certificate: decodeAll(reader.bytes(), readCertificate) };
      case NUMBER.viewChange: {
        const message = decodeMessage(reader.bytes());
        if (message.kind !== 'viewChange') throw new DecodeError('record is no view change');
        return { kind: 'viewChange', message };
      }
      case NUMBER.entered:
        return { kind: 'entered', view: reader.u64(), height: reader.u64(), digest: reader.optional((r) => r.fixed(DIGEST_BYTES)) };
      case NUMBER.floor:
        return { kind: 'floor', height: reader.u64(), view: reader.u64() };
      case NUMBER.excluded:
        return { kind: 'excluded', publicKey: reader.bytes(PUBLIC_KEY_BYTES_MAX) };
      default:
        throw new DecodeError(`unknown record ${number}`);
    }
  });
}
