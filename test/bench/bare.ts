/** The reference: the same nodes without HTTP and with empty execution, one transaction at a time. What a commit costs whatever is in it. */
import { type ChildProcess, fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { DevnetNode } from '../../devnet/index.ts';
import { type Latency, latencyOf } from './statistics.ts';

const COUNT = 60;
const INTERVAL_MS = 200;
const STOP_TIMEOUT_MS = 15_000;

/** @param nodes that do not run at the moment; they keep their ports and keys and get data directories of their own */
export async function emptyCommits(nodes: readonly DevnetNode[]): Promise<Latency> {
  const program = fileURLToPath(new URL('./bare-node.js', import.meta.url));
  const children = nodes.map((node) => fork(program, [node.configPath]));
  const next = (child: ChildProcess, kind: string): Promise<{ latencies?: number[] }> =>
    new Promise((done, reject) => {
      child.on('message', (message: { kind: string; latencies?: number[] }) => message.kind === kind && done(message));
      child.once('exit', (code) => reject(new Error(`a bare node ended with ${code}`)));
    });
  try {
    await Promise.all(children.map((child) => next(child, 'started')));
    const done = next(children[0]!, 'done');
    children[0]!.send({ kind: 'run', account: `operator@${nodes[0]!.organisation}`, count: COUNT, intervalMs: INTERVAL_MS });
    return latencyOf((await done).latencies!);
  } finally {
    await Promise.all(children.map(stopped));
  }
}

function stopped(child: ChildProcess): Promise<void> {
  return new Promise((gone) => {
    if (child.exitCode !== null) return gone();
    child.removeAllListeners('exit');
    child.once('exit', () => gone());
    child.send({ kind: 'stop' });
    setTimeout(() => child.kill('SIGKILL'), STOP_TIMEOUT_MS).unref();
  });
}
