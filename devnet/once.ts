/**
 * The main job end to end as a black box: commands, HTTPS, files and signals of a running devnet. Inputs of the scenario lie outside the
 * devnet's directory, so that whatever of them is found inside was written by a node.
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { canonicalJson, type Json } from '../node/format/index.ts';
import type { Tracemill } from './command.ts';
import type { Devnet, DevnetNode } from './devnet.ts';
import { type LoadPart, loadRows } from './load.ts';
import { type Sample, sampleText } from './sample-record.ts';
import { searchFiles, searchStores } from './search-bytes.ts';
import { expect, expectEqual, type Step } from './steps.ts';
import { worksOf } from './topology.ts';

export interface OnceOptions {
  readonly net: Devnet;
  readonly tracemill: Tracemill;
  /** Outside the devnet's directory; made when missing. */
  readonly inputs: string;
  /** Distinguishes this run's record from that of another on the same chain. */
  readonly salt: string;
  readonly nowMs: number;
  readonly parts: readonly LoadPart[];
  /** Names and numbers of people in `parts` that no node may hold in clear. */
  readonly people: readonly string[];
  readonly contractPath: string;
  readonly onProgress?: (settled: number, total: number) => void;
}

const ORGANISATION = 'machining';
const CONTRACT_CALL = ['judge', '["ONCE","pass"]'] as const; // devnet/contracts/quality-gate.js
const CONTRACT_EVENT = 'Judged';
const KILL_AT = 0.3; // share of the rows that are settled when the primary is killed
const DOWN_SHARE = 0.2; // share of the rows that must be settled without it before it is started again
const DOWN_MAX_MS = 30_000; // its own organisation's rows wait for it: it is started again after this at the latest
const SAME_HEAD_TIMEOUT_MS = 240_000;
const EVENT_TIMEOUT_MS = 120_000;
const PAGE_ROWS = 1_000;
const READ_BY_ID = 50; // acknowledged records also read one by one, on every node
const POLL_MS = 200;

interface Receipt {
  readonly transactionId: string;
  readonly status: string;
  readonly height: number;
  readonly blockHash: string;
  readonly records: readonly {
    readonly id: string;
    readonly version: number;
    readonly contentDigest: string;
    readonly recordDigest: string;
    readonly status: string;
  }[];
}
interface Page {
  readonly items: readonly { readonly id: string; readonly [name: string]: unknown }[];
  readonly next: string | null;
  readonly height: number;
  readonly complete: boolean;
}

/** The operator of this run's record: a name like no other. */
function operatorOf(salt: string): { readonly operatorName: string; readonly operatorId: string } {
  return { operatorName: `Qian Zhongshu-${salt} 钱钟书`, operatorId: `E-ONCE-${salt}` };
}

/** Every text that no node may hold in clear. */
export function peopleOf(options: Pick<OnceOptions, 'salt' | 'people'>): readonly string[] {
  return [...Object.values(operatorOf(options.salt)), ...options.people];
}

