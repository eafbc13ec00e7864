/** The state map written down as plainly as its definition reads: a sorted list and one recursive hash over strings of nibbles. */
import { createHash } from 'node:crypto';

export interface ModelEntry {
  readonly key: string;
  readonly valueHash: Uint8Array;
}

const sha = (...parts: (string | Uint8Array)[]): Buffer => {
  const hash = createHash('sha256');
  for (const part of parts) hash.update(typeof part === 'string' ? Buffer.from(part, 'latin1') : part);
  return hash.digest();
};
const NODE = 'tracemill/map-node/v1\n';
const u32 = (value: number): Buffer => {
  const out = Buffer.alloc(4);
  out.writeUInt32BE(value);
  return out;
};
const hexOf = (key: string): string => Buffer.from(key, 'latin1').toString('hex');

export function modelRoot(entries: Iterable<ModelEntry>): string {
  const sorted = [...entries].sort((a, b) => Buffer.compare(Buffer.from(a.key, 'latin1'), Buffer.from(b.key, 'latin1')));
  return (sorted.length === 0 ? sha(NODE, '\0') : treeHash(sorted)).toString('hex');
}

function treeHash(entries: readonly ModelEntry[]): Buffer {
  const hashOf = (entry: ModelEntry) => sha('tracemill/map-entry/v1\n', entry.key, entry.valueHash);
  if (entries.length === 1) return hashOf(entries[0]!);
  const paths = entries.map((entry) => hexOf(entry.key));
  let path = paths[0]!;
  for (const other of paths) while (!other.startsWith(path)) path = path.slice(0, -1);
  const ends = entries.filter((_, i) => paths[i] === path);
  const children = [...'0123456789abcdef'].map((nibble) => entries.filter((_, i) => paths[i]!.startsWith(path + nibble)));
  const ref = (group: readonly ModelEntry[]) => Buffer.concat([u32(group.length), treeHash(group)]);
  let mask = 0;
  children.forEach((group, nibble) => {
    if (group.length > 0) mask |= 1 << nibble;
  });
  const refs: Buffer[] = [];
  for (let quad = 0; quad < 4; quad++) {
    const groups = children.slice(4 * quad, 4 * quad + 4).filter((group) => group.length > 0);
    if (groups.length === 1) refs.push(ref(groups[0]!));
    if (groups.length > 1) refs.push(Buffer.concat([u32(groups.flat().length), sha(NODE, '\u0001', ...groups.map(ref))]));
  }
  const packed = Buffer.from(path.length % 2 === 0 ? path : `${path}0`, 'hex');
  const depth = [path.length >> 8, path.length & 255];
  const header = Buffer.concat([Buffer.from([2, ...depth]), packed, Buffer.from([ends.length, mask >> 8, mask & 255])]);
  return sha(NODE, header, ...ends.map(hashOf), ...refs);
}
