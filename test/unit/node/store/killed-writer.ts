/** A process that writes for ever, says on standard output, a number a line, what it has on disk, and is killed in the middle of it. */
import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';

/**
 * @param program file beside this one, built
 * @param path given to it
 * @param pieces of its output that come before it is killed
 * @returns the highest number that it said; -1 when it said none
 */
export async function killWriter(program: string, path: string, pieces: number): Promise<number> {
  const child = spawn(process.execPath, [fileURLToPath(new URL(program, import.meta.url)), path], { stdio: ['ignore', 'pipe', 'inherit'] });
  let said = -1;
  await new Promise<void>((resolve) => {
    let seen = 0;
    child.stdout.on('data', (chunk: Buffer) => {
      for (const line of chunk.toString().trim().split('\n')) said = Math.max(said, Number(line));
      if (++seen === pieces) child.kill('SIGKILL');
    });
    child.on('close', () => resolve());
  });
  return said;
}
