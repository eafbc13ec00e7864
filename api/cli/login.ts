/** Getting a token of a devnet account by its profile: password and one-time code, cached beside the profile until shortly before it ends. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { writeFileAtomic } from '../../node/keystore/atomic-file.ts'; // not the door: keys are not touched here
import { ApiError } from '../client/answer.ts';
import type { Client } from '../client/index.ts';
import { totpCode, totpLeftMs } from './one-time-code.ts';
import type { ProfileAccount } from './profile.ts';
import type { Terminal } from './terminal.ts';

const TOKENS_FILE = 'tokens.json';
const RENEW_BEFORE_MS = 30_000; // a token this near its end is not used any more
const ATTEMPTS_MAX = 3; // a code may have been used a moment ago by another command: then the next one is waited for

export interface IssuedToken {
  readonly token: string;
  readonly expiresAtMs: number;
}

/** A valid token of `account`: of the profile (unless `renew`), from the cache, or by logging in at its node. @throws ApiError when the login is refused. */
export async function tokenOf(
  terminal: Pick<Terminal, 'now' | 'sleep'>,
  directory: string,
  client: Client,
  account: ProfileAccount,
  renew = false,
): Promise<string> {
  const { token, tokenExpiresAtMs = 0 } = account;
  if (token !== undefined && !renew && tokenExpiresAtMs - RENEW_BEFORE_MS > terminal.now()) return token;
  const cached = readTokens(directory)[account.account];
  if (cached !== undefined && cached.expiresAtMs - RENEW_BEFORE_MS > terminal.now()) return cached.token;
  const issued = await login(terminal, client, account);
  // read again: another command may have saved its own meanwhile
  await writeFileAtomic(
    join(directory, TOKENS_FILE),
    `${JSON.stringify({ ...readTokens(directory), [account.account]: issued }, undefined, 2)}\n`,
    0o600,
  );
  return issued.token;
}

/** Drops a cached token that a node no longer accepts. */
export async function forgetToken(directory: string, account: string): Promise<void> {
  const { [account]: _, ...rest } = readTokens(directory);
  await writeFileAtomic(join(directory, TOKENS_FILE), `${JSON.stringify(rest, undefined, 2)}\n`, 0o600);
}

async function login(
  terminal: Pick<Terminal, 'now' | 'sleep'>,
  client: Client,
  account: Pick<ProfileAccount, 'account' | 'password' | 'totpSecret'>,
): Promise<IssuedToken> {
  for (let attempt = 1; ; attempt++) {
    const otp = await totpCode(account.totpSecret, terminal.now());
    try {
      const answer = await client.post<Record<string, unknown>>('auth/login', {
        account: account.account,
        password: account.password,
        otp,
      });
      return issuedOf(answer.data, terminal.now());
    } catch (error) {
      const retry = error instanceof ApiError && error.code.includes('OTP') && attempt < ATTEMPTS_MAX;
      if (!retry) throw error;
      await terminal.sleep(totpLeftMs(terminal.now()) + 50);
    }
  }
}

function issuedOf(data: Readonly<Record<string, unknown>>, nowMs: number): IssuedToken {
  const { token, expiresAtMs, expiresAt } = data;
  const end = typeof expiresAtMs === 'number' ? expiresAtMs : typeof expiresAt === 'string' ? Date.parse(expiresAt) : nowMs + 60_000;
  return { token: String(token), expiresAtMs: end };
}

function readTokens(directory: string): Record<string, IssuedToken> {
  const path = join(directory, TOKENS_FILE);
  if (!existsSync(path)) return {};
  try {
    return JSON.parse(readFileSync(path, 'utf8')) as Record<string, IssuedToken>;
  } catch {
    return {}; // a cache: what cannot be read is fetched anew
  }
}
