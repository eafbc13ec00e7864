/**
 * Rows of the query index that are gone. Its store cannot know that they should be there, so that neither an alarm nor the store's mender hears of them: who
 * misses one says so here, and the index is made anew from blocks.
 */
import { DAMAGE } from '../damage.ts';
import { type ByteText, fromByteText, toHex } from '../format/index.ts';
import type { Node } from '../node.ts';
import type { Log } from '../world.ts';

export interface MissingRows {
  /** A row is gone. What else is missed until the index is made anew needs no word of its own. */
  onMissing(key: ByteText): void;
  /** Says how the index is made anew, of rows missed before too. */
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
