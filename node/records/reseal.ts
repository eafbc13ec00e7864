/**
 * A record sealed with the newest key, sealed again where the organisation has sealed it before: values that are the same commit alike after a change of
 * the key, so that a repeat is one.
 */
import {
  type Crypto,
  decodeContent,
  encodeContent,
  isSealed,
  recordDigest,
  SEALED_NAME,
  sealedCommitment,
  sealingSalt,
  type TextStruct,
  type TextTree,
  valueAt,
} from '../format/index.ts';
import type { PreparedRecord, SealedValue } from './prepare.ts';

export interface SealedBefore {
  /** The organisation's sealing keys held here, oldest first, 32 bytes each. */
  readonly keys: readonly Uint8Array[];
  /** Values of the record that this node holds. */
  readonly held: readonly SealedValue[];
  /** What the chain holds under the key of the record. */
  readonly standing: TextStruct | undefined;
}

export interface Resealed {
  readonly prepared: PreparedRecord;
  /**
   * Own commitment -> the one that stands in its place, where no key held here makes that of the value and no value held here opens it: whether they
   * say the same cannot be told.
   */
  readonly unopened: ReadonlyMap<string, string>;
}

/** One step a sealed value: a record may have tens of thousands. */
export function* reseal(crypto: Pick<Crypto, 'hash'>, before: SealedBefore, prepared: PreparedRecord): Generator<void, Resealed, void> {
  const { keys, held, standing } = before;
  const unopened = new Map<string, string>();
  if (prepared.sealed.length === 0 || (held.length === 0 && !standing)) return { prepared, unopened };
  const keptAt = new Map<string, SealedValue[]>();
  for (const kept of held) {
    const at = keptAt.get(kept.path);
    if (at) at.push(kept);
    else keptAt.set(kept.path, [kept]);
  }
  const changed = new Map<string, string>();
  const sealed: SealedValue[] = [];
  for (const own of prepared.sealed) {
    const { path, value } = own;
    const kept = keptAt.get(path) ?? [];
    const stands = standing && valueAt(standing, path);
    const earlier = isSealed(stands) ? keys.map((key) => sealingSalt(crypto, key, prepared.recordId, path)) : [];
    const others = [...kept.map(({ salt }) => salt), ...earlier].map((salt) => ({
      salt,
      commitment: sealedCommitment(crypto, salt, path, value),
    }));
    const alike = isSealed(stands) ? [own, ...others].find(({ commitment }) => commitment === stands.sealed) : undefined;
    const { salt, commitment } = alike ?? (kept.length > 0 ? others[0]! : own);
    if (!alike && isSealed(stands) && !kept.some((entry) => entry.commitment === stands.sealed)) unopened.set(commitment, stands.sealed);
    if (commitment !== own.commitment) changed.set(own.commitment, commitment);
    sealed.push({ path, value, salt, commitment });
    yield;
  }
  if (changed.size === 0) return { prepared, unopened };
  const content = encodeContent(withSeals(decodeContent(prepared.submission.content), changed) as TextStruct);
  const submission = { ...prepared.submission, content };
  return { prepared: { ...prepared, submission, recordDigest: recordDigest(crypto, content), sealed }, unopened };
}

/** Content with other commitments in the place of those named. */
export function withSeals(value: TextTree, seals: ReadonlyMap<string, string>): TextTree {
  if (typeof value === 'string') return value;
  if (isSealed(value)) return { [SEALED_NAME]: seals.get(value.sealed) ?? value.sealed };
  if (Array.isArray(value)) return value.map((item: TextTree) => withSeals(item, seals));
  return Object.fromEntries(Object.entries(value as TextStruct).map(([name, member]) => [name, withSeals(member, seals)]));
}
