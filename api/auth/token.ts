/**
 * Access tokens: `tm1.<claims>.<signature>`, both base64url; claims are canonical JSON, signed by the issuing node's registered token key behind the
 * tag `token` and the chain id. Anyone can check one against chain state: the issuing node is registered and active and of the account's own
 * organisation (no node can speak for another organisation's people), the account is active, and its sessionEpoch is the one in the token.
 * Rights and roles are never read from a token.
 */
import { entryOf, isInForce } from '../../contracts/index.ts';
import { ChainError } from '../../node/errors/index.ts';
import {
  type Crypto,
  type Digest,
  decodeJson,
  encodeJson,
  fromBase64Url,
  fromHex,
  SUITE,
  tagged,
  toBase64Url,
  toHex,
} from '../../node/format/index.ts';
import { BoundedMap } from '../../node/pace/bounded-map.ts';
import type { ReadState } from '../rest/index.ts';
import type { Caller } from '../../node/records/index.ts';

export const TOKEN_CHARACTERS_MAX = 2_048;
export const SESSION_MS_MAX = 900_000; // 15 min
export const API_TOKEN_MS_MAX = 31_622_400_000; // 366 days
/** How far the clock of an issuing node may be ahead of ours. */
const CLOCK_SKEW_MS = 30_000;
const PREFIX = 'tm1';

export interface TokenClaims {
  readonly account: string;
  readonly org: string;
  /** `session` lives minutes; `api` is long-lived, for devices and services. */
  readonly kind: 'session' | 'api';
  readonly id: string;
  readonly node: string;
  readonly sessionEpoch: number;
  readonly issuedAt: number;
  readonly expires: number;
  /** 0: no one-time password stands behind the token. */
  readonly steppedUpAt: number;
}

export function encodeToken(chainId: Digest, claims: TokenClaims, sign: (message: Uint8Array) => Uint8Array): string {
  const bytes = encodeJson({ ...claims });
  return `${PREFIX}.${toBase64Url(bytes)}.${toBase64Url(sign(tagged('token', chainId, bytes)))}`;
}

export interface TokenCheck {
  readonly chainId: Digest;
  readonly crypto: Pick<Crypto, 'verify'>;
  readonly read: ReadState;
  readonly nowMs: number;
  readonly held?: HeldTokens;
}

interface OpenToken {
  readonly claims: TokenClaims;
  readonly bytes: Uint8Array;
  readonly signature: Uint8Array;
}

/**
 * Tokens as they were opened, with the key under which their signature held: a caller shows the same token with every call, and what it says and by which
 * key it was signed never change. Whatever may change is asked of the chain at every call.
 */
export type HeldTokens = Map<string, OpenToken & { readonly tokenKey: string }>;

const HELD_MAX = 10_000;

export function createHeldTokens(): HeldTokens {
  return new BoundedMap(HELD_MAX);
}

