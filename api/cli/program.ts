/** The command `tracemill`: flags common to all, one file for each command group, and what becomes of a command that fails. */
import { Command, CommanderError, Option } from 'commander';
import { Cli, type GlobalOptions, languageOf } from './cli.ts';
import { adminCommand } from './admin.ts';
import { benchCommand } from './bench.ts';
import { blockCommand } from './block.ts';
import { conformCommand } from './conform.ts';
import { contractCommand } from './contract.ts';
import { devnetCommand } from './devnet.ts';
import { doctorCommand } from './doctor.ts';
import { EXIT } from './exit-codes.ts';
import { failureOf, failureText } from './failure.ts';
import { governanceCommand } from './governance.ts';
import { registryCommand } from './registry.ts';
import { initCommand } from './init.ts';
import { keysCommand } from './keys.ts';
import { recordCommand } from './record.ts';
import { simCommand } from './sim.ts';
import { startCommand } from './start.ts';
import type { Terminal } from './terminal.ts';
import { isUtf8 } from './text.ts';
import { traceCommand } from './trace.ts';
import { txCommand } from './tx.ts';
import { verifyCommand } from './verify.ts';
import { ChainError } from '../../node/errors/index.ts';

const ENVIRONMENT_PREFIX = 'TRACEMILL_';

/** Gives a command its Cli; the action's error goes up to runCli. */
export type Run = <A extends unknown[]>(action: (cli: Cli, ...args: A) => Promise<void>) => (...args: A) => Promise<void>;
export type CommandFactory = (run: Run) => Command;

const commands: readonly CommandFactory[] = [
  initCommand,
  startCommand,
  devnetCommand,
  recordCommand,
  traceCommand,
  contractCommand,
  txCommand,
  blockCommand,
  verifyCommand,
  governanceCommand,
  registryCommand,
  keysCommand,
  adminCommand,
  doctorCommand,
  conformCommand,
  simCommand,
  benchCommand,
];

/** Runs one command line (without the program's own name) and returns its exit code. Never throws. */
export async function runCli(args: readonly string[], terminal: Terminal, version: string): Promise<number> {
  const program = new Command('tracemill');
  program
    .description('A permissioned blockchain for manufacturing provenance')
    .version(version)
    .option('--json', 'answer as JSON on standard output, nothing else there')
    .option('--url <url>', 'node to talk to, https://host:port (TRACEMILL_URL)')
    .option('--ca <file>', 'PEM of the authority to trust (TRACEMILL_CA)')
    .option('--token <token>', 'access token (TRACEMILL_TOKEN)')
    .option('--account <account>', 'account of the devnet to act as')
    .option('--otp <code>', 'current one-time code, for what asks for a second factor')
    .option('--dir <directory>', 'directory of a devnet (default: the nearest .devnet)')
    .addOption(new Option('--lang <language>', 'language of messages').choices(['en', 'zh']))
    .showSuggestionAfterError(true)
    .exitOverride()
    .configureOutput({ writeOut: (text) => terminal.out(text), writeErr: (text) => terminal.err(text), outputError: () => undefined });

  let cli: Cli | undefined;
  const run: Run =
    (action) =>
    async (...given) => {
      cli = new Cli(terminal, program.opts<GlobalOptions>());
      await action(cli, ...given);
    };
  program.hook('preAction', () => {
    const unread = args.findIndex((argument) => !isUtf8(argument));
    if (unread >= 0) throw new ChainError('CLI_USAGE', { reason: `argument ${unread + 1} is not UTF-8: ${args[unread]}` });
    for (const [name, value] of Object.entries(terminal.env)) // not shown: some are secrets
      if (name.startsWith(ENVIRONMENT_PREFIX) && value !== undefined && !isUtf8(value))
        throw new ChainError('CLI_USAGE', { reason: `environment variable ${name} is not UTF-8` });
  });
  for (const factory of commands) program.addCommand(inherit(factory(run), program));
  try {
    if (args.length === 0) {
      terminal.out(program.helpInformation());
      return EXIT.usage;
    }
    await program.parseAsync(args, { from: 'user' });
    return cli?.exitCode ?? EXIT.ok;
  } catch (error) {
    if (error instanceof CommanderError && error.exitCode === 0) return EXIT.ok; // help and version
    if (error instanceof CommanderError && error.code === 'commander.help') return EXIT.usage; // a group without its subcommand
    const options = program.opts<GlobalOptions>();
    const failure = failureOf(error, languageOf(options, terminal));
    if (options.json) {
      const { code, message, remedy, data, details, requestId } = failure;
      terminal.out(`${JSON.stringify({ code, message, remedy, data, details, requestId }, undefined, 2)}\n`);
    } else terminal.err(failureText(failure));
    return failure.exitCode;
  } finally {
    cli?.close();
  }
}

/** Subcommands made apart do not take over these settings by themselves. */
function inherit(command: Command, parent: Command): Command {
  command.copyInheritedSettings(parent);
  for (const child of command.commands) inherit(child as Command, command);
  return command;
}
