/** Planted bugs of the query index: what a crash leaves of it, and what is missing or damaged. See planted-bugs.ts. */
import type { PlantedBug } from './planted-bugs.ts';

const INDEX = 'node/records/query-index.ts';
const SEGMENTS = 'node/records/query/segments.ts';
const FACTS_TEST = 'test/unit/node/ledger/record-facts.test.ts';
const TEST = 'test/unit/node/records/query-segments.test.ts';

export const plantedIndex: readonly PlantedBug[] = [
  {
    name: 'rows that are not in a closed segment yet come in the order of commits',
    file: 'node/records/query/segment.ts',
    from: 'if (at > 0 && this.#keys[at - 1]! > key)',
    to: 'if (at < 0)',
    test: TEST,
    only: 'plain filter',
  },
  {
    name: 'a block of which a write failed stays taken up in the query index',
    file: INDEX,
    from: 'loading = undefined; // what was taken up goes with it',
    to: 'void error;',
    test: TEST,
    only: 'whose write fails',
  },
  {
    name: 'the query index goes on from the height it had when a write failed that turned out to be stored',
    file: INDEX,
    from: '      head = readHead(store);\n      loading =',
    to: '      loading =',
    test: TEST,
    only: 'turns out to be stored',
  },
  {
    name: 'the query index takes up a block again whose write turned out to be stored',
    file: INDEX,
    from: '    const segments = await loaded(pause);\n    if (!isNext(next)) return;\n',
    to: '    if (!isNext(next)) return;\n    const segments = await loaded(pause);\n',
    test: TEST,
    only: 'turns out to be stored',
  },
  {
    name: 'the query index is empty in memory while its rows say a height',
    file: INDEX,
    from: '      await store.batch([{ key: indexKey.height, value: undefined }], { sync: true });\n      head = undefined;\n',
    to: '      head = undefined;\n      await store.batch([{ key: indexKey.height, value: undefined }], { sync: true });\n',
    test: TEST,
    only: 'could not forget its height',
  },
  {
    name: 'an opened query index takes up versions again that stand in a closed segment',
    file: SEGMENTS,
    from: 'versions.slice(this.#rows - first)',
    to: 'versions',
    test: TEST,
    only: 'after a crash',
  },
  {
    name: 'the query index lets the facts of a block go while versions of it are in memory alone',
    file: SEGMENTS,
    from: 'if (block.end > rowsClosed) break;',
    to: 'if (block.end > rowsClosed + SEGMENT_ROWS_MAX) break;',
    test: TEST,
    only: 'after a crash',
  },
  {
    name: 'an opened query index does not miss the facts of a block',
    file: SEGMENTS,
    from: 'if (this.#rows !== rows) throw',
    to: 'if (this.#rows > rows) throw',
    test: TEST,
    only: 'row that is gone is noticed',
  },
  {
    name: 'an opened query index has forgotten which versions were replaced',
    file: SEGMENTS,
    from: 'for (const [row, ordinal] of entry.replaced) this.#noteReplaced(ordinal, entry.first + row);',
    to: '',
    test: TEST,
    only: 'plain filter',
  },
  {
    name: 'a query index is not fed anew when what a start needs is damaged',
    file: INDEX,
    from: "error.code !== 'STORE_DAMAGED') throw error;",
    to: "error.code === 'STORE_DAMAGED') throw error;",
    test: TEST,
    only: 'row is noticed, and the index made anew',
  },
  {
    name: 'the query index reads segments that are left from before it was made anew',
    file: 'node/records/query/orders.ts',
    from: 'indexKey.posting(field, value, this.#closedCount)]',
    to: 'indexKey.posting(field, value, 0xffff_ffff)]',
    test: TEST,
    only: 'row is noticed, and the index made anew',
  },
  {
    name: 'the query index is told of an amendment as if it were a first version',
    file: 'contracts/builtin/records.ts',
    from: 'tell(host, recordId, record, before.height, named?.facts);',
    to: 'tell(host, recordId, record, undefined, named?.facts);',
    test: FACTS_TEST,
    only: 'what the executor says',
  },
  {
    name: 'the query index is told of versions of a transaction that failed',
    file: 'contracts/execute.ts',
    from: 'results: [], events: [], written: [], writes: NO_WRITES',
    to: 'results: [], events: [], written: run.written, writes: NO_WRITES',
    test: FACTS_TEST,
    only: 'what the executor says',
  },
];
