/** What an auditor computes on a piece of the exchange log that he took home. */
import type { ExchangeEntry, ExchangeSegment } from '../../../../node/feeds/exchange-log.ts';
import { encodeJson, fromHex, hashTagged, type Json, toHex } from '../../../../node/format/index.ts';
import type { World } from '../../../../node/world.ts';

/** True when the digests lead from the segment's first link to its last. */
export function verifySegment(crypto: World['crypto'], segment: ExchangeSegment): boolean {
  let link = segment.linkBefore;
  for (const digest of segment.entryDigests) link = toHex(hashTagged(crypto, 'exchange', fromHex(link), fromHex(digest)));
  return segment.entryDigests.length === segment.to - segment.from + 1 && link === segment.link;
}

/** Hex digest of one entry as the chain holds it. */
export function exchangeDigest(crypto: World['crypto'], entry: ExchangeEntry): string {
  return toHex(hashTagged(crypto, 'exchange', encodeJson({ ...entry } as unknown as Json)));
}
