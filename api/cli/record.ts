/** `tracemill record submit | import | query | get | proof | canonical`. */
import { createHash } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { Command } from 'commander';
import { ChainError } from '../../node/errors/index.ts';
import type { Json } from '../../node/format/index.ts';
import type { Cli } from './cli.ts';
import type { ImportFlags } from './import/file.ts';
import { formatOf, type RowFormat, rowFormats } from './import/format.ts';
import { noteMore, type PageOptions, withPages } from './listing.ts';
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
        .action(run(async (cli, file: string, options: ImportFlags) => (await import('./import/file.ts')).importFile(cli, file, options))),
    )
    .addCommand(
      withPages(new Command('query').description('find records'))
        .option('--product <uid>')
        .option('--class <class>', CLASS_HELP)
        .option('--batch <batch>', 'production or material batch')
        .option('--device <id>')
        .option('--factory <uid>')
        .option('--from <time>', 'production time, RFC 3339')
        .option('--to <time>')
        .option('--count', 'count all that match')
        .option('--at-least-height <height>', 'wait until the index has this height', integer(0, Number.MAX_SAFE_INTEGER))
        .action(run(findRecords)),
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
            const [{ canonicalJson }, { api }] = await Promise.all([import('../../node/format/index.ts'), cli.connect()]);
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
            const { canonicalTextOf } = await import('./canonical.ts');
            const texts = canonicalTextOf(format, file === '-' ? await readAll(cli) : cli.readBytes(file), options.class);
            const rows = texts.map((text) => ({ canonical: text, contentDigest: createHash('sha256').update(text).digest('hex') }));
            if (rows.length === 1 && !options.digest && !cli.options.json) return cli.terminal.out(texts[0]!); // sha256sum gives contentDigest
            cli.show(rows, rows.map((row) => (options.digest ? row.contentDigest : row.canonical)).join('\n'));
          }),
        ),
    );

async function findRecords(
  cli: Cli,
  options: PageOptions & Readonly<Record<string, string | number | boolean | undefined>>,
): Promise<void> {
  const { class: recordClass, product, batch, device, factory, from, to, limit, after, atLeastHeight } = options;
  const { api } = await cli.connect();
  const filter = { class: recordClass, product, batch, device, factory, from, to, atLeastHeight };
  const data = await api.findRecords({ ...filter, limit, after, count: options.count ? 'exact' : undefined });
  const rows = data.items.map((row) => {
    const content = (row.record ?? {}) as Record<string, unknown>;
    return [row.id, row.version, content.product_uid, content.production_time, content.pro_factory_uid];
  });
  const sum = [`${data.items.length} records at height ${data.height}${data.complete ? ', complete' : ''}`];
  if (data.count !== null) sum.push(`${data.count} match in all`);
  if (data.withheld > 0) sum.push(`${data.withheld} withheld: this account may not read them`);
  cli.show(data, `${table(['id', 'version', 'product', 'time', 'factory'], rows)}${sum.join('; ')}`);
  if (data.next === null || cli.options.json) return;
  const counted = data.count ?? (await api.findRecords({ ...filter, limit: 1, count: 'exact' }).catch(() => undefined))?.count;
  noteMore(cli, data.items.length, typeof counted === 'number' ? `${counted} match in all` : 'there are more', data.next);
}

async function readAll(cli: Cli): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  for await (const part of cli.terminal.stdin()) parts.push(part);
  return Buffer.concat(parts);
}
