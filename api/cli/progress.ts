/** Progress of long work on standard error: a bar for a person, a line every tenth for a log, nothing with --json. */
import { Presets, SingleBar } from 'cli-progress';
import type { Terminal } from './terminal.ts';

export interface Progress {
  /** @param done absolute count */
  at(done: number, note?: string): void;
  total(total: number): void;
  stop(): void;
}

const LINES = 10; // lines of a whole run when nobody watches

export function startProgress(
  terminal: Pick<Terminal, 'err' | 'interactive' | 'now'>,
  title: string,
  total: number,
  silent: boolean,
): Progress {
  if (silent) return { at: () => undefined, total: () => undefined, stop: () => undefined };
  return terminal.interactive ? bar(title, total) : lines(terminal, title, total);
}

function bar(title: string, total: number): Progress {
  const single = new SingleBar(
    { format: `${title} {bar} {percentage}% {value}/{total} {note}`, etaBuffer: 50, hideCursor: true, clearOnComplete: false },
    Presets.shades_classic,
  );
  single.start(total, 0, { note: '' });
  return {
    at: (done, note = '') => single.update(done, { note }),
    total: (count) => single.setTotal(count),
    stop: () => single.stop(),
  };
}

function lines(terminal: Pick<Terminal, 'err'>, title: string, total: number): Progress {
  let expected = total;
  let said = 0;
  return {
    at(done, note = '') {
      const step = expected > 0 ? Math.floor((done * LINES) / expected) : 0;
      if (step <= said) return;
      said = step;
      terminal.err(`${title} ${done}/${expected}${note === '' ? '' : ` ${note}`}\n`);
    },
    total(count) {
      expected = count;
    },
    stop: () => undefined,
  };
}
