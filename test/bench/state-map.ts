/**
 * Figures of the state map in memory (node/state/decisions/0001), keys as records write them: three of a record version to one of a term.
 *   node --expose-gc dist/test/bench/state-map.js [--keys 1000000] [--repeat 12] [--memory-mb 600]
 * Loads `keys` entries in blocks, then times blocks of 500 and 4,000 insertions on top, each staged, committed and undone again, by CPU time of the process;
 * `best` is the least of the repeats. With `--memory-mb` what is more than that lies in a page file in the folder for temporary files.
 */
import { hash as hashOnce } from 'node:crypto';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { createCrypto } from '../../node/crypto/index.ts';
import { type ByteText, verifyStateProof } from '../../node/format/index.ts';
import { createStateMap, type MapWrite, openPageFile } from '../../node/state/index.ts';

const LOAD_BLOCK = 4_000;
const BLOCKS = [500, 4_000];
const PROOFS = 2_000;

const { values } = parseArgs({
  options: {
    keys: { type: 'string', default: '1000000' },
    repeat: { type: 'string', default: '12' },
    'memory-mb': { type: 'string' },
  },
});
const crypto = createCrypto();
const cpuUs = (): number => {
  const { user, system } = process.cpuUsage();
  return user + system;
};

let made = 0; // entries so far
/** The key of entry `i`: `\x07records`, a tag, a digest, and for a version its number. */
function keyOf(i: number): ByteText {
  const digest = hashOnce('sha256', String(i), 'latin1' as 'hex');
  return i % 4 === 0 ? `\x07recordst${digest}` : `\x07recordsv${digest}\0\0\0\x01`;
}
function blockOf(count: number): MapWrite[] {
  return Array.from({ length: count }, () => ({
    key: keyOf(made),
    valueHash: crypto.hash(new Uint8Array([made >> 16, made >> 8, made])),
    location: made++,
  }));
}

interface Bed {
  write(writes: readonly MapWrite[]): void;
  undo(writes: readonly MapWrite[]): void;
  prove(key: ByteText): number;
  facts(): Record<string, number>;
}

function newBed(): Bed {
  const file = values['memory-mb'] === undefined ? undefined : openPageFile(join(tmpdir(), `state-map-${process.pid}.pages`));
  const map = createStateMap(
    crypto,
    file && { mapMemoryBytesMax: Number(values['memory-mb']) * 1e6, pages: file, onFault: (fault) => console.error(String(fault)) },
  );
  if (file) process.on('exit', () => file.close());
  return {
    write: (writes) => map.commit(map.stage(writes)),
    undo: (writes) => map.commit(map.stage(writes.map(({ key }) => ({ key, valueHash: undefined })))),
    prove(key) {
      const proof = map.prove(key);
      verifyStateProof(crypto, map.root(), proof, key);
      return proof.length;
    },
    facts: () => ({ ...map.memory(), bytesAKey: Math.round(map.memory().bytes / map.count()) }),
  };
}

const total = Number(values.keys);
const bed = newBed();
let loadUs = 0;
while (made < total) {
  const writes = blockOf(Math.min(LOAD_BLOCK, total - made));
  const from = cpuUs();
  bed.write(writes);
  loadUs += cpuUs() - from;
}
const line: Record<string, unknown> = { keys: total, loadUsAKey: round(loadUs / total) };
for (const size of BLOCKS) {
  let [best, sum] = [Number.POSITIVE_INFINITY, 0];
  const repeats = Number(values.repeat);
  for (let i = 0; i < repeats; i++) {
    const writes = blockOf(size);
    const from = cpuUs();
    bed.write(writes);
    const us = (cpuUs() - from) / size;
    best = Math.min(best, us);
    sum += us;
    bed.undo(writes);
  }
  line[`block${size}`] = { best: round(best), mean: round(sum / repeats) };
}
const proofs = (first: number, step: number): number[] =>
  Array.from({ length: PROOFS }, (_, i) => bed.prove(keyOf(first + i * step))).sort((a, b) => a - b);
const present = proofs(0, Math.max(1, Math.floor(total / PROOFS)));
const absent = proofs(1_000_000_000, 1);
for (const [name, sizes] of [
  ['presence', present],
  ['absence', absent],
] as const)
  line[name] = {
    mean: Math.round(sizes.reduce((sum, size) => sum + size, 0) / sizes.length),
    p99: sizes[Math.floor(sizes.length * 0.99)],
    worst: sizes.at(-1),
  };
(globalThis as { gc?: () => void }).gc?.();
console.log(JSON.stringify({ ...line, ...bed.facts(), rssMb: Math.round(process.memoryUsage().rss / 1e6) }));

function round(value: number): number {
  return Math.round(value * 100) / 100;
}
