/**
 * A record in clear, once its class has accepted it: facts, key, digest, and the way to its sealed form. Scanned in one pass; what the
 * scanner refuses goes through the checker, which reports every fault and takes a list of one, and is scanned again as it will be stored.
 */
import {
  checkContent,
  type ClassDefinition,
  factsOf,
  foldSingles,
  keyOf,
  type RecordFacts,
  type RecordFault,
  scanContent,
  sealContent,
} from '../../contracts/classes/index.ts';
import {
  canonicalJson,
  concat,
  contentDigest,
  type Crypto,
  type Digest,
  dottedPath,
  type RecordPath,
  encodeContent,
  SEALED_NAME,
  type TextStruct,
  type TextTree,
  utf8,
} from '../format/index.ts';

/** The commitment, in hex, that stands for the value at a dotted path. */
export type Commit = (path: string, value: string) => string;

export interface ClearContent {
  readonly facts: RecordFacts;
  /** RFC 8785 text of the key. */
  readonly keyText: Uint8Array;
  readonly hasKey: boolean;
  readonly contentDigest: Digest;
  /** Canonical text with a commitment for every sealed field, asked for in the order in which they were sent. */
  seal(commit: Commit): Uint8Array;
}

export type ClearReading =
  | { readonly ok: true; readonly content: ClearContent }
  | { readonly ok: false; readonly faults: readonly RecordFault[] };

export function readClear(crypto: Pick<Crypto, 'hash'>, definition: ClassDefinition, tree: TextStruct): ClearReading {
  const content = scannedClear(crypto, definition, tree);
  if (content !== undefined) return { ok: true, content };
  const faults = checkContent(definition, tree, 'clear');
  if (faults.length > 0) return { ok: false, faults };
  const folded = foldSingles(definition, tree);
  return { ok: true, content: scannedClear(crypto, definition, folded) ?? checkedClear(crypto, definition, folded) };
}

function scannedClear(crypto: Pick<Crypto, 'hash'>, definition: ClassDefinition, tree: TextStruct): ClearContent | undefined {
  let bytes: Uint8Array;
  try {
    bytes = encodeContent(tree);
  } catch (error) {
    if (error instanceof RangeError) return undefined; // too deep, or a character that not all formats carry
    throw error;
  }
  const scanned = scanContent(definition, bytes, 'clear');
  if (scanned === undefined) return undefined;
  const { facts, keyText, hasKey, clear } = scanned;
  return {
    facts,
    keyText,
    hasKey,
    contentDigest: crypto.hash(bytes),
    seal(commit) {
      if (clear.length === 0) return bytes;
      const commitments = new Map<string, string>();
      if (clear.length <= FEW_FIELDS) for (const { path, value } of asSent(clear, tree)) commitments.set(path, commit(path, value));
      else
        sealContent(definition, tree, (path, value) => {
          commitments.set(path, commit(path, value));
          return value;
        });
      const parts: Uint8Array[] = [];
      let at = 0;
      for (const { path, from, to } of clear) {
        parts.push(bytes.subarray(at, from), utf8(`{"${SEALED_NAME}":"${commitments.get(dottedPath(path))!}"}`));
        at = to;
      }
      return concat(...parts, bytes.subarray(at));
    },
  };
}

/** Sealed fields that are put in the order of the tree one by one; for more of them the whole tree is gone through. */
const FEW_FIELDS = 8;

type ClearFields = NonNullable<ReturnType<typeof scanContent>>['clear'];

/** Sealed fields, which the scanner found in the order of their names, in the order of the tree. */
function asSent(clear: ClearFields, tree: TextStruct): readonly { readonly path: string; readonly value: string }[] {
  const fields = clear.map(({ path, value }) => ({ path: dottedPath(path), value, ranks: clear.length === 1 ? [] : ranksOf(tree, path) }));
  return fields.sort((a, b) => compareRanks(a.ranks, b.ranks));
}

/** Where a path stands among the members of each value around it. */
function ranksOf(tree: TextStruct, path: RecordPath): readonly number[] {
  let at: TextTree = tree;
  return path.map((part) => {
    const rank = typeof part === 'number' ? part : Object.keys(at).indexOf(part);
    at = (at as { readonly [part: string | number]: TextTree })[part]!;
    return rank;
  });
}

function compareRanks(a: readonly number[], b: readonly number[]): number {
  const at = a.findIndex((rank, i) => rank !== b[i]);
  return at < 0 ? 0 : a[at]! - (b[at] ?? 0);
}

/** Of a class that the scanner cannot lay out. @param clear checked, every list of one as its item */
function checkedClear(crypto: Pick<Crypto, 'hash'>, definition: ClassDefinition, clear: TextStruct): ClearContent {
  const key = keyOf(definition, clear);
  return {
    facts: factsOf(definition, clear),
    keyText: utf8(canonicalJson(key)),
    hasKey: Object.keys(key).length > 0,
    contentDigest: contentDigest(crypto, clear),
    seal: (commit) => encodeContent(sealContent(definition, clear, (path, value) => ({ [SEALED_NAME]: commit(path, value) }))),
  };
}
