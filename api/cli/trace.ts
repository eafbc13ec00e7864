/** `tracemill trace`: where a product came from and what it went into. */
import { Command } from 'commander';
import type { Trace } from '../../node/records/index.ts';
import { genealogyText } from './genealogy.ts';
import { integer, oneOf } from './options.ts';
import type { CommandFactory } from './program.ts';

const DEPTH_MAX = 16; // of the interface

export const traceCommand: CommandFactory = (run) =>
  new Command('trace')
    .description('where a product came from and what it went into, as a tree; the graph with --json')
    .argument('<product-uid>')
    .option('--direction <direction>', 'up, down or both', oneOf('up', 'down', 'both'))
    .option('--depth <levels>', 'links to follow', integer(1, DEPTH_MAX))
    .option('--all', 'every thing on a line of its own, however many are alike')
    .action(
      run(async (cli, productUid: string, options: { direction?: string; depth?: number; all?: boolean }) => {
        const { api } = await cli.connect();
        const data = await api.traceProduct(productUid, { direction: options.direction, depth: options.depth });
        cli.show(data, genealogyText(data as unknown as Trace, options.all === true));
      }),
    );