export function onceSteps(options: OnceOptions): readonly Step[] {
  const { net, tracemill, inputs } = options;
  mkdirSync(inputs, { recursive: true });
  const works = worksOf(ORGANISATION);
  const sample: Sample = {
    productUid: `ONCE-${options.salt}`,
    productionTime: new Date(options.nowMs).toISOString(),
    factory: works.factory,
    device: works.device,
    productionBatch: `PB-ONCE-${options.salt}`,
    supplier: 'Honghe "Special" Steel, Ltd.',
    materialBatch: `RM-ONCE-${options.salt}`,
    ...operatorOf(options.salt),
  };
  const acknowledged = new Set<string>();
  const bundlePath = join(inputs, 'bundle.json');
  let recordId = '';
  let killed: DevnetNode | undefined;
  let loadedHeight = 0;

  const write = (name: string, text: string): string => {
    const path = join(inputs, name);
    writeFileSync(path, text);
    return path;
  };
  /** Runs a command that must succeed. */
  const ok = async (...args: readonly string[]): Promise<unknown> => {
    const result = await tracemill(...args);
    expect(result.exitCode === 0, `tracemill ${args.join(' ')} ended with ${result.exitCode}: ${firstLines(result.out || result.err)}`);
    return result.answer;
  };
  const query = async (what: string, ...flags: readonly string[]): Promise<void> => {
    const page = (await ok('record', 'query', ...flags, '--at-least-height', String(loadedHeight))) as Page;
    expect(page.complete, `the answer by ${what} is not complete`);
    const ids = page.items.map((item) => item.id);
    expect(ids.includes(recordId), `the record is not among the ${ids.length} found by ${what}`);
  };

  const ONE = 'one record as JSON, XML and CSV gives one digest and one receipt';
  const IMPORT = 'the primary is killed during the import and every row is acknowledged';
  const BACK = 'the killed node is back at the same head';
  const BUNDLE = 'an evidence bundle holds offline';
  return [
    {
      name: 'four validators agree on a block',
      run: async () => {
        const head = await sameHead(net.nodes);
        expect(head.height >= 1, `the height is ${head.height}`);
        return `${net.nodes.length} nodes at height ${head.height}`;
      },
    },
    {
      name: ONE,
      run: async () => {
        const receipts: Receipt[] = [];
        const digests: string[] = [];
        for (const format of ['json', 'xml', 'csv'] as const) {
          const file = write(`record.${format}`, sampleText(sample, format));
          const [canonical] = (await ok('record', 'canonical', file)) as { contentDigest: string }[];
          digests.push(canonical!.contentDigest);
          receipts.push((await ok('record', 'submit', file, '--digest', canonical!.contentDigest)) as Receipt);
        }
        const [first, ...others] = receipts as [Receipt, ...Receipt[]];
        const [record] = first.records;
        expect(first.status === 'confirmed' && record !== undefined, `the receipt is ${JSON.stringify(first)}`);
        recordId = record!.id;
        for (const other of others) {
          expectEqual(other.records[0]?.id, record!.id, 'record id');
          expectEqual(other.records[0]?.contentDigest, record!.contentDigest, 'content digest');
          expectEqual(other.records[0]?.recordDigest, record!.recordDigest, 'record digest');
          expectEqual(
            [other.transactionId, other.height, other.blockHash],
            [first.transactionId, first.height, first.blockHash],
            'receipt',
          );
        }
        expectEqual(digests, [record!.contentDigest, record!.contentDigest, record!.contentDigest], 'digest computed by the sender');
        acknowledged.add(recordId);
        loadedHeight = first.height;
        return `digest ${record!.contentDigest.slice(0, 16)}..., height ${first.height}`;
      },
    },
    {
      name: IMPORT,
      run: async () => {
        const total = options.parts.reduce((sum, part) => sum + part.rows.length, 0);
        let killing: Promise<void> | undefined;
        let settled = 0;
        const result = await loadRows(net, options.parts, {
          onProgress(done, all) {
            settled = done;
            options.onProgress?.(done, all);
            if (killing === undefined && done >= total * KILL_AT) killing = killPrimary(() => settled, total);
          },
          onReceipt(receipt) {
            for (const record of receipt.records ?? []) acknowledged.add(record.id);
          },
        });
        expect(killing !== undefined, 'the import was over before the primary could be killed');
        await killing;
        loadedHeight = Math.max(loadedHeight, result.height);
        expect(result.refused.length === 0, `${result.refused.length} rows refused, the first: ${JSON.stringify(result.refused[0])}`);
        expectEqual(result.stored + result.repeated, result.rows, 'rows acknowledged');
        return `${result.rows} rows, ${result.rowsPerSecond} a second, ${killed!.id} killed and started again`;
      },
    },
    {
      name: BACK,
      needs: [IMPORT],
      run: async () => {
        const head = await sameHead(net.nodes);
        return `${net.nodes.length} nodes at height ${head.height}, block ${head.hash.slice(0, 16)}...`;
      },
    },
    {
      name: 'every acknowledged record is readable on all nodes',
      needs: [IMPORT, BACK],
      run: async () => {
        for (const node of net.nodes) {
          const held = await allRecordIds(node, loadedHeight);
          const missing = [...acknowledged].filter((id) => !held.has(id));
          expect(missing.length === 0, `${node.id} lacks ${missing.length} of ${acknowledged.size} records, the first: ${missing[0]}`);
          const client = node.client(`auditor@${node.organisation}`);
          const every = Math.max(1, Math.floor(acknowledged.size / READ_BY_ID));
          for (const id of [...acknowledged].filter((_, i) => i % every === 0)) {
            const { data } = await client.get<{ id: string }>(`records/${id}`);
            expectEqual(data.id, id, `record at ${node.id}`);
          }
          client.close();
        }
        return `${acknowledged.size} records on ${net.nodes.length} nodes`;
      },
    },
    {
      name: 'the record is found by product, batch, device and time',
      needs: [ONE],
      run: async () => {
        await query('product', '--product', sample.productUid);
        await query('production batch', '--batch', sample.productionBatch);
        await query('material batch', '--batch', sample.materialBatch);
        await query('device', '--device', sample.device, '--from', sample.productionTime);
        await query('time', '--from', sample.productionTime, '--to', new Date(options.nowMs + 1).toISOString());
        const none = (await ok('record', 'query', '--product', `${sample.productUid}-none`)) as Page;
        expectEqual(none.items.length, 0, 'records of a product that does not exist');
        return '';
      },
    },
    {
      name: 'the product is traced to its material',
      needs: [ONE],
      run: async () => {
        const text = JSON.stringify(await ok('trace', sample.productUid));
        expect(text.includes(sample.materialBatch), 'the trace does not name the material batch');
        expect(text.includes(recordId), 'the trace does not name the record');
        return '';
      },
    },
    {
      name: 'a contract is deployed and called by command and its event is seen',
      run: async () => {
        const deployed = (await ok('contract', 'deploy', options.contractPath)) as { readonly result: { readonly address: string } };
        const { address } = deployed.result;
        expect(/^0x[0-9a-f]{40}$/.test(address), `the address is ${address}`);
        const called = (await ok('contract', 'call', address, ...CONTRACT_CALL)) as Receipt;
        const end = Date.now() + EVENT_TIMEOUT_MS;
        for (;;) {
          const events = (await ok('contract', 'events', address)) as { items: { name: string; transactionId: string }[] };
          const seen = events.items.find((event) => event.transactionId === called.transactionId);
          if (seen !== undefined) {
            expectEqual(seen.name, CONTRACT_EVENT, 'event');
            break;
          }
          expect(Date.now() < end, `no event of ${called.transactionId} among ${events.items.length}`);
          await sleep(POLL_MS);
        }
        await ok('contract', 'query', address, 'totals', '["ONCE"]');
        return `${address}, event ${CONTRACT_EVENT} at height ${called.height}`;
      },
    },
    {
      name: BUNDLE,
      needs: [ONE],
      run: async () => {
        const made = (await ok('record', 'proof', recordId, '--out', bundlePath)) as { bytes: number };
        await ok('verify', bundlePath, '--genesis', net.genesisPath);
        const whole = join(inputs, 'with-transaction.json');
        await ok('record', 'proof', recordId, '--transaction', '--out', whole);
        const { claims } = (await ok('verify', whole, '--genesis', net.genesisPath)) as { claims: readonly string[] };
        expect(
          claims.some((claim) => claim.includes('signed by a custodial key')),
          'the bundle with its transaction does not say who signed',
        );
        return `${made.bytes} bytes`;
      },
    },
    {
      name: 'the bundle is refused after one changed byte',
      needs: [BUNDLE],
      run: async () => {
        const changed = join(inputs, 'changed.json');
        const places = changedBundles(readFileSync(bundlePath, 'utf8'));
        for (const { place, text } of places) {
          writeFileSync(changed, text);
          const result = await tracemill('verify', changed, '--genesis', net.genesisPath);
          expectEqual(result.exitCode, 4, `exit code of verify with a byte of ${place} changed`);
        }
        return places.map(({ place }) => place).join(', ');
      },
    },
    {
      name: 'no name or number of an operator is in a file or log in clear',
      needs: [ONE],
      run: async () => {
        const people = peopleOf(options);
        expect(
          readFileSync(join(inputs, 'record.json'), 'utf8').includes(sample.operatorName),
          'the search would find nothing even in the input',
        );
        let files = 0;
        const found = [];
        for (const node of net.nodes) {
          const result = searchFiles(node.dir, people);
          files += result.files;
          found.push(...result.found);
        }
        expect(found.length === 0, `found in clear: ${JSON.stringify(found[0])}`);
        return `${people.length} texts, ${files} files`;
      },
    },
  ];

  async function killPrimary(settled: () => number, total: number): Promise<void> {
    const reader = net.nodes[0]!.client(`auditor@${net.nodes[0]!.organisation}`);
    const { data } = await reader.get<{ readonly round: { readonly primary: string } }>('consensus');
    reader.close();
    killed = net.nodes.find((node) => node.id === data.round.primary);
    if (killed === undefined) throw new Error(`no node is named ${data.round.primary}`);
    await killed.kill('SIGKILL');
    const from = settled();
    const end = Date.now() + DOWN_MAX_MS;
    while (settled() - from < total * DOWN_SHARE && settled() < total && Date.now() < end) await sleep(POLL_MS);
    await killed.restart();
  }
}

