/**
 * What becomes of sealed values whose transaction nobody waits for any more: the caller had no time, or the node stopped in between. Looked
 * at after every final block: values of a transaction that stored its records are kept, those of one that failed or can no longer be final
 * are deleted.
 */
import { ChainError } from '../errors/index.ts';
import type { Digest } from '../format/index.ts';
import type { Pause } from '../pace/index.ts';
import type { Log } from '../world.ts';
import type { SealedStore } from './sealed-store.ts';

export interface SealedSettlement {
  /** A block became final. */
  onBlock(): void;
  /** Resolves when nothing is being settled. */
  idle(): Promise<void>;
}

export function createSealedSettlement(options: {
  readonly sealed: Pick<SealedStore, 'waiting' | 'keep' | 'drop'>;
  /** `ok` or `failed` as the receipt of a final block says; undefined without one. */
  readonly outcome: (transactionId: Digest) => Promise<'ok' | 'failed' | undefined>;
  readonly height: () => number;
  readonly log: Log;
  /** Thousands may wait. */
  readonly pause: Pause;
}): SealedSettlement {
  const { sealed, outcome, log, pause } = options;
  let running: Promise<void> | undefined;

  async function settle(): Promise<void> {
    const height = options.height(); // before the receipts are looked at: what expires below it has its receipt by now or never
    // All of them: those that only their expiry ends must hold up no other.
    for (const { transactionId, expiryHeight } of await sealed.waiting()) {
      const ended = await outcome(transactionId);
      if (ended === 'ok') await keep(transactionId);
      else if (ended === 'failed' || expiryHeight < height) await sealed.drop(transactionId);
      await pause();
    }
  }

  async function keep(transactionId: Digest): Promise<void> {
    try {
      await sealed.keep(transactionId);
    } catch (error) {
      if (!(error instanceof ChainError && (error.code === 'STORE_DAMAGED' || error.code === 'RECORD_TOO_LARGE'))) throw error;
      log.error({ error: error.code }, 'sealed values of a submission cannot be kept');
      await sealed.drop(transactionId); // other nodes of the organisation may hold them
    }
  }

  return {
    onBlock() {
      running ??= settle()
        .catch((error: unknown) => log.error({ error: String(error) }, 'sealed values wait to be settled'))
        .finally(() => {
          running = undefined;
        });
    },
    idle: async () => running,
  };
}
