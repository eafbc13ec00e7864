/**
 * The exchange log (DB53 6.1.4, design: api, "Exchange log"): one entry a call, refused ones too. Entries hold digests, never bodies or
 * secrets. They form a hash chain, `link(n) = H('exchange', link(n-1), H('exchange', entry))`, so that a cut, changed or reordered log
 * shows, and a proof over entries that the reader may not see needs only their digests. The head goes on chain every so often through
 * `anchor`.
 *
 * A log that was cut goes on after the last anchored entry, from the link that the chain holds: what is missing stays named by its number,
 * and what comes after is anchored and proved like before. An anchor that the chain would refuse is not sent.
 */
import { ChainError } from '../errors/index.ts';
import { type Anchors, type ExchangeFault, examineExchanges, linkAt } from './exchange-audit.ts';
import { type ExchangeHead, exchangePrefix, linkAfter, rowKey, sequenceOf, ZERO_LINK } from './exchange-chain.ts';
import { type Digest, canonicalJson, concat, decodeJson, fromHex, hashTagged, prefixEnd, toHex, utf8 } from '../format/index.ts';
import { createPause } from '../pace/index.ts';
import type { Store, StoreOperation, World } from '../world.ts';

export type { ExchangeHead } from './exchange-chain.ts';

export interface ExchangeEntry {
  /** From 1, without gaps. */
  readonly sequence: number;
  readonly timeMs: number;
  readonly requestId: string;
  /** operationId; `unknown` when no route was found. */
  readonly interfaceId: string;
  /** Account id; empty for callers without a valid token. */
  readonly caller: string;
  readonly organisation: string;
  readonly address: string;
  /** Hex digest of the parameters in sealed form; empty when there were none to speak of. */
  readonly parametersDigest: string;
  readonly code: string;
  readonly rows: number;
  /** Hex digest of code and data of the answer (or of what stands for them where data are sealed). */
  readonly answerDigest: string;
  readonly durationMs: number;
  /** Account that a login named; a refused one proves nothing of the caller. Absent in all other entries. */
  readonly accountTried?: string;
}
export type NewExchange = Omit<ExchangeEntry, 'sequence'>;

export interface ExchangeFilter {
  readonly fromMs?: number;
  readonly toMs?: number;
  readonly caller?: string;
  readonly organisation?: string;
  readonly interfaceId?: string;
  readonly code?: string;
  readonly accountTried?: string;
}

export interface ExchangePage {
  readonly entries: readonly ExchangeEntry[];
  /** Sequence to go on after; undefined at the end. */
  readonly next: number | undefined;
  readonly head: ExchangeHead;
}

/** Shows that entries stand in the chain: from the link before `from`, over every entry's digest, to the link of `to`. All hex. */
export interface ExchangeSegment {
  readonly from: number;
  readonly to: number;
  readonly linkBefore: string;
  readonly entryDigests: readonly string[];
  readonly link: string;
}

export interface ExchangeLog {
  /** Queues an entry; it is on disk soon after, in order. @throws ChainError SERVER_BUSY when the disk cannot follow. */
  append(entry: NewExchange): void;
  /** True while another entry can be taken: asked before a call is served. */
  ready(): boolean;
  /** Resolves when everything appended so far is on disk. @throws what the store threw. */
  flush(): Promise<void>;
  head(): ExchangeHead;
  /** Newest first when `reverse`. `after` is a sequence. */
  find(
    filter: ExchangeFilter,
    options: { readonly after: number | undefined; readonly limit: number; readonly reverse?: boolean },
  ): Promise<ExchangePage>;
  /** Computes every link again, up to the next anchor if it is near. @throws ChainError EXCHANGE_LOG_REWRITTEN {sequence, reason} */
  segment(from: number, to: number): Promise<ExchangeSegment>;
  stop(): Promise<void>;
}

/** Entries waiting for the disk. */
const WAITING_MAX = 20_000;
/** Entries of one store batch, and of one read. */
const BATCH_MAX = 500;
/** Entries are gathered this long before they are written: one fdatasync for many calls. */
const GATHER_MS = 20;
const RETRY_MS = 1_000; // after a failed write
/** Rows looked at by one `find`, whatever the filter. */
const SCAN_MAX = 20_000;
export const SEGMENT_MAX = 10_000; // entries
const ANCHOR_ENTRIES_DEFAULT = 1_000;
const ANCHOR_MS_DEFAULT = 60_000;
/** An anchor that the chain did not take is sent again after twice the time, each time anew, up to so many times `anchorMs`. */
const ANCHOR_WAIT_MAX = 64;

export interface ExchangeLogOptions {
  readonly store: Store;
  readonly world: Pick<World, 'clock' | 'timers' | 'log' | 'crypto'>;
  /** Puts a head on chain; called again with a later head when it failed. */
  readonly anchor?: (head: ExchangeHead) => Promise<void>;
  /** Anchors that stand on chain. */
  readonly anchors?: Anchors;
  /** The one of them with the most entries. */
  readonly lastAnchor?: () => ExchangeHead | undefined;
  /** More entries are anchored than the log holds: the first that is missing. */
  readonly onCut?: (fault: ExchangeFault) => void;
  readonly anchorEntries?: number;
  readonly anchorMs?: number;
}

