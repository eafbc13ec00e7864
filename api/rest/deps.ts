/**
 * What the REST layer is handed: the node, the record modules, the seams of the World and its own corner of a store. The program that builds
 * the node wires them; nothing here is reached in any other way.
 */
import type { Right } from '../../contracts/index.ts';
import type { ExchangeLog } from '../../node/feeds/exchange-log.ts';
import type { Headroom } from '../../node/pace/headroom.ts';
import type { LoopDelay } from '../../node/loop-delay.ts';
import type { ByteText, Json, RecordOrigin } from '../../node/format/index.ts';
import type { NodeService } from '../../node/service.ts';
import { keyspace } from '../../node/store/keyspace.ts';
import type { Store, World } from '../../node/world.ts';

/** Reads one key of a contract's space at the latest final state. */
export type ReadState = (contract: string, key: ByteText) => Uint8Array | undefined;

/** The verdict of the `access` contract on chain state: every node gives the same one. */
export type May = (read: ReadState, account: string, right: Right, object?: string) => boolean;

export interface ApiDeps {
  readonly node: NodeService;
  readonly records: RecordService;
  /** Compiles and checks a contract and makes the call that puts it on chain; throws ChainError for code that may not be deployed. */
  readonly deploy: (request: DeployRequest) => Promise<ContractCall>;
  readonly world: Pick<World, 'clock' | 'timers' | 'random' | 'log' | 'crypto'>;
  /** Node-local: credentials and idempotency. Keys start with the prefixes of apiPrefixes. */
  readonly store: Store;
  readonly may: May;
  /** Signs access tokens with the node's registered token key (raw Ed25519, 64 bytes). */
  readonly tokenSigner: { sign(message: Uint8Array): Uint8Array };
  /** 32 bytes out of the keystore: encrypts one-time-password secrets at rest, and keys the fingerprints of idempotent requests. */
  readonly credentialsKey: Uint8Array;
  readonly exchanges: ExchangeLog;
  /** How long the event loop was held lately, for the metrics. */
  readonly loopDelay?: () => LoopDelay;
  /** For the metrics. */
  readonly headroom?: Headroom;
  /** Bodies of records in their thread, for the metrics. */
  readonly bodies?: () => { readonly waiting: number; readonly workSeconds: number; readonly ended: number };
  readonly settings?: Partial<ApiSettings>;
}

/** Bounds an operator may change (node.json); defaults in apiSettingsDefault. */
export interface ApiSettings {
  /** Life of a session token, ms; 60 s to 15 min. */
  readonly sessionMs: number;
  /** How long an Idempotency-Key is kept, ms. */
  readonly idempotencyKeepMs: number;
  /** Open connections; further ones are closed at once. */
  readonly connectionsMax: number;
  /** Longest time from a connection's first byte of a request to the end of its headers, ms. */
  readonly headersTimeoutMs: number;
  /** Bytes of request bodies held at once. */
  readonly bodiesBytesMax: number;
  /** Open event streams, of all and of one account. */
  readonly streamsMax: number;
  readonly streamsPerAccountMax: number;
  /** Multiplies every declared rate limit (a load test raises it); 0 switches limits off. */
  readonly rateLimitFactor: number;
}

export const apiSettingsDefault: ApiSettings = {
  sessionMs: 600_000,
  idempotencyKeepMs: 86_400_000,
  connectionsMax: 1_024,
  headersTimeoutMs: 10_000,
  bodiesBytesMax: 268_435_456,
  streamsMax: 256,
  streamsPerAccountMax: 8,
  rateLimitFactor: 1,
};

/** Key prefixes of the API in its store. */
export const apiPrefixes = {
  credential: keyspace.account,
  idempotency: keyspace.idempotency,
  idempotencyExpiry: keyspace.idempotencyExpiry,
} as const;

/** The bearer of a verified token: what chain state says of it now, not what the token says. */
export interface Caller {
  readonly account: string;
  readonly organisation: string;
  readonly type: 'person' | 'device' | 'service';
  readonly roles: readonly string[];
  readonly tokenKind: 'session' | 'api';
  /** Clock ms after which the token is worth nothing; long streams end then. */
  readonly expiresMs: number;
  /** Clock ms of the last one-time password behind this token. */
  readonly steppedUpAtMs: number | undefined;
}

export interface DeployRequest {
  readonly language: 'javascript';
  readonly name: string;
  readonly code: string;
}

/** One call of a transaction, as NodeService.signFor takes it. */
export interface ContractCall {
  readonly contract: string;
  readonly method: string;
  readonly args: Uint8Array;
}

// --- records --------------------------------------------------------------------------------------------------------------------------

export type RecordMediaType = 'application/json' | 'application/xml' | 'text/csv';

/** A body as it came. Whoever is handed it may move its bytes away: they are read once. */
export interface RecordBody {
  readonly bytes: Uint8Array;
  readonly mediaType: RecordMediaType;
  /** Aborts when nobody waits for the answer any more; made when asked for. */
  readonly gone?: () => AbortSignal;
}

