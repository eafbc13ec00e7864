/** What the doors to the records (REST, import, dialects) ask and are answered, and who asks. */
import type { Json, RecordOrigin } from '../format/index.ts';

/** The bearer of a verified token: what chain state says of it now, not what the token says. */
export interface Caller {
  readonly account: string;
  readonly organisation: string;
  readonly type: 'person' | 'device' | 'service';
  readonly roles: readonly string[];
  /** Clock ms after which the token is worth nothing; long streams end then. */
  readonly expiresMs: number;
  /** Clock ms of the last one-time password behind this token. */
  readonly steppedUpAtMs: number | undefined;
}

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
  readonly inclusionProof?: InclusionProof;
}

/** That a receipt stands in the block of a header. Bytes and hashes are hex. */
export interface InclusionProof {
  readonly receipt: string;
  readonly index: number;
  readonly count: number;
  /** Siblings, nearest first. */
  readonly path: readonly string[];
  readonly header: string;
}

/** Filters of a search; absent members do not filter. Times are RFC 3339 or 13-digit epoch milliseconds, as text, both ends included. */
export interface RecordFilter {
  readonly class?: string;
  readonly product?: string;
  readonly productionBatch?: string;
  readonly materialBatch?: string;
  readonly supplier?: string;
  /** Production batch or material batch; the answer says which matched. */
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
 * `{code, message, pointer | path | row + column}` and nothing is stored. Readings show a caller without the right `record:read` what it
 * wrote itself; to that caller the rest does not exist. A trace is of everybody's records: who asks for one has that right.
 */
export interface RecordService {
  submit(body: RecordBody, bearer: Bearer, options: RecordSubmitOptions): Promise<SubmitOutcome>;
  /** Every check of submit without storing: what would be stored, or the refusal. */
  validate(
    body: RecordBody,
    bearer: Bearer,
    options: Pick<RecordSubmitOptions, 'statedDigest' | 'recordClass'>,
  ): Promise<{ readonly records: readonly RecordOutcome[] }>;
  /**
   * contentDigest of each record, in hex: told again with an answer that was kept without them, since they may not be stored (sealed
   * fields).
   */
  contentDigests(body: RecordBody, caller: Caller, recordClass: string): Promise<readonly string[]>;
  /** Submissions sent and not known to be over, for the metrics. */
  underWay(): number;
  /** Records sent so far in one transaction with others that came alone, for the metrics. */
  gathered(): number;
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