/** @throws ChainError TOKEN_INVALID, TOKEN_EXPIRED, TOKEN_FOREIGN, TOKEN_REVOKED, ACCOUNT_INACTIVE */
export function verifyToken(token: string, check: TokenCheck): Caller {
  const { chainId, crypto, read, nowMs } = check;
  const held = check.held?.get(token);
  const open = held ?? openToken(token);
  const { claims } = open;
  const issuer = entryOf(read, 'node', claims.node);
  if (issuer === undefined || !isInForce(issuer, nowMs)) throw new ChainError('TOKEN_FOREIGN', { node: claims.node });
  const { tokenKey } = issuer.data;
  if (held?.tokenKey !== tokenKey) {
    if (!crypto.verify(SUITE.ed25519, fromHex(tokenKey), tagged('token', chainId, open.bytes), open.signature))
      throw new ChainError('TOKEN_INVALID');
    check.held?.set(token, { ...open, tokenKey });
  }
  if (issuer.owner !== claims.org) throw new ChainError('TOKEN_FOREIGN', { node: claims.node });
  const life = claims.kind === 'session' ? SESSION_MS_MAX : API_TOKEN_MS_MAX;
  if (claims.issuedAt > nowMs + CLOCK_SKEW_MS || claims.expires - claims.issuedAt > life) throw new ChainError('TOKEN_INVALID');
  if (nowMs >= claims.expires) throw new ChainError('TOKEN_EXPIRED', { expiredAtMs: claims.expires });

  const account = entryOf(read, 'account', claims.account);
  const organisation = account === undefined ? undefined : entryOf(read, 'organisation', account.owner);
  if (account === undefined || organisation === undefined || !isInForce(account, nowMs) || !isInForce(organisation, nowMs))
    throw new ChainError('ACCOUNT_INACTIVE', { account: claims.account });
  if (account.owner !== claims.org) throw new ChainError('TOKEN_FOREIGN', { node: claims.node });
  if (account.data.sessionEpoch !== claims.sessionEpoch) throw new ChainError('TOKEN_REVOKED');
  return {
    account: account.id,
    organisation: account.owner,
    type: account.data.type,
    roles: account.data.roles,
    expiresMs: claims.expires,
    steppedUpAtMs: claims.steppedUpAt === 0 ? undefined : claims.steppedUpAt,
  };
}

export interface IssueOptions {
  readonly chainId: Digest;
  readonly node: string;
  readonly read: ReadState;
  readonly nowMs: number;
  readonly random: (count: number) => Uint8Array;
  readonly sign: (message: Uint8Array) => Uint8Array;
  readonly kind: TokenClaims['kind'];
  /** Of the token, ms; cut to the longest its kind allows. */
  readonly lifeMs: number;
  readonly steppedUp: boolean;
}

/** @throws ChainError ACCOUNT_INACTIVE, ACCOUNT_FOREIGN (the account is not of this node's organisation) */
export function issueToken(account: string, options: IssueOptions): { readonly token: string; readonly claims: TokenClaims } {
  const { read, nowMs } = options;
  const entry = entryOf(read, 'account', account);
  if (entry === undefined || !isInForce(entry, nowMs)) throw new ChainError('ACCOUNT_INACTIVE', { account });
  if (entryOf(read, 'node', options.node)?.owner !== entry.owner) throw new ChainError('ACCOUNT_FOREIGN', { account });
  const lifeMs = Math.min(options.lifeMs, options.kind === 'session' ? SESSION_MS_MAX : API_TOKEN_MS_MAX);
  const claims: TokenClaims = {
    account,
    org: entry.owner,
    kind: options.kind,
    id: toHex(options.random(8)),
    node: options.node,
    sessionEpoch: entry.data.sessionEpoch,
    issuedAt: nowMs,
    expires: nowMs + lifeMs,
    steppedUpAt: options.steppedUp ? nowMs : 0,
  };
  return { token: encodeToken(options.chainId, claims, options.sign), claims };
}

function openToken(token: string): OpenToken {
  const invalid = (): ChainError => new ChainError('TOKEN_INVALID');
  if (token.length > TOKEN_CHARACTERS_MAX) throw invalid();
  const [prefix, claimsText, signatureText, ...more] = token.split('.');
  if (prefix !== PREFIX || claimsText === undefined || signatureText === undefined || more.length > 0) throw invalid();
  try {
    const bytes = fromBase64Url(claimsText);
    const claims: unknown = decodeJson(bytes);
    if (isClaims(claims)) return { claims, bytes, signature: fromBase64Url(signatureText) };
  } catch {
    // said below
  }
  throw invalid();
}

function isClaims(value: unknown): value is TokenClaims {
  if (typeof value !== 'object' || value === null) return false;
  const claims = value as Record<string, unknown>;
  return (
    ['account', 'org', 'id', 'node'].every((name) => typeof claims[name] === 'string') &&
    ['sessionEpoch', 'issuedAt', 'expires', 'steppedUpAt'].every((name) => Number.isSafeInteger(claims[name])) &&
    (claims.kind === 'session' || claims.kind === 'api')
  );
}
