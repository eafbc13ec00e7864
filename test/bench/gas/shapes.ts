/**
 * Contracts whose shape, not whose loops, makes a call dear: images full of zero or freed memory, long code, long descriptions, names without
 * end, calls that fail and are caught; and keys of the state as the map takes them up. Each was, or could be, a call worth more time than its gas.
 */
import type { Execution, StateWrites } from '../../../contracts/index.ts';
import { type Call, encodeJson, type Json, toByteText, toHex } from '../../../node/format/index.ts';
import { createStateMap } from '../../../node/state/index.ts';
import { ADMIN, call, type GasStand } from './stand.ts';

interface Shape {
  /** Runs once, at deployment. */
  readonly atLoad?: string;
  readonly events?: string;
  readonly body?: string;
  readonly more?: string;
  readonly args?: readonly Json[];
}

const manyArrays = (count: number): string => `globalThis.big = []; for (let i = 0; i < ${count}; i++) big.push(new Array(40000).fill(0));`;

const SHAPES: Readonly<Record<string, Shape>> = {
  'image of zeros': { atLoad: manyArrays(40) },
  'image of freed memory': { atLoad: `${manyArrays(20)} big = null;` },
  'image of text': { atLoad: "globalThis.big = []; for (let i = 0; i < 12; i++) big.push('x'.repeat(250000) + i);" },
  'code of 256 kB': { atLoad: `//${'x'.repeat(261_000)}` },
  'events described in lists': { events: '{ E: Array.from({ length: 12000 }, () => []) }' },
  'events described in objects': { events: '{ E: Array.from({ length: 10000 }, () => ({})) }' },
  'stopped calls, caught': {
    body: "for (let i = 0; i < 20; i++) try { ctx.call(ctx.self, 'deep', []); } catch {} return 0;",
    more: 'deep(ctx) { (function f() { f(); })(); }',
  },
  'calls to the depth limit, caught': {
    body: 'if (deep < 7) return ctx.call(ctx.self, "m", [deep + 1]); for (let i = 0; i < 500; i++) try { ctx.call(ctx.self, "m", [7]); } catch {} return 0;',
    args: [0],
  },
  'unknown callees, caught': { body: 'for (let i = 0; i < 500; i++) try { ctx.call("nope", "x", []); } catch {} return 0;' },
  'lists of contracts': { body: 'for (let i = 0; i < 50; i++) ctx.call("contracts", "list", [{}]); return 0;' },
  'facts of contracts': { body: 'for (let i = 0; i < 50; i++) ctx.call("contracts", "info", [{ address: ctx.self }]); return 0;' },
  '80,000 names as arguments': { args: [Object.fromEntries(Array.from({ length: 80_000 }, (_, i) => [`k${i}`, 0]))] },
  '20,000 values of one name': { body: "ctx.put('k', Array.from({ length: 20000 }, (_, i) => ({ b: i }))); return 0;" },
};

export function addShapes(stand: GasStand, add: (name: string, work: () => Execution) => void): void {
  for (const [name, { atLoad = '', events = '{ E: 0 }', body = '', more = '', args = [] }] of Object.entries(SHAPES)) {
    const code = `${atLoad}\ncontract({ events: ${events}, methods: { m(ctx, deep) { ${body} }, ${more} } });`;
    const { address } = deploy(stand, code);
    const calls: Call[] = [{ contract: address, method: 'm', args: encodeJson(args) }];
    add(`shape: ${name}`, () => stand.run(ADMIN, calls, 20_000_000_000));
  }
  addWrites(stand, add);
  addDeployments(stand, add);
}

/** Long keys with nothing in common, over a map that holds many: what a block of them takes until its state root is known. */
function addWrites(stand: GasStand, add: (name: string, work: () => Execution) => void): void {
  const text = 'x'.repeat(180);
  const { address } = deploy(
    stand,
    `contract({ methods: { m(ctx, round) { for (let i = 0; i < 1000; i++) ctx.put((i * 7919 % 1000003) + '/' + round + '${text}', 1); } } });`,
  );
  const map = createStateMap(stand.crypto);
  const stage = (writes: StateWrites) => {
    const rows = [...writes].map(([key, value]) => ({ key, valueHash: value && stand.crypto.hash(value) }));
    return map.stage(rows.sort((a, b) => (a.key < b.key ? -1 : 1)));
  };
  const filled = new Map(
    Array.from({ length: 50_000 }, (_, i) => {
      const digest = stand.crypto.hash(new TextEncoder().encode(`${i}`));
      return [`${toByteText(new TextEncoder().encode(address))}${toHex(digest)}`, digest] as const;
    }),
  );
  map.commit(stage(filled));
  let round = 0;
  add('state: 1,000 new long keys', () => {
    const execution = stand.run(ADMIN, [call(address, 'm', [round++])]);
    map.drop(stage(execution.writes));
    return execution;
  });
}

/** Code that nobody has loaded yet, each time. */
function addDeployments(stand: GasStand, add: (name: string, work: () => Execution) => void): void {
  let round = 0;
  for (const [name, atLoad] of [
    ['short code', ''],
    ['zeros', manyArrays(20)],
    ['text', "globalThis.big = []; for (let i = 0; i < 8; i++) big.push('x'.repeat(250000) + i);"],
  ] as const)
    add(`deploy: ${name}`, () => stand.run(ADMIN, [deployment(`//${round++}\n${atLoad}\ncontract({ methods: { m() {} } });`)]));
}

function deployment(code: string): Call {
  return call('contracts', 'deploy', { language: 'javascript', code, sourceDigest: '0'.repeat(64) });
}

function deploy(stand: GasStand, code: string): { readonly address: string } {
  return JSON.parse(new TextDecoder().decode(stand.keep(ADMIN, [deployment(code)]).results[0])) as { address: string };
}
