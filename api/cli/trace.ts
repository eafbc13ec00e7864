/** `tracemill trace`: where a product came from and what it went into. */
import { Command } from 'commander';
import { integer, oneOf } from './options.ts';
import type { CommandFactory } from './program.ts';
import { outline } from './text.ts';

export const traceCommand: CommandFactory = (run) =>
  new Command('trace')
    .description('genealogy of a product: materials, steps, reports; claimed and confirmed edges apart')
    .argument('<product-uid>')
    .option('--direction <direction>', 'up, down or both', oneOf('up', 'down', 'both'))
    .option('--depth <levels>', 'levels to follow', integer(1, 32))
    .action(
      run(async (cli, productUid: string, options: { direction?: string; depth?: number }) => {
        const { api } = await cli.connect();
        const data = await api.traceProduct(productUid, { direction: options.direction, depth: options.depth });
        cli.show(data, outline(data));
      }),
    );
