/**
 * A record sealed with the newest key, sealed again where the organisation has sealed it before: values that are the same commit alike
 * after a change of the key, so that a repeat is one.
 */
import { type Crypto, DIGEST_BYTES, recordDigest, SEALED_NAME, sealingSalt, utf8 } from '../format/index.ts';
import type { PreparedRecord, SealedValue } from './prepare.ts';
import { commitmentSteps } from './sealed-values.ts';

export interface SealedBefore {
  /** The organisation's sealing keys held here, oldest first, 32 bytes each. */
  readonly keys: readonly Uint8Array[];
  /** Values of the record that this node holds. */
  readonly held: readonly SealedValue[];
  /** Path -> commitment, of what the chain holds under the key of the record; undefined when it holds nothing. */
  readonly seals: ReadonlyMap<string, string> | undefined;
}

export interface Resealed {
  readonly prepared: PreparedRecord;
  /**
   * Own commitment -> the one that stands in its place, where no key held here makes that of the value and no value held here opens it:
   * whether they say the same cannot be told.
   */
  readonly unopened: ReadonlyMap<string, string>;
}

/** One step a sealed value: a record may have tens of thousands. */
export function* reseal(crypto: Pick<Crypto, 'hash'>, before: SealedBefore, prepared: PreparedRecord): Generator<void, Resealed, void> {
  const { keys, held, seals } = before;
  const unopened = new Map<string, string>();
  if (prepared.sealed.length === 0 || (held.length === 0 && !seals)) return { prepared, unopened };
  const keptAt = new Map<string, SealedValue[]>();
  for (const kept of held) {
    yield;
    const at = keptAt.get(kept.path);
    if (at) at.push(kept);
    else keptAt.set(kept.path, [kept]);
  }
  const changed = new Map<string, string>();
  const sealed: SealedValue[] = [];
  for (const own of prepared.sealed) {
    const { path, value } = own;
    const kept = keptAt.get(path) ?? [];
    const stands = seals?.get(path);
    const earlier = stands !== undefined ? keys.map((key) => sealingSalt(crypto, key, prepared.recordId, path)) : [];
    const others: { readonly salt: Uint8Array; readonly commitment: string }[] = [];
    for (const salt of [...kept.map((entry) => entry.salt), ...earlier])
      others.push({ salt, commitment: yield* commitmentSteps(crypto, { salt, path, value }) });
    const alike = stands === undefined ? undefined : [own, ...others].find(({ commitment }) => commitment === stands);
    const { salt, commitment } = alike ?? (kept.length > 0 ? others[0]! : own);
    if (!alike && stands !== undefined && !kept.some((entry) => entry.commitment === stands)) unopened.set(commitment, stands);
    if (commitment !== own.commitment) changed.set(own.commitment, commitment);
    sealed.push({ path, value, salt, commitment });
    yield;
  }
  if (changed.size === 0) return { prepared, unopened };
  const content = yield* withSeals(prepared.submission.content, changed);
  const submission = { ...prepared.submission, content };
  return { prepared: { ...prepared, submission, recordDigest: recordDigest(crypto, content), sealed }, unopened };
}

const SEAL_BEGINS = utf8(`{"${SEALED_NAME}":"`);
const SEAL_ENDS = '"}';

/**
 * Content with other commitments in the place of those named. Done in the bytes: inside a text quotes are escaped, so this beginning stands
 * at a seal and nowhere else, and all commitments are of one length.
 */
export function* withSeals(content: Uint8Array, seals: ReadonlyMap<string, string>): Generator<void, Uint8Array, void> {
  const out = Uint8Array.from(content);
  const bytes = Buffer.from(out.buffer);
  for (let at = bytes.indexOf(SEAL_BEGINS); at >= 0; at = bytes.indexOf(SEAL_BEGINS, at)) {
    at += SEAL_BEGINS.length;
    const end = at + 2 * DIGEST_BYTES;
    const other = seals.get(bytes.toString('latin1', at, end));
    if (other !== undefined && bytes.toString('latin1', end, end + SEAL_ENDS.length) === SEAL_ENDS) bytes.write(other, at, 'latin1');
    yield;
  }
  return out;
}
