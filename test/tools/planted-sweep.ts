/** Planted bugs of the sweep: what it may not take, in what order it goes on, and what a start and a reader make of what is left. See planted-bugs.ts. */
import type { PlantedBug } from './planted-bugs.ts';

const SWEEP = 'node/ledger/sweep.ts';
const SWEEP_TEST = 'test/unit/node/ledger/sweep.test.ts';
const LEDGER_TEST = 'test/unit/node/ledger/sweep-ledger.test.ts';
const BLOCKS = 'node/ledger/block-store.ts';
const CATALOG = 'node/store/segments/catalog.ts';
const STORE = 'node/store/segments/segment-store.ts';
const SWEPT_TEST = 'test/unit/node/store/segment-swept.test.ts';

export const plantedSweep: readonly PlantedBug[] = [
  {
    name: 'the body of the head is moved, and with it the place from which a start looks for proposals',
    file: SWEEP,
    from: '(heightMax < top || heightMax === HEIGHT_UNKNOWN)',
    to: '(heightMax <= top || heightMax === HEIGHT_UNKNOWN)',
    also: [{ from: 'kind !== FRAME_KIND.body || height >= top', to: 'kind !== FRAME_KIND.body || height > top' }],
    test: SWEEP_TEST,
    only: 'at the head and above',
  },
  {
    name: 'proposals above the head are swept',
    file: SWEEP,
    from: '(heightMax < top || heightMax === HEIGHT_UNKNOWN)',
    to: '(heightMax < top || heightMax <= HEIGHT_UNKNOWN)',
    also: [
      { from: 'kind !== FRAME_KIND.body || height >= top', to: 'kind !== FRAME_KIND.body' },
      {
        from: '      if (stands === undefined) return undefined;',
        to: '      if (stands === undefined && height <= top) return undefined;',
      },
    ],
    test: SWEEP_TEST,
    only: 'at the head and above',
  },
  {
    name: 'a segment goes before what is wanted of it was appended again',
    file: SWEEP,
    from: '    let movedBytes = 0;\n',
    to: '    let movedBytes = 0;\n    const given = await files.sweep(segment.number);\n',
    also: [{ from: '    const given = await files.sweep(segment.number);\n    segments++;', to: '    segments++;' }],
    test: SWEEP_TEST,
    only: 'whenever the power goes',
  },
  {
    name: 'a segment goes although the ledger was not told where its bodies are now',
    file: SWEEP,
    from: "return outcome === 'repaired' && blocks.bodyLocation(height) !== location ? body.length : undefined;",
    to: 'return body.length;',
    also: [
      {
        from: 'const { outcome } = await ledger.repair(key, undefined, await files.append(height, body));',
        to: 'void ledger.repair(key, undefined, await files.append(height, body));',
      },
    ],
    test: SWEEP_TEST,
    only: 'whenever the power goes',
  },
  {
    name: 'damage that a row points to is taken for nothing that is wanted',
    file: SWEEP,
    from: ' || damage.some(',
    to: ' || height < 0 && damage.some(',
    test: SWEEP_TEST,
    only: 'damaged final body',
  },
  {
    name: 'a body whose row is lost is taken for nothing that is wanted',
    file: SWEEP,
    from: '      if (stands === undefined) return undefined;',
    to: '      if (stands === undefined && height < 0) return undefined;',
    test: SWEEP_TEST,
    only: 'row is lost',
  },
  {
    name: 'a segment is swept for the little in it that nobody wants',
    file: SWEEP,
    from: '      if (2 * wantedBytes >= segment.bytes) return undefined;\n',
    to: '',
    test: SWEEP_TEST,
    only: 'half is wanted',
  },
  {
    name: 'a sweep goes on after the node has stopped',
    file: SWEEP,
    from: "    if (stopping) throw new ChainError('NODE_STOPPING');\n",
    to: '',
    test: SWEEP_TEST,
    only: 'when the node stops',
  },
  {
    name: 'a body that was moved is damage to whoever has read its row before',
    file: BLOCKS,
    from: 'return now === location ? undefined : now;',
    to: 'return now === location || location > 0 ? undefined : now;',
    test: SWEEP_TEST,
    only: 'before its body was moved',
  },
  {
    name: 'a query looks for a body where its snapshot says, though it was moved since',
    file: 'node/ledger/reader.ts',
    from: '    const latest = deps.snapshot();\n    try {\n      return latest.get(key);',
    to: '    const latest = deps.snapshot();\n    try {\n      return latest && undefined;',
    test: LEDGER_TEST,
  },
  {
    name: 'the ledger takes no new place of a body that is sound',
    file: 'node/ledger/repair.ts',
    from: "if (placed === undefined && isReadable(key)) return { outcome: 'sound' };",
    to: "if (isReadable(key)) return { outcome: 'sound' };",
    test: LEDGER_TEST,
  },
  {
    name: 'a body is put back into what is left of a segment that is being swept',
    file: 'node/ledger/block-files.ts',
    from: '    const done = changing.then(() => written(change));\n',
    to: '    const done = written(change);\n',
    test: SWEEP_TEST,
    only: 'put back while',
  },
  {
    name: 'a start takes a swept segment for one that lost its end',
    file: CATALOG,
    from: '      if (own.size === SWEPT_BYTES) await',
    to: '      if (own.size === 0) await',
    test: SWEPT_TEST,
    only: 'is no damage',
  },
  {
    name: 'a short file is taken for a swept one whatever stands in it',
    file: CATALOG,
    from: '  if (swept === undefined || (link && link.end !== swept.end)) return;\n  segment.end = SWEPT_BYTES;\n  segment.heightMax = swept.heightMax;\n  segment.sweptEnd = swept.end;',
    to: '  segment.end = SWEPT_BYTES;\n  segment.heightMax = swept?.heightMax ?? segment.heightMax;\n  segment.sweptEnd = swept?.end ?? link?.end;',
    test: SWEPT_TEST,
    only: 'another chain',
  },
  {
    name: 'the next segment forgets where a swept one ended',
    file: CATALOG,
    from: 'end: segment.sweptEnd ?? segment.end,',
    to: 'end: segment.end,',
    test: SWEPT_TEST,
    only: 'is lost, a swept file',
  },
  {
    name: 'groups are appended behind what is left of a swept segment',
    file: STORE,
    from: 'if (last.lost !== undefined || last.sweptEnd !== undefined) {',
    to: 'if (last.lost !== undefined) {',
    test: SWEPT_TEST,
    only: 'is lost, a swept file',
  },
  {
    name: 'a segment is emptied in place before its file is replaced',
    file: STORE,
    from: '        await this.#directory.put(segmentName(number), bytes);\n',
    to: '        const emptied = await this.#directory.open(segmentName(number));\n        await emptied?.truncate(SWEPT_BYTES);\n        await this.#directory.put(segmentName(number), bytes);\n',
    test: SWEPT_TEST,
    only: 'one replacement',
  },
  {
    name: 'an examination takes a segment that is swept under it for damaged',
    file: 'node/store/segments/scan.ts',
    from: 'else if (segment.sweptEnd === sweptEnd) yield',
    to: 'else if (segment.end > 0) yield',
    test: SWEPT_TEST,
    only: 'comes upon',
  },
];
