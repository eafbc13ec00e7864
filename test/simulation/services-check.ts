/**
 * What must be true of the services of whole nodes once a troubled cluster has healed: every record that a client was told stored stands once, is found, and
 * its sealed values can be read at every node of its organisation; an index is what blocks make it; an exchange log holds all that was on disk, its links
 * follow, and no anchor contradicts it.
 */
import { anchoredHead, auditKey, CONTRACT } from '../../contracts/index.ts';
import { type Anchors, examineExchanges, linkAt } from '../../node/feeds/exchange-audit.ts';
import { ChainError } from '../../node/errors/index.ts';
import { type ByteText, decodeHeader, decodeJson, type Json, prefixEnd, receiptEvents, toHex } from '../../node/format/index.ts';
import { createClassLookup, createRecordIndex, recordRowsOf, SEALED_PULL_EVERY_MS, SEARCH_LIMIT_MAX } from '../../node/records/index.ts';
import { indexKey, indexKeyspace } from '../../node/records/query/keys.ts';
import { decodeKept } from '../../node/records/query/rows.ts';
import type { RecordFilter, RecordRow } from '../../node/records/types.ts';
import { MemoryStore } from '../tools/memory-store.ts';
import type { Store } from '../../node/world.ts';
import { ended } from '../tools/steps.ts';
import type { Cluster } from './cluster.ts';
import type { FullNodes, RunningNode } from './full-node.ts';
import { deviceOf, type FullSetup, isAdded } from './full-setup.ts';
import { batchOf, callerOf, productOf, type RecordClients, secretsOf, type ToldRecord } from './record-clients.ts';

/** Clients that still wait when the network heals are told within this time, ms. */
const TOLD_WITHIN_MS = 60_000;
/** And everything sealed is where it belongs within this time, of then and of its storing: a hint may be lost, and nodes are asked so often without one, ms. */
const SEALED_WITHIN_MS = SEALED_PULL_EVERY_MS + 5_000;
/** Between two looks, ms. */
const LOOK_EVERY_MS = 250;
/** One answer of a service, ms: it waits for the index at most. */
const ANSWER_WITHIN_MS = 10_000;
/** Handed in after healing, one for each organisation at least. */
const LAST_NUMBERS_FROM = 100_000;
/** Alarms that no trouble of these stories gives cause for. */
const NEVER_RAISED: ReadonlySet<string> = new Set(['EXCHANGE_LOG_REWRITTEN', 'SEALED_KEYS_DIFFER', 'STORE_DAMAGED']);
const ROWS_MAX = 1_000_000;

export interface ServicesFound {
  readonly told: number;
  readonly entries: number;
  readonly anchors: number;
}

export class ServicesCheck {
  readonly #cluster: Cluster;
  readonly #setup: FullSetup;
  readonly #nodes: FullNodes;
  readonly #clients: RecordClients;

  constructor(cluster: Cluster, setup: FullSetup, nodes: FullNodes, clients: RecordClients) {
    this.#cluster = cluster;
    this.#setup = setup;
    this.#nodes = nodes;
    this.#clients = clients;
  }

