/**
 * `node dist/test/bench/segments-bench.js [bytes] [groups]`: appends groups of a block's kind (body, certificate, change set, receipts) to segment files
 * under the working directory and reads them back. Prints CPU of this process, which counts; the wall time is that of the disk and of whoever else uses it.
 */
import { mkdtemp, open, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { openDirectory } from '../../node/store/files.ts';
import { FRAME_KIND, openSegmentStore } from '../../node/store/index.ts';
import { createRealWorld } from '../../node/real/world.ts';

const [bytes = 500_000, groups = 200] = process.argv.slice(2).map(Number);
const cpuUs = () => {
  const { user, system } = process.cpuUsage();
  return user + system;
};

/** Calls of fdatasync from now on. */
async function countSyncs(path: string): Promise<() => number> {
  const handle = await open(path, 'r');
  const prototype = Object.getPrototypeOf(handle) as { datasync(): Promise<void> };
  await handle.close();
  const { datasync } = prototype;
  let count = 0;
  prototype.datasync = function () {
    count++;
    return datasync.call(this);
  };
  return () => count;
}

const path = await mkdtemp(join(process.cwd(), 'segments-bench-'));
try {
  const { timers, random } = createRealWorld({ log: undefined!, crypto: undefined!, verifier: undefined! });
  const options = { directory: await openDirectory(path), chainId: new Uint8Array(32), world: { timers, random } };
  const store = await openSegmentStore(options);
  const body = random.bytes(Math.floor(bytes * 0.84));
  const frames = [
    { kind: FRAME_KIND.body, payload: body },
    { kind: FRAME_KIND.certificate, payload: random.bytes(400) },
    { kind: FRAME_KIND.changeSet, payload: random.bytes(Math.floor(bytes * 0.1)) },
    { kind: FRAME_KIND.receipts, payload: random.bytes(Math.floor(bytes * 0.06)) },
  ];
  const syncs = await countSyncs(path);
  const locations: number[] = [];
  const line = (what: string, from: number, sinceMs: number, count: number) =>
    console.log(
      `${what}: ${((cpuUs() - from) / count).toFixed(0)} us of CPU, ${(((performance.now() - sinceMs) * 1000) / count).toFixed(0)} us`,
    );
  let from = cpuUs();
  let sinceMs = performance.now();
  for (let height = 0; height < groups; height++) locations.push((await store.append(frames.map((frame) => ({ ...frame, height }))))[0]!);
  const seconds = (performance.now() - sinceMs) / 1000;
  line(`a group of ${bytes} bytes appended`, from, sinceMs, groups);
  console.log(`${((bytes * groups) / 1e6 / seconds).toFixed(0)} MB/s, ${syncs()} fdatasync for ${groups} groups`);
  from = cpuUs();
  sinceMs = performance.now();
  for (const [i, location] of locations.entries())
    await store.readPart(location, (i * 1_009) % (body.length - 2_000), ((i * 1_009) % (body.length - 2_000)) + 2_000);
  line('2,000 bytes of a body', from, sinceMs, groups);
  from = cpuUs();
  sinceMs = performance.now();
  for (const location of locations) await store.read(location);
  line('a whole body', from, sinceMs, groups);
  from = cpuUs();
  sinceMs = performance.now();
  for await (const _ of store.scan({ kinds: [FRAME_KIND.changeSet] }));
  line('a change set in a scan', from, sinceMs, groups);
  await store.close();
  from = cpuUs();
  sinceMs = performance.now();
  await (await openSegmentStore(options)).close();
  line('opening', from, sinceMs, 1);
} finally {
  await rm(path, { recursive: true });
}
