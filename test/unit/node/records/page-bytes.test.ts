/** A page of records ends where their contents would be too much for one answer; its cursor goes on there, and no record is left out or told twice. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { createBodies } from '../../../../node/records/bodies.ts';
import { createRecordService, RECORD_PAGE_BYTES_MAX, type RecordServiceDependencies } from '../../../../node/records/service.ts';
import type { Caller, RecordPage, RecordService } from '../../../../node/records/types.ts';
import { createCrypto } from '../../../../node/crypto/index.ts';
import { encodeContent, RECORD_BYTES_MAX, toHex } from '../../../../node/format/index.ts';
import { createRecordIndex } from '../../../../node/records/index.ts';
import { createMemoryStore } from './memory-store.ts';
import { Shelf } from './shelf.ts';
import { createTestNode } from '../../api/stand-in-node.ts';
import { createTestState } from '../../api/stand-in-state.ts';
import { createTestWorld, START_MS } from '../../api/stand-in-world.ts';

const ACCOUNT = 'ada@acme';
const COUNT = 5;
/** So many of them fit one page. */
const FIT = 2;
const crypto = createCrypto();
const world = { ...createTestWorld(), crypto };
const caller = { account: ACCOUNT, organisation: 'acme', type: 'person', roles: ['admin'] } as unknown as Caller;
const state = createTestState();
const bodies = createBodies({ world });
const shelf = new Shelf(state.rows);
let records: RecordService;

function stored(recordId: Uint8Array, version: number) {
  const text = 'x'.repeat(RECORD_PAGE_BYTES_MAX / FIT - 500_000);
  const content = encodeContent({ product_uid: 'P', text });
  assert.ok(content.length <= RECORD_BYTES_MAX);
  const at = { class: 'production', org: 'acme', actor: ACCOUNT, version, height: 1, committedAtMs: START_MS };
  return { recordId, record: shelf.put(recordId, { ...at, content }) };
}

const idOf = (i: number) => new Uint8Array(32).fill(i + 1);

before(async () => {
  const index = createRecordIndex(createMemoryStore(), crypto);
  const rows = Array.from({ length: COUNT }, (_, i) => stored(idOf(i), 1));
  await index.applyBlock(1, START_MS, rows);
  for (let version = 2; version <= COUNT; version++) stored(idOf(0), version);
  records = createRecordService({
    ...{ node: createTestNode(state, world), crypto, index, bodies, timers: world.timers, clock: world.clock },
    blocks: shelf.blocks,
  } as unknown as RecordServiceDependencies);
});
after(() => bodies.stop());

async function pagesOf(ask: (after: string | undefined) => Promise<RecordPage>): Promise<readonly RecordPage[]> {
  const pages: RecordPage[] = [];
  for (let next: string | null | undefined; next !== null; next = pages.at(-1)!.next) pages.push(await ask(next));
  return pages;
}

function checkCut(pages: readonly RecordPage[]): void {
  assert.deepEqual(
    pages.map(({ items }) => items.length),
    [FIT, FIT, COUNT - 2 * FIT],
  );
  for (const { complete, next, resumeAt } of pages) assert.deepEqual([complete, resumeAt ?? null], [next === null, next]);
}

for (const order of ['time', 'commit'] as const) {
  test(`a search in order of ${order} ends a page where its records would be too much`, async () => {
    const asked = {
      filter: { product: 'P' },
      includeArchived: false,
      count: 'none',
      atLeastHeight: 0,
      waitMs: 0,
      order,
      limit: 100,
    } as const;
    const pages = await pagesOf((next) => records.search({ ...asked, after: next }, caller));
    checkCut(pages);
    const ids = pages.flatMap(({ items }) => items.map(({ id }) => id));
    assert.deepEqual(
      ids.sort(),
      Array.from({ length: COUNT }, (_, i) => toHex(idOf(i))),
    );
  });
}

test('a history ends a page where its versions would be too much', async () => {
  const pages = await pagesOf((next) => records.history(toHex(idOf(0)), { limit: 100, after: next }, caller));
  checkCut(pages);
  assert.deepEqual(
    pages.flatMap(({ items }) => items.map(({ version }) => version)),
    [1, 2, 3, 4, 5],
  );
});

test('a page with room by its limit alone is complete', async () => {
  const { items, complete, next } = await records.history(toHex(idOf(0)), { limit: 1, after: '4' }, caller);
  assert.deepEqual([items.length, complete, next], [1, true, null]);
});
