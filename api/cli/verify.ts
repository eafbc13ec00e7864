/** `tracemill verify`: an evidence bundle against the genesis file or a pinned header, offline: no node is asked. */
import { Command } from 'commander';
import { createCrypto } from '../../node/crypto/index.ts';
import { ChainError } from '../../node/errors/index.ts';
import { type EvidenceTrust, verifyEvidence } from '../../node/format/evidence.ts';
import { fromHex } from '../../node/format/index.ts';
import type { Cli } from './cli.ts';
import type { CommandFactory } from './program.ts';

export const verifyCommand: CommandFactory = (run) =>
  new Command('verify')
    .description('check an evidence bundle offline; exit code 4 when it does not hold')
    .argument('<file>', 'bundle, e.g. from: tracemill record proof ID --out FILE')
    .option('--genesis <file>', 'genesis file you trust (default: that of the devnet)')
    .option('--trust <height:hash>', 'a header you trust instead of the genesis file')
    .action(
      run(async (cli, file: string, options: { genesis?: string; trust?: string }) => {
        const verdict = verifyEvidence(createCrypto(), cli.readText(file), trustOf(cli, options));
        if (!verdict.ok) {
          const [fault] = verdict.faults;
          throw new ChainError('CLI_VERIFICATION_FAILED', { path: file, check: fault?.check ?? '', reason: fault?.detail ?? '' });
        }
        cli.show(verdict, ['the proof holds:', ...verdict.claims.map((claim) => `  ${claim}`)].join('\n'));
      }),
    );

function trustOf(cli: Cli, options: { readonly genesis?: string; readonly trust?: string }): EvidenceTrust {
  if (options.trust !== undefined) {
    const [, height, hash] = /^(\d{1,15}):([0-9a-f]{64})$/.exec(options.trust) ?? [];
    if (height === undefined || hash === undefined) throw new ChainError('CLI_USAGE', { reason: '--trust is not HEIGHT:HASH' });
    return { kind: 'pinned', height: Number(height), hash: fromHex(hash) };
  }
  const genesis = options.genesis ?? cli.profile()?.profile.genesis;
  if (genesis === undefined) throw new ChainError('CLI_USAGE', { reason: '--genesis FILE or --trust HEIGHT:HASH is missing' });
  return { kind: 'genesis', text: cli.readText(genesis) };
}
