/**
 * How a stored record is answered. `record` is the sealed content as submitted: RFC 8785 of it, hashed with SHA-256, repeats
 * `recordDigest`.
 */
import {
  DIGEST_ALGORITHM,
  type Digest,
  formatTime,
  isSealed,
  type Json,
  type StoredRecord,
  type TextStruct,
  type TextTree,
  toHex,
} from '../format/index.ts';
import type { FillingMapping } from './filled.ts';
import type { SealedValue } from './prepare.ts';

export interface RecordViewOptions {
  /** What the record's content says; null when it was deleted. */
  readonly content: TextStruct | null;
  /** Identity within class and organisation: names and texts. */
  readonly key: { readonly [name: string]: string };
  readonly blockHash: Digest;
  /** Clear values for a caller who may read them. */
  readonly sealed?: readonly SealedValue[];
  /** Its sealed values were erased. */
  readonly erased?: boolean;
  /** What the registry says of the mappings that filled in values. */
  readonly mappings?: readonly FillingMapping[];
}

const US_PER_MS = 1_000n;
/** Values looked at between two pauses. */
const STEP_VALUES = 256;

/** A record may hold tens of thousands of sealed values. */
export function* viewSteps(recordId: Digest, record: StoredRecord, options: RecordViewOptions) {
  const { content } = options;
  const digest = toHex(record.recordDigest);
  const commitments: { readonly path: string; readonly commitment: string }[] = [];
  if (content !== null) yield* collectCommitments(content, '', commitments);
  const held = new Set<string>();
  for (const { commitment } of commitments) held.add(commitment);
  yield;
  const clear: { readonly path: string; readonly value: string; readonly salt: string }[] = [];
  for (const { path, value, salt, commitment } of options.sealed ?? []) {
    if (held.has(commitment)) clear.push({ path, value, salt: toHex(salt) });
    if (clear.length % STEP_VALUES === 0) yield;
  }
  yield;
  return {
    id: toHex(recordId),
    version: record.version,
    class: record.class,
    classVersion: record.classVersion,
    org: record.org,
    actor: record.actor,
    key: options.key,
    state: record.state,
    ...(content !== null && commitments.length === 0 ? { contentDigest: digest } : {}),
    recordDigest: digest,
    digestAlg: DIGEST_ALGORITHM,
    record: content as Json,
    ...(Object.keys(record.source).length > 0 ? { source: record.source } : {}),
    ...(record.change ? { change: { reason: record.change.reason, digestBefore: toHex(record.change.digestBefore) } } : {}),
    ...(clear.length > 0 ? { sealed: clear } : {}),
    ...(options.mappings && options.mappings.length > 0 ? { mappings: options.mappings.map((mapping) => ({ ...mapping })) } : {}),
    ...(options.erased ? { erased: commitments.map(({ path }) => path) } : {}),
    block: { height: record.height, hash: toHex(options.blockHash), transactionId: toHex(record.transactionId) },
    committedAt: formatTime(BigInt(record.committedAtMs) * US_PER_MS)!,
  } satisfies { readonly [name: string]: Json };
}

function* collectCommitments(
  value: TextTree,
  path: string,
  out: { readonly path: string; readonly commitment: string }[],
): Generator<void, void, void> {
  if (typeof value === 'string') return;
  if (isSealed(value)) return void out.push({ path, commitment: value.sealed });
  const names = Array.isArray(value) ? undefined : Object.keys(value); // of a list of a million items they would take long
  const count = names?.length ?? (value as readonly TextTree[]).length;
  for (let i = 0; i < count; i++) {
    if (i % STEP_VALUES === 0) yield;
    const name = names?.[i];
    const member = name === undefined ? (value as readonly TextTree[])[i]! : (value as TextStruct)[name]!;
    if (typeof member === 'string') continue;
    const at = name ?? `${i + 1}`;
    yield* collectCommitments(member, path === '' ? at : `${path}.${at}`, out);
  }
}
