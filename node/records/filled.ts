/**
 * The mappings that filled in values of a record, as the registry has them: their documents hold the rules that `{path, rule}` would
 * repeat.
 */
import { entryOf, type Read } from '../../contracts/index.ts';
import { several, type TextStruct, textAt, valueAt } from '../format/index.ts';
import type { Steps } from '../pace/index.ts';

export interface FillingMapping {
  readonly id: string;
  readonly owner: string;
  readonly name: string;
  /** Hex SHA-256 of the document that holds the rules. */
  readonly documentDigest: string | null;
}

/** One step an entry of `ext.filled`; each mapping once, in the order of the record. */
export function* fillingMappings(read: Read, content: TextStruct): Steps<readonly FillingMapping[]> {
  const out = new Map<string, FillingMapping>();
  for (const filled of several(valueAt(content, 'ext.filled'))) {
    const id = textAt(filled, 'mapping');
    if (id === undefined || out.has(id)) continue;
    yield;
    const entry = entryOf(read, 'mapping', id);
    if (entry) out.set(id, { id, owner: entry.owner, name: String(entry.data.name), documentDigest: entry.documentDigest });
  }
  return [...out.values()];
}
