/**
 * Whether a content says what is stored, told by digests in steps: it may be of megabytes, in hundreds of thousands of values, and is read
 * on the thread that votes.
 */
import { type ClassDefinition, normalSpelling, respell } from '../../contracts/index.ts';
import { type Crypto, type Digest, equalBytes, recordDigest, type RecordVersion } from '../format/index.ts';
import { contentSteps } from './content-steps.ts';
import type { Steps } from '../pace/index.ts';

/** Digest of the content with its key fields in normal spelling, which is one for all that say the same. */
export function* normalDigestSteps(crypto: Pick<Crypto, 'hash'>, definition: ClassDefinition, content: Uint8Array): Steps<Digest> {
  const spelling = normalSpelling(definition, yield* contentSteps(content));
  const respelled = spelling.size === 0 ? content : yield* respell(content, spelling);
  yield; // to hash megabytes takes as long as the last step of spelling them
  return recordDigest(crypto, respelled);
}

/** The verdict of the contract on a record that is there: alike to the byte but for the spelling of key fields of equal value. */
export function* sameAsStoredSteps(
  crypto: Pick<Crypto, 'hash'>,
  definition: ClassDefinition,
  content: Uint8Array,
  stored: Pick<RecordVersion, 'recordDigest' | 'normalDigest'>,
): Steps<boolean> {
  if (content.length === 0) return false; // a tombstone says nothing
  const digest = recordDigest(crypto, content);
  if (equalBytes(digest, stored.recordDigest)) return true;
  yield;
  return equalBytes(yield* normalDigestSteps(crypto, definition, content), stored.normalDigest ?? stored.recordDigest);
}
