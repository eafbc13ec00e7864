/**
 * The bound a four-validator network on this machine could reach: what each part of the path costs alone, in this process on real data, beside the budget
 * that was set for it. Between the bound and the measured rate lie scheduling, queues, and the parts standing in each other's way.
 */
import type { Profiler } from 'node:inspector';
import { setTimeout as sleep } from 'node:timers/promises';
import { createCrypto } from '../../node/crypto/index.ts';
import { NODE_KEY } from '../../node/keystore/index.ts';
import { createEd25519Signer } from '../tools/ed25519-signer.ts';
import { measureLink } from './link.ts';
import type { BenchNetwork } from './network.ts';
import type { Measured } from './rates.ts';
import { processUse, table, timed } from './statistics.ts';
import { type Phases, type SignedBy, Validator } from './validator.ts';
import { partsOf } from './where.ts';

const VALIDATORS = 4;
const CORES = 2;
/** Blocks before the measured ones: tens of thousands of records stand in the map by then, and the code is optimised. */
const BLOCKS = {
  hundred: { transactions: 6, warm: 100, measured: 30 },
  one: { transactions: 128, warm: 200, measured: 40 },
} as const;
/** Per block: pre-prepare to three, prepare and commit of four to three, each a send and a receipt. */
const FRAMES = 3 + 12 + 12;
/** Seal and pre-prepare of the primary, prepare and commit of all four. */
const SIGNATURES_MADE = 2 + 4 + 4;
const SIGNATURES_CHECKED = 3 * SIGNATURES_MADE;
/** After as many that are not measured. */
const ROUTE_CALLS = { one: 15_000, hundred: 1_500 } as const;
const ROUTE_CONNECTIONS = 8;
const ROUTE_ANSWERED_MIN = 0.5;
const IDLE_S = 4;
const ROUNDS = 5;

type Column = 'one' | 'hundred';
type Costs = Readonly<Record<Column, number>>;

export interface Term {
  readonly name: string;
  /** CPU us a record. */
  readonly us: Costs;
  readonly budgetUs: Costs;
  readonly where: 'each' | 'once';
}

export interface Bound {
  readonly terms: readonly Term[];
  /** Records a second. */
  readonly perSecond: Costs;
  /** What was reached; 0 where it was not measured. */
  readonly reached: Costs;
}

