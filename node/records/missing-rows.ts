/**
 * Rows of the query index that are gone. Its store cannot know that they should be there, so it neither raises an alarm nor restores them:
 * a reader that misses one reports it here, and the index is made anew from blocks.
 */
import { DAMAGE } from '../damage.ts';
import { type ByteText, fromByteText, toHex } from '../format/index.ts';
import type { Node } from '../node.ts';
import type { Log } from '../world.ts';

export interface MissingRows {
  /** A row is gone. Further rows that are missed before the index is made anew are not reported. */
  onMissing(key: ByteText): void;
  /** Sets how the index is made anew; rows missed before count too. */
  mendBy(rebuild: () => Promise<void>): void;
}

export function createMissingRows(node: Pick<Node, 'raiseAlarm' | 'resolveAlarm'>, log: Log): MissingRows {
  let rebuild: (() => Promise<void>) | undefined;
  let missed: ByteText | undefined;

  async function mend(key: ByteText, anew: () => Promise<void>): Promise<void> {
    const detail = { store: 'index', key: toHex(fromByteText(key)) };
    await node.raiseAlarm(DAMAGE, 'critical', detail);
    await anew();
    missed = undefined;
    await node.resolveAlarm(DAMAGE, detail, { by: 'blocks' });
  }

  function begin(key: ByteText, anew: () => Promise<void>): void {
    mend(key, anew).catch((error: unknown) => {
      missed = undefined; // the next who misses one tries again
      log.error({ error: String(error) }, 'query index not made anew');
    });
  }

  return {
    onMissing(key) {
      if (missed !== undefined) return;
      missed = key;
      if (rebuild) begin(key, rebuild);
    },
    mendBy(anew) {
      rebuild = anew;
      if (missed !== undefined) begin(missed, anew);
    },
  };
}
