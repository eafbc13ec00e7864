/** What every handler is given: the dependencies, and the parts of the server that are made once from them. */
import {
  createCredentials,
  createHeldTokens,
  type Credentials,
  issueToken,
  stateReader,
  type TokenClaims,
  verifyToken,
} from '../auth/index.ts';
import { hmacSha256, utf8 } from '../../node/format/index.ts';
import { AEAD_NONCE_BYTES, aesGcm, type Caller } from '../../node/records/index.ts';
import { type ApiDeps, type ApiSettings, apiSettingsDefault, type ReadState } from './deps.ts';
import { type AnswerCipher, createIdempotency, type Idempotency } from './idempotency.ts';
import { createPaced, nextTurn, type Paced } from '../../node/pace/index.ts';
import { createMetrics, type Metrics } from './metrics.ts';
import { createRateLimiter, type RateLimiter } from './rate-limit.ts';
import type { Route } from './route.ts';

export interface ApiContext extends Omit<ApiDeps, 'settings'> {
  readonly settings: ApiSettings;
  readonly routes: readonly Route[];
  readonly read: ReadState;
  readonly credentials: Credentials;
  readonly idempotency: Idempotency;
  readonly limiter: RateLimiter;
  readonly metrics: Metrics;
  /** Runs long work of a call on the thread that votes. */
  readonly paced: Paced;
  /** The same for bodies: what is long rests as the headroom says. An answer does not, or a node that answers much would slow itself. */
  readonly pacedBodies: Paced;
  /** The next turn of the event loop. */
  readonly turn: () => Promise<void>;
  /** Who a token stands for, by chain state now. @throws ChainError TOKEN_INVALID and its kin */
  authenticate(token: string): Caller;
  /** @throws ChainError ACCOUNT_INACTIVE, ACCOUNT_FOREIGN */
  issue(
    account: string,
    kind: TokenClaims['kind'],
    lifeMs: number,
    steppedUp: boolean,
  ): { readonly token: string; readonly claims: TokenClaims };
}

export function createContext(deps: ApiDeps, routes: readonly Route[]): ApiContext {
  const settings = { ...apiSettingsDefault, ...deps.settings };
  const { node, world, store } = deps;
  const read = stateReader(node);
  const held = createHeldTokens();
  const paced = createPaced(world);
  return {
    ...deps,
    settings,
    routes,
    read,
    credentials: createCredentials({ store, world, key: deps.credentialsKey, issuer: 'Tracemill' }),
    idempotency: createIdempotency({ store, clock: world.clock, keepMs: settings.idempotencyKeepMs, cipher: answerCipher(deps), paced }),
    limiter: createRateLimiter(settings.rateLimitFactor, world.clock),
    metrics: createMetrics(deps),
    paced,
    pacedBodies: createPaced(world, deps.headroom),
    turn: () => nextTurn(world.timers),
    authenticate: (token) => verifyToken(token, { chainId: node.info.chainId, crypto: world.crypto, read, nowMs: world.clock.now(), held }),
    issue: (account, kind, lifeMs, steppedUp) =>
      issueToken(account, {
        chainId: node.info.chainId,
        node: node.info.node,
        read,
        nowMs: world.clock.now(),
        random: (count) => world.random.bytes(count),
        sign: (message) => deps.tokenSigner.sign(message),
        kind,
        lifeMs,
        steppedUp,
      }),
  };
}

/** AES-256-GCM under a key of its own, derived from that of the credentials. */
function answerCipher({ world, credentialsKey }: Pick<ApiDeps, 'world' | 'credentialsKey'>): AnswerCipher {
  const key = hmacSha256(world.crypto, credentialsKey, utf8('idempotency answers\n'));
  return {
    seal: (plain, row) => aesGcm.seal(key, world.random.bytes(AEAD_NONCE_BYTES), utf8(row), plain),
    open: (sealed, row) => aesGcm.open(key, utf8(row), sealed),
  };
}
