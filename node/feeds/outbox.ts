/**
 * The ordered outbox: every event of every final block, in one order for ever (height, then position in the block), read from the stored
 * receipts (those of records derived from their results) and never copied. Each subscriber has a cursor on disk: it gets every event at
 * least once, in order, and goes on where it stood after a restart. Event streams, webhooks and engines that read are all subscribers; this
 * file knows none of them.
 */
import { utf8Text } from '../../contracts/index.ts';
import { ChainError } from '../errors/index.ts';
import { type ByteText, decodeAll, type Receipt, receiptEvents, Writer } from '../format/index.ts';
import type { Pause } from '../pace/index.ts';
import type { OutboxEvent } from '../service.ts';
import type { Log, Store, Timers } from '../world.ts';

/** Events handed over at once. */
export const OUTBOX_BATCH_EVENTS = 100;
export const OUTBOX_SUBSCRIBERS_MAX = 1_000;
/** First wait after a delivery that failed, in ms; doubled each time up to the second. */
export const OUTBOX_RETRY_MS = 200;
export const OUTBOX_RETRY_MAX_MS = 30_000;

/** Receipts of final blocks, in block order. */
export interface ReceiptSource {
  /** Last final height. */
  height(): number;
  /** @throws ChainError when the block's receipts are damaged or no longer held. */
  receipts(height: number, pause: Pause): Promise<readonly Receipt[]>;
}

/** Everything up to and including this place has been seen. `position` counts the events of a block from 0, across its transactions. */
export interface Cursor {
  readonly height: number;
  readonly position: number;
}

/** Behind the last event of a block. */
export const POSITION_END = 0xffff_ffff;
/** The genesis state comes from no transaction and has no events. */
const FIRST_HEIGHT = 1;

/** Takes events in order. A rejection means "not taken": the same events come again. */
export type Deliver = (events: readonly OutboxEvent[]) => Promise<void>;

export interface Subscription {
  readonly name: string;
  cursor(): Cursor;
  /** Ends delivery once the running one has ended; the cursor stays. */
  stop(): Promise<void>;
}

export interface Outbox {
  /** Events after a cursor, oldest first. */
  events(after: Cursor, limit: number): Promise<readonly OutboxEvent[]>;
  /**
   * Starts delivering to a named subscriber, from its own cursor where it has one, else from `from`.
   * @throws ChainError OUTBOX_SUBSCRIBERS_FULL, OUTBOX_SUBSCRIBER_KNOWN
   */
  subscribe(name: string, from: Cursor, deliver: Deliver): Subscription;
  /** Forgets a subscriber's cursor. */
  forget(name: string): Promise<void>;
  /** A block became final. */
  onBlock(): void;
  stop(): Promise<void>;
}

