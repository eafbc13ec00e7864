/**
 * Adapter: the ledger reader in a worker thread of its own. Opens the database that the other threads hold (classic-level `multithreading`) and reads
 * snapshots of it; answers one request at a time. Whatever ends it is an ended read and nothing else.
 */
import { constants, platform, setPriority } from 'node:os';
import { parentPort, workerData } from 'node:worker_threads';
import { ChainError } from '../errors/index.ts';
import { createCrypto } from '../crypto/index.ts';
import { openGenesis } from '../format/index.ts';
import { CHAIN_WRITE_BUFFER_BYTES, openDirectory, openLevelStore } from '../store/index.ts';
import { createBlockReads } from './block-files.ts';
import { createContracts } from './contracts.ts';
import { createLedgerReader } from './reader.ts';

export interface ReaderWorkerData {
  readonly storePath: string;
  /** Of the block files. */
  readonly blocksPath: string;
  readonly genesisText: string;
}

export interface ReaderCall {
  readonly ticket: number;
  readonly method: 'query' | 'judge';
  readonly args: readonly unknown[];
}

/** What this thread reads. */
export type ReaderStore = 'chain' | 'blocks';

type Facts = Readonly<Record<string, unknown>>;

export type ReaderMessage =
  | { readonly ready: true }
  | { readonly fault: string; readonly data: Facts; readonly store: ReaderStore }
  | { readonly ticket: number; readonly value: unknown }
  | { readonly ticket: number; readonly refusal: { readonly code: string; readonly data: Facts } };

const port = parentPort;
if (port) {
  const { storePath, blocksPath, genesisText } = workerData as ReaderWorkerData;
  // On Linux the priority is that of the calling thread: where processors are short, votes and execution go first. Elsewhere it would be the process.
  if (platform() === 'linux') setPriority(constants.priority.PRIORITY_BELOW_NORMAL);
  const crypto = createCrypto();
  const tell = (of: ReaderStore, { code, data }: ChainError): void =>
    port.postMessage({ fault: code, data, store: of } satisfies ReaderMessage);
  const store = await openLevelStore({
    path: storePath,
    multithreading: true,
    writeBufferBytes: CHAIN_WRITE_BUFFER_BYTES,
    onFault: (fault) => tell('chain', fault),
  });
  const { chainId, configuration } = openGenesis(crypto, genesisText);
  const files = createBlockReads(await openDirectory(blocksPath), chainId, { onFault: (fault) => tell('blocks', fault) });
  const contracts = await createContracts(crypto, configuration.executionVersion);
  const reader = createLedgerReader({ snapshot: () => store.snapshot(), files, crypto, ...contracts });
  const answer = async ({ ticket, method, args }: ReaderCall): Promise<void> => {
    try {
      const value = await (reader[method] as (...given: readonly unknown[]) => Promise<unknown>)(...args);
      port.postMessage({ ticket, value } satisfies ReaderMessage);
    } catch (error) {
      const refusal =
        error instanceof ChainError
          ? { code: error.code, data: error.data }
          : { code: 'INTERNAL', data: { message: String((error as Error).stack ?? error) } };
      port.postMessage({ ticket, refusal } satisfies ReaderMessage);
    }
  };
  let tail: Promise<void> = Promise.resolve();
  port.on('message', (call: ReaderCall) => {
    tail = tail.then(() => answer(call));
  });
  port.postMessage({ ready: true } satisfies ReaderMessage);
}
