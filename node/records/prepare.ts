/**
 * From a parsed record to what goes on the chain: class check in clear, digests, identity, and sealed fields replaced by commitments.
 * Clear values of sealed fields leave here in one place only, `sealed`, for the sealed store (design: record, "Sealed fields").
 */
import { checkSource, type ClassDefinition, type RecordFacts, type RecordFault } from '../../contracts/classes/index.ts';
import {
  contentDigest,
  type Crypto,
  type Digest,
  RECORD_BYTES_MAX,
  RECORDS_PER_CALL_MAX,
  recordDigest,
  recordIdOfKeyText,
  type RecordOrigin,
  sealedCommitment,
  sealingSalt,
  type Submission,
  takeSource,
  type TextStruct,
  toHex,
} from '../format/index.ts';
import { SEALED_BYTES_MAX, sealedBytes } from './sealed-values.ts';
import { readClear } from './clear-content.ts';

/** One clear value that the chain holds as a commitment only. */
export interface SealedValue {
  /** Dotted path in the record. */
  readonly path: string;
  readonly value: string;
  readonly salt: Uint8Array;
  /** 64 hex digits. */
  readonly commitment: string;
}

export interface PrepareContext {
  readonly crypto: Pick<Crypto, 'hash'>;
  readonly org: string;
  /** The organisation's sealing key of the period, 32 bytes. Values sealed before with another one are the work of reseal.ts. */
  readonly sealingKey: Uint8Array;
}

export interface PreparedRecord {
  readonly recordId: Digest;
  readonly submission: Submission;
  /** Over the record as submitted, in clear, without token. Told to the submitter; never stored or logged when `sealed` is not empty. */
  readonly contentDigest: Digest;
  readonly recordDigest: Digest;
  readonly sealed: readonly SealedValue[];
}

export type Preparation =
  | { readonly ok: true; readonly prepared: PreparedRecord; readonly facts: RecordFacts }
  | { readonly ok: false; readonly faults: readonly RecordFault[] };

/**
 * @param tree the record as parsed, `token` taken out; `source` may stand in it.
 * @param source what holds for every record of a body; the record's own members count before it.
 * @param statedDigest what the submitter says contentDigest is (6.1.1.b), in hex; over the canonical form, or over what he sent when that
 * holds lists of one or a source.
 */
export function prepareRecord(
  context: PrepareContext,
  definition: ClassDefinition,
  tree: TextStruct,
  options: { readonly statedDigest?: string; readonly source?: RecordOrigin } = {},
): Preparation {
  const { crypto, org, sealingKey } = context;
  const { content: own, source } = takeSource(tree);
  const faults = source === undefined ? [] : [...checkSource(source)];
  const reading = readClear(crypto, definition, own);
  if (!reading.ok) return { ok: false, faults: [...reading.faults, ...faults] };
  if (faults.length > 0) return { ok: false, faults };
  const { facts, keyText, hasKey, contentDigest: digest, seal } = reading.content;
  if (options.statedDigest !== undefined) faults.push(...digestFaults(crypto, [own, tree], digest, options.statedDigest));
  if (!hasKey) faults.push({ code: 'RECORD_KEY_EMPTY', path: [], data: {} });
  const recordId = recordIdOfKeyText(crypto, definition.name, org, keyText);
  const sealed: SealedValue[] = [];
  const bytes = seal((path, value) => {
    const salt = sealingSalt(crypto, sealingKey, recordId, path);
    const commitment = sealedCommitment(crypto, salt, path, value);
    sealed.push({ path, value, salt, commitment });
    return commitment;
  });
  if (bytes.length > RECORD_BYTES_MAX)
    faults.push({ code: 'RECORD_TOO_LARGE', path: [], data: { bytes: `${bytes.length}`, bytesMax: `${RECORD_BYTES_MAX}` } });
  const clearBytes = sealedBytes(sealed);
  if (clearBytes > SEALED_BYTES_MAX)
    faults.push({ code: 'RECORD_TOO_LARGE', path: [], data: { sealedBytes: `${clearBytes}`, sealedBytesMax: `${SEALED_BYTES_MAX}` } });
  if (faults.length > 0) return { ok: false, faults };
  const origin: RecordOrigin = { ...options.source, ...(source as RecordOrigin | undefined) }; // checked above
  const submission = { class: definition.name, classVersion: definition.version, content: bytes, source: origin };
  return { ok: true, facts, prepared: { recordId, submission, contentDigest: digest, recordDigest: recordDigest(crypto, bytes), sealed } };
}

/** @param sent forms of the record over which the submitter may have computed the digest */
function digestFaults(crypto: Pick<Crypto, 'hash'>, sent: readonly TextStruct[], digest: Digest, stated: string): RecordFault[] {
  const wanted = stated.toLowerCase();
  if (!/^[0-9a-f]{64}$/.test(wanted)) return [{ code: 'RECORD_DIGEST_MALFORMED', path: [], data: {} }];
  if (wanted === toHex(digest) || sent.some((tree) => wanted === toHex(contentDigest(crypto, tree)))) return [];
  return [
    {
      code: 'RECORD_DIGEST_MISMATCH',
      path: [],
      data: { stated: wanted, computed: toHex(digest), algorithm: 'SHA-256 over RFC 8785 text without token' },
    },
  ];
}

/** Splits records, in order, into calls of `records.submit` that keep its bounds; `bytesMax` is of the contents in one call. */
export function callsOf(prepared: readonly PreparedRecord[], bytesMax: number): PreparedRecord[][] {
  const calls: PreparedRecord[][] = [];
  let bytes = 0;
  for (const record of prepared) {
    const size = record.submission.content.length + 1_024; // the frame around a content is well under a kilobyte
    const call = calls.at(-1);
    if (!call || bytes + size > bytesMax || call.length >= RECORDS_PER_CALL_MAX) {
      calls.push([record]);
      bytes = size;
    } else {
      call.push(record);
      bytes += size;
    }
  }
  return calls;
}
