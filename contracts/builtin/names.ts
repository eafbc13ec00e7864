/** How registered things may be named and what their fields may hold, as rules for Arguments: each gives the problem, or undefined. */
import { isObject } from './arguments.ts';
import type { Json } from '../../node/format/index.ts';

/** UTF-16 units of an organisation, node, key or role name; with `@` an account stays under NAME_BYTES_MAX. */
export const NAME_LENGTH_MAX = 48;
/** UTF-16 units of the id of a factory or device: whatever the plant calls it. */
export const FOREIGN_ID_LENGTH_MAX = 128;
export const TITLE_LENGTH_MAX = 256;
export const ADDRESS_LENGTH_MAX = 256;

/**
 * Organisations, nodes, keys: lower-case letters, digits, `.` and `-`, a letter or digit at both ends. One spelling, safe in every URL and
 * file name.
 */
export function nameProblem(text: string): string | undefined {
  if (text.length < 1 || text.length > NAME_LENGTH_MAX) return `must have 1 to ${NAME_LENGTH_MAX} characters`;
  if (!/^[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?$/.test(text))
    return 'may hold a to z, 0 to 9, . and -, and begins and ends with a letter or digit';
  return undefined;
}

/** `name@organisation`. */
export function accountProblem(text: string): string | undefined {
  const parts = text.split('@');
  if (parts.length !== 2) return 'must be name@organisation';
  const problem = nameProblem(parts[0]!) ?? nameProblem(parts[1]!);
  return problem ? `must be name@organisation, and each part ${problem}` : undefined;
}

/** Ids that come from a plant's own system: any text without control characters, no space at either end. */
export function foreignIdProblem(text: string): string | undefined {
  if (text.length < 1 || text.length > FOREIGN_ID_LENGTH_MAX) return `must have 1 to ${FOREIGN_ID_LENGTH_MAX} characters`;
  return plainProblem(text);
}

export function titleProblem(text: string): string | undefined {
  if (text.length < 1 || text.length > TITLE_LENGTH_MAX) return `must have 1 to ${TITLE_LENGTH_MAX} characters`;
  return plainProblem(text);
}

function plainProblem(text: string): string | undefined {
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    if (unit < 32 || (unit >= 127 && unit < 160) || unit === 0x2028 || unit === 0x2029) return 'may not hold control characters';
    if (unit >= 0xd800 && unit <= 0xdfff) {
      const next = text.charCodeAt(i + 1);
      if (unit > 0xdbff || !(next >= 0xdc00 && next <= 0xdfff)) return 'may not hold half a surrogate pair';
      i++;
    }
  }
  if (text.startsWith(' ') || text.endsWith(' ')) return 'may not begin or end with a space';
  return undefined;
}

/** Hex of a 32-byte public key or digest. */
export function hex32Problem(text: string): string | undefined {
  return /^[0-9a-f]{64}$/.test(text) ? undefined : 'must be 64 lower-case hexadecimal digits';
}

/** A multiaddr over IP or DNS and TCP, without the peer part. */
export function addressProblem(text: string): string | undefined {
  if (text.length > ADDRESS_LENGTH_MAX) return `must have at most ${ADDRESS_LENGTH_MAX} characters`;
  return /^\/(?:ip4|ip6|dns|dns4|dns6)\/[^/\s]+\/tcp\/[0-9]{1,5}(?:\/[a-z]+)*$/.test(text)
    ? undefined
    : 'must be a multiaddr such as /ip4/192.0.2.1/tcp/4001';
}

/** The organisation part of an account id, or undefined when it is none. */
export function organisationOf(account: string): string | undefined {
  return accountProblem(account) === undefined ? account.slice(account.indexOf('@') + 1) : undefined;
}

export function textOf(value: Json | undefined, name: string): string | undefined {
  const text = isObject(value) ? value[name] : undefined;
  return typeof text === 'string' ? text : undefined;
}
