/** Where the passphrase of a keystore comes from: a file named by flag, the environment, the prompt; in that order. */
import { ChainError } from '../../node/errors/index.ts';
import type { Cli } from './cli.ts';
import { isUtf8 } from './text.ts';

const PASSPHRASE_BYTES_MIN = 12; // a new one; short ones are guessed whatever the cost of scrypt

/** @throws ChainError CLI_PASSPHRASE_MISSING, CLI_FILE_UNREADABLE, CLI_USAGE */
export async function readPassphrase(cli: Cli, file: string | undefined, question = 'Passphrase of the keystore: '): Promise<string> {
  const path = file ?? cli.terminal.env.TRACEMILL_PASSPHRASE_FILE;
  if (path !== undefined) return cli.readText(path).replace(/\r?\n$/, '');
  const given = cli.terminal.env.TRACEMILL_PASSPHRASE;
  if (given !== undefined && given !== '') return given;
  const typed = await cli.terminal.askSecret(question);
  if (typed === undefined) throw new ChainError('CLI_PASSPHRASE_MISSING');
  if (!isUtf8(typed)) throw new ChainError('CLI_USAGE', { reason: 'the passphrase was not typed in UTF-8' });
  return typed;
}

/** For a new keystore: long enough, and typed twice when typed. */
export async function newPassphrase(cli: Cli, file: string | undefined): Promise<string> {
  const given = file !== undefined || cli.terminal.env.TRACEMILL_PASSPHRASE_FILE !== undefined || cli.terminal.env.TRACEMILL_PASSPHRASE;
  const passphrase = await readPassphrase(cli, file, 'New passphrase of the keystore: ');
  if (Buffer.byteLength(passphrase) < PASSPHRASE_BYTES_MIN) {
    throw new ChainError('CLI_USAGE', { reason: `the passphrase is shorter than ${PASSPHRASE_BYTES_MIN} bytes` });
  }
  if (!given && (await cli.terminal.askSecret('The same again: ')) !== passphrase) {
    throw new ChainError('CLI_USAGE', { reason: 'the two passphrases differ' });
  }
  return passphrase;
}
