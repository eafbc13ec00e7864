/**
 * Adapter: the executor in a worker thread of its own. Opens the database that the main thread holds (classic-level `multithreading`), answers one
 * request at a time. A fault that is not a verdict about a block ends the thread: the node then stops rather than diverge.
 */
import { parentPort, workerData } from 'node:worker_threads';
import { createCrypto } from '../crypto/index.ts';
import { CHAIN_WRITE_BUFFER_BYTES, openDirectory, openLevelStore } from '../store/index.ts';
import { ChainError } from '../errors/index.ts';
import { openPageFile } from '../state/index.ts';
import { ExecutionFault } from '../../contracts/index.ts';
import { fromByteText, openGenesis, toHex } from '../format/index.ts';
import { createBlockReads } from './block-files.ts';
import { createContracts } from './contracts.ts';
import { type BuildRequest, type CommitRequest, createExecutor, type ExecuteRequest, type Executor } from './executor.ts';
import { buffersOf, packCommitted, type PackedList, unpacked } from './executor-wire.ts';

export interface ExecutorWorkerData {
  readonly storePath: string;
  /** Those of the main thread, which syncs what this one writes. */
  readonly syncMarks: Int32Array;
  /** Of the block files. */
  readonly blocksPath: string;
  readonly genesisText: string;
  /** Bytes of memory that the state map may take; what is over lies in the page file, which belongs to this thread. */
  readonly mapMemoryBytesMax: number;
  readonly pagesPath: string;
}

export interface ExecutorCall {
  readonly ticket: number;
  readonly method: 'open' | 'build' | 'execute' | 'commit' | 'repair' | 'prove' | 'stop';
  readonly args: readonly unknown[];
}

/** The worker writes the database that the main thread reads: before it opens it anew after a full disk, the main thread lets go. */
export type ExecutorControl = { readonly control: 'release' | 'reopen' };

/** What the worker writes to, the ledger's database and the page file of the state map, and the block files, which it reads. */
export type ExecutorStore = 'chain' | 'state map' | 'blocks';

/** One of them met something that an operator must know. */
export interface ExecutorFault {
  readonly store: ExecutorStore;
  readonly fault: string;
  readonly data: Readonly<Record<string, unknown>>;
  /** What made good for it already. */
  readonly mendedBy?: string;
}

/** The page file took what it was given; of the database each commit says so. */
export interface ExecutorWritten {
  readonly written: 'state map';
}

export type ExecutorAnswer =
  | { readonly ticket: number; readonly value: unknown }
  | {
      readonly ticket: number;
      readonly refusal: {
        readonly kind: 'chain' | 'fault';
        readonly code: string;
        readonly data: Readonly<Record<string, unknown>>;
      };
    };

const port = parentPort;
if (port) {
  const { storePath, syncMarks, blocksPath, genesisText, mapMemoryBytesMax, pagesPath } = workerData as ExecutorWorkerData;
  const crypto = createCrypto();
  let controlDone: () => void = () => undefined;
  const control = (word: ExecutorControl['control']): Promise<void> =>
    new Promise((resolve) => {
      controlDone = resolve;
      port.postMessage({ control: word } satisfies ExecutorControl);
    });
  const tell = (store: ExecutorStore, { code, data }: ChainError, mendedBy?: string): void =>
    port.postMessage({ store, fault: code, data, ...(mendedBy !== undefined && { mendedBy }) } satisfies ExecutorFault);
  const store = await openLevelStore({
    path: storePath,
    multithreading: true,
    syncMarks,
    writeBufferBytes: CHAIN_WRITE_BUFFER_BYTES,
    onFault: (fault) => tell('chain', fault),
    releaseOthers: async () => {
      await control('release');
      return () => control('reopen');
    },
  });
  const { chainId, configuration } = openGenesis(crypto, genesisText);
  const files = createBlockReads(await openDirectory(blocksPath), chainId, { onFault: (fault) => tell('blocks', fault) });
  const contracts = await createContracts(crypto, configuration.executionVersion);
  const pages = openPageFile(pagesPath);
  const executor: Executor = createExecutor({
    store,
    files,
    onDamaged: (row) => tell('chain', new ChainError('STORE_DAMAGED', { key: toHex(fromByteText(row)) })),
    crypto,
    clock: { monotonic: () => performance.now() },
    genesisText,
    mapRoom: {
      mapMemoryBytesMax,
      pages,
      onFault: (fault) => tell('state map', fault),
      onWritten: () => port.postMessage({ written: 'state map' } satisfies ExecutorWritten),
    },
    onMapLoaded: (fault) => tell('state map', fault, 'loading the state map again'),
    ...contracts,
  });
  let tail: Promise<void> = Promise.resolve();
  /** This thread has nothing else to do. */
  const goOn = async (): Promise<void> => undefined;

  async function carryOut({ method, args }: ExecutorCall): Promise<{ value: unknown; moved: ArrayBuffer[] }> {
    const [request] = args;
    switch (method) {
      case 'build':
        return { value: await executor.build(unpacked(request as PackedList<BuildRequest>)), moved: [] };
      case 'execute':
        return { value: await executor.execute(unpacked(request as PackedList<ExecuteRequest>)), moved: [] };
      case 'open':
      case 'commit': {
        const committed = method === 'open' ? await executor.open() : await executor.commit(request as CommitRequest);
        const value = await packCommitted(committed, goOn);
        return { value, moved: buffersOf(value.transactionIds, value.receipts) };
      }
      default:
        return { value: await (executor[method as 'repair'] as (...given: readonly unknown[]) => unknown)(...args), moved: [] };
    }
  }

  const answer = async (call: ExecutorCall): Promise<void> => {
    try {
      if (call.method === 'stop') {
        await executor.stop();
        await store.close();
        files.close();
        pages.close();
        port.postMessage({ ticket: call.ticket, value: undefined });
        port.close();
        return;
      }
      const { value, moved } = await carryOut(call);
      port.postMessage({ ticket: call.ticket, value }, moved);
    } catch (error) {
      const refusal =
        error instanceof ChainError
          ? { kind: 'chain', code: error.code, data: error.data }
          : { kind: 'fault', code: 'INTERNAL', data: { message: String((error as Error).stack ?? error) } };
      port.postMessage({ ticket: call.ticket, refusal });
      // A built-in that failed in a way no receipt can hold: going on would be another state than that of the others.
      if (error instanceof ExecutionFault) throw error;
    }
  };
  port.on('message', (call: ExecutorCall | ExecutorControl) => {
    if ('control' in call) {
      controlDone();
      return;
    }
    tail = tail.then(() => answer(call));
  });
  port.postMessage({ ticket: 0, value: contracts.machine.bundleDigest });
}
