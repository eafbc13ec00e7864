/** Which rows of a segment have a value, and which segments: the same as a plain look at what the versions say, open, closed and loaded again. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { WrittenVersion } from '../../../../contracts/types.ts';
import { toHex, Writer } from '../../../../node/format/index.ts';
import { blockFactsOf } from '../../../../node/ledger/record-facts.ts';
import type { PostedField } from '../../../../node/records/query/keys.ts';
import { readHead } from '../../../../node/records/query/rows.ts';
import { RowSummary, SEGMENT_ROWS_MAX } from '../../../../node/records/query/segment.ts';
import { Segments } from '../../../../node/records/query/segments.ts';
import { linkText } from '../../../../node/records/query/summary.ts';
import { MemoryStore } from '../../../tools/memory-store.ts';
import { ended } from '../../../tools/steps.ts';
import { crypto } from './sample.ts';

const noPause = (): Promise<void> => Promise.resolve();
const START_MS = 1_760_000_000_000;

// Few values, of which some begin or end like others, and a link that two pairs of type and id spell alike.
const text = fc.constantFrom('a', 'ab', 'b', 'a/b', 'b/c', 'c', 'é', '漢字', 'report', '');
const plain = { noNullPrototype: true } as const;
const maybe = fc.option(text, { nil: undefined });
const named = fc.record(
  {
    ...{ product: maybe, productionBatch: maybe, factory: maybe, report: maybe, verdict: maybe },
    timeUs: fc.option(fc.bigInt({ min: -3n, max: 3n }), { nil: undefined }),
    devices: fc.array(text, { maxLength: 3 }),
    materials: fc.array(fc.record({ supplier: text, batch: text, report: maybe }, plain), { maxLength: 3 }),
    links: fc.array(fc.record({ rel: text, type: text, id: text, org: maybe }, plain), { maxLength: 3 }),
  },
  plain,
);
const version = fc.record({ named, class: text, org: text, actor: text }, plain);

const fillers = Array.from(
  { length: SEGMENT_ROWS_MAX },
  (_, n): WrittenVersion => ({
    ...{ id: crypto.hash(new Writer(8).u64(1_000 + n).finish()), version: 1, heightBefore: undefined, state: 'current' },
    ...{ class: 'filler', org: 'filler', actor: 'filler', named: undefined },
  }),
);

function posted({ class: name, actor, named }: WrittenVersion): readonly string[] {
  const { product, factory, report, productionBatch, devices, materials, links } = named!;
  const pairs: (readonly [field: PostedField, value: string | undefined])[] = [
    ['author', actor],
    ['class', name],
    ['product', product],
    ['factory', factory],
    ['report', report],
    ['batch', productionBatch],
    ...devices.map((device) => ['device', device] as const),
    ...materials.map(({ supplier }) => ['supplier', supplier] as const),
    ...materials.map(({ batch }) => ['batch', batch] as const),
    ...materials.map(({ report: id }) => ['link', id === undefined ? undefined : linkText({ type: 'report', id })] as const),
    ...links.map((link) => ['link', linkText(link)] as const),
  ];
  return pairs.filter(([, value]) => value !== undefined).map(([field, value]) => `${field} ${value}`);
}

test('rows of a value are those that a look at all versions finds, in a segment that grows, that is closed, and that is loaded', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(version, { minLength: 1, maxLength: 12 }), async (drawn) => {
      const versions = drawn.map((one, n): WrittenVersion => {
        const at = { id: crypto.hash(new Writer(8).u64(n).finish()), version: 1, heightBefore: undefined, state: 'current' as const };
        return { ...one, ...at };
      });
      const store = new MemoryStore();
      const grown = await Segments.load(store, undefined, noPause);
      ended(grown.push(blockFactsOf({ timestampMs: START_MS, versions }), 1));
      grown.added();
      const keys = new Set(versions.flatMap(posted));
      for (const other of ['product ab', 'link a/b/c', 'link report/é', 'device nothing', 'supplier ']) keys.add(other);

      const check = async (segments: Segments): Promise<void> => {
        const rows = segments.rows(0);
        for (const key of keys) {
          const [field, value] = [key.slice(0, key.indexOf(' ')) as PostedField, key.slice(key.indexOf(' ') + 1)];
          const found = Array.from(await rows.posting(field, value)).filter((row) => row < versions.length);
          const wanted = versions.flatMap((one, row) => (posted(one).includes(key) ? [row] : []));
          assert.deepEqual(
            found.toSorted((a, b) => a - b),
            wanted,
            key,
          );
          const times = found.map((row) => [BigInt(new RowSummary(rows, row).timeUs), toHex(rows.columns.id.at(row))] as const);
          const sorted = times.toSorted((a, b) => (a[0] === b[0] ? (a[1] < b[1] ? -1 : 1) : a[0] < b[0] ? -1 : 1));
          assert.deepEqual(times, sorted, key);
          if (wanted.length > 0 && segments.closedCount > 0) assert.ok(await segments.valueSegments(field, value).has(0), key);
        }
        for (const [row, { named, ...one }] of versions.entries()) {
          const summary = new RowSummary(rows, row);
          const { timeUs = BigInt(START_MS) * 1_000n, ...said } = named!;
          assert.deepEqual([summary.class, summary.org, summary.author, summary.timeUs], [one.class, one.org, one.actor, String(timeUs)]);
          const { product, productionBatch, factory, report, verdict, devices, links } = summary;
          const parts = { product, productionBatch, factory, report, verdict, devices, materials: [...summary.materials], links };
          assert.deepEqual(parts, said);
        }
      };
      await check(grown);

      const rest = fillers.slice(versions.length);
      ended(grown.push(blockFactsOf({ timestampMs: START_MS, versions: rest }), 2));
      const closing = grown.closing(2);
      for (let step = closing.next(); ; step = closing.next()) {
        await store.batch(step.done ? step.value : step.value ? [step.value] : []);
        if (step.done) break;
      }
      grown.added();
      grown.closed();
      assert.equal(grown.closedCount, 1);
      await check(grown);
      await check(await Segments.load(store, readHead(store), noPause));
    }),
    { numRuns: 8 },
  );
});
