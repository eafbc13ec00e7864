/** All faults of a value against a schema at once, by JSON Pointer (RFC 6901), with the nearest known name for one that is not known. */
import type { TSchema } from '@sinclair/typebox';
import { Value, ValueErrorType } from '@sinclair/typebox/value';

export interface Fault {
  /** Place in the document; empty for the whole. */
  readonly pointer: string;
  readonly message: string;
  readonly given?: unknown;
}

const FAULTS_MAX = 100; // more would not be read
const GIVEN_CHARACTERS_MAX = 200; // of a faulty value shown back

export function faultsOf(schema: TSchema, value: unknown): readonly Fault[] {
  const faults = new Map<string, Fault>(); // one fault for each place: the first that the checker meets is the nearest to the cause
  for (const error of Value.Errors(schema, value)) {
    if (faults.size >= FAULTS_MAX) break;
    if (faults.has(error.path)) continue;
    faults.set(error.path, { pointer: error.path, message: sentence(schema, error), ...shown(error.value) });
  }
  return [...faults.values()];
}

function shown(value: unknown): { given?: unknown } {
  if (value === undefined || (typeof value === 'object' && value !== null)) return {};
  return { given: typeof value === 'string' ? value.slice(0, GIVEN_CHARACTERS_MAX) : value };
}

function sentence(
  root: TSchema,
  error: { readonly type: ValueErrorType; readonly path: string; readonly schema: TSchema; readonly message: string },
): string {
  switch (error.type) {
    case ValueErrorType.ObjectRequiredProperty:
      return 'is missing';
    case ValueErrorType.ObjectAdditionalProperties: {
      const name = error.path.slice(error.path.lastIndexOf('/') + 1);
      const near = nearestName(name, namesAt(root, error.path));
      return near === undefined ? 'is not a known name' : `is not a known name; did you mean ${near}?`;
    }
    case ValueErrorType.Union: {
      const words = (error.schema.anyOf as { const?: unknown }[]).map((choice) => choice.const).filter((word) => word !== undefined);
      return words.length > 0 ? `must be one of ${words.join(', ')}` : error.message;
    }
    default:
      return error.message.charAt(0).toLowerCase() + error.message.slice(1);
  }
}

/** Names the schema knows where `pointer` ends. */
function namesAt(root: TSchema, pointer: string): readonly string[] {
  let schema: TSchema | undefined = root;
  for (const part of pointer.split('/').slice(1, -1)) {
    schema = schema?.type === 'array' ? schema.items : schema?.properties?.[part];
  }
  return Object.keys((schema?.properties as object | undefined) ?? {});
}

/** The candidate fewest edits away, when that is at most a third of the letters. */
export function nearestName(name: string, candidates: readonly string[]): string | undefined {
  let best: string | undefined;
  let bestEdits = Math.max(1, Math.floor(name.length / 3)) + 1;
  for (const candidate of candidates) {
    const edits = editDistance(name, candidate);
    if (edits < bestEdits) [best, bestEdits] = [candidate, edits];
  }
  return best;
}

/** Edits between two names: insert, delete, replace, swap of neighbours (optimal string alignment, Damerau 1964). */
function editDistance(a: string, b: string): number {
  let before: number[] = [];
  let row = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      let edits = Math.min(row[j]! + 1, next[j - 1]! + 1, row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1));
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) edits = Math.min(edits, before[j - 2]! + 1);
      next.push(edits);
    }
    [before, row] = [row, next];
  }
  return row[b.length]!;
}
