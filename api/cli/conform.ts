/** `tracemill conform`: exercise the clauses of DB53/T 1407-2025 on a live devnet. */
import { Command } from 'commander';
import { runEntry } from './child.ts';
import type { CommandFactory } from './program.ts';

export const conformCommand: CommandFactory = (run) =>
  new Command('conform')
    .description('exercise the clauses of DB53/T 1407-2025 on a live devnet')
    .argument('[options...]', 'handed on; --help after -- lists them')
    .allowUnknownOption()
    .action(run(async (cli, options: string[]) => await runEntry(cli, '#conform', options)));
