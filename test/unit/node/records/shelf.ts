/** Records as a chain holds them, for tests: versions among the rows of a state, content and source in transactions of blocks. */
import { builtinClass, type ClassDefinition, CONTRACT, normalSpelling, recordKey, respell, stateKey } from '../../../../contracts/index.ts';
import {
  decodeContent,
  encodeHeader,
  encodeRecordVersion,
  encodeSubmissions,
  encodeTransaction,
  type StoredRecord,
  sourceDigest,
  toByteText,
} from '../../../../node/format/index.ts';
import type { RecordBlocks } from '../../../../node/records/source.ts';
import { ended } from '../../../tools/steps.ts';
import { crypto } from './sample.ts';

export type Draft = Partial<StoredRecord> & Pick<StoredRecord, 'class' | 'org' | 'actor' | 'content'>;

const ZERO = new Uint8Array(32);

/** Of a content under its class, as the contract stores it. */
export function normalDigestOf(definition: ClassDefinition | undefined, content: Uint8Array): Uint8Array | undefined {
  if (!definition || content.length === 0) return undefined;
  const spelling = normalSpelling(definition, decodeContent(content));
  return spelling.size === 0 ? undefined : crypto.hash(ended(respell(content, spelling)));
}

export class Shelf {
  readonly rows: Map<string, Uint8Array>;
  readonly transactions = new Map<string, Uint8Array>();
  readonly #times = new Map<number, number>();
  readonly #counts = new Map<number, number>();

  constructor(rows = new Map<string, Uint8Array>()) {
    this.rows = rows;
  }

  /** Stores a version in a transaction of its own. */
  put(recordId: Uint8Array, draft: Draft, definition = builtinClass(draft.class)): StoredRecord {
    const { content, source = {}, height = 1, committedAtMs = 1 } = draft;
    const index = this.#counts.get(height) ?? 0;
    this.#counts.set(height, index + 1);
    const submission = { class: draft.class, classVersion: 1, content, source };
    const bytes = encodeTransaction({
      ...{ chainId: ZERO, sender: draft.actor, keyId: 'k', salt: new Uint8Array(16), expiryHeight: height, gasLimit: 1, suite: 1 },
      ...{
        calls: [{ contract: CONTRACT.records, method: 'submit', args: encodeSubmissions([submission]) }],
        signature: new Uint8Array(64),
      },
    });
    this.transactions.set(`${height}/${index}`, bytes);
    this.#times.set(height, committedAtMs);
    const record: StoredRecord = {
      ...{ classVersion: 1, version: 1, state: 'current', source, height, index, call: 0, item: 0, transactionId: ZERO, change: undefined },
      ...{
        recordDigest: crypto.hash(content),
        normalDigest: normalDigestOf(definition, content),
        sourceDigest: sourceDigest(crypto, source),
      },
      ...{ keyContent: content, committedAtMs, ...draft },
    };
    this.rows.set(stateKey(CONTRACT.records, recordKey.version(toByteText(recordId), record.version)), encodeRecordVersion(record));
    return record;
  }

  readonly blocks: RecordBlocks = {
    transaction: async ({ height, index }) => this.transactions.get(`${height}/${index}`),
    headerBytes: (height) =>
      encodeHeader({
        ...{ version: 1, chainId: ZERO, era: 0, height, parentHash: ZERO, timestampMs: this.#times.get(height) ?? 1, proposer: 'n' },
        ...{ engine: 'pbft', engineData: new Uint8Array(8), txRoot: ZERO, receiptsRoot: ZERO, stateRoot: ZERO },
        ...{ consensusHash: ZERO, nextConsensusHash: ZERO },
      }),
  };

  /** Transactions of a height, in their order. */
  transactionsOf(height: number): readonly Uint8Array[] {
    return Array.from({ length: this.#counts.get(height) ?? 0 }, (_, index) => this.transactions.get(`${height}/${index}`)!);
  }
}
