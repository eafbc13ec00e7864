import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createPause } from '../../../../node/pace/slices.ts';
import type { SearchRow } from '../../../../node/records/query-index.ts';
import { TRACE_RECORDS_MAX, TRACE_RECORDS_PER_NODE_MAX, traceProduct } from '../../../../node/records/trace.ts';
import { leastHold } from '../../api/rest/thread-hold.ts';
import { createTestWorld } from '../../api/stand-in-world.ts';

const HOLD_MS_MAX = 20;
const PAGE = 1_000;
const devices = Array.from({ length: 20 }, (_, i) => `M-${i}`);
const source = { record: async () => undefined };

/** One product with more records than a walk reads of one thing, each naming the same devices and as many batches of its own as may be. */
function wideIndex(materialsEach: number) {
  const summary = {
    class: 'production',
    org: 'alpha',
    state: 'current',
    height: 1,
    committedAtMs: 1,
    timeUs: '1',
    product: 'P',
    devices,
    links: [],
  } as const;
  const rows = Array.from({ length: 10_000 }, (_, i): SearchRow => {
    const materials = Array.from({ length: materialsEach }, (_, m) => ({ supplier: 'S', batch: `B-${i}-${m}` }));
    return { id: i.toString(16).padStart(64, '0'), version: 1, summary: { ...summary, materials }, matched: [] } as unknown as SearchRow;
  });
  let read = 0;
  return {
    read: () => read,
    height: 1,
    async search({ after }: { readonly after?: string }) {
      const from = Number(after ?? 0);
      const page = rows.slice(from, from + PAGE);
      read += page.length;
      return { rows: page, next: from + PAGE < rows.length ? String(from + PAGE) : undefined, height: 1, complete: true, withheld: 0 };
    },
  };
}

test('a product of thousands of records is traced without holding the thread, and what is left out is said', {
  timeout: 300_000,
}, async () => {
  const index = wideIndex(0);
  const walk = async (): Promise<void> => {
    const trace = await traceProduct(index as never, source, 'P', { direction: 'up', pause: createPause(createTestWorld()) });
    assert.equal(trace.complete, false);
    const edge = trace.edges.find(({ to }) => to === 'device/M-0');
    assert.ok(edge && edge.records.length > 1_000 && edge.records.length <= TRACE_RECORDS_PER_NODE_MAX);
  };
  const { longestMs } = await leastHold(walk, { boundMs: HOLD_MS_MAX, triesMax: 8 });
  assert.ok(longestMs <= HOLD_MS_MAX, `${longestMs} ms`);
});

test('a walk reads so many records in all, however many things it meets', { timeout: 300_000 }, async () => {
  const index = wideIndex(10);
  const trace = await traceProduct(index as never, source, 'P', { direction: 'up' });
  assert.equal(trace.complete, false);
  assert.ok(index.read() <= TRACE_RECORDS_MAX + PAGE, `${index.read()} records`);
});
