/** `tracemill registry list | get | history | register | update | suspend | resume | withdraw | classes`. */
import { Command } from 'commander';
import { jsonArgument } from './options.ts';
import type { Cli } from './cli.ts';
import { type PageOptions, showList, withPages } from './listing.ts';
import type { CommandFactory, Run } from './program.ts';
import { submit } from './submission.ts';
import { outline } from './text.ts';

const KIND = 'factory, device, class, mapping, interface, agreement, authorisation, document; to read also organisation, node, account';

export const registryCommand: CommandFactory = (run) =>
  new Command('registry')
    .description('what organisations registered: factories, devices, record classes, agreements and the like')
    .addCommand(
      withPages(new Command('list').description('entries of one kind').argument('<kind>', KIND)).action(
        run(async (cli, kind: string, { limit, after }: PageOptions) => {
          const { api } = await cli.connect();
          const read = (page: PageOptions) => api.listEntries(kind, { ...page });
          const columns = ['id', 'owner', 'version', 'state'];
          await showList(cli, await read({ limit, after }), read, columns, (row) => [row.id, row.owner, row.version, row.state]);
        }),
      ),
    )
    .addCommand(
      new Command('get')
        .description('one entry')
        .argument('<kind>', KIND)
        .argument('<id>')
        .action(
          run(async (cli, kind: string, id: string) => {
            const { api } = await cli.connect();
            const data = await api.getEntry(kind, id);
            cli.show(data, outline(data));
          }),
        ),
    )
    .addCommand(
      withPages(new Command('history').description('versions of an entry, oldest first').argument('<kind>', KIND).argument('<id>')).action(
        run(async (cli, kind: string, id: string, { limit, after }: PageOptions) => {
          const { api } = await cli.connect();
          const read = (page: PageOptions) => api.getEntryHistory(kind, id, { ...page });
          await showList(cli, await read({ limit, after }), read, ['version', 'state', 'data'], (row) => [
            row.version,
            row.state,
            row.data,
          ]);
        }),
      ),
    )
    .addCommand(changing(run, 'register', 'register an entry: {"id":...,"data":{...}}', false))
    .addCommand(changing(run, 'update', 'replace data and terms: {"version":1,"data":{...}}', true))
    .addCommand(stating(run, 'suspend', 'suspended', 'put an entry out of use for a while'))
    .addCommand(stating(run, 'resume', 'active', 'put a suspended entry into use again'))
    .addCommand(stating(run, 'withdraw', 'withdrawn', 'put an entry out of use for good'))
    .addCommand(
      withPages(new Command('classes').description('record classes, built-in and registered')).action(
        run(async (cli, { limit, after }: PageOptions) => {
          const { api } = await cli.connect();
          const read = (page: PageOptions) => api.listClasses({ ...page });
          const columns = ['class', 'builtin', 'owner', 'state'];
          await showList(cli, await read({ limit, after }), read, columns, (row) => [row.id, row.builtin, row.owner, row.state]);
        }),
      ),
    );

function changing(run: Run, name: 'register' | 'update', description: string, named: boolean): Command {
  const command = new Command(name).description(description).argument('<kind>', KIND);
  if (named) command.argument('<id>');
  return command
    .argument('<entry>', 'the entry as JSON, or @FILE')
    .option('--async', 'do not wait for the block')
    .action(
      run(async (cli, kind: string, ...given: [string, ...unknown[]]) => {
        const [id, text, options] = (named ? given : ['', ...given]) as [string, string, { async?: boolean }];
        const body = jsonArgument(text.startsWith('@') ? cli.readText(text.slice(1)) : text, 'entry') as Record<string, unknown>;
        await show(cli, options, (api, post) => (named ? api.updateEntry(kind, id, body, post) : api.registerEntry(kind, body, post)));
      }),
    );
}

function stating(run: Run, name: string, state: string, description: string): Command {
  return new Command(name)
    .description(description)
    .argument('<kind>', KIND)
    .argument('<id>')
    .option('--async', 'do not wait for the block')
    .action(
      run(async (cli, kind: string, id: string, options: { async?: boolean }) => {
        await show(cli, options, (api, post) => api.setEntryState(kind, id, { state }, post));
      }),
    );
}

type Api = Awaited<ReturnType<Cli['connect']>>['api'];
type Send = (api: Api, post: Parameters<Parameters<typeof submit>[3]>[0]) => Promise<object>;

async function show(cli: Cli, options: { readonly async?: boolean }, send: Send): Promise<void> {
  const connection = await cli.connect();
  const data = await submit(cli, connection, options, (post) => send(connection.api, post));
  cli.show(data, outline(data as Record<string, unknown>));
}