/** Opens the log where it ended. @throws ChainError STORE_DAMAGED when its last entry does not read. */
export async function openExchangeLog(options: ExchangeLogOptions): Promise<ExchangeLog> {
  const { store, world } = options;
  const { crypto } = world;
  const [last] = await store.range({ from: exchangePrefix, to: prefixEnd(exchangePrefix), reverse: true, limit: 1 });
  let written: { sequence: number; link: Digest } =
    last === undefined ? { sequence: 0, link: ZERO_LINK } : { sequence: sequenceOf(last.key), link: last.value.slice(0, 32) };
  let chained = written;
  let waiting: StoreOperation[] = [];
  let writing: Promise<void> | undefined;
  let cancelTimer: (() => void) | undefined;
  /** Entries under the last anchor sent. */
  let anchored = options.lastAnchor === undefined ? written.sequence : 0;
  let anchoring = false;
  /** Before this time, on the monotonic clock, no anchor is sent while the chain has not taken the one before. */
  let anchorNotBeforeMs = 0;
  let anchorsRefused = 0;
  let stopped = false;

  const entryDigest = (entryBytes: Uint8Array): Digest => hashTagged(crypto, 'exchange', entryBytes);
  const headOf = (at: { sequence: number; link: Digest }): ExchangeHead => ({ sequence: at.sequence, link: toHex(at.link) });

  /** Writes what waits, batch after batch, until nothing does. One writer at a time. */
  function drain(): Promise<void> {
    if (writing === undefined && waiting.length > 0) {
      writing = writeWaiting().finally(() => {
        writing = undefined;
      });
    }
    return writing ?? Promise.resolve();
  }

  async function writeWaiting(): Promise<void> {
    while (waiting.length > 0) {
      const batch = waiting.slice(0, BATCH_MAX);
      await store.batch(batch, { sync: true });
      waiting = waiting.slice(batch.length);
      const end = batch[batch.length - 1]!;
      written = { sequence: sequenceOf(end.key), link: end.value!.slice(0, 32) };
    }
    // A slow chain must not hold up the log.
    if (written.sequence - anchored >= (options.anchorEntries ?? ANCHOR_ENTRIES_DEFAULT)) void anchorHead();
  }

  function schedule(ms: number): void {
    if (cancelTimer !== undefined || stopped) return;
    cancelTimer = world.timers.after(ms, () => {
      cancelTimer = undefined;
      drain().catch((error: unknown) => {
        world.log.error({ error: String(error), waiting: waiting.length }, 'exchange log cannot be written');
        schedule(RETRY_MS); // entries stay in the queue; when it is full, calls are refused rather than left out
      });
    });
  }

  /** Entries of this log that stand anchored; the log goes on after them when it holds fewer. */
  function anchoredOnChain(): number {
    const last = options.lastAnchor?.();
    if (last && last.sequence > chained.sequence) {
      const fault = { sequence: chained.sequence + 1, reason: 'missing' } as const;
      world.log.error({ ...fault, goesOnAt: last.sequence + 1 }, 'exchange log was cut');
      options.onCut?.(fault);
      chained = { sequence: last.sequence, link: fromHex(last.link) };
    }
    return last?.sequence ?? 0;
  }

  /** False for what the chain would refuse, or too soon after one that it did not take. */
  function anchorDue(): boolean {
    if (options.lastAnchor === undefined) return written.sequence > anchored;
    const onChain = anchoredOnChain();
    if (written.sequence <= onChain) return false;
    const refused = anchored > onChain;
    if (refused && world.clock.monotonic() < anchorNotBeforeMs) return false;
    anchorsRefused = refused ? anchorsRefused + 1 : 0;
    if (refused) world.log.warn({ sequence: anchored, onChain, anchorsRefused }, 'exchange log head was sent and not anchored');
    return true;
  }

  async function anchorHead(): Promise<void> {
    if (options.anchor === undefined || anchoring || !anchorDue()) return;
    anchoring = true;
    const head = headOf(written);
    anchorNotBeforeMs = world.clock.monotonic() + (options.anchorMs ?? ANCHOR_MS_DEFAULT) * Math.min(2 ** anchorsRefused, ANCHOR_WAIT_MAX);
    try {
      await options.anchor(head);
      anchored = head.sequence;
    } catch (error) {
      world.log.warn({ sequence: head.sequence, error: String(error) }, 'exchange log head was not anchored');
    } finally {
      anchoring = false;
    }
  }
  const cancelAnchor =
    options.anchor === undefined ? undefined : world.timers.every(options.anchorMs ?? ANCHOR_MS_DEFAULT, () => void anchorHead());

  anchoredOnChain();

  return {
    append(entry) {
      if (waiting.length >= WAITING_MAX) throw new ChainError('SERVER_BUSY', { waiting: waiting.length });
      const sequence = chained.sequence + 1;
      const bytes = utf8(entryText(entry, sequence));
      const link = linkAfter(crypto, chained.link, bytes);
      chained = { sequence, link };
      waiting.push({ key: rowKey(sequence), value: concat(link, bytes) });
      schedule(GATHER_MS);
    },
    ready: () => waiting.length < WAITING_MAX && !stopped,
    async flush() {
      while (waiting.length > 0) await drain();
      await writing;
    },
    head: () => headOf(written),

    async find(filter, { after, limit, reverse = false }) {
      const entries: ExchangeEntry[] = [];
      let at = after;
      const pause = createPause(world);
      for (let scanned = 0; scanned < SCAN_MAX; ) {
        const rows = await store.range({
          from: reverse || at === undefined ? exchangePrefix : rowKey(at + 1),
          to: reverse && at !== undefined ? rowKey(at) : prefixEnd(exchangePrefix),
          reverse,
          limit: BATCH_MAX,
        });
        if (rows.length === 0) return { entries, next: undefined, head: headOf(written) };
        for (const row of rows) {
          at = sequenceOf(row.key);
          scanned++;
          const entry = decodeJson(row.value.subarray(32)) as unknown as ExchangeEntry;
          if (matches(entry, filter)) entries.push(entry);
          if (entries.length === limit) return { entries, next: at, head: headOf(written) };
          await pause();
        }
      }
      return { entries, next: at, head: headOf(written) };
    },

    async segment(from, to) {
      if (!(from >= 1 && from <= to && to <= written.sequence && to - from < SEGMENT_MAX))
        throw new RangeError(`Cannot prove entries ${from} to ${to} of ${written.sequence}`);
      const pause = createPause(world);
      const [anchor] = (await options.anchors?.(to, 1)) ?? [];
      const end = anchor && anchor.sequence - from < SEGMENT_MAX ? anchor.sequence : to;
      const before = await linkAt({ store, anchors: options.anchors }, from - 1);
      const entryDigests: Digest[] = [];
      const onEntry = (bytes: Uint8Array): void => {
        if (entryDigests.length <= to - from) entryDigests.push(entryDigest(bytes));
      };
      const { faults } = await examineExchanges({ store, crypto, anchors: options.anchors, from, to: end, onEntry, pause });
      if (faults[0]) throw new ChainError('EXCHANGE_LOG_REWRITTEN', { ...faults[0] });
      if (!before) throw new ChainError('EXCHANGE_LOG_REWRITTEN', { sequence: from - 1, reason: 'missing' });
      let link = before; // as examined
      const shown: string[] = [];
      for (const digest of entryDigests) {
        link = hashTagged(crypto, 'exchange', link, digest);
        shown.push(toHex(digest));
        await pause();
      }
      return { from, to, linkBefore: toHex(before), entryDigests: shown, link: toHex(link) };
    },

    async stop() {
      stopped = true;
      cancelTimer?.();
      cancelTimer = undefined;
      cancelAnchor?.();
      try {
        while (waiting.length > 0) await drain();
        await writing;
      } catch (error) {
        world.log.error(
          { error: String(error), lost: waiting.length },
          'entries of the exchange log lost: the disk took nothing before the stop',
        );
        return;
      }
      await anchorHead();
    },
  };
}

