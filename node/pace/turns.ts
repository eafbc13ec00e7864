/**
 * Turns of the event loop, shared by all long work of one thread: whoever is under way, they have one slice a turn together, one after another. Had each
 * its own slice, ten answers at once would hold the thread ten times as long.
 */
import type { Timers } from '../world.ts';

/** Of long work in one turn; a step may take as long again. */
export const SLICE_MS = 4;

export interface Turns {
  /** The work of the present turn took so much more. */
  spend(ms: number): void;
  /** Whether work may go on in the present turn. */
  isFree(): boolean;
  /** Runs in a turn to come, one piece of work a turn, in order. Returns how to give up waiting. */
  wait(run: () => void): () => void;
}

const known = new WeakMap<object, Turns>();

/** The turns of the thread that has these timers. */
export function turnsOf(timers: Pick<Timers, 'after'>): Turns {
  const turns = known.get(timers) ?? createTurns(timers);
  known.set(timers, turns);
  return turns;
}

function createTurns(timers: Pick<Timers, 'after'>): Turns {
  const waiting = new Set<{ readonly run: () => void }>();
  let usedMs = 0;
  let due = false;

  function schedule(): void {
    if (due || (waiting.size === 0 && usedMs === 0)) return;
    due = true;
    timers.after(0, () => {
      due = false;
      usedMs = 0;
      const [first] = waiting;
      if (!first) return;
      waiting.delete(first);
      schedule();
      first.run();
    });
  }

  return {
    spend(ms) {
      usedMs += ms;
      schedule();
    },
    isFree: () => usedMs < SLICE_MS,
    wait(run) {
      const entry = { run };
      waiting.add(entry);
      schedule();
      return () => void waiting.delete(entry);
    },
  };
}
