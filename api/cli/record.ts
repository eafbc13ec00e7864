/** `tracemill record submit | import | query | canonical`. */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { Command } from 'commander';
import { ChainError } from '../../node/errors/index.ts';
import { canonicalJson, type Json } from '../../node/format/index.ts';
import { canonicalTextOf } from './canonical.ts';
import type { Cli } from './cli.ts';
import { EXIT } from './exit-codes.ts';
import { type ImportResult, importRows } from './import/importer.ts';
import { dropResume, fileIdentity, readResume, saveResume } from './import/resume.ts';
import { formatOfName, type RowFormat, rowFormats, rowSource } from './import/rows.ts';
import { integer, oneOf } from './options.ts';
import type { CommandFactory } from './program.ts';
import { submit } from './submission.ts';
import { outline, table } from './text.ts';

const MEDIA_TYPE: Readonly<Record<RowFormat, string>> = {
  json: 'application/json',
  jsonl: 'application/json',
  csv: 'text/csv',
  xml: 'application/xml',
};
const CLASS_DEFAULT = 'production';
const CLASS_HELP = 'production, device, quality, material_consumption or a registered class';
const BATCH_ROWS = 100;
const BATCHES_IN_FLIGHT = 4;
const REFUSED_SHOWN_MAX = 20; // lines on a terminal; --json and --refused give all

export const recordCommand: CommandFactory = (run) =>
  new Command('record')
    .description('records')
    .addCommand(
      new Command('submit')
        .description('submit the record or records of one file, all or none')
        .argument('<file>', 'JSON, XML or CSV; - for standard input')
        .option('--format <format>', rowFormats.join(', '), oneOf(...rowFormats))
        .option('--class <class>', CLASS_HELP, CLASS_DEFAULT)
        .option('--digest <hex>', 'digest of the content, to be checked by the node')
        .option('--async', 'do not wait for the block')
        .action(
          run(async (cli, file: string, options: { format?: RowFormat; class: string; digest?: string; async?: boolean }) => {
            const body = file === '-' ? await readAll(cli) : cli.readBytes(file);
            const contentType = MEDIA_TYPE[formatOf(file, options.format)];
            const connection = await cli.connect();
            const asked = { class: options.class, ...(options.digest === undefined ? {} : { digest: options.digest }) };
            const data = await submit(cli, connection, options, (post) =>
              connection.api.submitRecords(body, { ...post, contentType, query: { ...post.query, ...asked } }),
            );
            cli.show(data, outline(data));
          }),
        ),
    )
    .addCommand(
      new Command('import')
        .description('submit a large file in batches; run again to go on after a break')
        .argument('<file>', 'JSON lines, JSON array, XML or CSV')
        .option('--format <format>', rowFormats.join(', '), oneOf(...rowFormats))
        .option('--batch <rows>', 'rows of one transaction', integer(1, 1_000), BATCH_ROWS)
        .option('--parallel <batches>', 'batches on their way at once', integer(1, 64), BATCHES_IN_FLIGHT)
        .option('--refused <file>', 'write every refused row, its code and reason as JSON lines')
        .option('--class <class>', CLASS_HELP, CLASS_DEFAULT)
        .option('--restart', 'begin at the first row whatever an earlier run did')
        .action(run(importFile)),
    )
    .addCommand(
      new Command('query')
        .description('find records')
        .option('--product <uid>')
        .option('--class <class>', CLASS_HELP)
        .option('--batch <batch>', 'production or material batch')
        .option('--device <id>')
        .option('--factory <uid>')
        .option('--from <time>', 'production time, RFC 3339')
        .option('--to <time>')
        .option('--limit <count>', '', integer(1, 1_000), 100)
        .option('--after <cursor>', 'next page')
        .option('--count', 'count all that match')
        .option('--at-least-height <height>', 'wait until the index has this height', integer(0, Number.MAX_SAFE_INTEGER))
        .action(
          run(async (cli, options: Record<string, string | number | boolean | undefined>) => {
            const { class: recordClass, product, batch, device, factory, from, to, limit, after } = options;
            const { api } = await cli.connect();
            const data = await api.findRecords({
              ...{ class: recordClass, product, batch, device, factory, from, to, limit, after },
              atLeastHeight: options.atLeastHeight,
              count: options.count ? 'exact' : undefined,
            });
            const rows = data.items.map((row) => {
              const content = (row.record ?? {}) as Record<string, unknown>;
              return [row.id, row.version, content.product_uid, content.production_time, content.pro_factory_uid];
            });
            const more = `${data.items.length} records at height ${data.height}${data.complete ? ', complete' : ''}${data.next === null ? '' : `; next page: --after ${data.next}`}`;
            cli.show(data, `${table(['id', 'version', 'product', 'time', 'factory'], rows)}${more}`);
          }),
        ),
    )
    .addCommand(
      new Command('get')
        .description('one record')
        .argument('<id>')
        .action(
          run(async (cli, id: string) => {
            const { api } = await cli.connect();
            const data = await api.getRecord(id);
            cli.show(data, outline(data));
          }),
        ),
    )
    .addCommand(
      new Command('proof')
        .description('evidence bundle of a record, for tracemill verify')
        .argument('<id>')
        .option('--out <file>', 'write it to a file')
        .option('--transaction', 'with the transaction that wrote the record and its receipt: who signed, with which kind of key')
        .action(
          run(async (cli, id: string, options: { out?: string; transaction?: boolean }) => {
            const { api } = await cli.connect();
            const query = options.transaction ? { transaction: true } : {};
            const text = canonicalJson((await api.getRecordProof(id, query)) as Json); // the one spelling that verify reads
            if (options.out === undefined) return cli.terminal.out(text);
            await writeFile(cli.path(options.out), text);
            cli.show({ file: options.out, bytes: text.length }, `${text.length} bytes written to ${options.out}`);
          }),
        ),
    )
    .addCommand(
      new Command('canonical')
        .description('the bytes that contentDigest covers, for any format; one line a record, and no line end after a single one')
        .argument('<file>', 'JSON, XML or CSV; - for standard input')
        .option('--format <format>', rowFormats.join(', '), oneOf(...rowFormats))
        .option('--class <class>', CLASS_HELP, CLASS_DEFAULT)
        .option('--digest', 'print the digests instead of the bytes')
        .action(
          run(async (cli, file: string, options: { format?: RowFormat; class: string; digest?: boolean }) => {
            const format = formatOf(file, options.format);
            if (format === 'jsonl') throw new ChainError('CLI_USAGE', { reason: 'one JSON value at a time: use --format json' });
            const texts = canonicalTextOf(format, file === '-' ? await readAll(cli) : cli.readBytes(file), options.class);
            const rows = texts.map((text) => ({ canonical: text, contentDigest: createHash('sha256').update(text).digest('hex') }));
            if (rows.length === 1 && !options.digest && !cli.options.json) return cli.terminal.out(texts[0]!); // sha256sum gives contentDigest
            cli.show(rows, rows.map((row) => (options.digest ? row.contentDigest : row.canonical)).join('\n'));
          }),
        ),
    );