/** As canonicalJson writes an entry: names in order, and these alone. One is written for every call. */
function entryText(entry: NewExchange, sequence: number): string {
  const { accountTried, address, answerDigest, caller, code, durationMs } = entry;
  const { interfaceId, organisation, parametersDigest, requestId, rows, timeMs } = entry;
  return (
    `{${accountTried === undefined ? '' : `"accountTried":${canonicalJson(accountTried)},`}"address":${canonicalJson(address)},` +
    `"answerDigest":${canonicalJson(answerDigest)},"caller":${canonicalJson(caller)},"code":${canonicalJson(code)},` +
    `"durationMs":${canonicalJson(durationMs)},"interfaceId":${canonicalJson(interfaceId)},"organisation":${canonicalJson(organisation)},` +
    `"parametersDigest":${canonicalJson(parametersDigest)},"requestId":${canonicalJson(requestId)},"rows":${canonicalJson(rows)},` +
    `"sequence":${canonicalJson(sequence)},"timeMs":${canonicalJson(timeMs)}}`
  );
}

function matches(entry: ExchangeEntry, filter: ExchangeFilter): boolean {
  return (
    (filter.fromMs === undefined || entry.timeMs >= filter.fromMs) &&
    (filter.toMs === undefined || entry.timeMs < filter.toMs) &&
    (filter.caller === undefined || entry.caller === filter.caller) &&
    (filter.organisation === undefined || entry.organisation === filter.organisation) &&
    (filter.interfaceId === undefined || entry.interfaceId === filter.interfaceId) &&
    (filter.code === undefined || entry.code === filter.code) &&
    (filter.accountTried === undefined || entry.accountTried === filter.accountTried)
  );
}
