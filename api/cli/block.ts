/** `tracemill block get | verify`. */
import { Command } from 'commander';
import { writeFile } from 'node:fs/promises';
import { ChainError } from '../../node/errors/index.ts';
import { EXIT } from './exit-codes.ts';
import type { CommandFactory } from './program.ts';
import { outline, table } from './text.ts';

interface Check {
  readonly check: string;
  readonly passed: boolean;
  readonly computed: string;
  readonly stated: string;
}

export const blockCommand: CommandFactory = (run) =>
  new Command('block')
    .description('blocks')
    .addCommand(
      new Command('get')
        .description('a block by height, hash or the word latest')
        .argument('<ref>')
        .option('--raw <file>', 'write its exact bytes to a file')
        .action(
          run(async (cli, ref: string, options: { raw?: string }) => {
            const { api } = await cli.connect();
            if (options.raw !== undefined) {
              const bytes = await api.getBlockBytes(ref);
              await writeFile(cli.path(options.raw), bytes);
              return cli.show({ file: options.raw, bytes: bytes.length }, `${bytes.length} bytes written to ${options.raw}`);
            }
            const data = await api.getBlock(ref);
            cli.show(data, outline(data));
          }),
        ),
    )
    .addCommand(
      new Command('verify')
        .description('have a block judged, check by check; exit code 4 when one fails')
        .argument('[ref]', 'height, hash or latest', 'latest')
        .option('--file <file>', 'exact bytes of a block instead of one the node holds')
        .action(
          run(async (cli, ref: string, options: { file?: string }) => {
            const { api } = await cli.connect();
            const bytes = options.file === undefined ? await api.getBlockBytes(ref) : cli.readBytes(options.file);
            const data = await api.validateBlock(bytes);
            const checks = (data.checks ?? data.items) as readonly Check[] | undefined;
            if (!Array.isArray(checks) || checks.length === 0) throw new ChainError('INTERNAL', { reason: 'the node answered no checks' });
            const rows = (checks as readonly Check[]).map((row) => [
              row.passed ? 'ok' : 'FAILED',
              row.check,
              row.passed ? row.stated : `stated ${row.stated}, computed ${row.computed}`,
            ]);
            cli.show(data, table(['', 'check', 'value'], rows));
            if ((checks as readonly Check[]).some((row) => !row.passed)) cli.exitCode = EXIT.notHeld;
          }),
        ),
    );
