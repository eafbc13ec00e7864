/** What people read: the tree of a product, the short form of doctor, lists that say what they leave out. Over HTTPS, as a person runs it. */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { deployedKey, CONTRACT, stateKey } from '../../../../contracts/index.ts';
import { createCrypto } from '../../../../node/crypto/index.ts';
import { encodeJson, openGenesis } from '../../../../node/format/index.ts';
import { openBlockFiles } from '../../../../node/ledger/block-files.ts';
import { encodeHead, encodeLocation } from '../../../../node/ledger/block-store.ts';
import { ledgerKey } from '../../../../node/ledger/keys.ts';
import { openDirectory, openLevelStore } from '../../../../node/store/index.ts';
import type { Trace, TraceEdge, TraceNode } from '../../../../node/records/index.ts';
import { createTestWorld } from '../stand-in-world.ts';
import { commandLine, openCommandRig } from './command-line.ts';

const { rig, url, directory, close } = await openCommandRig();
after(close);
const run = commandLine(directory);
const as = (account: string, ...args: string[]) =>
  run(args, { TRACEMILL_URL: url, TRACEMILL_CA: 'ca.pem', TRACEMILL_TOKEN: rig.token(account) });

const SECOND_US = 1_000_000n;
const START_US = 1_767_323_045n * SECOND_US; // 2026-01-02T03:04:05Z
const recordsOf = (of: string, org: string, count: number, from = 0): TraceNode['records'] =>
  Array.from({ length: count }, (_, i) => ({
    id: (from + i).toString(16).padStart(64, '0'),
    version: 1,
    class: of,
    org,
    timeUs: `${START_US + BigInt(i) * SECOND_US}`,
  }));
const thing = (type: TraceNode['type'], label: string, facts: TraceNode['facts'] = {}, records: TraceNode['records'] = []): TraceNode => ({
  id: facts.supplier === undefined ? `${type}/${label}` : `${type}/${facts.supplier}/${label}`,
  type,
  label,
  depth: 1,
  records,
  facts,
});
const edge = (from: TraceNode, rel: string, to: TraceNode, status: TraceEdge['status'] = 'confirmed'): TraceEdge => ({
  from: from.id,
  to: to.id,
  rel,
  status,
  records: [],
});

const product = thing('product', 'P-1', { location: 'Kunming, line 3' }, [
  ...recordsOf('production', 'machining', 1, 7),
  ...recordsOf('device', 'machining', 100, 10),
]);
const steel = thing('material_batch', 'RM-1', { supplier: 'steel' }, recordsOf('production', 'steel', 100));
const ore = thing('material_batch', 'ORE-9', { supplier: 'mine' });
const coal = thing('material_batch', 'COAL-2', { supplier: 'mine' });
const batch = thing('production_batch', 'PB-7', {}, recordsOf('production', 'machining', 1));
const mill = thing('device', 'MILL-01');
const passed = thing('report', 'QR-1', { verdict: 'pass' }, recordsOf('quality', 'inspection', 1));
const engines = Array.from({ length: 7 }, (_, i) => thing('product', `E-${i + 1}`, {}, recordsOf('production', 'motors', 1, i)));
const car = thing('product', 'CAR-1');
const traced: Trace = {
  product: 'P-1',
  nodes: [product, steel, ore, coal, batch, mill, passed, ...engines, car],
  edges: [
    edge(product, 'inspected_by', passed),
    edge(product, 'consumes', steel),
    edge(steel, 'consumes', ore, 'claimed'),
    edge(steel, 'derived_from', ore, 'claimed'),
    edge(steel, 'consumes', coal, 'claimed'),
    edge(steel, 'reported_in', passed),
    edge(product, 'made_in', batch),
    edge(product, 'produced_on', mill),
    edge(batch, 'consumes', steel),
    edge(ore, 'consumes', steel), // whoever writes a circle into his links gets no endless tree
    ...engines.map((engine) => edge(engine, 'consumes', product)),
    edge(car, 'consumes', engines[6]!, 'claimed'),
  ],
  height: 12,
  complete: true,
  withheld: 2,
};
const TREE = `product P-1 at Kunming, line 3
  records (ids: tracemill record query --product "P-1")
    production of machining, 2026-01-02T03:04:05Z, id ${'7'.padStart(64, '0')}
    device of machining, 100 records, 2026-01-02T03:04:05Z to 2026-01-02T03:05:44Z
  materials
    material batch RM-1 of steel (100 records, production 100, 2026-01-02T03:04:05Z to 2026-01-02T03:05:44Z)
      materials
        material batch ORE-9 of mine, claimed
        material batch COAL-2 of mine, claimed
      reports
        report QR-1, verdict pass (1 record, quality of inspection, 2026-01-02T03:04:05Z)
  steps
    production batch PB-7 (1 record, production of machining, 2026-01-02T03:04:05Z)
      materials
        material batch RM-1 of steel (100 records, production 100, 2026-01-02T03:04:05Z to 2026-01-02T03:05:44Z), as above
    device MILL-01
  reports
    report QR-1, verdict pass (1 record, quality of inspection, 2026-01-02T03:04:05Z)
  went into
    product E-7 (1 record, production of motors, 2026-01-02T03:04:05Z)
      went into
        product CAR-1, claimed
    6 products, E-1 to E-6 (6 records); --all shows each
at height 12: 15 things, 18 links, complete
2 records are withheld: this account may not read them
claimed: on the writer's word; who owns the thing has not recorded it
`;

