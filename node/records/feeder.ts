/**
 * Feeds the query index with final blocks, off the commit path: in order, a record at a time with pauses, and again from where it stopped
 * after a restart. What the executor said of the latest blocks is at hand; older ones are read.
 */
import { type BlockStore, type Committed, readReceipts } from '../ledger/index.ts';
import type { StateView } from '../../contracts/index.ts';
import { decodeHeader } from '../format/index.ts';
import { createPause, withPauses } from '../pace/index.ts';
import type { Clock, Log, Timers } from '../world.ts';
import { type RecordIndex, UNSAVED_BLOCKS_MAX } from './query-index.ts';
import { recordRowsOf } from './source.ts';

const RETRY_MS = 1_000; // pause after a block could not be indexed (a full disk, say)
/** Facts of blocks that wait to be indexed, bytes; what comes past it is read from its block. */
export const FACTS_WAITING_BYTES_MAX = 16_777_216;

export interface IndexFeeder {
  /**
   * Feeds the blocks up to the present head; resolves when those are fed that the index had in memory alone before a crash. An index that
   * lacks more goes on by itself.
   */
  start(): Promise<void>;
  /** A block became final. */
  onBlock(committed: Pick<Committed, 'height' | 'recordFacts'>): void;
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
  /** Facts of blocks by height, in order, and their bytes. */
  const waiting = new Map<number, Uint8Array>();
  let waitingBytes = 0;
  /** Blocks up to here are fed. A block is at the tip before it is told of with its facts, and would be read for nothing. */
  let heightTold = -1;

  function keep({ height, recordFacts }: Pick<Committed, 'height' | 'recordFacts'>): void {
    if (!recordFacts || waitingBytes + recordFacts.length > FACTS_WAITING_BYTES_MAX) return;
    waiting.set(height, recordFacts);
    waitingBytes += recordFacts.length;
  }

  /** Facts of blocks that are in the index, whichever way they came there. */
  function letGo(): void {
    for (const [height, facts] of waiting) {
      if (height > heightFed()) return;
      waiting.delete(height);
      waitingBytes -= facts.length;
    }
  }

  function heightFed(): number {
    return index.height ?? -1;
  }

  function rebuild(): Promise<void> {
    return new Promise((resolve) => {
      asked.push(resolve);
      heightTold = Math.max(heightTold, options.height());
      go();
    });
  }

  async function run(): Promise<void> {
    for (;;) {
      if (asked.length > 0) {
        await index.refeed();
        going.push(...asked.splice(0));
      }
      letGo();
      const height = heightFed() + 1;
      if (stopped) return;
      if (height > heightTold) break;
      const pause = createPause(options);
      const facts = waiting.get(height);
      if (facts) {
        await index.applyFacts(height, facts, pause);
        continue;
      }
      const headerBytes = blocks.headerBytes(height);
      const receipts = await readReceipts(blocks, height, pause);
      const block = await blocks.block(height);
      if (!headerBytes || !receipts || !block) throw new Error(`Block ${height} is not held`);
      const { timestampMs } = decodeHeader(headerBytes);
      const written = { receipts, transactions: block.transactions };
      await index.applyBlock(height, timestampMs, await withPauses(recordRowsOf(written, state), pause), pause);
    }
    for (const done of going.splice(0)) done();
  }

  function onBlock(committed: Pick<Committed, 'height' | 'recordFacts'>): void {
    if (stopped) return;
    keep(committed);
    heightTold = Math.max(heightTold, committed.height);
    go();
  }

  function go(): void {
    if (stopped || running) return;
    running = run()
      .then(
        () => true,
        (error: unknown) => {
          log.error({ error: String(error), indexedHeight: heightFed() }, 'query index is behind');
          cancelRetry = options.timers.after(RETRY_MS, go);
          return false;
        },
      )
      .then((done) => {
        running = undefined;
        if (done && (heightFed() < heightTold || asked.length > 0)) go();
      });
  }

  return {
    async start() {
      heightTold = Math.max(heightTold, options.height());
      const lacking = heightTold - heightFed();
      go();
      if (lacking <= UNSAVED_BLOCKS_MAX) await running;
    },
    onBlock,
    rebuild,
    async stop() {
      stopped = true;
      cancelRetry?.();
      await running;
      await index.save().catch((error: unknown) => log.warn({ error: String(error) }, 'query index not saved'));
    },
  };
}
