/**
 * What the REST layer is handed: the node, the record modules, the seams of the World and its own corner of a store. The program that builds
 * the node wires them; nothing here is reached in any other way.
 */
import type { Right } from '../../contracts/index.ts';
import type { ExchangeLog } from '../../node/feeds/index.ts';
import type { Headroom } from '../../node/pace/index.ts';
import type { LoopDelay } from '../../node/real/index.ts';
import type { ByteText } from '../../node/format/index.ts';
import type { RecordService } from '../../node/records/index.ts';
import type { NodeService } from '../../node/service.ts';
import { keyspace } from '../../node/store/index.ts';
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