interface ImportFlags {
  readonly format?: RowFormat;
  readonly batch: number;
  readonly parallel: number;
  readonly refused?: string;
  readonly class: string;
  readonly restart?: boolean;
}

async function importFile(cli: Cli, file: string, options: ImportFlags): Promise<void> {
  const path = cli.path(file);
  cli.requireFile(path);
  const connection = await cli.connect();
  const identity = fileIdentity(path);
  const chain = connection.client.url;
  const before = options.restart ? undefined : readResume(path, identity, chain);
  if (before !== undefined && before.settledRows > 0) cli.note(`going on after row ${before.settledRows} of an earlier run`);
  const refused = [...(before?.refused ?? [])];
  const source = () => rowSource(formatOf(file, options.format), createReadStream(path, { encoding: 'utf8' }));
  let total = 0;
  for await (const row of source().rows()) total = row.index + 1; // also finds a broken frame before anything is sent
  const progress = cli.progress('import', total);
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

function formatOf(file: string, given: RowFormat | undefined): RowFormat {
  const format = given ?? formatOfName(file);
  if (format === undefined) throw new ChainError('CLI_USAGE', { reason: `the name ${file} does not tell the format; give --format` });
  return format;
}

async function readAll(cli: Cli): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  for await (const part of cli.terminal.stdin()) parts.push(part);
  return Buffer.concat(parts);
}
