/**
 * What PBFT replicas say to each other, and the bytes they sign. One frame is one message: a kind, its fields, its signature.
 * Votes are signed over voteSigningBytes (so that commit votes are the block's certificate); everything else over its own encoding behind
 * the tag `engine-message` and the chain id. Certificates carry the signatures that prove them. PBFT, Castro & Liskov 1999, §4.2 to §4.4.
 */
import {
  decodeAll,
  DecodeError,
  DIGEST_BYTES,
  type Digest,
  domainTag,
  encodeShort,
  NAME_BYTES_MAX,
  type Reader,
  SIGNATURE_BYTES_MAX,
  VALIDATORS_MAX,
  Writer,
} from '../../node/format/index.ts';
import { type Certificate, encodeCertificate, type Place, readCertificate, type VotePhase, voteSigningBytes } from './certificates.ts';

/** Bytes of a proposal: 10,000 transaction hashes, header and seal, with room; the frame stays under 1 MiB. */
export const PROPOSAL_BYTES_MAX = 917_504;
/** Bytes of one view change inside a new view; 2 certificates of VALIDATORS_MAX votes. */
export const VIEW_CHANGE_BYTES_MAX = 65_536;
/** Messages of a recovering replica in a reply to it: its highest vote and its view change. */
export const RECOVERY_MESSAGES_MAX = 2;
/** Heights agreed on at once. The prepared chain of a view change is this long at most. */
export const HEIGHTS_IN_FLIGHT_MAX = 1;

export interface Vote extends Place {
  readonly kind: VotePhase;
  readonly digest: Digest;
  readonly node: string;
  readonly signature: Uint8Array;
}

/** The primary's proposal. The signature covers the hash of the body, so two conflicting ones are evidence without their bodies. */
export interface PrePrepare extends Place {
  readonly kind: 'prePrepare';
  readonly digest: Digest;
  readonly bodyHash: Digest;
  readonly node: string;
  readonly signature: Uint8Array;
  readonly proposal: Uint8Array;
}

/** A promise to vote in no view below `view`, with the sender's highest commit certificate and what it had prepared above it. */
export interface ViewChange {
  readonly kind: 'viewChange';
  readonly view: number;
  /** Last final height of the sender; `certificate` proves it and is absent at genesis only. */
  readonly height: number;
  readonly certificate: Certificate | undefined;
  /** Prepare certificates of height + 1 and on, contiguous, views never rising; at most HEIGHTS_IN_FLIGHT_MAX. */
  readonly prepared: readonly Certificate[];
  readonly node: string;
  readonly signature: Uint8Array;
}

/** A quorum of view changes: what the new primary must propose again follows from them alone. */
export interface NewView {
  readonly kind: 'newView';
  readonly view: number;
  readonly viewChanges: readonly Uint8Array[];
  readonly node: string;
  readonly signature: Uint8Array;
}

/** Where a replica stands; whoever is further on answers with what the sender lacks. */
export interface Status {
  readonly kind: 'status';
  readonly height: number;
  readonly view: number;
  readonly changing: boolean;
  readonly node: string;
  readonly signature: Uint8Array;
}

/** Proves that a height is final. Carries no signature of the forwarder. */
export interface Committed {
  readonly kind: 'committed';
  readonly certificate: Certificate;
}

/** Asks who prepared a digest for its body. */
export interface Fetch {
  readonly kind: 'fetch';
  readonly height: number;
  readonly digest: Digest;
  readonly node: string;
  readonly signature: Uint8Array;
}

export interface Body {
  readonly kind: 'body';
  readonly height: number;
  readonly digest: Digest;
  readonly proposal: Uint8Array;
  readonly node: string;
  readonly signature: Uint8Array;
}

/** A replica that lost its vote log asks what it may have signed. `round` is its height then, and binds replies to this query. */
export interface RecoveryQuery {
  readonly kind: 'recoveryQuery';
  readonly round: number;
  readonly node: string;
  readonly signature: Uint8Array;
}

