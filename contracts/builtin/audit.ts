/** Anchors the heads of exchange logs, so that a log cut or changed afterwards shows (design: api, "Exchange log"). */
import { decodeJson } from '../../node/format/index.ts';
import { type BuiltinContract, ContractFailure, type Host } from '../types.ts';
import { entryOf, readableWith, requireRight } from './access.ts';
import { answer, readArguments } from './arguments.ts';
import { auditKey, CONTRACT } from './layout.ts';
import { hex32Problem } from './names.ts';

export interface Anchor {
  readonly node: string;
  /** Hex of the hash chain's head after `count` entries. */
  readonly head: string;
  readonly count: number;
  readonly height: number;
  readonly timestampMs: number;
}

/** What a stored anchor says of the log: the link after so many entries, as the log itself names its head. */
export function anchoredHead(stored: Uint8Array): { readonly sequence: number; readonly link: string } {
  const { count, head } = decodeJson(stored) as unknown as Anchor;
  return { sequence: count, link: head };
}

/** Anchors kept apart by u32 count in their key. */
const COUNT_MAX = 0xffff_ffff;

/**
 * `{node, head, count}` -> the anchor. By an account of the node's own organisation; the count only grows, so an anchor is never replaced.
 */
function anchor(host: Host, bytes: Uint8Array): Uint8Array {
  const args = readArguments(bytes);
  const node = args.text('node');
  const head = args.text('head', hex32Problem);
  const count = args.integer('count', 1, COUNT_MAX);
  args.finish();
  const organisation = requireRight(host, 'transaction:submit');
  const entry = entryOf((contract, key) => host.read(contract, key), 'node', node);
  if (entry?.owner !== organisation) throw new ContractFailure('AUDIT_NODE_FOREIGN', { node, organisation });
  const last = host.get(auditKey.last(node));
  const counted = last ? (decodeJson(last) as unknown as Anchor).count : 0;
  if (count <= counted) throw new ContractFailure('AUDIT_ANCHOR_BEHIND', { node, count, anchored: counted });
  const value: Anchor = { node, head, count, height: host.block.height, timestampMs: host.block.timestampMs };
  host.put(auditKey.last(node), answer(value));
  host.put(auditKey.anchor(node, count), answer(value));
  host.emit('anchored', answer({ node, count }));
  return answer(value);
}

/** `{node}` -> the last anchor. */
function lastQuery(host: Host, bytes: Uint8Array): Uint8Array {
  const args = readArguments(bytes);
  const node = args.text('node');
  args.finish();
  const last = host.get(auditKey.last(node));
  if (!last) throw new ContractFailure('AUDIT_ANCHOR_UNKNOWN', { node });
  return last;
}

export const auditContract: BuiltinContract = {
  name: CONTRACT.audit,
  methods: { anchor },
  queries: readableWith('chain:read', { last: lastQuery }),
};