/** To run after the nodes have stopped: searches what lies compressed in their stores. */
export function storedTextStep(net: Devnet, people: readonly string[]): Step {
  return {
    name: 'no name or number of an operator is in a stored value in clear',
    run: async () => {
      let values = 0;
      for (const node of net.nodes) {
        const result = await searchStores(node.dir, people);
        expect(result.found.length === 0, `found in clear: ${JSON.stringify(result.found[0])}`);
        values += result.values;
      }
      expect(values > 0, 'no store was found');
      return `${values} values`;
    },
  };
}

/** Waits until all nodes hold the same block at the height that the highest has now. */
async function sameHead(nodes: readonly DevnetNode[]): Promise<{ readonly height: number; readonly hash: string }> {
  const end = Date.now() + SAME_HEAD_TIMEOUT_MS;
  const heads = await Promise.all(nodes.map((node) => node.head()));
  const height = Math.max(...heads.map((head) => head.height));
  for (;;) {
    const now = await Promise.all(nodes.map((node) => node.head()));
    if (now.every((head) => head.height >= height)) {
      const hashes = await Promise.all(nodes.map((node) => hashAt(node, height)));
      expectEqual(new Set(hashes).size, 1, `blocks at height ${height}`);
      return { height, hash: hashes[0]! };
    }
    expect(Date.now() < end, `heights stay apart: ${now.map((head, i) => `${nodes[i]!.id} ${head.height}`).join(', ')}`);
    await sleep(POLL_MS);
  }
}

