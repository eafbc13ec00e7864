/** `tracemill governance propose | vote | list | parameters`. */
import { Command } from 'commander';
import { jsonArgument } from './options.ts';
import { type PageOptions, showList, withPages } from './listing.ts';
import type { CommandFactory } from './program.ts';
import { submit } from './submission.ts';
import { outline } from './text.ts';

export const governanceCommand: CommandFactory = (run) =>
  new Command('governance')
    .description('changes of the chain itself, decided by votes of organisations')
    .addCommand(
      new Command('propose')
        .description('propose a change')
        .argument('<change>', 'the change as JSON, or @FILE; e.g. {"kind":"setParameter","name":"viewTimeoutMs","value":3000}')
        .option('--async', 'do not wait for the block')
        .action(
          run(async (cli, change: string, options: { async?: boolean }) => {
            const connection = await cli.connect();
            const body = jsonArgument(change.startsWith('@') ? cli.readText(change.slice(1)) : change, 'change') as Record<string, unknown>;
            const data = await submit(cli, connection, options, (post) => connection.api.proposeChange(body, post));
            cli.show(data, outline(data));
          }),
        ),
    )
    .addCommand(
      new Command('vote')
        .description('vote for the organisation of the account')
        .argument('<proposal-id>')
        .argument('<vote>', 'yes or no')
        .option('--async', 'do not wait for the block')
        .action(
          run(async (cli, id: string, vote: string, options: { async?: boolean }) => {
            const connection = await cli.connect();
            const data = await submit(cli, connection, options, (post) => connection.api.voteOnProposal(id, { vote }, post));
            cli.show(data, outline(data));
          }),
        ),
    )
    .addCommand(
      withPages(new Command('list').description('proposals and how the votes stand')).action(
        run(async (cli, { limit, after }: PageOptions) => {
          const { api } = await cli.connect();
          const read = (page: PageOptions) => api.listProposals({ ...page });
          const columns = ['id', 'state', 'change', 'votes'];
          await showList(cli, await read({ limit, after }), read, columns, (row) => [row.id, row.state, row.change, row.votes]);
        }),
      ),
    )
    .addCommand(
      new Command('parameters').description('chain parameters in force').action(
        run(async (cli) => {
          const { api } = await cli.connect();
          const data = await api.getParameters();
          cli.show(data, outline(data));
        }),
      ),
    );
