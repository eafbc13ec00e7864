/**
 * What frames say. A frame on `votes` is one consensus message, bytes as the engine made them. A frame on `bulk` is one message of this
 * page: a kind byte, for questions and answers a request id, then the fields. Canonical, so that a decoder refuses everything else.
 */
import {
  BLOCK_TRANSACTIONS_LIMIT,
  DecodeError,
  decodeAll,
  DIGEST_BYTES,
  FINALITY_BYTES_MAX,
  type Digest,
  NAME_BYTES_MAX,
  type Reader,
  TRANSACTION_BYTES_MAX,
  Writer,
} from '../format/index.ts';

/** Blocks or headers in one answer. */
export const ANSWER_BLOCKS_MAX = 256;
/** Bytes of blocks in one answer; one block alone may be larger. */
export const ANSWER_BYTES_MAX = 4_194_304;
export const CODE_BYTES_MAX = 64;
/** Bytes of a store key asked for. */
export const ROW_KEY_BYTES_MAX = 1024;
/** Changes of a sealed store in one answer, id of its log, and the name of the key they are encrypted under. */
export const SEALED_CHANGES_MAX = 256;
const LOG_ID_BYTES = 16;
/** What stands around one part of a message, most proofs of finality included, about. */
const PART_BYTES = 1_024;

export interface BlockAnswer {
  /** Exact bytes of the block: header, seal, transactions. */
  readonly block: Uint8Array;
  readonly finality: Uint8Array | undefined;
}

export interface HeaderAnswer {
  readonly header: Uint8Array;
  readonly finality: Uint8Array | undefined;
}

/** A change of a sealed store, readable only for the nodes of one organisation. */
export interface SealedBox {
  readonly sequence: number;
  /** Sealing key of the organisation that the box opens with. */
  readonly keyId: string;
  readonly box: Uint8Array;
}

export type Question =
  /** Changes of the asked node's sealed store after `after`; from the first when `log` is not its log. */
  | { readonly kind: 'getSealed'; readonly id: number; readonly log: Uint8Array; readonly after: number }
  | { readonly kind: 'getTransactions'; readonly id: number; readonly hashes: readonly Digest[] }
  | { readonly kind: 'getBlocks'; readonly id: number; readonly fromHeight: number; readonly count: number; readonly bytesMax: number }
  | { readonly kind: 'getHeaders'; readonly id: number; readonly fromHeight: number; readonly count: number }
  /** One row of the ledger's store, for a node whose own is damaged; a value of the state as of `height`. */
  | { readonly kind: 'getRow'; readonly id: number; readonly key: Uint8Array; readonly height: number };

export type Answer =
  | { readonly kind: 'transactionsAnswer'; readonly id: number; readonly transactions: readonly Uint8Array[] }
  | { readonly kind: 'blocksAnswer'; readonly id: number; readonly blocks: readonly BlockAnswer[] }
  | { readonly kind: 'headersAnswer'; readonly id: number; readonly headers: readonly HeaderAnswer[] }
  | { readonly kind: 'sealedAnswer'; readonly id: number; readonly log: Uint8Array; readonly boxes: readonly SealedBox[] }
  | { readonly kind: 'rowAnswer'; readonly id: number; readonly row: Uint8Array | undefined }
  /** The question will not be answered; `code` of the error table. */
  | { readonly kind: 'declined'; readonly id: number; readonly code: string };

export type BulkMessage =
  /** Transactions spread by whoever admitted them. */
  | { readonly kind: 'transactions'; readonly transactions: readonly Uint8Array[] }
  /** Last final block of the sender. */
  | { readonly kind: 'status'; readonly height: number; readonly hash: Digest }
  /** The sender's sealed store has changes up to this one; sent to the nodes of its organisation only. */
  | { readonly kind: 'sealedHead'; readonly log: Uint8Array; readonly sequence: number }
  | Question
  | Answer;

/** Numbers are part of the protocol: never reused. */
const KIND = {
  transactions: 1,
  status: 2,
  getTransactions: 3,
  getBlocks: 4,
  getHeaders: 5,
  transactionsAnswer: 6,
  blocksAnswer: 7,
  headersAnswer: 8,
  declined: 9,
  getRow: 10,
  rowAnswer: 11,
  sealedHead: 12,
  getSealed: 13,
  sealedAnswer: 14,
} as const satisfies Record<BulkMessage['kind'], number>;

