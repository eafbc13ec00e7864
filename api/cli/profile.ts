/**
 * The profile a devnet leaves in its directory, so that commands run beside it need no flags: addresses, authority, logins. A devnet only:
 * it holds passwords and OTP secrets in clear, in a file of mode 0600. Real networks use flags or the environment.
 */
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { ChainError } from '../../node/errors/index.ts';

export const DEVNET_DIRECTORY = '.devnet';
export const PROFILE_FILE = 'profile.json';

export interface ProfileNode {
  readonly node: string;
  readonly organisation: string;
  /** `https://host:port`. */
  readonly url: string;
  /** Path of its node.json. */
  readonly config: string;
}

export interface ProfileAccount {
  readonly account: string;
  /** Node that signs for it. */
  readonly node: string;
  readonly roles: readonly string[];
  readonly password: string;
  /** Base32 (RFC 4648), RFC 6238 with SHA-1, 6 digits, 30 s. */
  readonly totpSecret: string;
  /** Issued at the last start of the devnet. */
  readonly token?: string;
  readonly tokenExpiresAtMs?: number;
}

export interface Profile {
  readonly version: 1;
  readonly name: string;
  readonly genesis: string;
  readonly genesisHash: string;
  /** Path of the authority's certificate, PEM. */
  readonly ca: string;
  readonly nodes: readonly ProfileNode[];
  readonly accounts: readonly ProfileAccount[];
  /** Account used when none is named. */
  readonly account: string;
}

/** The profile of `directory`, or of the nearest `.devnet` at or above `cwd`; undefined when there is none. */
export function findProfile(
  cwd: string,
  directory: string | undefined,
): { readonly profile: Profile; readonly directory: string } | undefined {
  if (directory !== undefined) return readProfile(resolve(cwd, directory));
  for (let at = resolve(cwd); ; at = dirname(at)) {
    const found = readProfile(at) ?? readProfile(join(at, DEVNET_DIRECTORY));
    if (found !== undefined || dirname(at) === at) return found;
  }
}

function readProfile(directory: string): { readonly profile: Profile; readonly directory: string } | undefined {
  const path = join(directory, PROFILE_FILE);
  if (!existsSync(path)) return undefined;
  try {
    const profile = JSON.parse(readFileSync(path, 'utf8')) as Profile;
    if (profile.version === 1 && Array.isArray(profile.nodes) && Array.isArray(profile.accounts)) return { profile, directory };
  } catch {
    // said below
  }
  throw new ChainError('CLI_FILE_MALFORMED', { path, reason: 'not a profile of this program' });
}
