/** Runs a test in an empty directory of its own, which is gone afterwards. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export async function inDirectory(run: (path: string) => Promise<void>): Promise<void> {
  const path = await mkdtemp(join(tmpdir(), 'tracemill-test-'));
  try {
    await run(path);
  } finally {
    await rm(path, { recursive: true, force: true });
  }
}
