/**
 * The executor as the rest of the node sees it: every method a promise. In a node it stands in a worker thread, so that execution never holds up
 * votes and ticks; the simulator runs one inline.
 */
import { ChainError } from '../errors/index.ts';
import type { ByteText } from '../format/index.ts';
import type { Location } from '../store/index.ts';
import type { RepairAnswer } from './repair.ts';
import type { BuildRequest, Built, CommitRequest, Committed, ExecuteRequest, Executed } from './executor.ts';

export interface ExecutorPort {
  open(): Promise<Committed>;
  build(request: BuildRequest): Promise<Built>;
  execute(request: ExecuteRequest): Promise<Executed>;
  commit(request: CommitRequest): Promise<Committed>;
  /** Puts a damaged row right, see repair.ts. */
  repair(key: ByteText, value?: Uint8Array, placed?: Location): Promise<RepairAnswer>;
  /** Proof of a key of the state (see stateKey), for the header of `height`, the last final one. */
  prove(key: ByteText): Promise<{ readonly height: number; readonly proof: Uint8Array }>;
  readonly bundleDigest: string;
  stop(): Promise<void>;
}

/** Proofs that wait for the executor; each takes it some tens of microseconds. */
export const PROOFS_WAITING_MAX = 256;
/** What is said to wait, ms, when so many do: a block is being executed. */
const PROOF_WAIT_MS = 1_000;

/** `executor.prove` for callers from outside. */
export function boundedProofs(executor: Pick<ExecutorPort, 'prove'>): ExecutorPort['prove'] {
  let waiting = 0;
  return async (key) => {
    if (waiting >= PROOFS_WAITING_MAX) throw new ChainError('SERVER_BUSY', { waitingMax: PROOFS_WAITING_MAX, retryAfterMs: PROOF_WAIT_MS });
    waiting++;
    try {
      return await executor.prove(key);
    } finally {
      waiting--;
    }
  };
}