async function traceOf(trace: Trace, ...args: string[]): Promise<string> {
  rig.records.trace = async () => trace as never;
  const { out, err, exitCode } = await as('olga@acme', 'trace', trace.product, ...args);
  assert.deepEqual([exitCode, err], [0, '']);
  return out;
}

test('a trace is a tree: a line a thing, a hundred records one line, and the graph with --json', async () => {
  assert.equal(await traceOf(traced), TREE);
  assert.deepEqual(JSON.parse(await traceOf(traced, '--json')), traced);
});

test('things alike are gathered in one line that says how to see each of them', async () => {
  const all = await traceOf(traced, '--all');
  for (const { label } of engines) assert.match(all, new RegExp(`^ {4}product ${label} `, 'm'));
  assert.doesNotMatch(all, /--all/);
});

test('a trace that a bound ended, or that found nothing, says so; what others wrote steers no terminal', async () => {
  assert.match(await traceOf({ ...traced, complete: false }), /NOT COMPLETE\nthe walk met a bound; --depth/);
  assert.equal(await traceOf({ ...traced, nodes: [], edges: [] }), 'product P-1: nothing is known of it at height 12\n');
  const odd = thing('product', 'P-1', { location: 'here\n\u001b[2Jthere' });
  assert.match(await traceOf({ ...traced, nodes: [odd], edges: [] }), /^product P-1 at here\\u000a\\u001b\[2Jthere\n/);
});

test('doctor says one line a node where all is well, each finding with --all, and what is wrong always', async () => {
  const env = { TRACEMILL_PASSPHRASE: 'a passphrase for tests' };
  for (const i of [1, 2, 3, 4])
    assert.equal(
      (await run(['init', '--organisation', `org${i}`, '--directory', `m${i}`, '--p2p-port', `${26_640 + i}`], env)).exitCode,
      0,
    );
  const parts = [1, 2, 3, 4].map((i) => `m${i}/genesis-part.json`);
  assert.equal((await run(['init', '--assemble', ...parts, '--out', 'm1/genesis.json'])).exitCode, 0);
  const doctor = (...args: string[]) => run(['doctor', '--config', 'm1/node.json', ...args], env);
  const short = await doctor();
  const { answer } = await doctor('--json');
  assert.deepEqual([short.exitCode, short.err], [0, `${answer.length} findings; doctor --all shows each\n`]);
  assert.deepEqual(
    short.out.split('\n').map((line) => line.trimEnd()),
    ['state  subject  finding                     what to do', `ok     org1-1   all ${answer.length - 1} examinations passed`, ''],
  );
  const whole = await doctor('--all');
  assert.equal(whole.err, '');
  assert.equal(whole.out.split('\n').length, answer.length + 2);
  writeFileSync(join(directory, 'm1/data-votes'), '');
  rmSync(join(directory, 'm1/tls-cert.pem'));
  const broken = await doctor();
  assert.equal(broken.exitCode, 4);
  const problems = (await doctor('--json')).answer.filter(({ state }: { state: string }) => state === 'problem');
  assert.ok(problems.length > 0);
  for (const { subject, what, remedy } of problems) {
    const line = broken.out.split('\n').find((row) => row.startsWith('problem') && row.includes(subject));
    assert.ok(line?.includes(what) && line.includes(remedy), broken.out);
  }
  assert.match(broken.out, /^ok +org1-1 +the other \d+ examinations passed *$/m);
});

test('doctor reads every body up to the head, names a damaged one, and calls none sound when it does not know the chain', async () => {
  const bodies = async (): Promise<readonly string[]> => {
    const { answer } = await run(['--json', 'doctor', '--config', 'm1/node.json']);
    return (answer as { subject: string; state: string; what: string }[])
      .filter(({ subject }) => subject.endsWith(' block files'))
      .map(({ state, what }) => `${state} ${what}`);
  };
  const genesisText = readFileSync(join(directory, 'm1/genesis.json'), 'utf8');
  const data = join(directory, 'm1', JSON.parse(readFileSync(join(directory, 'm1/node.json'), 'utf8')).dataDir ?? 'data');
  const store = await openLevelStore({ path: join(data, 'chain') });
  const { chainId } = openGenesis(createCrypto(), genesisText);
  const files = await openBlockFiles({ directory: await openDirectory(join(data, 'blocks')), chainId, world: createTestWorld() });
  const rows = [{ key: ledgerKey.head, value: encodeHead({ height: 2, hash: new Uint8Array(32), stateRoot: new Uint8Array(32) }) }];
  for (const height of [1, 2])
    rows.push({ key: ledgerKey.body(height), value: encodeLocation(await files.append(height, new Uint8Array(100).fill(height))) });
  await store.batch(rows, { sync: true });
  await files.close();
  assert.deepEqual(await bodies(), ['ok in use by the running node, which checks every body it reads']);
  await store.close();
  assert.deepEqual(await bodies(), ['ok 2 bodies, every checksum right']);
  writeFileSync(join(directory, 'm1/genesis.json'), '{}');
  assert.deepEqual(await bodies(), ['problem not examined: genesis, which names the chain, cannot be read']);
  writeFileSync(join(directory, 'm1/genesis.json'), genesisText);
  const [segment] = readdirSync(join(data, 'blocks')).map((name) => join(data, 'blocks', name));
  const bytes = readFileSync(segment!);
  bytes[bytes.lastIndexOf(2)]! ^= 1; // in the body of block 2
  writeFileSync(segment!, bytes);
  assert.deepEqual(await bodies(), ['problem STORE_DAMAGED the body of block 2']);
});

test('a list of records, and of events, says what it leaves out and goes on there', async () => {
  const { search } = rig.records;
  const page = await search.call(rig.records, { filter: {}, limit: 1 } as never, {} as never);
  rig.records.search = async (asked) => ({ ...page, complete: false, next: 'next-page', count: asked.count === 'exact' ? 250 : null });
  const cut = await as('olga@acme', 'record', 'query', '--limit', '1');
  rig.records.search = search;
  assert.match(cut.err, /^1 shown, 250 match in all; go on with --after \S+\n$/);
  const address = `0x${'7'.repeat(40)}`;
  rig.state.rows.set(stateKey(CONTRACT.deployed, deployedKey.contract(address)), encodeJson({ address, state: 'active' }));
  const { events } = rig.node;
  const outbox = Array.from({ length: 5 }, (_, position) => ({
    height: 1,
    index: 0,
    position,
    transactionId: new Uint8Array(32),
    event: { contract: address, name: 'weighed', data: encodeJson({ position }) },
  }));
  rig.node.events = async (at, limit) => outbox.filter(({ position }) => at.height < 1 || position > at.position).slice(0, limit) as never;
  const first = await as('ada@acme', 'contract', 'events', address, '--limit', '2');
  const [, cursor] = /^2 shown, 3 more; go on with --after (\S+)\n$/.exec(first.err) ?? [];
  assert.ok(cursor, first.err);
  const rest = await as('ada@acme', 'contract', 'events', address, '--after', cursor);
  assert.deepEqual([rest.err, rest.out.trim().split('\n').length], ['', 4]);
  rig.node.events = events;
});