  /** @param owed progress is: every client that waits is told */
  async check(owed = true): Promise<ServicesFound> {
    const cluster = this.#cluster;
    if (owed) {
      for (const [at] of this.#clients.organisations().entries()) this.#clients.handIn(LAST_NUMBERS_FROM + 5 * at);
      if (!(await cluster.run(TOLD_WITHIN_MS, () => this.#clients.waiting().length === 0)))
        cluster.fail(`clients of the records ${this.#clients.waiting()} are told nothing within ${TOLD_WITHIN_MS} ms of healing`);
    }
    const judged = cluster.honest().filter((i) => !cluster.absent.has(i) && this.#nodes.running(i));
    const heightMin = (): number => Math.min(...judged.map((i) => this.#nodes.running(i)!.node.head().height));
    const all = [...this.#clients.told.values()];
    const reached = (): boolean => all.every(({ height }) => height <= heightMin());
    if (owed && !(await cluster.run(TOLD_WITHIN_MS, reached)))
      cluster.fail(`a node does not get to ${Math.max(...all.map(({ height }) => height))}`);
    const told = all.filter(({ height }) => height <= heightMin());
    await this.#waitForSealed(judged, told);
    if (cluster.failure) throw cluster.failure;
    const found = { told: told.length, entries: 0, anchors: 0 };
    for (const i of judged) {
      const running = this.#nodes.running(i)!;
      await this.#checkStored(running, told);
      await this.#checkFound(running, told);
      const { entries, anchors } = await this.#checkExchanges(running);
      found.entries += entries;
      found.anchors += anchors;
      for (const { kind, detail } of await running.node.alarms())
        if (NEVER_RAISED.has(kind)) cluster.fail(`${running.process.node} raised ${kind} ${JSON.stringify(detail)}`);
    }
    await this.#checkIndexes(judged.map((i) => this.#nodes.running(i)!));
    if (cluster.failure) throw cluster.failure;
    return found;
  }

  async #waitForSealed(judged: readonly number[], told: readonly ToldRecord[]): Promise<void> {
    const cluster = this.#cluster;
    const untilMs = cluster.scheduler.nowMs + SEALED_WITHIN_MS;
    const organisationOf = (i: number): string => this.#setup.organisationOf(i);
    // Who joined may find nobody of its organisation to have them from: the one that held them can be suspended before it has asked.
    const asked = judged.filter((i) =>
      judged.some((other) => !isAdded(this.#setup.motions, other) && organisationOf(other) === organisationOf(i)),
    );
    let missing = asked.flatMap((i) =>
      told.filter((record) => record.organisation === organisationOf(i) && this.#wasHandedOver(record)).map((record) => ({ i, record })),
    );
    for (;;) {
      const still: typeof missing = [];
      for (const at of missing) {
        const running = this.#nodes.running(at.i);
        if (!running) return cluster.fail(`${cluster.names[at.i]} has ended after healing`);
        if (!(await this.#readsSealed(running, at.record))) still.push(at);
      }
      missing = still;
      if (missing.length === 0) return;
      if (cluster.scheduler.nowMs >= untilMs) {
        const where = missing.map(({ i, record }) => `${record.serial} at ${cluster.names[i]}`);
        return cluster.fail(`sealed values cannot be read within ${SEALED_WITHIN_MS} ms: of ${where.join(', ')}`);
      }
      await cluster.run(LOOK_EVERY_MS);
    }
  }

  /** False where only nodes had the values that were suspended before then: who is suspended takes part in nothing, and gives them when it is let in again. */
  #wasHandedOver({ tellers, toldMs }: ToldRecord): boolean {
    const { absent, names } = this.#cluster;
    return [...tellers].some((node) => (absent.get(names.indexOf(node)) ?? Number.POSITIVE_INFINITY) > toldMs + SEALED_WITHIN_MS);
  }

  async #readsSealed({ services }: RunningNode, { id, organisation, serial }: ToldRecord): Promise<boolean> {
    const row = await this.#answer(services!.records.get(id, 0, callerOf(organisation)));
    const values = new Map(((row?.sealed ?? []) as { path: string; value: string }[]).map(({ path, value }) => [path, value]));
    return [...secretsOf(serial)].every(([path, value]) => values.get(path) === value);
  }

  /** Each told record was stored by the transaction that its client knows, and no record twice. */
  async #checkStored({ process: { node: name }, node }: RunningNode, told: readonly ToldRecord[]): Promise<void> {
    const stored = new Map<string, string>();
    const { height } = node.head();
    for (let at = 1; at <= height; at++) {
      for (const { transactionId, ...receipt } of (await node.blocks.receipts(at)) ?? []) {
        for (const { contract, data } of receiptEvents(receipt)) {
          if (contract !== CONTRACT.records) continue;
          const { id } = decodeJson(data) as { readonly [name: string]: Json };
          if (stored.has(String(id))) this.#cluster.fail(`${name}: the record ${String(id)} is stored twice, last at ${at}`);
          stored.set(String(id), toHex(transactionId));
        }
      }
    }
    for (const { id, serial, transactionId } of told)
      if (stored.get(id) !== transactionId)
        this.#cluster.fail(`${name}: record ${serial} was told stored by ${transactionId}, and is by ${stored.get(id) ?? 'none'}`);
  }

  /** A search by product, by batch and by device finds each record once. */
  async #checkFound(running: RunningNode, told: readonly ToldRecord[]): Promise<void> {
    const groups = new Map<string, { readonly filter: RecordFilter; readonly organisation: string; readonly records: ToldRecord[] }>();
    const add = (filter: RecordFilter, record: ToldRecord): void => {
      const key = `${record.organisation} ${JSON.stringify(filter)}`;
      const group = groups.get(key) ?? { filter, organisation: record.organisation, records: [] };
      group.records.push(record);
      groups.set(key, group);
    };
    for (const record of told) {
      add({ product: productOf(record.serial) }, record);
      add({ batch: batchOf(record.serial) }, record);
      add({ device: deviceOf(record.organisation) }, record);
    }
    for (const { filter, organisation, records } of groups.values()) {
      const found = new Map<string, number>();
      for (const { id } of await this.#search(running, organisation, filter)) found.set(id, (found.get(id) ?? 0) + 1);
      for (const { id, serial } of records)
        if (found.get(id) !== 1)
          this.#cluster.fail(
            `${running.process.node}: a search by ${JSON.stringify(filter)} finds record ${serial} ${found.get(id) ?? 0} times`,
          );
    }
  }

  async #search({ node, services }: RunningNode, organisation: string, filter: RecordFilter): Promise<readonly RecordRow[]> {
    const rows: RecordRow[] = [];
    const search = { filter, includeArchived: false, order: 'time', limit: SEARCH_LIMIT_MAX, count: 'none' } as const;
    const reached = { atLeastHeight: node.head().height, waitMs: ANSWER_WITHIN_MS };
    for (let after: string | undefined; ; ) {
      const page = await this.#answer(services!.records.search({ ...search, ...reached, after }, callerOf(organisation)));
      rows.push(...(page?.items ?? []));
      if (!page?.next) return rows;
      after = page.next;
    }
  }

  async #checkExchanges({ process, node, services }: RunningNode) {
    const { node: name, world } = process;
    const store = services!.stores.local;
    const anchors: Anchors = async (count, limit) => {
      const [from, end] = [auditKey.anchor(name, count), prefixEnd(auditKey.anchorsOf(name))];
      return (await node.stateRange(CONTRACT.audit, from, end, limit)).map(({ value }) => anchoredHead(value));
    };
    const examined = await examineExchanges({ store, crypto: world.crypto, anchors });
    for (const { sequence, reason } of examined.faults)
      this.#cluster.fail(`${name}: entry ${sequence} of the exchange log is not what was written: ${reason}`);
    for (const { node: logger, sequence, link } of this.#clients.logged) {
      if (logger !== name) continue;
      const held = await linkAt({ store }, sequence);
      if (!held || toHex(held) !== link) this.#cluster.fail(`${name}: the exchange log has lost what was on disk, up to entry ${sequence}`);
    }
    return examined;
  }

  /** One index is fed with blocks, and compared with that of each node at the height of that node, once all are as far as their chains. */
  async #checkIndexes(running: readonly RunningNode[]): Promise<void> {
    const [first] = running;
    if (!first) return;
    for (const each of running) await this.#search(each, each.node.info.organisation, {}); // waits for the index
    const made = new MemoryStore();
    const index = createRecordIndex(made, this.#cluster.keys, createClassLookup(first.node.state));
    for (const { process, node, services } of running.toSorted((a, b) => a.node.head().height - b.node.head().height)) {
      const { height } = node.head();
      for (let at = (index.height ?? -1) + 1; at <= height; at++) {
        const receipts = (await node.blocks.receipts(at)) ?? [];
        const { transactions } = (await node.blocks.block(at))!;
        const { timestampMs } = decodeHeader(node.blocks.headerBytes(at)!);
        await index.applyBlock(at, timestampMs, ended(recordRowsOf({ receipts, transactions }, node.state)));
      }
      await index.save();
      const difference = await indexDifference(made, services!.stores.index);
      if (difference !== undefined)
        this.#cluster.fail(`${process.node}: the query index at ${height} is not what blocks make it: row ${JSON.stringify(difference)}`);
    }
  }

  /** What a service answers, while time goes on; a refusal fails the check. */
  async #answer<T>(answer: Promise<T>): Promise<T | undefined> {
    let result: { readonly value: T | undefined } | undefined;
    const settled = answer.then(
      (value) => {
        result = { value };
      },
      (error: unknown) => {
        this.#cluster.fail(`a service refuses: ${error instanceof ChainError ? error.code : String(error)}`);
        result = { value: undefined };
      },
    );
    await new Promise<void>((resolve) => void setImmediate(resolve)); // most ask no timer
    if (!result && !(await this.#cluster.run(ANSWER_WITHIN_MS, () => result !== undefined)))
      this.#cluster.fail('a service does not answer');
    if (result) await settled;
    return result?.value;
  }
}

async function rowsOf(store: Store): Promise<readonly { readonly key: ByteText; readonly value: Uint8Array }[]> {
  return store.range({ from: '', to: undefined, limit: ROWS_MAX });
}

/** Rows of closed segments, and facts of blocks one by one: nodes that were stopped hold them in other rows. */
async function indexRowsOf(store: Store): Promise<{ readonly closed: Rows; readonly blocks: Rows }> {
  const [closed, blocks]: [Rows[number][], Rows[number][]] = [[], []];
  for (const row of await rowsOf(store)) {
    if (row.key.startsWith(indexKeyspace.kept.prefix))
      for (const { height, facts } of decodeKept(row.value).blocks)
        blocks.push({ key: `${indexKeyspace.kept.prefix} ${height}`, value: facts });
    else if (row.key !== indexKey.height) closed.push(row);
  }
  return { closed, blocks };
}

/** The store of a node may have yet to be told of the last blocks. */
async function indexDifference(made: Store, held: Store): Promise<ByteText | undefined> {
  const [wanted, found] = [await indexRowsOf(made), await indexRowsOf(held)];
  return firstDifference(wanted.blocks.slice(0, found.blocks.length), found.blocks) ?? firstDifference(wanted.closed, found.closed);
}

type Rows = Awaited<ReturnType<typeof rowsOf>>;

function firstDifference(wanted: Rows, held: Rows): ByteText | undefined {
  for (let at = 0; at < Math.max(wanted.length, held.length); at++) {
    const [a, b] = [wanted[at], held[at]];
    if (a?.key !== b?.key || toHex(a!.value) !== toHex(b!.value)) return (a ?? b)!.key;
  }
  return undefined;
}
