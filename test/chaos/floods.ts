/**
 * The floods: who holds which right, and what he sends. Each row starts its clients and returns when `signal` says so. They run in a process of
 * their own, so that what they cost is not measured as a slow answer.
 */
import { randomBytes, randomInt } from 'node:crypto';
import { connect as connectTcp } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { encodeBulkMessage } from '../../node/peers/messages.ts';
import type { ProbeContext } from '../conformance/context.ts';
import { type ChainIdentity, outsider } from '../e2e/outsider.ts';

export interface FloodWorld {
  readonly context: ProbeContext;
  /** Indexes of the nodes under attack. */
  readonly targets: readonly number[];
  /** The validator whose key the traitor holds: id and Ed25519 seed of its transport key. */
  readonly traitor: { readonly node: string; readonly transportSeed: Uint8Array };
  readonly chain: ChainIdentity;
  /** Address of the contract of `DEAR_CODE`. */
  readonly contract: string;
  readonly signal: AbortSignal;
  /** Counts an answer under the flood's name: a status, or what ended the call. */
  count(what: string): void;
}

export interface Flood {
  readonly name: string;
  readonly holder: string;
  run(world: FloodWorld): Promise<void>;
}

/** Spins, fills memory and writes keys until its gas is gone. */
export const DEAR_CODE = `const pages = []; for (let i = 0; i < 40; i++) pages.push(new Array(40000).fill(0));
contract({
  methods: {
    spin(ctx) { for (;;); },
    write(ctx, from) { for (let i = 0; ; i++) ctx.put(from + '/' + i, i); },
    nothing(ctx) { return pages.length; },
  },
  queries: { search(ctx) { for (;;); } },
});`;

/** Loopback addresses of the attackers; the measurement comes from 127.0.0.1, as an honest client comes from a place of its own. */
export const CALLERS_ADDRESS = '127.0.0.2';
const HOLDERS_ADDRESS = '127.0.0.3';
const BODY_BYTES = 4_000_000;
const BODIES_PAUSE_MS = 200;
const SILENT_CONNECTIONS = 300; // of each node: without TLS
const TRICKLE_MS = 2_000;
const QUERIES_AT_ONCE = 15; // of each node
const COUNTS_AT_ONCE = 4; // of each node
const CALLS_AT_ONCE = 3; // of each node
const BULK_GAS = 6_000_000_000;
const FRAME_PAUSE_MS = 20;
const GARBAGE_BYTES = 900_000;
const STRANGER_MS = 3_000;
const REFUSED_PAUSE_MS = 100; // a client that is refused at once comes back

const narrowCsv = Buffer.from(`a,b,c\n${'1,2,3\n'.repeat(BODY_BYTES / 6)}`);
const wideCsv = Buffer.from(`${Array.from({ length: 20_000 }, (_, i) => `c${i}`).join(',')}\n${`${'1,'.repeat(19_999)}1\n`.repeat(90)}`);
const manyObjects = Buffer.from(`[${'{"a":"1"},'.repeat(BODY_BYTES / 10)}{}]`);
const deepJson = Buffer.from('['.repeat(BODY_BYTES));
const manyElements = Buffer.from(`<records>${'<r><a>1</a></r>'.repeat(BODY_BYTES / 15)}</records>`);
const bodies: readonly (readonly [string, Buffer])[] = [
  ['text/csv', narrowCsv],
  ['text/csv', wideCsv],
  ['application/json', manyObjects],
  ['application/json', deepJson],
  ['application/xml', manyElements],
];

/** Runs `once` again and again on `clients` clients of each node; what it throws is counted, never the end of the flood. */
async function everyNode(world: FloodWorld, clients: number, once: (node: number) => Promise<string>): Promise<void> {
  const loops = world.targets.flatMap((node) =>
    Array.from({ length: clients }, async () => {
      while (!world.signal.aborted) {
        try {
          world.count(await once(node));
        } catch (error) {
          world.count((error as { code?: string }).code ?? 'no answer');
        }
        await sleep(REFUSED_PAUSE_MS);
      }
    }),
  );
  await Promise.all(loops);
}

/** The account of this role at the organisation of a node, with its token. */
function tokenAt(world: FloodWorld, role: string, node: number): string {
  const { genesis, net } = world.context;
  const { organisation } = genesis.nodes[node]!;
  const account = genesis.accounts.find((candidate) => candidate.organisation === organisation && candidate.roles.includes(role));
  return net.tokens[account!.id]!;
}

function floodOfBodies(holder: string, token: (world: FloodWorld, node: number) => string | null, paths: readonly string[]): Flood {
  return {
    name: 'bodies',
    holder,
    async run(world) {
      let turn = 0;
      await everyNode(world, 1, async (node) => {
        const [type, body] = bodies[turn++ % bodies.length]!;
        const answer = await world.context.call(node, 'POST', paths[turn % paths.length]!, { body, type, token: token(world, node) });
        await sleep(BODIES_PAUSE_MS);
        return `${answer.status} ${answer.json.code}`;
      });
    },
  };
}

function floodOfCalls(
  holder: string,
  clients: number,
  call: (world: FloodWorld, node: number) => Promise<{ readonly status: number }>,
  name: string,
): Flood {
  return { name, holder, run: (world) => everyNode(world, clients, async (node) => String((await call(world, node)).status)) };
}