/**
 * Answer to a RecoveryQuery: what shows how far `about` may have signed. It claims nothing that signatures do not prove: it holds the
 * sender's highest commit certificate, and the latest messages signed by `about` that the sender has.
 */
export interface RecoveryReply {
  readonly kind: 'recoveryReply';
  readonly about: string;
  readonly round: number;
  /** Of the sender's last final height; absent at genesis only. */
  readonly certificate: Certificate | undefined;
  /** Encoded votes and view changes signed by `about`; at most RECOVERY_MESSAGES_MAX. */
  readonly messages: readonly Uint8Array[];
  readonly node: string;
  readonly signature: Uint8Array;
}

export type Message = Vote | PrePrepare | ViewChange | NewView | Status | Committed | Fetch | Body | RecoveryQuery | RecoveryReply;
/** Everything signed behind `engine-message`. */
export type Plain = Exclude<Message, Vote | Committed>;

declare const verified: unique symbol;
/** Minted only by admission: the signature holds and the signer is a validator of the height being decided. */
export type Verified<M> = M & { readonly [verified]: true };

/** The one place where a message becomes `Verified`: its signature was found valid, or is our own. */
export function mint<M>(message: M): Verified<M> {
  return message as Verified<M>;
}

const KIND_NUMBER = {
  prepare: 1,
  commit: 2,
  checkpoint: 3,
  prePrepare: 4,
  viewChange: 5,
  newView: 6,
  status: 7,
  committed: 8,
  fetch: 9,
  body: 10,
  recoveryQuery: 11,
  recoveryReply: 12,
} as const satisfies Record<Message['kind'], number>;
const KIND_NAME = new Map<number, Message['kind']>(Object.entries(KIND_NUMBER).map(([name, number]) => [number, name as Message['kind']]));

type Unsigned<M> = M extends unknown ? Omit<M, 'signature'> : never;

/** Fields of a plain message in signing order; a body or proposal stands outside, behind its hash. */
function writePlain(writer: Writer, message: Unsigned<Plain>): Writer {
  writer.u8(KIND_NUMBER[message.kind]).text(message.node);
  switch (message.kind) {
    case 'prePrepare':
      return writer.u64(message.view).u64(message.height).fixed(message.digest, DIGEST_BYTES).fixed(message.bodyHash, DIGEST_BYTES);
    case 'viewChange':
      return writer
        .u64(message.view)
        .u64(message.height)
        .optional(message.certificate, (w, certificate) => w.bytes(encodeCertificate(certificate)))
        .u32(HEIGHTS_IN_FLIGHT_MAX)
        .list(message.prepared, (w, certificate) => w.bytes(encodeCertificate(certificate)));
    case 'newView':
      return writer.u64(message.view).list(message.viewChanges, (w, bytes) => w.bytes(bytes));
    case 'status':
      return writer.u64(message.height).u64(message.view).bool(message.changing);
    case 'fetch':
      return writer.u64(message.height).fixed(message.digest, DIGEST_BYTES);
    case 'body':
      return writer.u64(message.height).fixed(message.digest, DIGEST_BYTES).bytes(message.proposal);
    case 'recoveryQuery':
      return writer.u64(message.round);
    case 'recoveryReply':
      return writer
        .text(message.about)
        .u64(message.round)
        .optional(message.certificate, (w, certificate) => w.bytes(encodeCertificate(certificate)))
        .list(message.messages, (w, bytes) => w.bytes(bytes));
  }
}

/** The bytes a signature of `message` covers. */
export function signingBytes(chainId: Digest, message: Unsigned<Vote> | Unsigned<Plain>): Uint8Array {
  switch (message.kind) {
    case 'prepare':
    case 'commit':
    case 'checkpoint':
      return voteSigningBytes(chainId, message.kind, message);
    default:
      return encodeShort(writePlainText, { chainId, message });
  }
}

