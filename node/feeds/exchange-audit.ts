/**
 * Whether an exchange log is the one that was written: every entry's link follows from the one before it, and where the chain holds an
 * anchor the link is the anchored one. The links alone show a changed entry; the anchors show that all links after it were rewritten, or
 * that the end was cut.
 */
import { exchangePrefix, type ExchangeHead, linkAfter, rowKey, sequenceOf, ZERO_LINK } from './exchange-chain.ts';
import { type ByteText, type Digest, equalBytes, fromHex, prefixEnd, toHex } from '../format/index.ts';
import { rangeAround } from '../store/index.ts';
import type { Store, World } from '../world.ts';

/** Entries of one step: about 2 ms of the thread, which votes as well. */
export const EXAMINE_STEP = 100;
/** Rest after each step, ms. */
const STEP_REST_MS = 50;
/** From the end of one examination of the whole log to the next, ms. */
export const EXAMINE_EVERY_MS = 600_000;
/** Faults told of in one examination: past a rewritten entry every anchor differs. */
export const EXCHANGE_FAULTS_MAX = 16;
const ANCHORS_STEP = 100;

/** Anchored heads of this log with at least `count` entries, in order of the count. */
export type Anchors = (count: number, limit: number) => Promise<readonly ExchangeHead[]>;

export interface ExchangeFault {
  readonly sequence: number;
  /** `missing`: no entry of this number, though later ones or an anchor show that it was there. */
  readonly reason: 'link' | 'anchor' | 'missing' | 'unreadable';
}

export interface ExamineOptions {
  readonly store: Pick<Store, 'range'>;
  readonly crypto: World['crypto'];
  readonly anchors?: Anchors | undefined;
  /** First and last entry; all when absent. */
  readonly from?: number;
  readonly to?: number;
  /** Called with every entry that can be read, in order, whether its link fits or not. */
  readonly onEntry?: (entryBytes: Uint8Array) => void;
  /** Awaited after each step; its rejection ends the examination. */
  readonly pause?: () => Promise<void>;
}

export interface Examination {
  readonly entries: number;
  readonly anchors: number;
  readonly faults: readonly ExchangeFault[];
}

interface Row {
  readonly sequence: number;
  /** Undefined when the row is damaged. */
  readonly value: Uint8Array | undefined;
}

export async function examineExchanges(options: ExamineOptions): Promise<Examination> {
  const { store, crypto, from = 1, to = Number.MAX_SAFE_INTEGER } = options;
  const faults: ExchangeFault[] = [];
  const tell = (sequence: number, reason: ExchangeFault['reason']): void => {
    if (faults.length < EXCHANGE_FAULTS_MAX) faults.push({ sequence, reason });
  };
  /** Anchors ahead, in order. */
  let ahead: ExchangeHead[] = [];
  let entries = 0;
  let anchored = 0;
  let sequence = from - 1;
  let link = await linkAt(options, sequence);

  /** The next anchor from `count` entries on, if there is one. */
  async function nextAnchor(count: number): Promise<ExchangeHead | undefined> {
    while (ahead[0] && ahead[0].sequence < count) ahead.shift();
    if (ahead.length === 0) ahead = [...((await options.anchors?.(count, ANCHORS_STEP)) ?? [])];
    return ahead[0];
  }

  while (sequence < to) {
    const anchor = await nextAnchor(sequence + 1); // asked before the rows: what is anchored then is written
    const rows = await rowsFrom(store, sequence + 1, Math.min(EXAMINE_STEP, to - sequence));
    if (rows.length === 0) {
      if (anchor && anchor.sequence <= to) tell(sequence + 1, 'missing');
      break;
    }
    for (const row of rows) {
      if (row.sequence > to) break;
      const gap = row.sequence !== sequence + 1;
      if (gap) {
        tell(sequence + 1, 'missing');
        link = anchoredLink(await nextAnchor(row.sequence - 1), row.sequence - 1); // a log that was cut goes on after the last anchor
      }
      const stored = row.value?.subarray(0, 32);
      if (!row.value || !stored) tell(row.sequence, 'unreadable');
      else if (link && !equalBytes(stored, linkAfter(crypto, link, row.value.subarray(32)))) tell(row.sequence, 'link');
      while (ahead[0] && ahead[0].sequence < row.sequence) ahead.shift();
      if (stored && ahead[0]?.sequence === row.sequence) {
        anchored++;
        if (toHex(stored) !== ahead[0].link) tell(row.sequence, 'anchor');
      }
      if (row.value) options.onEntry?.(row.value.subarray(32));
      link = stored;
      sequence = row.sequence;
      entries++;
    }
    await options.pause?.();
  }
  return { entries, anchors: anchored, faults };
}

/** The link after so many entries: from the row, or from an anchor where the log was cut; undefined when neither says. */
export async function linkAt({ store, anchors }: Pick<ExamineOptions, 'store' | 'anchors'>, count: number): Promise<Digest | undefined> {
  if (count === 0) return ZERO_LINK;
  const [row] = await rowsFrom(store, count, 1);
  if (row?.sequence === count) return row.value?.subarray(0, 32);
  return anchoredLink((await anchors?.(count, 1))?.[0], count);
}

function anchoredLink(anchor: ExchangeHead | undefined, count: number): Digest | undefined {
  return anchor?.sequence === count ? fromHex(anchor.link) : undefined;
}

async function rowsFrom(store: Pick<Store, 'range'>, from: number, limit: number): Promise<readonly Row[]> {
  const damaged = new Set<ByteText>();
  const rows = await rangeAround(store, { from: rowKey(from), to: prefixEnd(exchangePrefix), limit }, (key) => {
    damaged.add(key);
    return new Uint8Array(0);
  });
  return rows.map(({ key, value }) => ({ sequence: sequenceOf(key), value: damaged.has(key) ? undefined : value }));
}

export interface ExchangeWatch {
  start(): void;
  stop(): Promise<void>;
}

/** Examines the whole log when started and again and again, in small steps; tells each fault once. */
export function createExchangeWatch(options: {
  readonly store: Store;
  readonly world: Pick<World, 'timers' | 'log' | 'crypto'>;
  readonly anchors: Anchors;
  readonly onFault: (fault: ExchangeFault) => void;
}): ExchangeWatch {
  const { store, world, anchors } = options;
  const told = new Set<string>();
  let stopped = false;
  let cancel: (() => void) | undefined;
  let running: Promise<void> = Promise.resolve();
  const stop = new Error('stopped');

  const pause = async (): Promise<void> => {
    await new Promise<void>((resolve) => void world.timers.after(STEP_REST_MS, resolve));
    if (stopped) throw stop;
  };

  async function examine(): Promise<void> {
    try {
      const { entries, faults } = await examineExchanges({ store, crypto: world.crypto, anchors, pause });
      for (const fault of faults) {
        const key = `${fault.sequence} ${fault.reason}`;
        if (told.has(key)) continue;
        told.add(key);
        options.onFault(fault);
      }
      world.log.debug({ entries, faults: faults.length }, 'exchange log examined');
    } catch (error) {
      if (error !== stop) world.log.error({ error: String(error) }, 'exchange log could not be examined');
    }
    if (stopped) return;
    cancel = world.timers.after(EXAMINE_EVERY_MS, () => {
      running = examine();
    });
  }

  return {
    start() {
      running = examine();
    },
    async stop() {
      stopped = true;
      cancel?.();
      await running;
    },
  };
}
