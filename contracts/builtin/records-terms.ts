/**
 * Terms that the records of one call name (node/format/term.ts): each is read once a call, and written when the call ends.
 */
import {
  appendToTerm,
  type ByteText,
  decodeTerm,
  type Digest,
  encodeTerm,
  type Term,
  TERM_START,
  type TermEntry,
  termDigest,
  type TermKind,
  toByteText,
} from '../../node/format/index.ts';
import type { ClassDefinition, RecordFacts } from '../classes/index.ts';
import type { Host } from '../types.ts';
import { recordKey } from './layout.ts';

/** Places of terms that are remembered: batches come again with every record of a run. */
const PLACES_MAX = 1_024;
const PLACE_TEXT_UNITS_MAX = 128; // of a value whose place is remembered

/** Where a term stands. */
interface Place {
  readonly digest: ByteText;
  readonly key: ByteText;
}

interface KnownPlace extends Place {
  /** What finding it costs, and is paid each time: gas must not depend on what a replica remembers. */
  readonly gas: number;
}

interface OpenTerm {
  readonly place: Place;
  term: Term;
}

export class OpenTerms {
  readonly #open = new Map<ByteText, OpenTerm>();

  /** Appends a version of a record to the terms that it names. */
  join(host: Host, id: Digest, version: number, definition: ClassDefinition, facts: RecordFacts): void {
    const entry: TermEntry = { id, version };
    if (facts.product !== undefined) this.#append(host, entry, placeOf(termDigest(host, 'product', facts.product)));
    if (facts.productionBatch !== undefined) this.#append(host, entry, batchPlace(host, 'production_batch', facts.productionBatch));
    for (const { supplier, batch } of facts.materials) this.#append(host, entry, batchPlace(host, 'material_batch', supplier, batch));
    for (const [path, text] of facts.provable) this.#append(host, entry, placeOf(termDigest(host, 'field', definition.name, path, text)));
  }

  #append(host: Host, entry: TermEntry, place: Place): void {
    const known = this.#open.get(place.digest);
    const open = known ?? { place, term: termAt(host, place.key) };
    const appended = appendToTerm(host, open.term, entry);
    if (appended.full) host.put(recordKey.termChunk(place.digest, appended.full.chunk), appended.full.head);
    open.term = appended.term;
    if (known === undefined) this.#open.set(place.digest, open);
  }

  save(host: Host): void {
    for (const { place, term } of this.#open.values()) host.put(place.key, encodeTerm(term));
  }
}

function termAt(host: Host, key: ByteText): Term {
  const bytes = host.get(key);
  return bytes ? decodeTerm(bytes) : { count: 0, head: TERM_START };
}

function placeOf(digest: Digest): Place {
  const text = toByteText(digest);
  return { digest: text, key: recordKey.term(text) };
}

const places = new Map<string, KnownPlace>();

/** @param second undefined where the term has one value */
function batchPlace(host: Host, kind: TermKind, first: string, second?: string): Place {
  const name = second === undefined ? `${kind}/${first}` : `${kind}/${first.length}/${first}${second}`;
  const known = places.get(name);
  if (known !== undefined) {
    host.useGas(known.gas);
    return known;
  }
  const gasBefore = host.gasLeft;
  const { digest, key } = placeOf(second === undefined ? termDigest(host, kind, first) : termDigest(host, kind, first, second));
  const found: KnownPlace = { digest, key, gas: gasBefore - host.gasLeft };
  if (name.length <= PLACE_TEXT_UNITS_MAX) {
    if (places.size === PLACES_MAX) places.clear();
    places.set(name, found);
  }
  return found;
}