const floods: readonly Flood[] = [
  floodOfBodies('nobody', () => null, ['records/validate', 'records', 'contracts', 'transactions']),
  floodOfBodies('device', (world, node) => tokenAt(world, 'device', node), ['records/validate', 'records']),
  floodOfBodies('admin', (world, node) => tokenAt(world, 'admin', node), ['records', 'contracts/audit', 'transactions']),
  floodOfCalls(
    'nobody',
    2,
    ({ context }, node) =>
      context.post(
        node,
        'auth/login',
        { account: `admin@${context.genesis.nodes[node]!.organisation}`, password: randomBytes(8).toString('hex') },
        { token: null },
      ),
    'logins',
  ),
  {
    name: 'connections',
    holder: 'nobody',
    async run(world) {
      const open = world.targets.flatMap((node) => Array.from({ length: SILENT_CONNECTIONS }, () => holdConnection(world, node)));
      await Promise.all(open);
    },
  },
  floodOfCalls(
    'auditor',
    QUERIES_AT_ONCE,
    (world, node) =>
      world.context.call(node, 'GET', `contracts/${world.contract}/query`, {
        query: { method: 'search', args: '[]' },
        token: tokenAt(world, 'auditor', node),
      }),
    'queries',
  ),
  floodOfCalls(
    'device',
    COUNTS_AT_ONCE,
    (world, node) =>
      world.context.call(node, 'GET', 'records', {
        query: { class: 'production', count: 'exact', limit: 1 },
        token: tokenAt(world, 'device', node),
      }),
    'counts',
  ),
  floodOfCalls(
    'admin',
    CALLS_AT_ONCE,
    (world, node) => {
      const method = ['spin', 'write', 'nothing'][randomInt(3)]!;
      const args = method === 'write' ? [randomBytes(4).toString('hex')] : [];
      // Without a limit: the largest, or what a trial used; with one: what a load of many records takes.
      const gas = randomInt(2) === 0 ? {} : { gasLimit: BULK_GAS };
      return world.context.post(
        node,
        `contracts/${world.contract}/call`,
        { method, args, ...gas },
        { token: tokenAt(world, 'admin', node) },
      );
    },
    'dear contracts',
  ),
  {
    name: 'strangers',
    holder: 'nobody',
    async run(world) {
      while (!world.signal.aborted) {
        const stranger = await outsider(world.context, world.chain, `stranger-${randomInt(1_000)}`, randomBytes(32)).catch(() => undefined);
        await sleep(STRANGER_MS);
        await stranger?.stop();
        world.count('gone');
      }
    },
  },
  { name: 'frames', holder: 'a validator', run: floodOfFrames },
];

/** Those with `only` in their name; all of them without it. */
export function floodsOf(only: string | undefined): readonly Flood[] {
  return floods.filter(({ name }) => only === undefined || name.includes(only));
}

/** A socket that says one byte of a request line now and then, whatever is answered; opened again when it is closed. */
async function holdConnection(world: FloodWorld, node: number): Promise<void> {
  const { hostname, port } = new URL(world.context.net.nodes[node]!.url);
  while (!world.signal.aborted) {
    await new Promise<void>((closed) => {
      const socket = connectTcp({ host: hostname, port: Number(port), localAddress: HOLDERS_ADDRESS });
      const trickle = setInterval(() => socket.write('\x16'), TRICKLE_MS + randomInt(TRICKLE_MS));
      const end = (): void => {
        clearInterval(trickle);
        socket.destroy();
        world.signal.removeEventListener('abort', end);
        closed();
      };
      world.signal.addEventListener('abort', end);
      socket.on('error', () => world.count('refused'));
      socket.on('close', end);
    });
    await sleep(REFUSED_PAUSE_MS);
  }
}

/** Garbage, answers nobody asked for, questions without end and empty status messages, from a node that the chain names a validator. */
async function floodOfFrames(world: FloodWorld): Promise<void> {
  const { context, traitor } = world;
  const network = await outsider(context, world.chain, traitor.node, traitor.transportSeed);
  const names = world.targets.map((node) => context.genesis.nodes[node]!.id);
  let id = 0;
  const frames: readonly (() => ['votes' | 'bulk', Uint8Array])[] = [
    () => ['votes', randomBytes(1 + randomInt(GARBAGE_BYTES))],
    () => ['votes', Buffer.from([randomInt(12), ...randomBytes(400)])],
    () => ['bulk', randomBytes(1 + randomInt(GARBAGE_BYTES))],
    () => ['bulk', encodeBulkMessage({ kind: 'getBlocks', id: id++, fromHeight: 1, count: 256, bytesMax: 8_388_608 })],
    () => [
      'bulk',
      encodeBulkMessage({ kind: 'getTransactions', id: id++, hashes: Array.from({ length: 1_000 }, () => randomBytes(32) as never) }),
    ],
    () => ['bulk', encodeBulkMessage({ kind: 'transactionsAnswer', id: id++, transactions: [randomBytes(GARBAGE_BYTES)] })],
    () => ['bulk', encodeBulkMessage({ kind: 'transactions', transactions: Array.from({ length: 200 }, () => randomBytes(1_000)) })],
    () => ['bulk', encodeBulkMessage({ kind: 'status', height: 9_000_000, hash: randomBytes(32) as never })],
  ];
  try {
    for (let turn = 0; !world.signal.aborted; turn++) {
      const [channel, frame] = frames[turn % frames.length]!();
      for (const name of names) world.count(network.send(name, channel, frame) ? 'sent' : 'not sent');
      await sleep(FRAME_PAUSE_MS);
    }
  } finally {
    await network.stop();
  }
}