/** CPU us of each group in the builds of a block, as shares. First match from the innermost module outwards. */
const BUILD_PARTS: readonly (readonly [string, RegExp])[] = [
  ['map', /node\/state\//],
  ['receipts', /format\/receipt/],
  [
    'record',
    /contracts\/classes|contracts\/builtin\/records|node\/format\/(content|json|record|stored|submission|transaction)|node\/records\//,
  ],
];

/** @param network running, with the best rates measured on it */
export async function measureBound(network: BenchNetwork, best: readonly Measured[]): Promise<Bound> {
  const bestOf = (recordsEach: number): Measured | undefined => best.find((each) => each.recordsEach === recordsEach);
  const measured = { one: bestOf(1), hundred: bestOf(100) };
  const perBlock = { one: measured.one?.perBlock ?? 128, hundred: measured.hundred?.perBlock ?? 8 };
  const route = { one: await routeUs(network, 1), hundred: await routeUs(network, 100) };
  const link = await measureLink();
  const validator = await Validator.open(network.net.genesisText);
  try {
    const hundred = await blocksOf(validator, network, 'hundred');
    const one = await blocksOf(validator, network, 'one');
    const signer = createEd25519Signer(createCrypto().hash(new Uint8Array([1])));
    const message = createCrypto().hash(new Uint8Array([2]));
    const signature = signer.sign(message);
    const signUs = await timed(200, ROUNDS, () => signer.sign(message));
    const checkUs = await timed(200, ROUNDS, () => createCrypto().verify(1, signer.publicKey, message, signature));
    const consensusUs = (FRAMES * link.frameUs + SIGNATURES_MADE * signUs + SIGNATURES_CHECKED * checkUs) / VALIDATORS;
    const both = (cost: (found: Found, column: Column) => number): Costs => ({ one: cost(one, 'one'), hundred: cost(hundred, 'hundred') });
    const terms: Term[] = [
      { name: 'client signature', where: 'each', budgetUs: { one: 60, hundred: 0.7 }, us: both(({ of }) => of.signatures) },
      {
        name: 'open, class, identity, digests, facts',
        where: 'each',
        budgetUs: { one: 18, hundred: 15 },
        us: both(({ of, shares }) => of.opening + of.build * shares.record),
      },
      {
        name: 'map and accumulators',
        where: 'each',
        budgetUs: { one: 14, hundred: 12 },
        us: both(({ of, shares }) => of.build * shares.map),
      },
      { name: 'store and index', where: 'each', budgetUs: { one: 8, hundred: 7 }, us: both(({ of }) => of.commit + of.bodies + of.index) },
      {
        name: 'receipts, outbox',
        where: 'each',
        budgetUs: { one: 4, hundred: 2 },
        us: both(({ of, shares }) => of.receipts + of.build * shares.receipts),
      },
      {
        name: 'mempool, consensus, links',
        where: 'each',
        budgetUs: { one: 15, hundred: 6 },
        us: both(
          ({ of, bytes }, column) =>
            Math.max(0, of.mempool - of.signatures - of.opening) +
            bytes * link.receivedByteUs +
            consensusUs / perBlock[column] / recordsIn(column),
        ),
      },
      {
        name: 'ownership, rights, gas, collection',
        where: 'each',
        budgetUs: { one: 9, hundred: 5 },
        us: both(({ of, shares }) => of.build * shares.rest),
      },
      {
        name: 'once: HTTPS, route, exchange log, three sends, generator',
        where: 'once',
        budgetUs: { one: 170, hundred: 24 },
        us: both(({ bytes }, column) => route[column] + 3 * bytes * link.sentByteUs),
      },
    ];
    const sum = (where: Term['where'], column: Column): number =>
      terms.reduce((total, term) => (term.where === where ? total + term.us[column] : total), 0);
    const perSecond = (column: Column): number => (CORES * 1e6) / (VALIDATORS * sum('each', column) + sum('once', column));
    const reached = (column: Column): number => (measured[column]?.result.committedPerS ?? 0) * recordsIn(column);
    return {
      terms,
      perSecond: { one: perSecond('one'), hundred: perSecond('hundred') },
      reached: { one: reached('one'), hundred: reached('hundred') },
    };
  } finally {
    await validator.close();
  }
}

export function boundTable({ terms, perSecond, reached }: Bound): string {
  const cells = (name: string, us: Costs, budgetUs: Costs): string[] => [
    name,
    ...(['one', 'hundred'] as const).flatMap((column) => [
      us[column].toFixed(1),
      String(budgetUs[column]),
      (us[column] / budgetUs[column]).toFixed(1),
    ]),
  ];
  const each = terms.filter(({ where }) => where === 'each');
  const sum = (of: (term: Term) => Costs): Costs => ({
    one: each.reduce((total, term) => total + of(term).one, 0),
    hundred: each.reduce((total, term) => total + of(term).hundred, 0),
  });
  const eachUs = sum(({ us }) => us);
  const rows = [
    ...each.map(({ name, us, budgetUs }) => cells(name, us, budgetUs)),
    cells(
      'each validator',
      eachUs,
      sum(({ budgetUs }) => budgetUs),
    ),
  ];
  const once = terms.find(({ where }) => where === 'once')!;
  rows.push(cells(once.name, once.us, once.budgetUs));
  const says = (['one', 'hundred'] as const).map((column) => {
    const share =
      reached[column] === 0
        ? 'not measured in this run'
        : `${reached[column].toFixed(0)}, ${(reached[column] / perSecond[column]).toFixed(2)} of it`;
    return `${column} a transaction: bound = ${CORES} cores / (${VALIDATORS} x ${eachUs[column].toFixed(0)} + ${once.us[column].toFixed(0)}) us = ${perSecond[column].toFixed(0)} records/s; reached ${share} (at least 0.6)`;
  });
  return [
    table(['term, CPU us a record', 'one a transaction', 'budget', 'ratio', 'hundred a transaction', 'budget', 'ratio'], rows),
    ...says,
  ].join('\n\n');
}

interface Found {
  /** CPU us a record. */
  readonly of: Phases;
  readonly shares: Readonly<Record<'map' | 'receipts' | 'record' | 'rest', number>>;
  /** Of a transaction, by record. */
  readonly bytes: number;
}

function recordsIn(column: Column): number {
  return column === 'one' ? 1 : 100;
}

async function blocksOf(validator: Validator, network: BenchNetwork, column: Column): Promise<Found> {
  const { transactions, warm, measured } = BLOCKS[column];
  const recordsEach = recordsIn(column);
  const make = async (): Promise<SignedBy[]> => {
    const requests = await network.transactions('ai4i', recordsEach, transactions, 0);
    return requests.map(({ node, body }) => ({ bytes: body, publicKey: network.senders[node]!.keystore.publicKey(NODE_KEY.custodial) }));
  };
  const made: SignedBy[][] = []; // all before: what making them leaves behind is no part of a block
  for (let i = 0; i < warm + 2 * measured; i++) made.push(await make());
  const next = async (): Promise<Phases> => validator.block(made.shift()!);
  for (let i = 0; i < warm; i++) await next();
  const sums: Record<keyof Phases, number> = {
    signatures: 0,
    opening: 0,
    mempool: 0,
    build: 0,
    commit: 0,
    bodies: 0,
    index: 0,
    receipts: 0,
  };
  let bytes = 0;
  for (let i = 0; i < measured; i++) {
    const [block] = made;
    bytes += block!.reduce((sum, transaction) => sum + transaction.bytes.length, 0);
    for (const [phase, us] of Object.entries(await next())) sums[phase as keyof Phases] += us;
  }
  validator.profiles.length = 0;
  validator.sampled = true; // blocks of their own: sampling costs something
  for (let i = 0; i < measured; i++) await next();
  validator.sampled = false;
  const records = measured * transactions * recordsEach;
  const of = Object.fromEntries(Object.entries(sums).map(([phase, us]) => [phase, us / records])) as unknown as Phases;
  return { of, shares: sharesOf(validator.profiles), bytes: bytes / records };
}

function sharesOf(profiles: readonly Profiler.Profile[]): Found['shares'] {
  const found = { map: 0, receipts: 0, record: 0 };
  for (const profile of profiles)
    for (const [part, share] of partsOf(profile, BUILD_PARTS))
      if (part in found) found[part as keyof typeof found] += share / profiles.length;
  return { ...found, rest: 1 - found.map - found.receipts - found.record };
}

/**
 * HTTPS and route of a live node, and the generator: a transaction that stands in a block already is sent again and again, some at a time as under load, so
 * that the chain has nothing to do. What the node does when nothing is asked of it is taken off.
 */
async function routeUs(network: BenchNetwork, recordsEach: number): Promise<number> {
  const { net, load } = network;
  const count = ROUTE_CALLS[recordsEach === 1 ? 'one' : 'hundred'];
  const [known] = await network.transactions('ai4i', recordsEach, 1);
  await load.offer([known!], 1);
  const nodeUs = (): number => processUse(net.nodes[known!.node]!.pid!).cpuSeconds * 1e6;
  const idleFromUs = nodeUs();
  await sleep(IDLE_S * 1000);
  const idleUsPerS = (nodeUs() - idleFromUs) / IDLE_S;
  const again = async (calls: number): Promise<number> => {
    await load.warm(ROUTE_CONNECTIONS);
    const fromMs = performance.now();
    const { nodesCpuUs, loadCpuUs, refused } = await load.repeat(known!, calls, ROUTE_CONNECTIONS);
    const idleUs = (idleUsPerS * (performance.now() - fromMs)) / 1000;
    const answered = refused.TRANSACTION_REPEATED ?? 0; // on a busy machine a few are SERVER_BUSY
    if (answered < calls * ROUTE_ANSWERED_MIN) throw new Error(`Cannot measure the route: ${JSON.stringify(refused)}`);
    return (nodesCpuUs[known!.node]! - idleUs + loadCpuUs) / answered;
  };
  await again(count);
  return (await again(count)) / recordsEach;
}
