/**
 * Reads of the final state that cost work: contract queries, and calls tried before they are signed. Each call reads one version of the ledger and says its height; nothing here
 * writes, and nothing waits for a block that is being built, executed or stored. In a node it stands in a thread and has a contract machine of its own.
 */
import {
  type BuiltinContract,
  type ContractMachine,
  executeTransaction,
  queryContract,
  type TransactionContext,
} from '../../contracts/index.ts';
import { type ByteText, type Crypto, DIGEST_BYTES, decodeHeader } from '../format/index.ts';
import type { Store } from '../world.ts';
import { GuardedReads } from './block-run.ts';
import type { BlockReads } from './block-files.ts';
import { createBlockStore } from './block-store.ts';
import { ledgerKey } from './keys.ts';
import { createStateRows } from './state-rows.ts';

/** Gas of one read-only call, beside that of the first body of a block that it reads. */
export const QUERY_GAS_MAX = 500_000_000;

/** Most gas of a trial: about 12 ms. What takes more is not judged before it is signed. */
export const TRIAL_GAS_MAX = 500_000_000;

/** A transaction as it would be signed now. */
export type TrialTransaction = Omit<TransactionContext, 'transactionId' | 'index'> & {
  /** Of the block it would be in, ms. */
  readonly timestampMs: number;
};

/** What a transaction would come to in the next block, were nothing before it; undefined when that is more than a trial may cost. */
export interface Verdict {
  readonly code: string;
  /** Facts of a refusal as canonical JSON; empty when OK. */
  readonly detail: Uint8Array;
  readonly gasUsed: number;
  /** Of the state it was tried on. */
  readonly height: number;
}

/** One version of the rows, whatever is written meanwhile. */
export interface LedgerSnapshot extends Pick<Store, 'get' | 'range'> {
  close(): Promise<void>;
}

/** What a query came to; `gasUsed` is counted whatever its end. */
export type QueryAnswer = { readonly gasUsed: number; readonly height: number } & (
  | { readonly status: 'ok'; readonly result: Uint8Array }
  | { readonly status: 'failed'; readonly code: string; readonly detail: Uint8Array }
);

export interface LedgerReader {
  /** @throws ChainError STORE_DAMAGED and its kin */
  query(caller: string, contract: string, method: string, args: Uint8Array): Promise<QueryAnswer>;
  /** Runs calls on the final state and drops what they write. @throws ChainError STORE_DAMAGED and its kin */
  judge(transaction: TrialTransaction): Promise<Verdict | undefined>;
}

export interface ReaderDependencies {
  snapshot(): LedgerSnapshot;
  /** Bodies of final blocks. */
  readonly files: BlockReads;
  readonly crypto: Crypto;
  readonly builtins: ReadonlyMap<string, BuiltinContract>;
  readonly machine: ContractMachine;
}

export function createLedgerReader(deps: ReaderDependencies): LedgerReader {
  const { crypto, builtins, machine } = deps;

  async function onSnapshot<T>(read: (snapshot: LedgerSnapshot) => T | Promise<T>): Promise<T> {
    const snapshot = deps.snapshot();
    try {
      return await read(snapshot);
    } finally {
      await snapshot.close();
    }
  }

  /** A body may be moved after the snapshot was taken; where it stood then there is nothing any more. */
  function rowNow(key: ByteText): Uint8Array | undefined {
    const latest = deps.snapshot();
    try {
      return latest.get(key);
    } finally {
      void latest.close();
    }
  }

  return {
    query: (caller, contract, method, args) =>
      onSnapshot(async (snapshot) => {
        const blocks = createBlockStore(snapshot, deps.files, undefined, rowNow);
        const { height } = blocks.head()!;
        const { parameters } = await blocks.configuration(height + 1);
        const { chainId, timestampMs, era } = decodeHeader(blocks.headerBytes(height)!);
        const state = createStateRows(snapshot);
        const reads = new GuardedReads({ get: (key) => state.get(ledgerKey.state(key)), transaction: blocks.transactionNow });
        const { status, code, detail, result, gasUsed } = reads.during(
          queryContract,
          { contract, method, args, caller, gasLimit: QUERY_GAS_MAX },
          { chainId, height, timestampMs, era, parameters },
          reads,
          { builtins, machine, hash: crypto.hash, verify: crypto.verify },
        );
        return status === 'ok' ? { status, result, gasUsed, height } : { status, code, detail, gasUsed, height };
      }),
    judge: ({ timestampMs, gasLimit, ...transaction }) =>
      onSnapshot(async (snapshot) => {
        const blocks = createBlockStore(snapshot, deps.files, undefined, rowNow);
        const { height } = blocks.head()!;
        const { parameters } = await blocks.configuration(height + 1);
        const head = decodeHeader(blocks.headerBytes(height)!);
        const block = {
          chainId: head.chainId,
          height: height + 1,
          timestampMs: Math.max(timestampMs, head.timestampMs),
          era: head.era,
          parameters,
        };
        const state = createStateRows(snapshot);
        const reads = new GuardedReads({ get: (key) => state.get(ledgerKey.state(key)), transaction: blocks.transactionNow });
        const trial = {
          ...transaction,
          transactionId: new Uint8Array(DIGEST_BYTES),
          index: 0,
          gasLimit: Math.min(gasLimit, TRIAL_GAS_MAX),
        };
        const execution = { builtins, machine, hash: crypto.hash, verify: crypto.verify };
        const { code, detail, gasUsed } = reads.during(executeTransaction, trial, block, reads, execution);
        return code === 'GAS_EXHAUSTED' && gasLimit > TRIAL_GAS_MAX ? undefined : { code, detail, gasUsed, height };
      }),
  };
}
