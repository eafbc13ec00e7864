/** `tracemill contract deploy | call | query | events | list | get`. */
import { Command } from 'commander';
import { basename } from 'node:path';
import type { ListAnswer } from '../client/index.ts';
import type { Cli, Connection } from './cli.ts';
import { type PageOptions, showList, withPages } from './listing.ts';
import { integer, jsonArgument } from './options.ts';
import type { CommandFactory } from './program.ts';
import { submit } from './submission.ts';
import { outline } from './text.ts';

/** Calls of one `contract events`; past them `next` says where it stopped. */
const EVENT_PAGES_MAX = 1_000;
const ARGUMENTS = 'arguments as a JSON list, or @FILE';

export const contractCommand: CommandFactory = (run) =>
  new Command('contract')
    .description('contracts')
    .addCommand(
      new Command('deploy')
        .description('put a contract on the chain')
        .argument('<file>', 'source in JavaScript')
        .option('--name <name>', 'name for people (default: the file name)')
        .option('--async', 'do not wait for the block')
        .action(
          run(async (cli, file: string, options: { name?: string; async?: boolean }) => {
            const connection = await cli.connect();
            const body = { language: 'javascript', name: options.name ?? basename(file).replace(/\.[^.]*$/, ''), code: cli.readText(file) };
            const data = await submit(cli, connection, options, (post) => connection.api.deployContract(body, post));
            cli.show(data, outline(data));
          }),
        ),
    )
    .addCommand(
      new Command('call')
        .description('run a method in a transaction')
        .argument('<address>')
        .argument('<method>')
        .argument('[arguments]', ARGUMENTS, '[]')
        .option(
          '--gas <units>',
          'gas limit; without it, twice what a trial uses and 100,000,000 more, or with --async the largest',
          integer(1, Number.MAX_SAFE_INTEGER),
        )
        .option('--async', 'do not wait for the block')
        .action(
          run(async (cli, address: string, method: string, args: string, options: { gas?: number; async?: boolean }) => {
            const connection = await cli.connect();
            const body = { method, args: argumentsOf(cli, args), ...(options.gas === undefined ? {} : { gasLimit: options.gas }) };
            const data = await submit(cli, connection, options, (post) => connection.api.callContract(address, body, post));
            cli.show(data, outline(data));
          }),
        ),
    )
    .addCommand(
      new Command('query')
        .description('run a method read-only at the head, without a transaction')
        .argument('<address>')
        .argument('<method>')
        .argument('[arguments]', ARGUMENTS, '[]')
        .action(
          run(async (cli, address: string, method: string, args: string) => {
            const { api } = await cli.connect();
            const data = await api.queryContract(address, method, argumentsOf(cli, args));
            cli.show(data, outline(data));
          }),
        ),
    )
    .addCommand(
      withPages(new Command('events').description('events of a contract, oldest first').argument('<address>'))
        .option('--name <name>', 'only events of this name')
        .option('--from <height>', 'from this height', integer(0, Number.MAX_SAFE_INTEGER))
        .option('--follow', 'stay and print new ones as they become final')
        .action(
          run(async (cli, address: string, options: EventOptions) => {
            const connection = await cli.connect();
            if (options.follow) return await follow(cli, connection, address, options.name);
            const read = ({ limit, after }: PageOptions) =>
              connection.api.listContractEvents(address, { name: options.name, fromHeight: options.from, limit, after });
            const columns = ['height', 'transaction', 'event', 'data'];
            await showList(cli, await fullPage(read, options), read, columns, (row) => [row.height, row.transactionId, row.name, row.data]);
          }),
        ),
    )
    .addCommand(
      withPages(new Command('list').description('contracts of the chain')).action(
        run(async (cli, { limit, after }: PageOptions) => {
          const { api } = await cli.connect();
          const read = (page: PageOptions) => api.listContracts({ ...page });
          const columns = ['address', 'name', 'state', 'owner'];
          await showList(cli, await read({ limit, after }), read, columns, (row) => [row.address, row.name, row.state, row.owner]);
        }),
      ),
    )
    .addCommand(
      new Command('get')
        .description('state, version, code digest and owner of a contract')
        .argument('<address>')
        .action(
          run(async (cli, address: string) => {
            const { api } = await cli.connect();
            const data = await api.getContract(address);
            cli.show(data, outline(data));
          }),
        ),
    );

interface EventOptions extends PageOptions {
  readonly name?: string;
  readonly from?: number;
  readonly follow?: boolean;
}

/** One call looks through so many events of the chain and may find none of this contract: on to where it stopped. */
async function fullPage<T>(read: (page: PageOptions) => Promise<ListAnswer<T>>, { limit, after }: PageOptions): Promise<ListAnswer<T>> {
  let data = await read({ limit, after });
  let { items } = data;
  for (let page = 0; data.next !== null && items.length < limit && page < EVENT_PAGES_MAX; page++) {
    data = await read({ limit: limit - items.length, after: data.next });
    items = [...items, ...data.items];
  }
  return { ...data, items };
}

function argumentsOf(cli: Cli, text: string): unknown {
  return jsonArgument(text.startsWith('@') ? cli.readText(text.slice(1)) : text, 'arguments');
}

async function follow(cli: Cli, connection: Connection, address: string, name: string | undefined): Promise<void> {
  const stop = new AbortController();
  const release = cli.terminal.onStop(() => stop.abort());
  try {
    for await (const message of connection.api.streamEvents({ signal: stop.signal, query: { contract: address, name } })) {
      const event = JSON.parse(message.data) as Record<string, unknown>;
      if (event.contract !== address || (name !== undefined && event.name !== name)) continue;
      cli.showLine(event, `${event.height} ${event.name} ${JSON.stringify(event.data)}`);
    }
  } finally {
    release();
  }
}
