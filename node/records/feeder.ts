/** Feeds the query index with final blocks, off the commit path: in order, a record at a time with pauses, and again from where it stopped after a restart. */
import type { BlockStore } from '../ledger/block-store.ts';
import type { StateView } from '../../contracts/index.ts';
import { decodeHeader } from '../format/index.ts';
import { createPause, withPauses } from '../pace/slices.ts';
import { readReceipts } from '../ledger/stored-block.ts';
import type { Clock, Log, Timers } from '../world.ts';
import type { RecordIndex } from './query-index.ts';
import { recordRowsOf } from './source.ts';

const RETRY_MS = 1_000; // pause after a block could not be indexed (a full disk, say)

export interface IndexFeeder {
  /** A block became final. */
  onBlock(): void;
  /** Feeds all blocks again; resolves when the index is back at the present head. */
  rebuild(): Promise<void>;
  stop(): Promise<void>;
}

export function createIndexFeeder(options: {
  readonly index: RecordIndex;
  readonly blocks: BlockStore;
  readonly state: StateView;
  readonly height: () => number;
  readonly timers: Timers;
  readonly clock: Pick<Clock, 'monotonic'>;
  readonly log: Log;
}): IndexFeeder {
  const { index, blocks, state, log } = options;
  let running: Promise<void> | undefined;
  let stopped = false;
  let cancelRetry: (() => void) | undefined;
  /** Who waits for a rebuild that has not begun, and for one that runs. */
  const asked: (() => void)[] = [];
  const going: (() => void)[] = [];

  function rebuild(): Promise<void> {
    return new Promise((resolve) => {
      asked.push(resolve);
      onBlock();
    });
  }

  async function run(): Promise<void> {
    for (;;) {
      if (asked.length > 0) {
        await index.refeed();
        going.push(...asked.splice(0));
      }
      const height = (index.height ?? -1) + 1;
      if (stopped) return;
      if (height > options.height()) break;
      const headerBytes = blocks.headerBytes(height);
      const pause = createPause(options);
      const receipts = await readReceipts(blocks, height, pause);
      const block = await blocks.block(height);
      if (!headerBytes || !receipts || !block) throw new Error(`Block ${height} is not held`);
      const { timestampMs } = decodeHeader(headerBytes);
      const written = { receipts, transactions: block.transactions };
      await index.applyBlock(height, timestampMs, await withPauses(recordRowsOf(written, state), pause), pause);
    }
    for (const done of going.splice(0)) done();
  }

  function onBlock(): void {
    if (stopped || running) return;
    running = run()
      .then(
        () => true,
        (error: unknown) => {
          log.error({ error: String(error), indexedHeight: index.height ?? -1 }, 'query index is behind');
          cancelRetry = options.timers.after(RETRY_MS, onBlock);
          return false;
        },
      )
      .then((done) => {
        running = undefined;
        if (done && ((index.height ?? -1) < options.height() || asked.length > 0)) onBlock();
      });
  }

  return {
    onBlock,
    rebuild,
    async stop() {
      stopped = true;
      cancelRetry?.();
      await running;
    },
  };
}
