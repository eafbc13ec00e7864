import assert from 'node:assert/strict';
import { constants } from 'node:fs';
import { type FileHandle, mkdir, open, readFile, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { test } from 'node:test';
import { createEngine } from '../../../../consensus/index.ts';
import { concat, Writer } from '../../../../node/format/index.ts';
import { crc32 } from '../../../../node/store/checksum.ts';
import { examineVoteLog, openVoteLog, parseVoteLog, VOTE_LOG_STEP_BYTES } from '../../../../node/store/vote-log.ts';
import { inDirectory } from '../../../tools/in-directory.ts';
import { killWriter } from './killed-writer.ts';

const record = (n: number, length = 40) => Uint8Array.from({ length }, (_, i) => ((n * 31 + i * 7) & 255) | 1);

/** The bytes of a log with one append per element, and where each frame ends. */
async function build(path: string, appends: readonly (readonly Uint8Array[])[]): Promise<{ file: Buffer; ends: number[] }> {
  const log = await openVoteLog(path);
  const ends: number[] = [];
  for (const records of appends) {
    await log.append(records);
    ends.push(parseVoteLog(await readFile(path)).end);
  }
  await log.close();
  return { file: await readFile(path), ends };
}

test('records come back in order, over several appends and openings', () =>
  inDirectory(async (path) => {
    const file = join(path, 'votes');
    const first = await openVoteLog(file);
    assert.deepEqual([first.lost, first.records.length, first.tornBytes], [undefined, 0, 0]);
    await first.append([record(1), record(2)]);
    await first.append([]);
    await Promise.all([first.append([record(3)]), first.append([record(4)])]);
    await first.close();
    const second = await openVoteLog(file);
    assert.deepEqual([second.lost, second.tornBytes], [undefined, 0]);
    assert.deepEqual(
      second.records,
      [1, 2, 3, 4].map((n) => record(n)),
    );
    await second.append([record(5)]);
    await second.close();
    const third = await openVoteLog(file);
    assert.deepEqual(
      third.records,
      [1, 2, 3, 4, 5].map((n) => record(n)),
    );
    await third.close();
  }));

test('a record larger than the room written ahead is kept whole', () =>
  inDirectory(async (path) => {
    const file = join(path, 'votes');
    const log = await openVoteLog(file);
    const large = record(1, 2 * VOTE_LOG_STEP_BYTES + 5);
    await log.append([large]);
    await log.append([record(2)]);
    await log.close();
    const again = await openVoteLog(file);
    assert.deepEqual(again.records, [large, record(2)]);
    await again.close();
    assert.equal((await stat(file)).size % VOTE_LOG_STEP_BYTES, 0);
  }));

test('cut at any byte, the log keeps every whole frame and drops the torn one', () =>
  inDirectory(async (path) => {
    const appends = [[record(1)], [record(2), record(3, 700)], [record(4)]];
    const { file, ends } = await build(join(path, 'votes'), appends);
    for (let length = 16; length <= ends.at(-1)!; length++) {
      const whole = ends.filter((end) => end <= length).length;
      for (const form of [file.subarray(0, length), Buffer.concat([file.subarray(0, length), Buffer.alloc(2048)])]) {
        const content = parseVoteLog(form);
        assert.equal(content.damagedAt, undefined, `cut at ${length}`);
        assert.deepEqual(content.records, appends.slice(0, whole).flat(), `cut at ${length}`);
        const frameStart = whole === 0 ? 16 : ends[whole - 1]!;
        assert.equal(content.tornBytes > 0, length > frameStart, `cut at ${length}`);
      }
    }
    for (let length = 0; length < 16; length++)
      assert.equal(parseVoteLog(file.subarray(0, length)).damagedAt, 0, 'a log without its beginning');
  }));

test('sectors of the last frame that never reached the disk are a torn frame, whichever they are', () =>
  inDirectory(async (path) => {
    const appends = [[record(1, 440)], [record(2, 2500)]];
    const { file, ends } = await build(join(path, 'votes'), appends);
    const [from, to] = [ends[0]!, ends[1]!];
    const sectors = [...new Set(Array.from({ length: to - from }, (_, i) => Math.floor((from + i) / 512)))];
    assert.ok(sectors.length >= 5);
    for (let missing = 1; missing < 1 << sectors.length; missing++) {
      const torn = Buffer.from(file);
      sectors.forEach((sector, i) => {
        if (missing & (1 << i)) torn.fill(0, Math.max(from, sector * 512), Math.min(to, (sector + 1) * 512));
      });
      const content = parseVoteLog(torn);
      assert.deepEqual([content.damagedAt, content.records.length], [undefined, 1], `missing ${missing.toString(2)}`);
    }
  }));

test('a flipped bit anywhere is damage and is never taken for a torn end', () =>
  inDirectory(async (path) => {
    const { file, ends } = await build(join(path, 'votes'), [[record(1)], [record(2)], [record(3)]]);
    for (let at = 0; at < ends.at(-1)!; at++) {
      for (const bit of [1, 16, 128]) {
        const flipped = Buffer.from(file);
        flipped[at]! ^= bit;
        const content = parseVoteLog(flipped);
        assert.notEqual(content.damagedAt, undefined, `byte ${at}, bit ${bit}`);
        assert.equal(content.records.length, ends.filter((end) => end <= at).length, `byte ${at}, bit ${bit}`);
      }
    }
  }));

/** The replica of a validator at height 0 with this log: what it says of itself. */
function phaseWith(records: readonly Uint8Array[]): string {
  const key = { node: 'a', publicKey: new Uint8Array(32), suite: 1, weight: 1 };
  const start = {
    chainId: new Uint8Array(32),
    self: 'a',
    validators: ['a', 'b', 'c', 'd'].map((node) => ({ ...key, node })),
    height: 0,
    digest: new Uint8Array(32),
    finality: undefined,
    parameters: { viewTimeoutMs: 1_000, viewTimeoutMaxMs: 8_000, idleBlockIntervalMs: 1_000, checkpointIntervalBlocks: 16 },
    log: records,
  };
  const signing = { hash: () => new Uint8Array(32), sign: () => new Uint8Array(64), verify: () => true };
  const replica = createEngine('pbft', start, signing);
  const saved = replica.step({ kind: 'tick', nowMs: 0 }).flatMap((effect) => (effect.kind === 'persist' ? [effect.record] : []));
  return createEngine('pbft', { ...start, log: [...records, ...saved] }, signing).status().phase;
}

/** Opens what is damaged: the log must open, keep the old file unchanged, and make the replica mute, also after the next start. */
async function opensMute(file: string, cause: string): Promise<string> {
  const log = await openVoteLog(file);
  assert.equal(log.lost?.cause, cause);
  const aside = join(dirname(file), log.lost?.setAside ?? '');
  assert.equal(phaseWith(log.records), 'mute', 'at height 0 too, where an empty log is that of a new network');
  await log.append([record(9)]);
  await log.close();
  const again = await openVoteLog(file);
  assert.deepEqual([again.lost, again.records.at(-1)], [undefined, record(9)]);
  assert.equal(phaseWith(again.records.slice(0, 1)), 'mute', 'through a restart');
  await again.close();
  return aside;
}

test('one flipped bit at any byte of the log: it opens, the replica is mute, and the damaged file is kept under another name', () =>
  inDirectory(async (path) => {
    const { file, ends } = await build(join(path, 'votes'), [[record(1)], [record(2)], [record(3)]]);
    for (let at = 0; at < ends.at(-1)!; at++) {
      const below = join(path, `byte-${at}`);
      await mkdir(below);
      const flipped = Buffer.from(file.subarray(0, ends.at(-1)! + 600));
      flipped[at]! ^= 1 << (at % 8);
      const name = join(below, 'votes');
      await writeFile(name, flipped);
      await assert.rejects(examineVoteLog(name), { code: 'VOTE_LOG_DAMAGED' }, `byte ${at}`);
      if (at % 8 !== 5) continue; // each opening costs half a dozen syncs
      const aside = await opensMute(name, 'damaged');
      assert.deepEqual(await readFile(aside), flipped, `byte ${at}`);
      assert.deepEqual((await examineVoteLog(name))?.setAside, [basename(aside)]);
      await rm(below, { recursive: true });
    }
  }));

test('an empty file, a header alone cut short, foreign bytes, a directory in its place: each is set aside, and the replica is mute', () =>
  inDirectory(async (path) => {
    const { file } = await build(join(path, 'whole'), [[record(1)]]);
    const cases = { empty: Buffer.alloc(0), cut: file.subarray(0, 9), foreign: Buffer.from('{"votes": []}'), zeros: Buffer.alloc(4096) };
    for (const [name, bytes] of Object.entries(cases)) {
      await writeFile(join(path, name), bytes);
      await assert.rejects(examineVoteLog(join(path, name)), { code: 'VOTE_LOG_DAMAGED' }, name);
      assert.deepEqual(await readFile(await opensMute(join(path, name), 'damaged')), bytes, name);
    }
    await mkdir(join(path, 'directory', 'within'), { recursive: true });
    await assert.rejects(examineVoteLog(join(path, 'directory')), { code: 'VOTE_LOG_DAMAGED' });
    assert.deepEqual(await readdir(await opensMute(join(path, 'directory'), 'unreadable')), ['within']);
  }));

test('a log whose frame has the right checksum and no list of records in it is damage, not a crash', () =>
  inDirectory(async (path) => {
    const file = join(path, 'votes');
    await build(file, [[]]);
    const start = new Writer(32).u32(0xf7a3c51b).u32(3).u64(0).finish();
    const body = Uint8Array.of(255, 255, 255);
    const frame = concat(start, new Writer(8).u32(crc32(start)).u32(crc32(body)).finish(), body, Uint8Array.of(0xa5));
    const whole = await readFile(file);
    await writeFile(file, concat(whole.subarray(0, 16), frame, new Uint8Array(64)));
    await opensMute(file, 'damaged');
  }));

test('a log that is missing beside a chain is lost; without a chain it is that of a new node', () =>
  inDirectory(async (path) => {
    assert.equal(await examineVoteLog(join(path, 'votes')), undefined);
    const created = await openVoteLog(join(path, 'votes'), { expected: false });
    assert.deepEqual([created.lost, phaseWith(created.records)], [undefined, 'idle']);
    await created.close();
    const lost = await openVoteLog(join(path, 'gone'), { expected: true });
    assert.deepEqual([lost.lost?.cause, lost.lost?.setAside, phaseWith(lost.records)], ['missing', undefined, 'mute']);
    await lost.close();
    assert.equal((await examineVoteLog(join(path, 'gone')))?.replacesLost, true);
  }));

test('a log goes on after its torn end was dropped', () =>
  inDirectory(async (path) => {
    const file = join(path, 'votes');
    const { file: content, ends } = await build(file, [[record(1)], [record(2, 300)]]);
    content.fill(0, ends[1]! - 20);
    await writeFile(file, content);
    const log = await openVoteLog(file);
    assert.ok(log.tornBytes > 0);
    assert.deepEqual(log.records, [record(1)]);
    await log.append([record(5)]);
    await log.close();
    const again = await openVoteLog(file);
    assert.deepEqual([again.records, again.tornBytes], [[record(1), record(5)], 0]);
    await again.close();
  }));

test('a rewrite replaces everything, leaves no temporary file, and appends go on behind it', () =>
  inDirectory(async (path) => {
    const file = join(path, 'votes');
    const log = await openVoteLog(file);
    await log.append([record(1), record(2), record(3)]);
    await log.rewrite([record(3)]);
    await log.append([record(4)]);
    await log.rewrite([]);
    await log.append([record(5)]);
    await log.close();
    assert.deepEqual(await readdir(path), ['votes']);
    const again = await openVoteLog(file);
    assert.deepEqual(again.records, [record(5)]);
    await again.close();
  }));

test('a temporary file left by a crash during a rewrite changes nothing', () =>
  inDirectory(async (path) => {
    const file = join(path, 'votes');
    await build(file, [[record(1)]]);
    await writeFile(`${file}.new`, 'half a rewrite');
    const log = await openVoteLog(file);
    assert.deepEqual(log.records, [record(1)]);
    await log.rewrite([record(2)]);
    await log.close();
    assert.deepEqual(parseVoteLog(await readFile(file)).records, [record(2)]);
  }));

test('a writer killed in the middle of appending loses nothing it said was on disk', () =>
  inDirectory(async (path) => {
    const file = join(path, 'votes');
    let said = 0;
    for (let round = 0; round < 4; round++) {
      said = Math.max(said, (await killWriter('./vote-log-writer.js', file, 10 + round)) + 1);
      const log = await openVoteLog(file);
      assert.ok(log.records.length >= said, `${log.records.length} records, ${said} said`);
      for (const [n, bytes] of log.records.entries()) assert.ok(new TextDecoder().decode(bytes).startsWith(`record ${n} `));
      await log.close();
    }
    assert.ok(said >= 10);
  }));

/** Whether its writes are on disk when they resolve, as the system says. */
async function isSynced(handle: FileHandle): Promise<boolean> {
  const [, flags] = /flags:\s*([0-7]+)/.exec(await readFile(`/proc/self/fdinfo/${handle.fd}`, 'utf8'))!;
  return (Number.parseInt(flags!, 8) & constants.O_DSYNC) !== 0;
}

test(
  'an append answers once its bytes are synced, and a rewrite syncs the new file before it takes the name and the name after',
  { skip: process.platform !== 'linux' },
  () =>
    inDirectory(async (path) => {
      const file = join(path, 'votes');
      const log = await openVoteLog(file);
      const handle = await open(file, 'r');
      const prototype = Object.getPrototypeOf(handle) as Pick<FileHandle, 'write' | 'sync'>;
      await handle.close();
      const { write, sync } = prototype;
      const happened: string[] = [];
      const isNamed = async () => ((await readdir(path)).includes('votes.new') ? 'under another name' : 'under its name');
      /** The call as it is, held up long enough that whoever does not wait for it goes on first. */
      const watched = <T extends unknown[], R>(name: string, call: (...args: T) => Promise<R>) =>
        async function (this: FileHandle, ...args: T): Promise<R> {
          const of = (await this.stat()).isDirectory() ? 'the directory' : `the file ${await isNamed()}`;
          const kind = name === 'write' && (await isSynced(this)) ? 'synced write' : name;
          const result = await call.apply(this, args);
          await new Promise((resolve) => setTimeout(resolve, 20));
          const held = parseVoteLog(await readFile(file)).records.length;
          happened.push(`${kind} of ${of}, ${held} records`);
          return result;
        };
      prototype.write = watched('write', write as (...args: unknown[]) => Promise<unknown>) as typeof write;
      prototype.sync = watched('sync', sync);
      try {
        await log.append([record(1)]);
        happened.push('first answered');
        await log.append([record(2), record(3)]);
        happened.push('second answered');
        await log.rewrite([record(3)]);
        happened.push('rewrite answered');
        await log.close();
        const again = await openVoteLog(file);
        await again.append([record(4)]);
        happened.push('third answered');
        await again.close();
      } finally {
        Object.assign(prototype, { write, sync });
      }
      assert.deepEqual(happened, [
        'synced write of the file under its name, 1 records',
        'first answered',
        'synced write of the file under its name, 3 records',
        'second answered',
        'synced write of the file under another name, 3 records',
        'sync of the file under another name, 3 records',
        'sync of the directory, 1 records',
        'rewrite answered',
        'synced write of the file under its name, 2 records',
        'third answered',
      ]);
    }),
);
