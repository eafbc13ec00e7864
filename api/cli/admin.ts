/** `tracemill admin otp | token`: the second factor and tokens of a devnet's accounts. */
import { Command } from 'commander';
import { ChainError } from '../../node/errors/index.ts';
import { totpCode, totpLeftMs } from './one-time-code.ts';
import type { CommandFactory } from './program.ts';

export const adminCommand: CommandFactory = (run) =>
  new Command('admin')
    .description('accounts of a devnet')
    .addCommand(
      new Command('otp')
        .description('print the current one-time code of an account of the devnet')
        .argument('[account]')
        .action(
          run(async (cli, name: string | undefined) => {
            const found = cli.profile();
            if (found === undefined) throw new ChainError('CLI_NODE_UNKNOWN');
            const wanted = name ?? cli.options.account ?? found.profile.account;
            const account = found.profile.accounts.find((candidate) => candidate.account === wanted);
            if (account === undefined) {
              throw new ChainError('CLI_USAGE', {
                reason: `no account ${wanted}`,
                known: found.profile.accounts.map((known) => known.account),
              });
            }
            const nowMs = cli.terminal.now();
            const code = await totpCode(account.totpSecret, nowMs);
            cli.show({ account: account.account, code, validForMs: totpLeftMs(nowMs) }, code);
          }),
        ),
    )
    .addCommand(
      new Command('token').description('log in as --account and print an access token').action(
        run(async (cli) => {
          const found = cli.profile();
          if (found === undefined) throw new ChainError('CLI_NODE_UNKNOWN');
          const account = cli.profileAccount(found.profile);
          const { token } = await cli.connect();
          cli.show({ account: account.account, token }, token ?? '');
        }),
      ),
    );
