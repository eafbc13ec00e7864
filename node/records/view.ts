/** How a stored record is answered. `record` is the sealed content as submitted: RFC 8785 of it, hashed with SHA-256, repeats `recordDigest`. */
import {
  type Crypto,
  decodeContent,
  DIGEST_ALGORITHM,
  type Digest,
  formatTime,
  isSealed,
  type Json,
  recordDigest,
  type StoredRecord,
  type TextTree,
  toHex,
} from '../format/index.ts';
import type { SealedValue } from './prepare.ts';

export interface RecordViewOptions {
  readonly blockHash: Digest;
  /** Clear values for a caller who may read them. */
  readonly sealed?: readonly SealedValue[];
  /** Its sealed values were erased. */
  readonly erased?: boolean;
}

const US_PER_MS = 1_000n;

export function viewRecord(crypto: Pick<Crypto, 'hash'>, recordId: Digest, record: StoredRecord, options: RecordViewOptions) {
  const content = record.content.length === 0 ? null : decodeContent(record.content);
  const digest = toHex(recordDigest(crypto, record.content));
  const commitments = content === null ? [] : commitmentsOf(content, '');
  const clear = (options.sealed ?? []).filter(({ commitment }) => commitments.some((held) => held.commitment === commitment));
  return {
    id: toHex(recordId),
    version: record.version,
    class: record.class,
    classVersion: record.classVersion,
    org: record.org,
    actor: record.actor,
    key: record.key,
    state: record.state,
    ...(content !== null && commitments.length === 0 ? { contentDigest: digest } : {}),
    recordDigest: digest,
    digestAlg: DIGEST_ALGORITHM,
    record: content as Json,
    ...(Object.keys(record.source).length > 0 ? { source: record.source } : {}),
    ...(record.change ? { change: { reason: record.change.reason, digestBefore: toHex(record.change.digestBefore) } } : {}),
    ...(clear.length > 0 ? { sealed: clear.map(({ path, value, salt }) => ({ path, value, salt: toHex(salt) })) } : {}),
    ...(options.erased ? { erased: commitments.map(({ path }) => path) } : {}),
    block: { height: record.height, hash: toHex(options.blockHash), transactionId: toHex(record.transactionId) },
    committedAt: formatTime(BigInt(record.committedAtMs) * US_PER_MS)!,
  } satisfies { readonly [name: string]: Json };
}

export type RecordView = ReturnType<typeof viewRecord>;

function commitmentsOf(value: TextTree, path: string): { readonly path: string; readonly commitment: string }[] {
  if (typeof value === 'string') return [];
  if (isSealed(value)) return [{ path, commitment: value.sealed }];
  const entries = Array.isArray(value) ? value.map((item, i): [string, TextTree] => [`${i + 1}`, item]) : Object.entries(value);
  return entries.flatMap(([name, member]) => commitmentsOf(member, path === '' ? name : `${path}.${name}`));
}
