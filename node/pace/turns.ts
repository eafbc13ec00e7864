/**
 * Turns of the event loop, shared by all long work of one thread: all pieces under way share one slice a turn, one after another. Had each
 * its own slice, ten answers at once would hold the thread ten times as long.
 */
import type { Timers } from '../world.ts';

/** Time of long work in one turn, ms; its last step may take as long again. */
export const SLICE_MS = 4;

/** Pieces of work of one turn: what follows from their ends runs in it as well, and is no part of the slice. */
export const RUNS_PER_TURN = 16;

export interface Turns {
  /** Of the present turn: another one after a turn in which anything was spent or waited. */
  number(): number;
  /** Adds to the time that work took in the present turn. */
  spend(ms: number): void;
  /** Whether work may go on in the present turn. */
  isFree(): boolean;
  /**
   * Runs in a turn to come, in order; as many in one turn as its slice has room for. Returns how to give up waiting.
   * @param run says whether all that it does in this turn is spent when it returns; behind one that goes on by itself nothing more runs in
   * the turn
   */
  wait(run: () => boolean): () => void;
}

const known = new WeakMap<object, Turns>();

/** The turns of the thread that has these timers. */
export function turnsOf(timers: Pick<Timers, 'after'>): Turns {
  const turns = known.get(timers) ?? createTurns(timers);
  known.set(timers, turns);
  return turns;
}

function createTurns(timers: Pick<Timers, 'after'>): Turns {
  const waiting = new Set<{ readonly run: () => boolean }>();
  let usedMs = 0;
  let due = false;
  let number = 0;

  function schedule(): void {
    if (due || (waiting.size === 0 && usedMs === 0)) return;
    due = true;
    timers.after(0, () => {
      due = false;
      usedMs = 0;
      number++;
      let runs = 0;
      for (const entry of waiting) {
        waiting.delete(entry);
        if (!entry.run() || usedMs >= SLICE_MS || ++runs >= RUNS_PER_TURN) break;
      }
      schedule();
    });
  }

  return {
    number: () => number,
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
