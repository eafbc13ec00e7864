/** `tracemill sim`: run simulated clusters from seeds, faults and Byzantine nodes included. */
import { Command } from 'commander';
import { runEntry } from './child.ts';
import type { CommandFactory } from './program.ts';

export const simCommand: CommandFactory = (run) =>
  new Command('sim')
    .description('run simulated clusters from seeds, faults and Byzantine nodes included')
    .argument('[options...]', 'handed on; --help after -- lists them')
    .allowUnknownOption()
    .action(run(async (cli, options: string[]) => await runEntry(cli, '#sim', options)));
