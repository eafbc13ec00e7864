/** `tracemill verify`: an evidence bundle against the genesis file or a pinned header, offline: no node is asked. */
import { Command } from 'commander';
import type { CommandFactory } from './program.ts';
import type { TrustFlags } from './verification.ts';

export const verifyCommand: CommandFactory = (run) =>
  new Command('verify')
    .description('check an evidence bundle offline; exit code 4 when it does not hold')
    .argument('<file>', 'bundle, e.g. from: tracemill record proof ID --out FILE')
    .option('--genesis <file>', 'genesis file you trust (default: that of the devnet)')
    .option('--trust <height:hash>', 'a header you trust instead of the genesis file')
    .action(run(async (cli, file: string, options: TrustFlags) => (await import('./verification.ts')).verifyBundle(cli, file, options)));
