/** `tracemill doctor`: everything that can be wrong on this machine, line by line, each with what to do. Reads only; asks the node if it runs, and no other machine. */
import { Command } from 'commander';
import { EXIT } from './exit-codes.ts';
import { NODE_FILE } from './file-names.ts';
import type { CommandFactory } from './program.ts';
import { table } from './text.ts';

export const doctorCommand: CommandFactory = (run) =>
  new Command('doctor')
    .description('examine versions, files, keys, stores, ports, disk and certificates; exit code 4 when there is a problem')
    .option('--config <file>', `settings of a node (default: ${NODE_FILE} here, or all nodes of the devnet)`)
    .option('--passphrase-file <file>', 'also try the passphrase')
    .action(
      run(async (cli, options: { config?: string; passphraseFile?: string }) => {
        const { examine } = await import('./examination.ts'); // loads the store
        const findings = await examine(cli, options);
        const rows = findings.map((row) => [row.state, row.subject, row.what, row.remedy ?? '']);
        cli.show(findings, table(['state', 'subject', 'finding', 'what to do'], rows));
        if (findings.some((row) => row.state === 'problem')) cli.exitCode = EXIT.notHeld;
      }),
    );