async function hashAt(node: DevnetNode, height: number): Promise<string> {
  const client = node.client(`auditor@${node.organisation}`);
  try {
    const { data } = await client.get<Record<string, unknown>>(`blocks/${height}`);
    const header = (data.header ?? data) as { readonly hash?: string };
    return String(header.hash ?? data.hash);
  } finally {
    client.close();
  }
}

async function allRecordIds(node: DevnetNode, height: number): Promise<ReadonlySet<string>> {
  const client = node.client(`auditor@${node.organisation}`);
  const ids = new Set<string>();
  try {
    for (let after: string | undefined; ; ) {
      const query = { order: 'commit', limit: PAGE_ROWS, after, atLeastHeight: height, waitMs: 25_000 };
      const { data } = await client.get<Page>('records', query);
      for (const item of data.items) ids.add(item.id);
      if (data.next === null) return ids;
      after = data.next;
    }
  } finally {
    client.close();
  }
}

/** The bundle with one character of one member changed: still JSON of the same form, another content. */
function changedBundles(text: string): readonly { readonly place: string; readonly text: string }[] {
  const bundle = JSON.parse(text) as { [name: string]: Json };
  const places = ['value', 'proof', 'key'].filter((name) => typeof bundle[name] === 'string' && bundle[name] !== '');
  expect(places.length > 0, 'the bundle has none of value, proof and key');
  return places.map((place) => {
    const before = bundle[place] as string;
    const at = Math.floor(before.length / 2);
    const after = before.slice(0, at) + (before[at] === 'A' ? 'B' : 'A') + before.slice(at + 1);
    return { place, text: canonicalJson({ ...bundle, [place]: after }) };
  });
}

function firstLines(text: string): string {
  return text.trim().split('\n').slice(0, 6).join(' ').slice(0, 600);
}
