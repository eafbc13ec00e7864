import assert from 'node:assert/strict';
import { mkdtemp, open, rm, unlink, utimes } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { LogFiles } from '../../../../node/store/log-files.ts';

/** Long enough before now for a listing to be rested on, s. */
const LONG_AGO_S = 60;

interface Bed {
  readonly logs: LogFiles;
  make(number: number): Promise<void>;
  remove(number: number): Promise<void>;
  /** The time of the directory, s. */
  setTime(seconds: number): Promise<void>;
  /** Numbers of the logs that a sync reaches. */
  synced(): Promise<number[]>;
}

async function withLogs(t: TestContext, run: (bed: Bed) => Promise<void>): Promise<void> {
  const path = await mkdtemp(join(tmpdir(), 'log-files-'));
  const nameOf = (number: number): string => join(path, `00000${number}.log`);
  const numbers = new Map<number, number>();
  let reached: number[] = [];
  const probe = await open(join(path, 'probe'), 'w');
  const handles = Object.getPrototypeOf(probe) as typeof probe;
  await probe.close();
  const real = handles.datasync;
  t.mock.method(handles, 'datasync', async function (this: typeof probe) {
    reached.push(numbers.get((await this.stat()).ino)!);
    await real.call(this);
  });
  const logs = new LogFiles(path);
  try {
    await run({
      logs,
      async make(number) {
        const file = await open(nameOf(number), 'w');
        numbers.set((await file.stat()).ino, number);
        await file.close();
      },
      remove: (number) => unlink(nameOf(number)),
      setTime: (seconds) => utimes(path, seconds, seconds),
      async synced() {
        reached = [];
        await logs.sync();
        return reached.sort();
      },
    });
  } finally {
    await logs.close();
    await rm(path, { recursive: true });
  }
}

test('logs are held open while nothing was made or removed beside them, and looked for again when something was', (t) =>
  withLogs(t, async ({ logs, make, remove, setTime, synced }) => {
    const then = Math.floor(Date.now() / 1_000) - LONG_AGO_S;
    await make(1);
    await setTime(then);
    assert.deepEqual(await synced(), [1]);
    await remove(1);
    await setTime(then);
    assert.deepEqual(await synced(), [1], 'held open');
    await make(2);
    await setTime(then + 1);
    assert.deepEqual(await synced(), [2], 'begun since; the one that is gone is let go');
    await make(3);
    await setTime(then + 2);
    assert.deepEqual(await synced(), [2, 3]);
    await logs.close();
    assert.deepEqual(await synced(), [2, 3], 'opened again');
  }));

test('a directory that changed too short a time ago is listed again, for it may have changed once more at the same time', (t) =>
  withLogs(t, async ({ make, setTime, synced }) => {
    const now = Math.floor(Date.now() / 1_000);
    await make(1);
    await setTime(now);
    assert.deepEqual(await synced(), [1]);
    await make(2);
    await setTime(now);
    assert.deepEqual(await synced(), [1, 2]);
  }));

test('a directory that is not there fails the sync', async () => {
  const path = await mkdtemp(join(tmpdir(), 'log-files-'));
  await rm(path, { recursive: true });
  await assert.rejects(new LogFiles(path).sync(), { code: 'ENOENT' });
});
