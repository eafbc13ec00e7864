/**
 * The one table of key prefixes of the database. A prefix is one byte in front of every key; a retired row stays, so that its byte is
 * never used again. Heights are u64Key (8 bytes, big-endian), so that they sort as they count.
 */
import { type ByteText, prefixEnd } from '../format/index.ts';

export interface KeyspaceRow {
  /** One byte. */
  readonly prefix: ByteText;
  readonly key: string;
  readonly value: string;
  /** True for what follows final blocks off the commit path and can be rebuilt from them. */
  readonly rebuildable: boolean;
  readonly retired?: true;
}

export const keyspaceTable = {
  meta: { prefix: 'M', key: 'name', value: 'head, format version, indexed heights', rebuildable: false },
  header: { prefix: 'h', key: 'height', value: 'header bytes', rebuildable: false },
  body: { prefix: 'b', key: 'height', value: 'place of the body in the block files', rebuildable: false },
  certificate: { prefix: 'c', key: 'height', value: 'certificate bytes', rebuildable: false },
  receipts: { prefix: 'r', key: 'height', value: 'receipts of the block', rebuildable: false },
  heightByHash: { prefix: 'H', key: 'block hash', value: 'height', rebuildable: false },
  positionById: { prefix: 't', key: 'transaction id', value: 'height and index', rebuildable: false },
  undo: { prefix: 'u', key: 'height', value: 'state values before the block', rebuildable: false },
  state: { prefix: 's', key: 'contract, 0x00, key', value: 'state value, or the height of its stateValue row', rebuildable: false },
  stateValue: { prefix: 'V', key: 'height, contract, 0x00, key', value: 'state value too large for its state row', rebuildable: false },
  mapNode: { prefix: 'n', key: 'node of the authenticated map', value: 'node bytes', rebuildable: false, retired: true },
  mapRoot: { prefix: 'N', key: 'height', value: 'root of the authenticated map', rebuildable: false, retired: true },
  mapChanges: {
    prefix: 'd',
    key: 'height',
    value: 'keys of the state that the block wrote, with the hashes of their values',
    rebuildable: true,
  },
  mapSnapshot: { prefix: 'D', key: 'height, number', value: 'frame of a snapshot of the authenticated map', rebuildable: true },
  contractImage: { prefix: 'I', key: 'code digest', value: 'heap image of a live contract', rebuildable: true },
  configuration: { prefix: 'C', key: 'height of the barrier', value: 'consensus configuration', rebuildable: false },
  outbox: { prefix: 'o', key: 'height, position', value: 'event', rebuildable: true },
  outboxCursor: { prefix: 'O', key: 'subscriber', value: 'height, position', rebuildable: false },
  index: { prefix: 'i', key: 'index name, 0x00, indexed value, record', value: 'empty or row', rebuildable: true },
  alarm: { prefix: 'a', key: 'alarm id', value: 'alarm', rebuildable: false },
  exchangeLog: { prefix: 'x', key: 'entry number', value: 'entry of the exchange log', rebuildable: false },
  sealed: { prefix: 'S', key: 'record id', value: 'encrypted field values', rebuildable: false },
  peer: { prefix: 'p', key: 'node id', value: 'addresses seen', rebuildable: true },
  config: { prefix: 'g', key: 'name', value: 'setting of this node kept across starts', rebuildable: false },
  account: { prefix: 'l', key: 'login data of an account', value: 'salted hashes, never on chain', rebuildable: false },
  pendingBody: {
    prefix: 'P',
    key: 'height, block hash',
    value: 'transactions of a proposal voted for',
    rebuildable: false,
    retired: true,
  },
  idempotencyExpiry: { prefix: 'K', key: 'expiry, account, idempotency key', value: 'empty', rebuildable: true },
  idempotency: { prefix: 'k', key: 'account, idempotency key', value: 'answer', rebuildable: true },
} as const satisfies Readonly<Record<string, KeyspaceRow>>;

export type KeyspaceName = keyof typeof keyspaceTable;

/** Prefix by name: `keyspace.header + u64Key(height)`. */
export const keyspace = Object.fromEntries(Object.entries(keyspaceTable).map(([name, row]) => [name, row.prefix])) as {
  readonly [name in KeyspaceName]: ByteText;
};

/** Bounds of one row's keys, for Store.range. */
export function keyspaceRange(name: KeyspaceName): { readonly from: ByteText; readonly to: ByteText } {
  return { from: keyspace[name], to: prefixEnd(keyspace[name])! };
}

/** Eight big-endian bytes. @throws RangeError unless `value` is a non-negative safe integer. */
export function u64Key(value: number): ByteText {
  if (!Number.isSafeInteger(value) || value < 0) throw new RangeError(`Cannot make a key of ${value}`);
  let text = '';
  for (let i = 0, rest = value; i < 8; i++, rest = Math.floor(rest / 256)) text = String.fromCharCode(rest % 256) + text;
  return text;
}
