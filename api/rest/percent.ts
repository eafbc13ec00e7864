/**
 * Percent-encoded text of a request's target, read as UTF-8 and as nothing else (RFC 3986 §2.5). Text in another charset would otherwise be read as
 * replacement characters, and a search for it answered with "none". Bytes beyond ASCII that are not percent-encoded are no HTTP: the parser refuses them.
 */

import { BoundedMap } from '../../node/pace/bounded-map.ts';

/** Queries remembered, and their length: a caller sends the same with every call. */
const QUERIES_HELD_MAX = 256;
const HELD_CHARACTERS_MAX = 256;

export interface Query {
  readonly query: URLSearchParams;
  /** Names, as they were sent, of parameters whose name or value cannot be read. */
  readonly unreadable: readonly string[];
}

const held = new BoundedMap<string, Query>(QUERIES_HELD_MAX);

/** @param target path and query of the request line @returns the same object for the same query, where it was short: not to be changed */
export function parseQuery(target: string): Query {
  const start = target.indexOf('?');
  const text = start < 0 ? '' : target.slice(start + 1);
  const known = held.get(text);
  if (known) return known;
  const query = parsePairs(text);
  if (text.length <= HELD_CHARACTERS_MAX) held.set(text, query);
  return query;
}

function parsePairs(text: string): Query {
  const query = new URLSearchParams();
  const unreadable: string[] = [];
  for (const pair of text.split('&')) {
    if (pair === '') continue;
    const equals = pair.indexOf('=');
    const raw = equals < 0 ? pair : pair.slice(0, equals);
    const name = decode(raw);
    const value = equals < 0 ? '' : decode(pair.slice(equals + 1));
    if (name === undefined || value === undefined) unreadable.push(name ?? raw);
    else query.append(name, value);
  }
  return { query, unreadable };
}

/** Number, from 1, and text of the first segment of the path that cannot be read. */
export function unreadableSegment(target: string): { readonly number: number; readonly text: string } | undefined {
  const segments = target.split('?', 1)[0]!.split('/').slice(1);
  const at = segments.findIndex((segment) => decode(segment) === undefined);
  return at < 0 ? undefined : { number: at + 1, text: segments[at]! };
}

function decode(text: string): string | undefined {
  try {
    return decodeURIComponent(text.replaceAll('+', ' '));
  } catch {
    return undefined;
  }
}