/** Who sends a body: known by the header's token, or by the one inside the body. */
export interface Bearer {
  readonly known: Caller | undefined;
  /** @throws ChainError TOKEN_MISSING; TOKEN_CONFLICT when the header has another */
  identify(token: string | undefined): Caller;
  readonly address: string;
}

export interface RecordSubmitOptions {
  /** `async` answers as soon as the transaction is admitted. */
  readonly wait: 'sync' | 'async';
  /** Longest wait for finality, ms; past it the outcome is `pending`. */
  readonly timeoutMs: number;
  /** Hex SHA-256 that the caller computed over what he sent; differing is RECORD_DIGEST_MISMATCH or the like. */
  readonly statedDigest: string | undefined;
  /** Class of every record of the body. */
  readonly recordClass: string;
  /** Where every record of the body came from: stored beside it, no part of its content or digest. */
  readonly source: RecordOrigin;
  readonly requestId: string;
}

export interface RecordOutcome {
  /** Hex of the record id. */
  readonly id: string;
  readonly version: number;
  readonly contentDigest: string;
  readonly recordDigest: string;
  readonly digestAlg: string;
  readonly status: 'stored' | 'repeated';
  readonly currentVersion?: number;
  /** Of a repeated record that the account may see: the transaction that stored it. */
  readonly transactionId?: string;
  /** Of such a record: fields of its key that the stored record spells otherwise, dotted path -> stored text. */
  readonly storedAs?: { readonly [path: string]: string };
}

export interface SubmitOutcome {
  /** Null, like height and block, when every record is repeated and the account may see none of them. */
  readonly transactionId: string | null;
  readonly status: 'confirmed' | 'pending';
  readonly height: number | null;
  readonly blockHash: string | null;
  readonly records: readonly RecordOutcome[];
  readonly inclusionProof?: Json;
}

/** Filters of a search; absent members do not filter. Times are RFC 3339 or 13-digit milliseconds, as text. */
export interface RecordFilter {
  readonly class?: string;
  readonly product?: string;
  readonly productionBatch?: string;
  readonly materialBatch?: string;
  readonly supplier?: string;
  readonly batch?: string;
  readonly device?: string;
  readonly factory?: string;
  readonly from?: string;
  readonly to?: string;
}

export interface RecordSearch {
  readonly filter: RecordFilter;
  readonly includeArchived: boolean;
  readonly order: 'time' | 'commit';
  readonly limit: number;
  readonly after: string | undefined;
  readonly count: 'none' | 'exact';
  /** Wait up to `waitMs` for the index to reach it, then INDEX_BEHIND. */
  readonly atLeastHeight: number;
  readonly waitMs: number;
}

/** Members besides the named ones are the record as the API shows it (api/README.md). */
export type RecordRow = { readonly id: string; readonly version: number; readonly recordDigest: string } & {
  readonly [name: string]: Json;
};

export interface RecordPage {
  readonly items: readonly RecordRow[];
  readonly next: string | null;
  readonly height: number;
  readonly complete: boolean;
  readonly withheld: number;
  readonly count: number | null;
  readonly provable?: boolean;
  /** Where `complete` is false: `after` of the call that goes on. */
  readonly resumeAt?: string;
}

/**
 * The record modules behind the routes. Refusals are ChainError; when several fields or rows are bad, `data.details` lists all of them as
 * `{code, message, pointer | path | row + column}` and nothing is stored. Readings show a caller without the right `record:read` what it wrote itself; the
 * rest is to it as if it did not exist. A trace is of everybody's records: who asks for one has that right.
 */
export interface RecordService {
  submit(body: RecordBody, bearer: Bearer, options: RecordSubmitOptions): Promise<SubmitOutcome>;
  /** Every check of submit without storing: what would be stored, or the refusal. */
  validate(
    body: RecordBody,
    bearer: Bearer,
    options: Pick<RecordSubmitOptions, 'statedDigest' | 'recordClass'>,
  ): Promise<{ readonly records: readonly RecordOutcome[] }>;
  /** contentDigest of each record, in hex: told again with an answer that was kept without them, since they may not be stored (sealed fields). */
  contentDigests(body: RecordBody, caller: Caller, recordClass: string): Promise<readonly string[]>;
  /** Submissions sent and not known to be over, for the metrics. */
  underWay(): number;
  search(search: RecordSearch, caller: Caller): Promise<RecordPage>;
  /** Version 0 asks for the current one. Throws RECORD_NOT_FOUND or NOT_FOUND. */
  get(id: string, version: number, caller: Caller): Promise<RecordRow>;
  history(id: string, page: { readonly limit: number; readonly after: string | undefined }, caller: Caller): Promise<RecordPage>;
  /** An evidence bundle, `evidence/v1`; with the transaction that wrote the record and its receipt when asked. */
  proof(id: string, version: number, withTransaction: boolean, caller: Caller): Promise<Json>;
  /** Genealogy: `{product, nodes, edges, height, complete}`; `depth` bounds the walk. */
  trace(
    productUid: string,
    options: {
      readonly depth: number;
      readonly direction: 'up' | 'down' | 'both';
      readonly atLeastHeight: number;
      readonly waitMs: number;
    },
    caller: Caller,
  ): Promise<Json>;
}
