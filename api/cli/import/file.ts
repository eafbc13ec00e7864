/** `tracemill record import`: one file from its first row to its last, with progress, a place to go on from, and the list of refused rows. */
import { createReadStream } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import type { Cli } from '../cli.ts';
import { EXIT } from '../exit-codes.ts';
import { table } from '../text.ts';
import { formatOf, type RowFormat } from './format.ts';
import { type ImportResult, importRows } from './importer.ts';
import { dropResume, fileIdentity, readResume, saveResume } from './resume.ts';
import { rowSource, utf8Chunks } from './rows.ts';

const REFUSED_SHOWN_MAX = 20; // lines on a terminal; --json and --refused give all

export interface ImportFlags {
  readonly format?: RowFormat;
  readonly batch: number;
  readonly parallel: number;
  readonly refused?: string;
  readonly class: string;
  readonly restart?: boolean;
}

export async function importFile(cli: Cli, file: string, options: ImportFlags): Promise<void> {
  const path = cli.path(file);
  cli.requireFile(path);
  const connection = await cli.connect();
  const identity = fileIdentity(path);
  const chain = connection.client.url;
  const before = options.restart ? undefined : readResume(path, identity, chain);
  if (before !== undefined && before.settledRows > 0) cli.note(`going on after row ${before.settledRows} of an earlier run`);
  const refused = [...(before?.refused ?? [])];
  const source = () => rowSource(formatOf(file, options.format), utf8Chunks(createReadStream(path)));
  let total = 0;
  for await (const row of source().rows()) total = row.index + 1; // also finds a broken frame before anything is sent
  const progress = await cli.progress('import', total);
  const stop = new AbortController();
  const release = cli.terminal.onStop(() => stop.abort());
  let settled = before?.settledRows ?? 0;
  let result: ImportResult;
  try {
    result = await importRows({
      source: source(),
      clients: [connection.client],
      recordClass: options.class,
      batchRows: options.batch,
      inFlight: options.parallel,
      skipRows: settled,
      signal: stop.signal,
      sleep: (ms) => cli.terminal.sleep(ms),
      onSettled(settledRows, sofar) {
        settled = settledRows;
        progress.at(settledRows, `${refused.length + sofar.refused.length} refused`);
        saveResume(path, { identity, chain, settledRows, refused: [...refused, ...sofar.refused] });
      },
    });
  } finally {
    progress.stop();
    release();
  }
  refused.push(...result.refused);
  if (options.refused !== undefined) {
    await writeFile(cli.path(options.refused), refused.map((row) => `${JSON.stringify(row)}\n`).join(''));
  }
  if (stop.signal.aborted && settled < total) {
    cli.exitCode = EXIT.unreachable;
    return cli.show({ ...result, refused, complete: false }, `stopped after row ${settled} of ${total}; run the same command to go on`);
  }
  dropResume(path);
  if (refused.length > 0) cli.exitCode = EXIT.notHeld;
  const shown = refused.slice(0, REFUSED_SHOWN_MAX).map((row) => [`row ${row.row}`, row.code, row.place, row.message]);
  const list = shown.length === 0 ? '' : table(['refused', 'code', 'place', 'reason'], shown);
  const more = refused.length > shown.length ? `and ${refused.length - shown.length} more; --refused FILE writes all\n` : '';
  const sum = `${result.stored} stored, ${result.repeated} there already, ${refused.length} refused, height ${result.height}\n`;
  cli.show({ ...result, refused, complete: true }, list + more + sum);
}
