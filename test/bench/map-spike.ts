/**
 * The spike behind node/ledger/decisions/0001: the state map against per-block sorted runs, both on LevelDB, keys as records write them.
 *   node dist/test/bench/map-spike.js --keys 1000000 [--design map|runs|both] [--block 4000] [--blocks 20] [--seconds 240]
 * Loads `keys` random entries, then times blocks of random insertions on top: staging, one synced batch, commit. Prints one JSON line a design.
 * The sorted runs are a small honest variant for this comparison and nothing the node uses: each block is a run, eight runs of a level are
 * merged into one of the next, the root is the hash of the list of run roots.
 */
import { createHash, hash as hashOnce } from 'node:crypto';
import { mkdtemp, readdir, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { Level } from 'level';
import { fromByteText, toByteText, verifyMapProof } from '../../node/format/index.ts';
import { createStateMap, type MapWrite } from '../../node/ledger/state-map.ts';
import { CHAIN_WRITE_BUFFER_BYTES } from '../../node/store/index.ts';
import type { StoreOperation } from '../../node/world.ts';

type Db = Level<Uint8Array, Uint8Array>;
const BINARY = { keyEncoding: 'view', valueEncoding: 'view' } as const;
const LOAD_BLOCK = 50_000; // keys of one batch while loading

const crypto = {
  hash: (data: Uint8Array): Uint8Array => createHash('sha256').update(data).digest(),
  hashText: (data: Uint8Array): string => hashOnce('sha256', data, 'latin1' as 'hex'),
};

/** xorshift128 by word: the same keys in every run, cheap next to what is measured. */
function randomBytes(seed: number): (count: number) => Uint8Array {
  let [x, y, z, w] = [seed, 362436069, 521288629, 88675123];
  return (count) => {
    const out = new Uint8Array(count);
    for (let i = 0; i < count; i += 4) {
      const t = x! ^ (x! << 11);
      [x, y, z] = [y!, z!, w!];
      w = w! ^ (w! >>> 19) ^ (t ^ (t >>> 8));
      out[i] = w;
      out[i + 1] = w >>> 8;
      out[i + 2] = w >>> 16;
      out[i + 3] = w >>> 24;
    }
    return out;
  };
}

/** Three version keys to one product key: `\x07records` then a tag, a digest and a version or a second digest. */
function blockOf(random: (count: number) => Uint8Array, count: number): MapWrite[] {
  return Array.from({ length: count }, (_, i) => {
    const key = i % 4 === 0 ? `\x07recordsp${toByteText(random(64))}` : `\x07recordsv${toByteText(random(32))}\0\0\0\x01`;
    return { key, valueHash: random(32) };
  });
}

interface Rows {
  count: number;
  bytes: number;
  /** Time spent on the block before its batch is handed to the store. */
  stageMs: number;
}

interface Design {
  /** Takes one block to disk. */
  write(writes: readonly MapWrite[], sync: boolean): Promise<void>;
  /** Bytes of a proof of presence and of one of absence. */
  proofBytes(present: string, absent: string): { present: number; absent: number };
  readonly rows: Rows;
}

async function put(db: Db, operations: readonly StoreOperation[], sync: boolean, rows: Rows): Promise<void> {
  const batch = db.batch();
  for (const { key, value } of operations) {
    const rowKey = fromByteText(key);
    if (value) batch.put(rowKey, value);
    else batch.del(rowKey);
    rows.count++;
    rows.bytes += rowKey.length + (value?.length ?? 0);
  }
  await batch.write({ sync });
}

// --- the map ----------------------------------------------------------------------------------------------------------------------

function mapDesign(db: Db, cacheNodesMax: number): Design {
  const map = createStateMap({ get: (key) => db.getSync(fromByteText(key)) }, crypto, 'm', { cacheNodesMax });
  const rows: Rows = { count: 0, bytes: 0, stageMs: 0 };
  return {
    rows,
    async write(writes, sync) {
      const from = performance.now();
      const staged = map.stage(writes);
      rows.stageMs += performance.now() - from;
      await put(db, staged.operations, sync, rows);
      map.commit(staged);
    },
    proofBytes(present, absent) {
      const proofs = [map.prove(present), map.prove(absent)] as const;
      if (!verifyMapProof(crypto, map.root(), proofs[0], present).present) throw new Error('a written key is not proved');
      if (verifyMapProof(crypto, map.root(), proofs[1], absent).present) throw new Error('an unwritten key is proved');
      return { present: proofs[0].length, absent: proofs[1].length };
    },
  };
}

// --- sorted runs ------------------------------------------------------------------------------------------------------------------

const CHUNK = 64; // entries of one row
const FANOUT = 8; // runs of a level that make one of the next

interface Run {
  readonly id: number;
  readonly count: number;
  readonly chunks: number;
  readonly root: string;
}

function runsDesign(db: Db): Design {
  const rows: Rows = { count: 0, bytes: 0, stageMs: 0 };
  const levels: Run[][] = [];
  let nextId = 0;
  const pair = new Uint8Array(64);
  const fold = (hashes: string[]): string => {
    let level = hashes;
    while (level.length > 1) {
      const above: string[] = [];
      for (let i = 0; i < level.length; i += 2) {
        if (i + 1 === level.length) {
          above.push(level[i]!);
          continue;
        }
        for (let j = 0; j < 32; j++) {
          pair[j] = level[i]!.charCodeAt(j);
          pair[32 + j] = level[i + 1]!.charCodeAt(j);
        }
        above.push(crypto.hashText(pair));
      }
      level = above;
    }
    return level[0]!;
  };
  const chunkKey = (id: number, chunk: number): string =>
    `r${String.fromCharCode(id >>> 24, (id >>> 16) & 255, (id >>> 8) & 255, id & 255, chunk >>> 16, (chunk >>> 8) & 255, chunk & 255)}`;
  const scratch = new Uint8Array(CHUNK * 160);

  /** Writes entries in key order as one run; `value` may be a view. Old versions of a key were dropped by the caller. */
  async function writeRun(entries: Iterable<MapWrite>, sync: boolean): Promise<Run> {
    const id = nextId++;
    const roots: string[] = [];
    let operations: StoreOperation[] = [];
    let leaves: string[] = [];
    let at = 0;
    let count = 0;
    const close = (): void => {
      if (leaves.length === 0) return;
      operations.push({ key: chunkKey(id, roots.length), value: scratch.slice(0, at) });
      roots.push(fold(leaves));
      leaves = [];
      at = 0;
    };
    for (const { key, valueHash } of entries) {
      const from = at;
      scratch[at++] = key.length;
      for (let i = 0; i < key.length; i++) scratch[at++] = key.charCodeAt(i);
      scratch.set(valueHash!, at);
      at += 32;
      leaves.push(crypto.hashText(scratch.subarray(from, at)));
      count++;
      if (leaves.length === CHUNK) close();
      if (operations.length === 2000) {
        await put(db, operations, false, rows);
        operations = [];
      }
    }
    close();
    await put(db, operations, sync, rows);
    return { id, count, chunks: roots.length, root: fold(roots) };
  }

  function* readRun(run: Run): Generator<MapWrite> {
    for (let chunk = 0; chunk < run.chunks; chunk++) {
      const bytes = db.getSync(fromByteText(chunkKey(run.id, chunk)))!;
      for (let at = 0; at < bytes.length; ) {
        const keyEnd = at + 1 + bytes[at]!;
        yield { key: toByteText(bytes.subarray(at + 1, keyEnd)), valueHash: bytes.subarray(keyEnd, keyEnd + 32) };
        at = keyEnd + 32;
      }
    }
  }

  function* mergeRuns(runs: readonly Run[]): Generator<MapWrite> {
    const heads = runs.map(readRun).map((run) => ({ run, next: run.next() }));
    for (;;) {
      let least: (typeof heads)[number] | undefined;
      for (const head of heads) {
        if (head.next.done) continue;
        if (!least || (head.next.value as MapWrite).key < (least.next.value as MapWrite).key) least = head;
      }
      if (!least) return;
      yield least.next.value as MapWrite;
      least.next = least.run.next();
    }
  }

  return {
    rows,
    async write(writes, sync) {
      const sorted = [...writes].sort((a, b) => (a.key < b.key ? -1 : 1));
      levels[0] ??= [];
      levels[0].push(await writeRun(sorted, sync));
      for (let level = 0; levels[level]!.length === FANOUT; level++) {
        const merged = levels[level]!;
        const run = await writeRun(mergeRuns(merged), sync);
        await put(
          db,
          merged.flatMap((old) => Array.from({ length: old.chunks }, (_, chunk) => ({ key: chunkKey(old.id, chunk), value: undefined }))),
          false,
          rows,
        );
        levels[level] = [];
        levels[level + 1] ??= [];
        levels[level + 1]!.push(run);
      }
    },
    proofBytes() {
      // By count, not by construction: a path of log2(n) digests in one run and the list of roots; for absence two neighbours in every run.
      const runs = levels.flat();
      const path = (run: Run): number => 32 * Math.ceil(Math.log2(Math.max(2, run.count)));
      const largest = runs.reduce((a, b) => (a.count > b.count ? a : b));
      const roots = runs.length * 36;
      return { present: roots + path(largest) + 80, absent: roots + runs.reduce((sum, run) => sum + path(run) + 64 + 2 * 80, 0) };
    },
  };
}

// --- measuring --------------------------------------------------------------------------------------------------------------------

async function directoryBytes(path: string): Promise<number> {
  let bytes = 0;
  for (const name of await readdir(path)) bytes += (await stat(join(path, name)).catch(() => undefined))?.size ?? 0; // compaction takes files away
  return bytes;
}

/** CPU time of the bare hash in the same minute: what this machine was worth while the figures were taken. */
function hashUs(): number {
  const data = new Uint8Array(175); // a quad of four
  const runs = 50_000;
  const from = process.cpuUsage();
  for (let i = 0; i < runs; i++) {
    data[30] = i;
    crypto.hashText(data);
  }
  const { user, system } = process.cpuUsage(from);
  return (user + system) / runs;
}

async function measure(
  name: string,
  settings: { keys: number; block: number; blocks: number; seconds: number; cache: number; buffer: number },
): Promise<void> {
  const path = await mkdtemp(join(tmpdir(), 'map-spike-'));
  const db: Db = new Level(path, { ...BINARY, writeBufferSize: settings.buffer * 1_048_576, cacheSize: 64 * 1024 * 1024 });
  await db.open();
  try {
    const design = name === 'map' ? mapDesign(db, settings.cache) : runsDesign(db);
    const random = randomBytes(12345);
    const started = performance.now();
    let loaded = 0;
    // Runs are loaded in blocks of the size that is measured: the schedule of merges follows from it.
    const loadBlock = name === 'map' ? LOAD_BLOCK : settings.block;
    while (loaded < settings.keys && performance.now() - started < settings.seconds * 1000) {
      await design.write(blockOf(random, Math.min(loadBlock, settings.keys - loaded)), false);
      loaded += Math.min(loadBlock, settings.keys - loaded);
    }
    const loadMs = performance.now() - started;
    const disk = await directoryBytes(path);
    design.rows.count = 0;
    design.rows.bytes = 0;
    design.rows.stageMs = 0;
    const times: number[] = [];
    let cpuUs = 0;
    let present = '';
    for (let i = 0; i < settings.blocks; i++) {
      const writes = blockOf(random, settings.block);
      present = writes[7]!.key;
      const cpu = process.cpuUsage();
      const from = performance.now();
      await design.write(writes, true);
      const { user, system } = process.cpuUsage(cpu);
      cpuUs += user + system;
      times.push(((performance.now() - from) * 1000) / settings.block);
    }
    const sorted = [...times].sort((a, b) => a - b);
    const written = settings.block * settings.blocks;
    const round = (value: number): number => Math.round(value * 10) / 10;
    console.log(
      JSON.stringify({
        design: name,
        keys: loaded,
        block: settings.block,
        loadUsPerKey: round((loadMs * 1000) / loaded),
        usPerKey: {
          mean: round(times.reduce((a, b) => a + b, 0) / times.length),
          median: round(sorted[sorted.length >> 1]!),
          max: round(sorted.at(-1)!),
        },
        cpuUsPerKey: round(cpuUs / written),
        hashUs: round(hashUs()),
        stageUsPerKey: round((design.rows.stageMs * 1000) / written),
        rowsPerKey: round(design.rows.count / written),
        rowBytesPerKey: Math.round(design.rows.bytes / written),
        diskBytesPerKey: Math.round(disk / loaded),
        proofBytes: design.proofBytes(present, `\x07recordsv${toByteText(random(36))}`),
        rssMB: Math.round(process.memoryUsage().rss / 1e6),
      }),
    );
  } finally {
    await db.close();
    await rm(path, { recursive: true });
  }
}

const { values } = parseArgs({
  options: {
    keys: { type: 'string', default: '1000000' },
    design: { type: 'string', default: 'both' },
    block: { type: 'string', default: '4000' },
    blocks: { type: 'string', default: '20' },
    seconds: { type: 'string', default: '240' },
    cache: { type: 'string', default: '100000' },
    buffer: { type: 'string', default: String(CHAIN_WRITE_BUFFER_BYTES / 1_048_576) },
  },
});
for (const design of values.design === 'both' ? ['map', 'runs'] : [values.design])
  await measure(design, {
    keys: Number(values.keys),
    block: Number(values.block),
    blocks: Number(values.blocks),
    seconds: Number(values.seconds),
    cache: Number(values.cache),
    buffer: Number(values.buffer),
  });
