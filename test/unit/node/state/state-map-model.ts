/** The state map written down as plainly as its definition reads: a sorted list and one recursive hash over strings of nibbles. */
import assert from 'node:assert/strict';
import { createHash, hash as hashOnce } from 'node:crypto';
import fc from 'fast-check';
import { compareBytes, MAP_KEY_BYTES_MAX, toByteText } from '../../../../node/format/index.ts';
import type { EntryWriter, MapWrite } from '../../../../node/state/index.ts';
import { readLocation, writeLocation } from '../../../../node/state/location.ts';

export type Model = ReadonlyMap<string, Uint8Array>;

const sha = (...parts: (string | Uint8Array)[]): Buffer => {
  const hash = createHash('sha256');
  for (const part of parts) hash.update(typeof part === 'string' ? Buffer.from(part, 'latin1') : part);
  return hash.digest();
};
/** With and without the fast form of the hash. */
export const plainHash = { hash: (data: Uint8Array) => new Uint8Array(sha(data)) };
export const fastHash = { ...plainHash, hashText: (data: Uint8Array) => hashOnce('sha256', data, 'latin1' as 'hex') };
export const digest = (text: string): Uint8Array => plainHash.hash(Buffer.from(text, 'latin1'));

const BUCKET = 'tracemill/map-bucket/v1\n';
const BRANCH = 'tracemill/map-branch/v1\n';
const u16 = (value: number) => Buffer.from([value >> 8, value & 255]);
const u32 = (value: number) => Buffer.concat([u16(value >>> 16), u16(value & 0xffff)]);

type Entry = readonly [key: string, valueHash: Uint8Array];

export interface HeldEntry {
  readonly key: string;
  readonly valueHash: Uint8Array;
  readonly location: number;
}

/** The next entry that a map writes; undefined when there is none. */
export function nextEntry(entries: EntryWriter): HeldEntry | undefined {
  const bytes = new Uint8Array(2 + MAP_KEY_BYTES_MAX + 40);
  const end = entries.next(bytes, 0);
  if (end < 0) return undefined;
  const valueAt = 2 + (bytes[0]! << 8) + bytes[1]!;
  assert.equal(end, valueAt + 40);
  return {
    key: toByteText(bytes.subarray(2, valueAt)),
    valueHash: bytes.slice(valueAt, valueAt + 32),
    location: readLocation(bytes, valueAt + 32),
  };
}

export function entriesOf(entries: EntryWriter): HeldEntry[] {
  const out: HeldEntry[] = [];
  for (let entry = nextEntry(entries); entry; entry = nextEntry(entries)) out.push(entry);
  return out;
}

/** Writes these entries, whatever their order. */
export function writerOf(entries: readonly HeldEntry[]): EntryWriter {
  let written = 0;
  return {
    next(target, at) {
      const entry = entries[written++];
      if (!entry) return -1;
      target.set(Buffer.from(entry.key, 'latin1'), at + 2);
      const valueAt = at + 2 + entry.key.length;
      target.set(u16(entry.key.length), at);
      target.set(entry.valueHash, valueAt);
      writeLocation(target, valueAt + 32, entry.location);
      return valueAt + 40;
    },
  };
}

export function sortedEntries(model: Model): Entry[] {
  return [...model].sort(([a], [b]) => compareBytes(Buffer.from(a, 'latin1'), Buffer.from(b, 'latin1')));
}

export function modelRoot(model: Model): string {
  return (model.size === 0 ? sha(BRANCH, '\0') : treeHash(sortedEntries(model), 0)).toString('hex');
}

function treeHash(entries: readonly Entry[], slotNibbles: number): Buffer {
  if (entries.length <= 16) {
    const skip = Math.floor(slotNibbles / 2);
    return sha(
      BUCKET,
      Buffer.from([entries.length]),
      ...entries.flatMap(([key, value]) => [u16(key.length - skip), key.slice(skip), value]),
    );
  }
  const paths = entries.map(([key]) => Buffer.from(key, 'latin1').toString('hex'));
  let path = paths[0]!;
  for (const other of paths) while (!other.startsWith(path)) path = path.slice(0, -1);
  const ends = entries.filter((_, i) => paths[i] === path);
  const children = [...'0123456789abcdef'].map((nibble) => entries.filter((_, i) => paths[i]!.startsWith(path + nibble)));
  const ref = (group: readonly Entry[]) => Buffer.concat([u32(group.length), treeHash(group, path.length + 1)]);
  const mask = children.reduce((sum, group, nibble) => (group.length > 0 ? sum | (1 << nibble) : sum), 0);
  const refs = [0, 4, 8, 12].map((first) => {
    const groups = children.slice(first, first + 4).filter((group) => group.length > 0);
    if (groups.length < 2) return Buffer.concat(groups.map(ref));
    return Buffer.concat([u32(groups.flat().length), sha(BRANCH, '\u0001', ...groups.map(ref))]);
  });
  const packed = Buffer.from(path.length % 2 === 0 ? path : `${path}0`, 'hex');
  const values = ends.map(([, value]) => value);
  return sha(BRANCH, '\u0002', u16(path.length), packed, Buffer.from([ends.length]), u16(mask), ...values, ...refs);
}

export function after(model: Model, writes: readonly MapWrite[]): Model {
  const next = new Map(model);
  for (const { key, valueHash } of writes) {
    if (valueHash) next.set(key, valueHash);
    else next.delete(key);
  }
  return next;
}

// Few letters and short keys, so that prefixes of one another, shared runs and deletions that meet something are the rule.
const unit = fc.constantFrom(0x00, 0x01, 0x10, 0x11, 0x1f, 0xf0, 0xff);
const shortKey = fc.array(unit, { minLength: 1, maxLength: 5 }).map((units) => String.fromCharCode(...units));
const deepKey = fc.tuple(fc.constantFrom('records', 'records\0aaaaaaaaaaaa'), shortKey).map(([run, key]) => run + key);
const wideKey = fc.uint8Array({ minLength: 1, maxLength: 3 }).map((bytes) => String.fromCharCode(...bytes));
export const anyKey = fc.oneof(shortKey, deepKey, wideKey);
const location = fc.oneof(fc.nat(), fc.constantFrom(0, 2 ** 32 - 1, 2 ** 32, Number.MAX_SAFE_INTEGER));
export const put = fc
  .tuple(anyKey, fc.nat(50), location)
  .map(([key, value, at]): MapWrite => ({ key, valueHash: digest(String(value)), location: at }));
const removal = anyKey.map((key): MapWrite => ({ key, valueHash: undefined }));
/** As many as stated: left to itself fast-check makes ten, and buckets hold sixteen. */
export const many = <T>(item: fc.Arbitrary<T>, maxLength: number): fc.Arbitrary<T[]> => fc.array(item, { maxLength, size: 'max' });
/** Blocks that grow the map, and blocks that shrink it. */
export const block = fc.oneof(many(put, 100), many(fc.oneof(put, removal), 60), many(removal, 100));
