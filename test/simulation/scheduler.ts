/** One event queue for everything that takes time. Ties run in the order they were made, so a seed names one run exactly. */

interface Event {
  readonly atMs: number;
  readonly order: number;
  run: (() => void) | undefined;
}

/** Rounds of the microtask queue after each event: longer promise chains go on at the next event, which is as deterministic. */
const FLUSH_ROUNDS = 48;

export class Scheduler {
  nowMs = 0;
  #order = 0;
  readonly #heap: Event[] = [];

  /** Returns a function that cancels. */
  at(atMs: number, run: () => void): () => void {
    const event: Event = { atMs: Math.max(atMs, this.nowMs), order: this.#order++, run };
    this.#heap.push(event);
    this.#up(this.#heap.length - 1);
    return () => {
      event.run = undefined;
    };
  }

  after(ms: number, run: () => void): () => void {
    return this.at(this.nowMs + ms, run);
  }

  /** Runs events until `done` or until time `untilMs`; answers whether `done` held. */
  async run(untilMs: number, done: () => boolean = () => false): Promise<boolean> {
    await flush();
    for (;;) {
      if (done()) return true;
      const next = this.#heap[0];
      if (!next || next.atMs > untilMs) {
        this.nowMs = Math.max(this.nowMs, untilMs);
        return done();
      }
      this.#pop();
      if (!next.run) continue;
      this.nowMs = next.atMs;
      next.run();
      await flush();
    }
  }

  #before(a: number, b: number): boolean {
    const x = this.#heap[a]!;
    const y = this.#heap[b]!;
    return x.atMs < y.atMs || (x.atMs === y.atMs && x.order < y.order);
  }

  #swap(a: number, b: number): void {
    const held = this.#heap[a]!;
    this.#heap[a] = this.#heap[b]!;
    this.#heap[b] = held;
  }

  #up(start: number): void {
    let at = start;
    while (at > 0) {
      const above = (at - 1) >> 1;
      if (!this.#before(at, above)) return;
      this.#swap(at, above);
      at = above;
    }
  }

  #pop(): void {
    const last = this.#heap.pop()!;
    if (this.#heap.length === 0) return;
    this.#heap[0] = last;
    let at = 0;
    for (;;) {
      let least = at;
      for (const child of [2 * at + 1, 2 * at + 2]) if (child < this.#heap.length && this.#before(child, least)) least = child;
      if (least === at) return;
      this.#swap(at, least);
      at = least;
    }
  }
}

async function flush(): Promise<void> {
  for (let i = 0; i < FLUSH_ROUNDS; i++) await undefined;
}
