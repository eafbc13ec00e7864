/**
 * Loads rows into a devnet over HTTPS, every organisation through its own node at the same time. What an earlier run has settled is
 * skipped; should that note be lost, sending everything again stores nothing twice.
 */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { SubmitReceipt } from '../api/client/index.ts';
import { type ImportResult, importRows, type RawRow, type RefusedRow, type RowSource } from '../api/cli/index.ts';
import { writeFileAtomic } from '../node/keystore/index.ts';
import type { Devnet, DevnetNode } from './devnet.ts';
import { LOAD_FILE } from './provision.ts';

/** Rows of one organisation: JSON texts. */
export interface LoadPart {
  readonly node: DevnetNode;
  readonly account: string;
  readonly rows: readonly string[];
}

export interface LoadResult {
  readonly rows: number;
  readonly stored: number;
  readonly repeated: number;
  /** Settled by an earlier run and not sent. */
  readonly skipped: number;
  readonly refused: readonly (RefusedRow & { readonly account: string })[];
  readonly height: number;
  /** Of the rows sent by this run, per second. */
  readonly rowsPerSecond: number;
}

export interface LoadOptions {
  readonly onProgress?: (settled: number, total: number) => void;
  readonly onReceipt?: (receipt: SubmitReceipt) => void;
  readonly signal?: AbortSignal;
}

/** Rows of one transaction: most of what it costs beside its records is the same for a few and for many. */
const BATCH_ROWS = 500;
const BATCHES_IN_FLIGHT = 2; // for each organisation

interface LoadNote {
  readonly genesisHash: string;
  readonly settled: Readonly<Record<string, number>>;
}

export async function loadRows(net: Devnet, parts: readonly LoadPart[], options: LoadOptions = {}): Promise<LoadResult> {
  const before = readNote(net);
  const settled: Record<string, number> = Object.fromEntries(
    parts.map((part) => [part.account, Math.min(before[part.account] ?? 0, part.rows.length)]),
  );
  const total = parts.reduce((sum, part) => sum + part.rows.length, 0);
  const sum = (): number => Object.values(settled).reduce((a, b) => a + b, 0);
  const skipped = sum();
  let writing: Promise<void> = Promise.resolve();
  const started = performance.now();
  options.onProgress?.(skipped, total);
  const results = await Promise.all(
    parts.map(async (part): Promise<ImportResult> => {
      const client = part.node.client(part.account);
      try {
        return await importRows({
          source: textSource(part.rows),
          clients: [client],
          batchRows: BATCH_ROWS,
          inFlight: BATCHES_IN_FLIGHT,
          skipRows: settled[part.account]!,
          sleep: (ms) => sleep(ms),
          onSettled(rows) {
            settled[part.account] = rows;
            options.onProgress?.(sum(), total);
            writing = writing.then(() => writeNote(net, settled));
          },
          ...(options.onReceipt === undefined ? {} : { onReceipt: options.onReceipt }),
          ...(options.signal === undefined ? {} : { signal: options.signal }),
        });
      } finally {
        client.close();
      }
    }),
  );
  await writing;
  const sent = sum() - skipped;
  return {
    rows: total,
    stored: results.reduce((count, result) => count + result.stored, 0),
    repeated: results.reduce((count, result) => count + result.repeated, 0),
    skipped,
    refused: results.flatMap((result, i) => result.refused.map((row) => ({ ...row, account: parts[i]!.account }))),
    height: Math.max(0, ...results.map((result) => result.height)),
    rowsPerSecond: sent === 0 ? 0 : Math.round((sent * 1_000) / (performance.now() - started)),
  };
}

function textSource(texts: readonly string[]): RowSource {
  return {
    contentType: 'application/json',
    async *rows(): AsyncGenerator<RawRow, void, undefined> {
      for (const [index, text] of texts.entries()) yield { index, number: index + 1, text };
    },
    body: (rows) => `[${rows.map((row) => row.text).join(',')}]`,
  };
}

function readNote(net: Devnet): Readonly<Record<string, number>> {
  const path = join(net.dir, LOAD_FILE);
  if (!existsSync(path)) return {};
  try {
    const note = JSON.parse(readFileSync(path, 'utf8')) as LoadNote;
    return note.genesisHash === net.genesisHash ? note.settled : {};
  } catch {
    return {};
  }
}

async function writeNote(net: Devnet, settled: Readonly<Record<string, number>>): Promise<void> {
  const note: LoadNote = { genesisHash: net.genesisHash, settled };
  await writeFileAtomic(join(net.dir, LOAD_FILE), JSON.stringify(note), 0o600);
}
