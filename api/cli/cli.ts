/** What every command is given: the terminal, the flags common to all, output in two forms, and a connection to a node. */
import { accessSync, constants, readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { ChainError } from '../../node/errors/index.ts';
import { ApiError } from '../client/answer.ts';
import type { Client, Operations } from '../client/index.ts';
import type { ExitCode } from './exit-codes.ts';
import type { Language } from './failure.ts';
import { totpCode } from './one-time-code.ts';
import { findProfile, type Profile, type ProfileAccount } from './profile.ts';
import type { Progress } from './progress.ts';
import type { Terminal } from './terminal.ts';

export interface GlobalOptions {
  readonly json?: boolean;
  readonly url?: string;
  readonly ca?: string;
  readonly token?: string;
  readonly account?: string;
  readonly otp?: string;
  readonly dir?: string;
  readonly lang?: string;
}

export interface Connection {
  readonly client: Client;
  readonly api: Operations;
  /** Access token in use, if any. */
  readonly token: string | undefined;
  /** Current one-time code of the profile's account; undefined when there is none. */
  otp(): Promise<string | undefined>;
}

export class Cli {
  readonly terminal: Terminal;
  readonly options: GlobalOptions;
  /** Set by a command that ended as asked but has something to say by its exit code. */
  exitCode: ExitCode = 0;
  readonly #open: Client[] = [];

  constructor(terminal: Terminal, options: GlobalOptions) {
    this.terminal = terminal;
    this.options = options;
  }

  get language(): Language {
    return languageOf(this.options, this.terminal);
  }

  /** The answer: one JSON value with --json, else the text. */
  show(data: unknown, text: string): void {
    this.terminal.out(
      this.options.json ? `${JSON.stringify(data, undefined, 2)}\n` : text.endsWith('\n') || text === '' ? text : `${text}\n`,
    );
  }

  /** One value of several: a JSON line with --json. */
  showLine(data: unknown, text: string): void {
    this.terminal.out(`${this.options.json ? JSON.stringify(data) : text}\n`);
  }

  note(text: string): void {
    if (!this.options.json) this.terminal.err(`${text}\n`);
  }

  async progress(title: string, total: number): Promise<Progress> {
    const { startProgress } = await import('./progress.ts');
    return startProgress(this.terminal, title, total, this.options.json === true);
  }

  path(path: string): string {
    return resolve(this.terminal.cwd, path);
  }

  /** @throws ChainError CLI_FILE_UNREADABLE */
  readBytes(path: string): Uint8Array {
    try {
      return readFileSync(this.path(path));
    } catch (error) {
      throw new ChainError('CLI_FILE_UNREADABLE', { path, reason: (error as NodeJS.ErrnoException).code ?? '' });
    }
  }

  /** Makes sure a file can be read before work on it begins. @throws ChainError CLI_FILE_UNREADABLE */
  requireFile(path: string): void {
    try {
      accessSync(this.path(path), constants.R_OK);
    } catch (error) {
      throw new ChainError('CLI_FILE_UNREADABLE', { path, reason: (error as NodeJS.ErrnoException).code ?? '' });
    }
  }

  /** A byte order mark is kept. @throws ChainError CLI_FILE_UNREADABLE, CLI_FILE_MALFORMED for what is not UTF-8 */
  readText(path: string): string {
    const bytes = this.readBytes(path);
    try {
      return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
    } catch {
      throw new ChainError('CLI_FILE_MALFORMED', { path, reason: 'not UTF-8' });
    }
  }

  profile(): { readonly profile: Profile; readonly directory: string } | undefined {
    return findProfile(this.terminal.cwd, this.options.dir);
  }

  /** The profile's account named by --account, or its default. @throws ChainError CLI_USAGE */
  profileAccount(profile: Profile): ProfileAccount {
    const wanted = this.options.account ?? profile.account;
    const account = profile.accounts.find((candidate) => candidate.account === wanted);
    if (account === undefined)
      throw new ChainError('CLI_USAGE', { reason: `no account ${wanted}`, known: profile.accounts.map((known) => known.account) });
    return account;
  }

  /**
   * A client by flags, else by environment, else by the profile of a devnet (login included).
   * @param to where the profile has a choice: the node that signs for the account, or the one named.
   * @throws ChainError CLI_NODE_UNKNOWN
   */
  async connect(to?: { readonly node?: string; readonly anonymous?: boolean }): Promise<Connection> {
    const { env } = this.terminal;
    const found = this.profile();
    const account =
      found && this.options.token === undefined && env.TRACEMILL_TOKEN === undefined ? this.profileAccount(found.profile) : undefined;
    const node = found?.profile.nodes.find((candidate) => candidate.node === (to?.node ?? account?.node)) ?? found?.profile.nodes[0];
    const url = this.options.url ?? env.TRACEMILL_URL ?? node?.url;
    if (url === undefined) throw new ChainError('CLI_NODE_UNKNOWN');
    const caPath = this.options.ca ?? env.TRACEMILL_CA ?? found?.profile.ca;
    const { createClient, operations } = await import('../client/index.ts');
    let client: Client;
    try {
      client = createClient({ url, ca: caPath === undefined ? undefined : this.readText(caPath), language: this.language });
    } catch (error) {
      if (error instanceof TypeError) throw new ChainError('CLI_USAGE', { reason: error.message });
      throw error;
    }
    this.#open.push(client);
    let token = this.options.token ?? env.TRACEMILL_TOKEN;
    if (token === undefined && found !== undefined && account !== undefined && !to?.anonymous) {
      token = await this.#logIn(client, found.directory, found.profile, account);
    }
    client = client.withToken(token);
    const secret = account?.totpSecret;
    return {
      client,
      api: operations(client),
      token,
      otp: async () => (secret === undefined ? undefined : totpCode(secret, this.terminal.now())),
    };
  }

  /** Logs in at the account's own node, which holds its password; the token is good at every node. */
  async #logIn(client: Client, directory: string, profile: Profile, account: ProfileAccount): Promise<string> {
    const [{ createClient }, { forgetToken, tokenOf }] = await Promise.all([import('../client/index.ts'), import('./login.ts')]);
    const home = profile.nodes.find((node) => node.node === account.node);
    let door = client;
    if (home !== undefined && home.url !== client.url) {
      door = createClient({ url: home.url, ca: this.readText(profile.ca), language: this.language });
      this.#open.push(door);
    }
    const token = await tokenOf(this.terminal, directory, door, account);
    try {
      await client.withToken(token).get('consensus');
    } catch (error) {
      if (!(error instanceof ApiError) || error.status !== 401) return token;
      await forgetToken(directory, account.account); // revoked, or the devnet was reset
      return await tokenOf(this.terminal, directory, door, account, true);
    }
    return token;
  }

  close(): void {
    for (const client of this.#open) client.close();
  }
}

export function languageOf(options: GlobalOptions, terminal: Pick<Terminal, 'env'>): Language {
  const wanted = options.lang ?? terminal.env.TRACEMILL_LANG ?? terminal.env.LANG ?? '';
  return wanted.startsWith('zh') ? 'zh' : 'en';
}
