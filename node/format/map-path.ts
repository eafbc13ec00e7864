/**
 * Paths of the state map: keys are read four bits at a time, high half first. A path is the packed nibbles as ByteText (an odd last nibble
 * stands in the high half, the low half 0) and their count. Shared by the map, its proofs and their verifier.
 */
import { type ByteText, prefixEnd } from './bytes.ts';

/** The first `depth` nibbles of `key`, packed. */
export function packPath(key: ByteText, depth: number): ByteText {
  const whole = key.slice(0, depth >> 1);
  return (depth & 1) === 0 ? whole : whole + String.fromCharCode(key.charCodeAt(depth >> 1) & 0xf0);
}

/** A packed path of `depth` nibbles with one more. */
export function childPath(path: ByteText, depth: number, nibble: number): ByteText {
  if ((depth & 1) === 0) return path + String.fromCharCode(nibble << 4);
  const last = path.length - 1;
  return path.slice(0, last) + String.fromCharCode(path.charCodeAt(last) | nibble);
}

/** Keys with from <= key < to; `to` undefined means to the end. */
export interface KeyRange {
  readonly from: ByteText;
  readonly to: ByteText | undefined;
}

export function inRange(key: ByteText, range: KeyRange): boolean {
  return key >= range.from && (range.to === undefined || key < range.to);
}

/** Where the keys under a path lie relative to a range; `across` when some may be inside and some outside. */
export function relate(path: ByteText, depth: number, range: KeyRange): 'inside' | 'outside' | 'across' {
  const end = pathEnd(path, depth);
  if ((end !== undefined && end <= range.from) || (range.to !== undefined && path >= range.to)) return 'outside';
  if (path >= range.from && (range.to === undefined || (end !== undefined && end <= range.to))) return 'inside';
  return 'across';
}

/** The smallest byte text above every key under the path, or undefined when there is none. */
export function pathEnd(path: ByteText, depth: number): ByteText | undefined {
  if ((depth & 1) === 0) return prefixEnd(path);
  const last = path.length - 1;
  const unit = path.charCodeAt(last);
  return unit < 0xf0 ? path.slice(0, last) + String.fromCharCode(unit + 16) : prefixEnd(path.slice(0, last));
}