export function encodeBulkMessage(message: BulkMessage): Uint8Array {
  const w = new Writer(bytesExpected(message)).u8(KIND[message.kind]);
  if ('id' in message) w.u32(message.id);
  switch (message.kind) {
    case 'transactions':
    case 'transactionsAnswer':
      w.list(message.transactions, (each, bytes) => each.bytes(bytes));
      break;
    case 'status':
      w.u64(message.height).fixed(message.hash, DIGEST_BYTES);
      break;
    case 'getTransactions':
      w.list(message.hashes, (each, hash) => each.fixed(hash, DIGEST_BYTES));
      break;
    case 'getBlocks':
      w.u64(message.fromHeight).u32(message.count).u32(message.bytesMax);
      break;
    case 'getHeaders':
      w.u64(message.fromHeight).u32(message.count);
      break;
    case 'blocksAnswer':
      w.list(message.blocks, (each, { block, finality }) => writeFinality(each.bytes(block), finality));
      break;
    case 'headersAnswer':
      w.list(message.headers, (each, { header, finality }) => writeFinality(each.bytes(header), finality));
      break;
    case 'getRow':
      w.bytes(message.key).u64(message.height);
      break;
    case 'sealedHead':
      w.fixed(message.log, LOG_ID_BYTES).u64(message.sequence);
      break;
    case 'getSealed':
      w.fixed(message.log, LOG_ID_BYTES).u64(message.after);
      break;
    case 'sealedAnswer':
      w.fixed(message.log, LOG_ID_BYTES).list(message.boxes, (each, { sequence, keyId, box }) => each.u64(sequence).text(keyId).bytes(box));
      break;
    case 'rowAnswer':
      w.optional(message.row, (each, row) => each.bytes(row));
      break;
    case 'declined':
      w.text(message.code);
      break;
  }
  return w.finish();
}

/** So that an answer of megabytes is written in one piece of memory and not moved as it grows. */
function bytesExpected(message: BulkMessage): number {
  switch (message.kind) {
    case 'transactions':
    case 'transactionsAnswer':
      return sum(message.transactions, (bytes) => bytes.length);
    case 'blocksAnswer':
      return sum(message.blocks, ({ block }) => block.length);
    case 'sealedAnswer':
      return sum(message.boxes, ({ box }) => box.length);
    case 'rowAnswer':
      return PART_BYTES + (message.row?.length ?? 0);
    default:
      return PART_BYTES;
  }
}

function sum<T>(parts: readonly T[], bytesOf: (part: T) => number): number {
  return parts.reduce((bytes, part) => bytes + bytesOf(part) + PART_BYTES, PART_BYTES);
}

function writeFinality(w: Writer, finality: Uint8Array | undefined): void {
  w.optional(finality, (each, bytes) => each.bytes(bytes));
}

const readFinality = (r: Reader): Uint8Array | undefined => r.optional((each) => each.bytes(FINALITY_BYTES_MAX));

/** @throws DecodeError */
export function decodeBulkMessage(bytes: Uint8Array): BulkMessage {
  return decodeAll(bytes, (r) => {
    const kind = r.u8();
    switch (kind) {
      case KIND.transactions:
        return { kind: 'transactions', transactions: readTransactions(r) };
      case KIND.status:
        return { kind: 'status', height: r.u64(), hash: r.fixed(DIGEST_BYTES) };
      case KIND.getTransactions:
        return { kind: 'getTransactions', id: r.u32(), hashes: r.list((each) => each.fixed(DIGEST_BYTES), BLOCK_TRANSACTIONS_LIMIT) };
      case KIND.getBlocks:
        return { kind: 'getBlocks', id: r.u32(), fromHeight: r.u64(), count: r.u32(), bytesMax: r.u32() };
      case KIND.getHeaders:
        return { kind: 'getHeaders', id: r.u32(), fromHeight: r.u64(), count: r.u32() };
      case KIND.transactionsAnswer:
        return { kind: 'transactionsAnswer', id: r.u32(), transactions: readTransactions(r) };
      case KIND.blocksAnswer:
        return {
          kind: 'blocksAnswer',
          id: r.u32(),
          blocks: r.list((each) => ({ block: each.bytes(), finality: readFinality(each) }), ANSWER_BLOCKS_MAX),
        };
      case KIND.headersAnswer:
        return {
          kind: 'headersAnswer',
          id: r.u32(),
          headers: r.list((each) => ({ header: each.bytes(), finality: readFinality(each) }), ANSWER_BLOCKS_MAX),
        };
      case KIND.getRow:
        return { kind: 'getRow', id: r.u32(), key: r.bytes(ROW_KEY_BYTES_MAX), height: r.u64() };
      case KIND.rowAnswer:
        return { kind: 'rowAnswer', id: r.u32(), row: r.optional((each) => each.bytes()) };
      case KIND.sealedHead:
        return { kind: 'sealedHead', log: r.fixed(LOG_ID_BYTES), sequence: r.u64() };
      case KIND.getSealed:
        return { kind: 'getSealed', id: r.u32(), log: r.fixed(LOG_ID_BYTES), after: r.u64() };
      case KIND.sealedAnswer:
        return {
          kind: 'sealedAnswer',
          id: r.u32(),
          log: r.fixed(LOG_ID_BYTES),
          boxes: r.list((each) => ({ sequence: each.u64(), keyId: each.text(NAME_BYTES_MAX), box: each.bytes() }), SEALED_CHANGES_MAX),
        };
      case KIND.declined:
        return { kind: 'declined', id: r.u32(), code: r.text(CODE_BYTES_MAX) };
      default:
        throw new DecodeError(`message kind is ${kind}`);
    }
  });
}

function readTransactions(r: Reader): Uint8Array[] {
  return r.list((each) => each.bytes(TRANSACTION_BYTES_MAX), BLOCK_TRANSACTIONS_LIMIT);
}
