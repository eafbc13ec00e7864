/** Canonical bytes of the records of one body: what `contentDigest` covers, `token` and `source` taken out, lists of one as their item. The same path a node takes. */
import { builtinClass, foldSingles } from '../../contracts/index.ts';
import { ChainError } from '../../node/errors/index.ts';
import { encodeContent, fromUtf8, takeSource } from '../../node/format/index.ts';
import { type BodyFormat, parseBody } from '../../node/records/formats/index.ts';

/**
 * One canonical text for each record.
 * @param recordClass a built-in class: which fields are lists depends on it.
 * @throws ChainError CLI_FILE_MALFORMED with the first fault and its place; RECORD_CLASS_UNKNOWN.
 */
export function canonicalTextOf(format: BodyFormat, bytes: Uint8Array, recordClass: string): readonly string[] {
  const definition = builtinClass(recordClass);
  if (!definition) throw new ChainError('RECORD_CLASS_UNKNOWN', { class: recordClass });
  const parsed = parseBody(format, bytes);
  if (!parsed.ok || parsed.faults) {
    const { faults = [] } = parsed;
    const [first] = faults;
    throw new ChainError('CLI_FILE_MALFORMED', {
      reason: first?.code ?? '',
      ...first?.place,
      ...first?.data,
      faults: faults.length,
    });
  }
  return parsed.records.map(({ tree: { token: _token, ...record } }) =>
    fromUtf8(encodeContent(foldSingles(definition, takeSource(record).content))),
  );
}
