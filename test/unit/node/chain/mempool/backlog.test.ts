import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createBacklog, SPREAD_MS, WAIT_MS_MAX, WAITING_BLOCKS_MIN, WAITING_COUNT_MIN } from '../../../../../node/chain/mempool/backlog.ts';

const GAS = 1_000;
const BLOCK_MS = 200;
const TOOK_MS = 150;

/** One sender at a chain whose blocks take so many of his a block: who comes when he may, and when his came into blocks. */
class Line {
  nowMs = 0;
  readonly waiting: { readonly addedMs: number }[] = [];
  readonly waitedMs: number[] = [];
  refused = 0;
  readonly #backlog = createBacklog({ monotonic: () => this.nowMs });

  get #queue() {
    const { length } = this.waiting;
    return { size: length, gas: GAS * length, oldestMs: this.waiting[0]?.addedMs ?? Number.POSITIVE_INFINITY };
  }

  /** @returns ms to wait, 0 when taken */
  offer(): number {
    const waitMs = this.waiting.length === 0 ? 0 : this.#backlog.waitMs('ann', this.#queue);
    if (waitMs === 0) this.waiting.push({ addedMs: this.nowMs });
    else this.refused++;
    return waitMs;
  }

  /** `offered` come evenly in the time of a block, of which it takes those that were there when it began. */
  block(offered: number, takesMax: number, blockMs = BLOCK_MS): void {
    let left = takesMax;
    let taken: { readonly addedMs: number }[] = [];
    const startMs = this.nowMs;
    for (let i = 0; i < offered; i++) {
      this.nowMs = startMs + (i * blockMs) / offered;
      if (this.nowMs >= startMs + blockMs - TOOK_MS && left > 0) {
        taken = this.waiting.slice(0, left);
        left = 0;
      }
      this.offer();
    }
    if (left > 0) taken = this.waiting.slice(0, left);
    this.nowMs = startMs + blockMs;
    this.waiting.splice(0, taken.length);
    for (const { addedMs } of taken) this.waitedMs.push(this.nowMs - addedMs);
    const waiting = new Map(this.waiting.length === 0 ? [] : [['ann', this.#queue]]);
    this.#backlog.note(
      taken.map(() => ({ sender: 'ann', gasLimit: GAS })),
      TOOK_MS,
      waiting,
    );
  }
}

test('offered three times what blocks take, every block is full, who is taken waits little more than a second, and the others are told for how long', () => {
  const line = new Line();
  const takes = 20;
  for (let i = 0; i < 100; i++) line.block(3 * takes, takes);
  const settled = line.waitedMs.slice(-40 * takes);
  assert.equal(settled.length, 40 * takes);
  assert.equal(
    line.waitedMs.length,
    100 * takes - takes + Math.min(takes, Math.floor((3 * takes * (BLOCK_MS - TOOK_MS)) / BLOCK_MS)),
    'no block went short',
  );
  assert.ok(Math.max(...settled) <= WAIT_MS_MAX + 2 * BLOCK_MS, `${Math.max(...settled)} ms`);
  assert.ok(line.refused > 3_000, `${line.refused} refused`);
  const waitMs = line.offer();
  assert.ok(waitMs >= 0 && waitMs <= WAIT_MS_MAX, `${waitMs} ms`);
});

test('on a chain of slow blocks every one is full as well, and no more than two of them wait', () => {
  for (const offered of [70, 115, 150]) {
    const line = new Line();
    const takes = 50;
    const blocks = 30;
    for (let i = 0; i < blocks; i++) line.block(offered, takes, 3 * WAIT_MS_MAX);
    assert.equal(line.waitedMs.length, blocks * takes, `${offered} offered a block`);
    assert.ok(line.waiting.length <= (WAITING_BLOCKS_MIN + 1) * takes, `${line.waiting.length} wait`);
  }
});

test('a burst on a chain that keeps up is taken whole, after however little', () => {
  const line = new Line();
  for (let i = 0; i < 50; i++) line.block(1, 20);
  for (let i = 0; i < 5_000; i++) assert.equal(line.offer(), 0);
});

test('what came while a block was made, or had not reached its maker, was not left behind by it', () => {
  const clock = { nowMs: 0, monotonic: () => clock.nowMs };
  const backlog = createBacklog(clock);
  const one = [{ sender: 'ann', gasLimit: GAS }];
  const waiting = (oldestMs: number) => ({ size: 1_000, gas: 1_000 * GAS, oldestMs });
  const noted = (oldestMs: number): number => {
    clock.nowMs += BLOCK_MS;
    backlog.note(one, TOOK_MS, new Map([['ann', waiting(oldestMs)]]));
    return backlog.waitMs('ann', waiting(oldestMs));
  };
  noted(Number.POSITIVE_INFINITY);
  for (let i = 0; i < 50; i++) assert.equal(noted(clock.nowMs + BLOCK_MS - TOOK_MS - SPREAD_MS + 1), 0);
  let blocks = 1;
  while (noted(clock.nowMs + BLOCK_MS - TOOK_MS - SPREAD_MS) === 0 && blocks < 50) blocks++;
  assert.ok(
    blocks * BLOCK_MS >= WAIT_MS_MAX && blocks * BLOCK_MS < 2 * WAIT_MS_MAX,
    `${blocks} blocks: nobody has waited for longer before that`,
  );
  assert.equal(backlog.waitMs('bob', waiting(0)), 0, 'nothing is known of others');
  assert.equal(backlog.waitMs('ann', { ...waiting(0), size: WAITING_COUNT_MIN - 1 }), 0, 'a few may always wait');
  clock.nowMs += BLOCK_MS;
  backlog.note(one, TOOK_MS, new Map());
  assert.equal(backlog.waitMs('ann', waiting(0)), 0, 'nothing is left behind any more');
});

test('of whom blocks take nothing a wait is told that ends', () => {
  const line = new Line();
  for (let i = 0; i < 30; i++) line.block(3, i < 3 ? 1 : 0);
  assert.equal(line.offer(), 30_000);
});
