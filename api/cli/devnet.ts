/** `tracemill devnet`: four organisations on this machine (devnet/main.ts does the work). */
import { Command } from 'commander';
import { engineNames } from '../../node/format/engine-names.ts';
import { runEntry } from './child.ts';
import type { CommandFactory } from './program.ts';

export const devnetCommand: CommandFactory = (run) =>
  new Command('devnet')
    .description(`a network on this machine: --once, --reset, --nodes N, --engine ${engineNames.join('|')}, --dir DIR, --rows N`)
    .argument('[options...]')
    .allowUnknownOption()
    .action(
      run(async (cli, options: string[]) => {
        await runEntry(cli, '#devnet', cli.options.dir === undefined ? options : [...options, '--dir', cli.options.dir]);
      }),
    );
