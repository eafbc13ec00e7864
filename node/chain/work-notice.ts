/**
 * Tells consensus whether it owes a block: at once while a block may hold something that waits, or when the time of what is held back has come
 * (mempool/gas-shares.ts).
 */
import type { Waiting } from './mempool/mempool.ts';
import type { Clock, Timers } from '../world.ts';

export interface WorkNotice {
  /** Something was admitted, or, when nothing is named, a block is final or something has left. */
  tell(added?: Waiting): void;
  /** From now on nothing is told later. */
  stop(): void;
}

export interface WorkNoticeDependencies {
  readonly clock: Pick<Clock, 'monotonic'>;
  readonly timers: Pick<Timers, 'after'>;
  /** Ms until a block may hold this one, or any when none is named: 0 when it may now, Infinity when none waits. */
  dueInMs(entry?: Waiting): number;
  workWaiting(waiting: boolean): void;
}

export function createWorkNotice({ clock, timers, dueInMs, workWaiting }: WorkNoticeDependencies): WorkNotice {
  let next: { readonly atMs: number; readonly cancel: () => void } | undefined;
  let stopped = false;
  /** Consensus knows that something may stand in a block now; what is added tells it nothing until a block is final. */
  let known = false;

  function tell(added?: Waiting): void {
    if (added && known) return;
    const waitMs = dueInMs(added);
    if (waitMs === 0 || !added) {
      known = waitMs === 0;
      workWaiting(known);
    }
    if (waitMs === 0 || waitMs === Number.POSITIVE_INFINITY || stopped) return;
    const atMs = clock.monotonic() + waitMs;
    if (added && next && next.atMs <= atMs) return; // another one is due before it
    next?.cancel();
    const cancel = timers.after(waitMs, () => {
      next = undefined;
      tell();
    });
    next = { atMs, cancel };
  }

  return {
    tell,
    stop() {
      stopped = true;
      next?.cancel();
    },
  };
}
