/** Lists of what the chain holds: a page at a time, and a word when there are more. */
import type { Command } from 'commander';
import type { Cli } from './cli.ts';
import { integer } from './options.ts';
import { table } from './text.ts';

const LIMIT_DEFAULT = 100;
const LIMIT_MAX = 1_000;

export interface PageOptions {
  readonly limit: number;
  readonly after?: string;
}

export function withPages(command: Command): Command {
  return command.option('--limit <count>', 'at most so many', integer(1, LIMIT_MAX), LIMIT_DEFAULT).option('--after <cursor>', 'next page');
}

/** One row of the table for each item; with --json the answer whole, `next` in it. */
export function showList<T>(
  cli: Cli,
  data: { readonly items: readonly T[]; readonly next: string | null },
  columns: readonly string[],
  rowOf: (item: T) => readonly unknown[],
): void {
  cli.show(data, table(columns, data.items.map(rowOf)));
  if (data.next !== null) cli.note(`${data.items.length} shown, there are more; next page: --after ${data.next}`);
}
