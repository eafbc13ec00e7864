/** How far an import of a file has come, beside the file, so that the next run goes on there. Gone when the import is complete. */
import { createHash } from 'node:crypto';
import { openSync, closeSync, existsSync, readFileSync, readSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import type { RefusedRow } from './importer.ts';

export interface ResumePoint {
  /** Length, and digest of the first bytes: another file under the same name begins anew. */
  readonly identity: string;
  readonly chain: string;
  readonly settledRows: number;
  readonly refused: readonly RefusedRow[];
}

const HEAD_BYTES = 1_048_576; // of the file, that the identity covers

export function fileIdentity(path: string): string {
  const { size } = statSync(path);
  const head = Buffer.alloc(Math.min(size, HEAD_BYTES));
  const file = openSync(path, 'r');
  try {
    readSync(file, head, 0, head.length, 0);
  } finally {
    closeSync(file);
  }
  return `${size}-${createHash('sha256').update(head).digest('hex')}`;
}

const resumePath = (file: string): string => `${file}.import`;

export function readResume(file: string, identity: string, chain: string): ResumePoint | undefined {
  const path = resumePath(file);
  if (!existsSync(path)) return undefined;
  try {
    const point = JSON.parse(readFileSync(path, 'utf8')) as ResumePoint;
    return point.identity === identity && point.chain === chain ? point : undefined;
  } catch {
    return undefined; // beginning anew stores nothing twice
  }
}

export function saveResume(file: string, point: ResumePoint): void {
  const path = resumePath(file);
  writeFileSync(`${path}.new`, JSON.stringify(point), { mode: 0o600 });
  renameSync(`${path}.new`, path);
}

export function dropResume(file: string): void {
  rmSync(resumePath(file), { force: true });
}
