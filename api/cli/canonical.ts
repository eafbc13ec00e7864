/** Canonical bytes of the records of one body: what `contentDigest` covers, `token` and `source` taken out. The same path a node takes. */
import { ChainError } from '../../node/errors/index.ts';
import { encodeContent, fromUtf8, takeSource } from '../../node/format/index.ts';
import { type BodyFormat, parseBody } from '../formats/index.ts';

/** One canonical text for each record. @throws ChainError CLI_FILE_MALFORMED with the first fault and its place. */
export function canonicalTextOf(format: BodyFormat, bytes: Uint8Array): readonly string[] {
  const parsed = parseBody(format, bytes);
  if (!parsed.ok) {
    const [first] = parsed.faults;
    throw new ChainError('CLI_FILE_MALFORMED', {
      reason: first?.code ?? '',
      ...first?.place,
      ...first?.data,
      faults: parsed.faults.length,
    });
  }
  return parsed.records.map(({ tree: { token: _token, ...record } }) => fromUtf8(encodeContent(takeSource(record).content)));
}
