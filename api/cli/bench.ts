/** `tracemill bench`: measure a fresh devnet against its bound, term by term. */
import { Command } from 'commander';
import { runEntry } from './child.ts';
import type { CommandFactory } from './program.ts';

export const benchCommand: CommandFactory = (run) =>
  new Command('bench')
    .description('measure a fresh devnet against its bound, term by term')
    .argument('[options...]', 'handed on; --help after -- lists them')
    .allowUnknownOption()
    .action(run(async (cli, options: string[]) => await runEntry(cli, '#bench', options)));
