/** `tracemill tx get`: what became of a transaction. */
import { Command } from 'commander';
import type { CommandFactory } from './program.ts';
import { outline } from './text.ts';

export const txCommand: CommandFactory = (run) =>
  new Command('tx').description('transactions').addCommand(
    new Command('get')
      .description('state and receipt of a transaction')
      .argument('<transaction-id>', '64 hex digits')
      .action(
        run(async (cli, id: string) => {
          const { api } = await cli.connect();
          const data = await api.getTransaction(id);
          cli.show(data, outline(data));
        }),
      ),
  );
