/** `tracemill doctor`: everything that can be wrong on this machine, line by line, each with what to do. Reads only; asks the node if it runs, and no other machine. */
import { Command } from 'commander';
import { EXIT } from './exit-codes.ts';
import { NODE_FILE } from './file-names.ts';
import type { CommandFactory } from './program.ts';
import type { Finding } from './examination.ts';
import { table } from './text.ts';

export const doctorCommand: CommandFactory = (run) =>
  new Command('doctor')
    .description('examine versions, files, keys, stores, ports, disk and certificates; exit code 4 when there is a problem')
    .option('--config <file>', `settings of a node (default: ${NODE_FILE} here, or all nodes of the devnet)`)
    .option('--passphrase-file <file>', 'also try the passphrase')
    .option('--all', 'every finding, also of what is well')
    .action(
      run(async (cli, options: { config?: string; passphraseFile?: string; all?: boolean }) => {
        const { examine } = await import('./examination.ts'); // loads the store
        const findings = await examine(cli, options);
        const shown = options.all ? findings : inShort(findings);
        const rows = shown.map((row) => [row.state, row.subject, row.what, row.remedy ?? '']);
        cli.show(findings, table(['state', 'subject', 'finding', 'what to do'], rows));
        if (!options.all) cli.note(`${findings.length} findings; doctor --all shows each`);
        if (findings.some((row) => row.state === 'problem')) cli.exitCode = EXIT.notHeld;
      }),
    );

/** What is wrong, whole; what is well of a node in one line. */
function inShort(findings: readonly Finding[]): readonly Finding[] {
  const nodes = new Set(findings.map(({ node }) => node));
  return [...nodes].flatMap((node) => {
    const [problems, well] = ['problem', 'ok'].map((state) => findings.filter((row) => row.node === node && row.state === state));
    if (node === undefined || well!.length === 0) return problems!;
    const what = problems!.length === 0 ? `all ${well!.length} examinations passed` : `the other ${well!.length} examinations passed`;
    return [...problems!, { state: 'ok', subject: node, what, node }];
  });
}
