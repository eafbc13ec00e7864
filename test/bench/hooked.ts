/** Nodes that hook.ts is preloaded into: how they are started, told what to do, and heard. */
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { execPath } from 'node:process';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { DevnetNode } from '../../devnet/index.ts';
import type { ThreadFinding } from './hook.ts';

const WRITTEN_WITHIN_MS = 2_000; // what the threads of a node found

export interface Hooked {
  /** The program that starts a node. */
  readonly nodePath: string;
  readonly findings: string;
  order(word: 'profile' | 'trace', nodes: readonly DevnetNode[]): Promise<void>;
  /** Ends it. @returns what each thread found, by process */
  end(nodes: readonly DevnetNode[]): Promise<ReadonlyMap<number, readonly ThreadFinding[]>>;
}

/** @param program that runs a node; a profiler's wrapper, say */
export function hookedNodes(directory: string, program: string = execPath): Hooked {
  const nodePath = join(directory, 'node');
  const findings = join(directory, 'findings');
  const hook = fileURLToPath(new URL('./hook.js', import.meta.url));
  const orders = `#!/bin/sh\nexport BENCH_HOOK_DIR='${findings}'\nexec '${program}' --import '${hook}' "$@"\n`;
  writeFileSync(nodePath, orders, { mode: 0o755 });
  const tell = (word: string, nodes: readonly DevnetNode[]): void => {
    writeFileSync(join(findings, 'order'), word);
    for (const { pid } of nodes) process.kill(pid!, 'SIGUSR2');
  };
  return {
    nodePath,
    findings,
    async order(word, nodes) {
      rmSync(findings, { recursive: true, force: true });
      mkdirSync(findings);
      tell(word, nodes);
      await sleep(WRITTEN_WITHIN_MS); // the threads begin one after the other
    },
    async end(nodes) {
      tell('end', nodes);
      await sleep(WRITTEN_WITHIN_MS);
      const found = new Map<number, ThreadFinding[]>();
      for (const file of readdirSync(findings).filter((name) => name.endsWith('.json'))) {
        const pid = Number(file.split('-')[0]);
        found.set(pid, [...(found.get(pid) ?? []), JSON.parse(readFileSync(join(findings, file), 'utf8')) as ThreadFinding]);
      }
      return found;
    },
  };
}
