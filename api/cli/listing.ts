/** Lists of what the chain holds: a page at a time, and how many there are beside it. With --json the answer stands whole, `next` in it. */
import type { Command } from 'commander';
import type { ListAnswer } from '../client/index.ts';
import type { Cli } from './cli.ts';
import { integer } from './options.ts';
import { table } from './text.ts';

const LIMIT_DEFAULT = 100;
/** Items of one page at most. */
const LIMIT_MAX = 1_000;
/** Pages read only to count what was not shown; past them the note says `more than`. */
const COUNT_PAGES_MAX = 10;

export interface PageOptions {
  readonly limit: number;
  readonly after?: string | undefined;
}

export function withPages(command: Command): Command {
  return command
    .option('--limit <count>', 'at most so many', integer(1, LIMIT_MAX), LIMIT_DEFAULT)
    .option('--after <cursor>', 'go on where an earlier list stopped');
}

/** One row of the table for each item. @param pageAfter reads on after a cursor, to count what is not shown */
export async function showList<T>(
  cli: Cli,
  data: ListAnswer<T>,
  pageAfter: (page: PageOptions) => Promise<ListAnswer<unknown>>,
  columns: readonly string[],
  rowOf: (item: T) => readonly unknown[],
): Promise<void> {
  cli.show(data, table(columns, data.items.map(rowOf)));
  if (data.next === null || cli.options.json) return;
  noteMore(cli, data.items.length, `${(await countAfter(data.next, pageAfter)) ?? 'there are'} more`, data.next);
}

export function noteMore(cli: Cli, shown: number, rest: string, next: string): void {
  cli.note(`${shown} shown, ${rest}; go on with --after ${next}`);
}

async function countAfter(next: string, pageAfter: (page: PageOptions) => Promise<ListAnswer<unknown>>): Promise<string | undefined> {
  let count = 0;
  let after: string | null = next;
  try {
    for (let pages = 0; after !== null && pages < COUNT_PAGES_MAX; pages++) {
      const page: ListAnswer<unknown> = await pageAfter({ limit: LIMIT_MAX, after });
      count += page.items.length;
      after = page.next;
    }
  } catch {
    return undefined; // what was asked for is shown; only the count fails
  }
  return after === null ? `${count}` : `more than ${count}`;
}