export function createOutbox(options: {
  readonly source: ReceiptSource;
  readonly store: Store;
  /** Keys of the store under this prefix are the outbox's alone. */
  readonly prefix: ByteText;
  readonly timers: Timers;
  /** For one reading: a cursor far back has the whole chain before it. */
  readonly pause: () => Pause;
  readonly log: Log;
}): Outbox {
  const { source, store, prefix, timers, log } = options;
  const subscribers = new Map<string, Follower>();

  /** Up to `limit` events and the cursor behind what was read; empty blocks move it too, so that they are read once. */
  async function read(after: Cursor, limit: number): Promise<{ events: OutboxEvent[]; next: Cursor }> {
    const events: OutboxEvent[] = [];
    const pause = options.pause();
    const last = source.height();
    let next = after;
    const first = after.position >= POSITION_END ? after.height + 1 : after.height;
    for (let height = Math.max(first, FIRST_HEIGHT); height <= last; height++) {
      const from = height === after.height ? after.position + 1 : 0;
      for (const event of eventsOf(height, await source.receipts(height, pause), from)) {
        if (events.length === limit) return { events, next };
        events.push(event);
        next = { height, position: event.position };
      }
      next = { height, position: POSITION_END };
      await pause();
    }
    return { events, next };
  }

  class Follower implements Subscription {
    readonly name: string;
    readonly #deliver: Deliver;
    #cursor: Cursor;
    #running: Promise<void> | undefined;
    #again = false;
    #stopped = false;
    #retryMs = OUTBOX_RETRY_MS;
    #cancelRetry: () => void = () => {};

    constructor(name: string, cursor: Cursor, deliver: Deliver) {
      this.name = name;
      this.#cursor = cursor;
      this.#deliver = deliver;
    }

    cursor(): Cursor {
      return this.#cursor;
    }

    wake(): void {
      if (this.#stopped) return;
      this.#again = true;
      if (this.#running) return;
      this.#cancelRetry();
      this.#running = this.#run().finally(() => {
        this.#running = undefined;
      });
    }

    async #run(): Promise<void> {
      while (this.#again && !this.#stopped) {
        this.#again = false;
        try {
          await this.#step();
          this.#retryMs = OUTBOX_RETRY_MS;
        } catch (error) {
          log.warn({ subscriber: this.name, retryMs: this.#retryMs, reason: String(error) }, 'outbox delivery failed');
          this.#cancelRetry = timers.after(this.#retryMs, () => this.wake());
          this.#retryMs = Math.min(this.#retryMs * 2, OUTBOX_RETRY_MAX_MS);
          this.#again = false;
          return;
        }
      }
    }

    async #step(): Promise<void> {
      const { events, next } = await read(this.#cursor, OUTBOX_BATCH_EVENTS);
      if (events.length > 0) {
        await this.#deliver(events);
        this.#again = true;
      }
      if (next.height === this.#cursor.height && next.position === this.#cursor.position) return;
      this.#cursor = next; // only now: a crash before the save repeats events, and never skips one
      await store.batch([{ key: cursorKey(prefix, this.name), value: encodeCursor(next) }], { sync: false });
    }

    async stop(): Promise<void> {
      this.#stopped = true;
      this.#cancelRetry();
      if (subscribers.get(this.name) === this) subscribers.delete(this.name);
      await this.#running;
    }
  }

  return {
    events: async (after, limit) => (await read(after, limit)).events,
    subscribe(name, from, deliver) {
      if (subscribers.has(name)) throw new ChainError('OUTBOX_SUBSCRIBER_KNOWN', { name });
      if (subscribers.size >= OUTBOX_SUBSCRIBERS_MAX) throw new ChainError('OUTBOX_SUBSCRIBERS_FULL', { countMax: OUTBOX_SUBSCRIBERS_MAX });
      const saved = store.get(cursorKey(prefix, name));
      const follower = new Follower(name, saved ? decodeCursor(saved) : from, deliver);
      subscribers.set(name, follower);
      follower.wake();
      return follower;
    },
    async forget(name) {
      await subscribers.get(name)?.stop();
      await store.batch([{ key: cursorKey(prefix, name), value: undefined }], { sync: false });
    },
    onBlock() {
      for (const follower of subscribers.values()) follower.wake();
    },
    async stop() {
      await Promise.all([...subscribers.values()].map((follower) => follower.stop()));
    },
  };
}

/** Events of a block from a position on, one by one: what a reader skips or leaves for later is not written for him. */
function* eventsOf(height: number, receipts: readonly Receipt[], from: number): Generator<OutboxEvent, void> {
  let position = 0;
  for (const { index, transactionId, ...receipt } of receipts) {
    const first = position;
    const events = receiptEvents(receipt, from - first);
    position = Math.max(position, from);
    for (;;) {
      const step = events.next();
      if (step.done === true) {
        position = first + step.value;
        break;
      }
      yield { height, index, position, transactionId, event: step.value };
      position++;
    }
  }
}

function cursorKey(prefix: ByteText, name: string): ByteText {
  return prefix + utf8Text(name);
}

function encodeCursor(cursor: Cursor): Uint8Array {
  return new Writer(12).u64(cursor.height).u32(Math.min(cursor.position, POSITION_END)).finish();
}

function decodeCursor(bytes: Uint8Array): Cursor {
  return decodeAll(bytes, (reader) => ({ height: reader.u64(), position: reader.u32() }));
}