function writePlainText(writer: Writer, { chainId, message }: { readonly chainId: Digest; readonly message: Unsigned<Plain> }): void {
  writePlain(writer.raw(domainTag('engine-message')).raw(chainId), message);
}

export function encodeMessage(message: Message): Uint8Array {
  switch (message.kind) {
    case 'prepare':
    case 'commit':
    case 'checkpoint':
      return encodeShort(writeVote, message);
    case 'committed':
      return new Writer(512).u8(KIND_NUMBER.committed).bytes(encodeCertificate(message.certificate)).finish();
    case 'prePrepare':
      return writePlain(new Writer(256 + message.proposal.length), message)
        .bytes(message.signature)
        .bytes(message.proposal)
        .finish();
    default:
      return writePlain(new Writer(1024), message).bytes(message.signature).finish();
  }
}

function writeVote(writer: Writer, { kind, node, view, height, digest, signature }: Vote): void {
  writer.u8(KIND_NUMBER[kind]).text(node).u64(view).u64(height).fixed(digest, DIGEST_BYTES).bytes(signature);
}

/** True for the kinds that carry certificates of many views, told by the first byte. */
export function holdsCertificates(bytes: Uint8Array): boolean {
  return bytes[0] === KIND_NUMBER.viewChange || bytes[0] === KIND_NUMBER.newView;
}

function certificateInside(reader: Reader): Certificate {
  return decodeAll(reader.bytes(VIEW_CHANGE_BYTES_MAX), readCertificate);
}

function readMessage(reader: Reader): Message {
  const kind = KIND_NAME.get(reader.u8());
  if (kind === 'committed') return { kind, certificate: certificateInside(reader) };
  const node = reader.text(NAME_BYTES_MAX);
  const digest = () => reader.fixed(DIGEST_BYTES);
  const signature = () => reader.bytes(SIGNATURE_BYTES_MAX);
  switch (kind) {
    case 'prepare':
    case 'commit':
    case 'checkpoint':
      return { kind, node, view: reader.u64(), height: reader.u64(), digest: digest(), signature: signature() };
    case 'prePrepare':
      return {
        kind,
        node,
        view: reader.u64(),
        height: reader.u64(),
        digest: digest(),
        bodyHash: digest(),
        signature: signature(),
        proposal: reader.bytes(PROPOSAL_BYTES_MAX),
      };
    case 'viewChange': {
      const view = reader.u64();
      const height = reader.u64();
      const certificate = reader.optional(certificateInside);
      const window = reader.u32();
      const prepared = reader.list(certificateInside, Math.min(window, HEIGHTS_IN_FLIGHT_MAX));
      return { kind, node, view, height, certificate, prepared, signature: signature() };
    }
    case 'newView':
      return {
        kind,
        node,
        view: reader.u64(),
        viewChanges: reader.list((r) => r.bytes(VIEW_CHANGE_BYTES_MAX), VALIDATORS_MAX),
        signature: signature(),
      };
    case 'status':
      return { kind, node, height: reader.u64(), view: reader.u64(), changing: reader.bool(), signature: signature() };
    case 'fetch':
      return { kind, node, height: reader.u64(), digest: digest(), signature: signature() };
    case 'body':
      return { kind, node, height: reader.u64(), digest: digest(), proposal: reader.bytes(PROPOSAL_BYTES_MAX), signature: signature() };
    case 'recoveryQuery':
      return { kind, node, round: reader.u64(), signature: signature() };
    case 'recoveryReply':
      return {
        kind,
        node,
        about: reader.text(NAME_BYTES_MAX),
        round: reader.u64(),
        certificate: reader.optional(certificateInside),
        messages: reader.list((r) => r.bytes(VIEW_CHANGE_BYTES_MAX), RECOVERY_MESSAGES_MAX),
        signature: signature(),
      };
    case undefined:
      throw new DecodeError('unknown message kind');
  }
}

/** Byte strings of the result are views on `bytes`. @throws DecodeError */
export function decodeMessage(bytes: Uint8Array): Message {
  return decodeAll(bytes, readMessage);
}
