/**
 * The whole node in the simulator: `createNode` with everything of node/ but the libp2p, LevelDB and worker adapters, the real built-in contracts
 * and one contract machine shared by the process. Clients submit signed transactions and wait for receipts; what they were told must stay true.
 */
import { ChainError } from '../../node/errors/index.ts';
import { judgeFinality } from '../../consensus/index.ts';
import {
  type ByteText,
  type ConsensusConfiguration,
  consensusHashOf,
  decodeCurrentConfiguration,
  decodeHeader,
  encodeConfiguration,
  equalBytes,
  headerHash,
  openGenesis,
  prefixEnd,
  toByteText,
  toHex,
} from '../../node/format/index.ts';
import { BLOCK_FILES_DIRECTORY, createBlockReads, openBlockFiles } from '../../node/ledger/block-files.ts';
import { createBlockStore } from '../../node/ledger/block-store.ts';
import { createExecutor } from '../../node/ledger/executor.ts';
import { inlineExecutor } from '../tools/inline-executor.ts';
import { createLedgerReader } from '../../node/ledger/reader.ts';
import { asSnapshot } from '../tools/store-snapshot.ts';
import { createReaderPort } from '../../node/ledger/reader-port.ts';
import { ledgerKey } from '../../node/ledger/keys.ts';
import { createStateRows } from '../../node/ledger/state-rows.ts';
import { createNode, type Node } from '../../node/node.ts';
import { Parts } from '../../node/parts.ts';
import { mapOf } from '../unit/node/state/map-of.ts';
import type { AppendLog, Store } from '../../node/world.ts';
import type { Cluster, CreateEngine, NodeContext, NodeFactory, SimNode } from './cluster.ts';
import type { FullSetup } from './full-setup.ts';
import { openServices, type SimServices } from './full-services.ts';
import type { SimProcess } from './world.ts';

/** How long a client waits for one receipt, ms. */
const CLIENT_WAIT_MS = 4_000;
/** Some blocks each, so that there are several files. */
export const SEGMENT_BYTES = 65_536;
const STATE_ROWS_MAX = 100_000;
/** Alarms that say that a node broke the protocol. */
const ACCUSATIONS: ReadonlySet<string> = new Set(['EQUIVOCATION', 'BLOCK_CHECK_FAILED']);

/** What a client was told: transaction `id` stands confirmed in this block. */
interface Told {
  readonly blockHash: string;
  readonly height: number;
}

export interface RunningNode {
  readonly process: SimProcess;
  readonly node: Node;
  readonly store: Store;
  /** Where the cluster has them. */
  readonly services: SimServices | undefined;
}

/** The whole node, and its clients, for ClusterOptions.factory. */
export class FullNodes {
  readonly #cluster: Cluster;
  readonly #setup: FullSetup;
  readonly #told = new Map<number, Told>();
  readonly #running = new Map<string, RunningNode>();
  /** What a height is judged by, as the first node that stored the block below it said. */
  readonly #configurations = new Map<number, { readonly hex: string; readonly configuration: ConsensusConfiguration }>();

  constructor(cluster: Cluster, setup: FullSetup) {
    this.#cluster = cluster;
    this.#setup = setup;
    for (const machine of cluster.machines) machine.disk.hooksStores = true;
    const { configuration } = openGenesis(cluster.keys, setup.genesisText);
    this.#configurations.set(1, { hex: toHex(encodeConfiguration(configuration)), configuration });
  }

  /** Receipts that clients hold. */
  get told(): number {
    return this.#told.size;
  }

  /** A node that takes calls. */
  running(i: number): RunningNode | undefined {
    return this.#cluster.node(i) && this.#running.get(this.#cluster.names[i]!);
  }

  /** Kinds of the alarms that a running node shows. */
  async alarmsAt(i: number): Promise<readonly string[]> {
    const alarms = (await this.#running.get(this.#cluster.names[i]!)?.node.alarms()) ?? [];
    return alarms.map((alarm) => alarm.kind);
  }

  /** Alarms that are not over, as `KIND detail`. */
  async standingAlarmsAt(i: number): Promise<readonly string[]> {
    const alarms = (await this.#running.get(this.#cluster.names[i]!)?.node.alarms()) ?? [];
    return alarms.flatMap(({ kind, detail, resolvedAtMs }) => (resolvedAtMs === undefined ? [`${kind} ${JSON.stringify(detail)}`] : []));
  }

  factory(create: CreateEngine | undefined): NodeFactory {
    return (context) => this.#open(context, create);
  }

  #open(context: NodeContext, createEngine: CreateEngine | undefined): SimNode {
    const { process, signer, onFinal, say } = context;
    const { world, network } = process;
    const store = process.openStore('chain');
    const local = process.openStore('local');
    const directory = process.openDirectory(BLOCK_FILES_DIRECTORY);
    const { chainId } = openGenesis(world.crypto, this.#setup.genesisText);
    const blocks = createBlockStore(store, createBlockReads(directory, chainId));
    const setup = this.#setup;
    const i = this.#cluster.names.indexOf(process.node);
    const parts = new Parts();
    let node: Node | undefined;

    this.#running.delete(process.node);
    const start = async (): Promise<void> => {
      const files = await openBlockFiles({ directory, chainId, world, segmentBytes: setup.limits.segmentBytes ?? SEGMENT_BYTES });
      parts.add({ name: 'block files', stop: () => files.close() });
      const executor = createExecutor({
        store,
        files,
        crypto: world.crypto,
        clock: world.clock,
        builtins: setup.builtins,
        machine: setup.machine,
        genesisText: setup.genesisText,
        ...(setup.limits.versionsMax ? { versionsMax: setup.limits.versionsMax } : {}),
      });
      const voteLog: AppendLog = process.openLog('votes');
      const created = await createNode({
        world,
        network,
        store,
        files,
        local,
        voteLog,
        executor: inlineExecutor(executor, setup.machine.bundleDigest),
        reader: createReaderPort(
          createLedgerReader({
            snapshot: () => asSnapshot(store),
            files,
            crypto: world.crypto,
            builtins: setup.builtins,
            machine: setup.machine,
          }),
          world,
        ),
        genesisText: setup.genesisText,
        node: process.node,
        organisation: setup.organisationOf(i),
        signWithValidatorKey: (message) => signer.sign(message),
        signWithCustodialKey: (message) => setup.custodial[i]!.sign(message),
        mempool: { countMax: setup.mempoolCountMax, bytesMax: 16_777_216 },
        limits: setup.limits,
        ...(createEngine ? { createEngine } : {}),
      });
      created.onCommitted((committed) => {
        this.#judgedBy(process.node, committed.height + 1, committed.configuration);
        onFinal(
          committed.height,
          committed.hash,
          committed.transactionIds.flatMap((id) => setup.numberOf(id) ?? []),
        );
      });
      parts.add({ name: 'node', start: () => created.start(), stop: () => created.stop() });
      const services = setup.services && (await openServices(process, created, local, setup.services));
      if (services) parts.add(...services.parts);
      await parts.start();
      node = created;
      this.#running.set(process.node, { process, node, store, services });
      say('is up');
    };

    return {
      start,
      stop: async () => {
        this.#running.delete(process.node); // the door closes first
        await parts.stop();
        for (const opened of [store, local]) await opened.close();
      },
      submit: (id) => {
        if (node) void this.#submit(context, node, id);
      },
      height: () => node?.head().height ?? blocks.head()?.height ?? 0,
      digestAt: (height) => {
        const bytes = blocks.headerBytes(height);
        return bytes && headerHash(world.crypto, bytes);
      },
      describe: () => {
        if (!node) return 'starting';
        const { height, phase, producer, details } = node.consensus();
        return `height ${height} view ${details.view} ${phase} primary ${producer} votes ${JSON.stringify(details.votes)} waiting ${node.mempool().count}`;
      },
    };
  }

  #judgedBy(name: string, height: number, bytes: Uint8Array): void {
    const hex = toHex(bytes);
    const held = this.#configurations.get(height);
    if (held && held.hex !== hex) this.#cluster.fail(`${name} judges ${height} by another configuration`);
    if (!held) this.#configurations.set(height, { hex, configuration: decodeCurrentConfiguration(bytes) });
  }

  /** A client at this node: hands in, waits, and remembers what it was told. */
  async #submit({ process, say }: NodeContext, node: Node, number: number): Promise<void> {
    const { bytes, id } = this.#setup.transaction(number, node.info.chainId, node.head().height);
    try {
      await node.submit(bytes);
    } catch (error) {
      if (!(error instanceof ChainError)) this.#cluster.fail(`${process.node} answered a submission with ${String(error)}`);
      else if (error.code !== 'MEMPOOL_TRANSACTION_KNOWN' && error.code !== 'TRANSACTION_REPEATED')
        return say(`refuses ${number}: ${error.code}`);
    }
    const status = await node.awaitTransaction(id, CLIENT_WAIT_MS);
    if (process.dead() || status.state !== 'confirmed') return;
    const told = { blockHash: toHex(status.blockHash), height: status.receipt.height };
    const before = this.#told.get(number);
    if (before && before.blockHash !== told.blockHash)
      this.#cluster.fail(`transaction ${number} is confirmed in two blocks, ${before.height} and ${told.height}`);
    this.#told.set(number, told);
  }

  /**
   * After healing, on every honest node: what clients were told stands, no transaction stands twice, the state is what its root says, and nobody
   * holds an alarm or a complaint about an honest node.
   */
  async check({ motionsPassed = true } = {}): Promise<void> {
    const cluster = this.#cluster;
    for (const i of cluster.honest()) {
      const name = cluster.names[i]!;
      const running = cluster.node(i) && this.#running.get(name);
      if (!running) continue;
      const { node, store } = running;
      const seen = new Map<ByteText, number>();
      const { height } = node.head();
      for (let at = 1; at <= height; at++) {
        const receipts = await node.blocks.receipts(at);
        if (!receipts) cluster.fail(`${name} has no receipts of ${at}`);
        this.#checkJudged(name, node, at);
        for (const { transactionId } of receipts ?? []) {
          const key = toByteText(transactionId);
          if (seen.has(key)) cluster.fail(`${name} has transaction ${this.#setup.numberOf(transactionId)} at ${seen.get(key)} and ${at}`);
          seen.set(key, at);
        }
      }
      for (const [number, told] of this.#told) {
        if (told.height > height) continue;
        const status = await node.transaction(this.#setup.transaction(number, node.info.chainId, 0).id);
        if (status.state !== 'confirmed' || toHex(status.blockHash) !== told.blockHash)
          cluster.fail(`transaction ${number} was confirmed in block ${told.height}, ${name} says ${status.state}`);
      }
      await checkState(cluster, name, node, store);
      for (const alarm of await node.alarms()) {
        if (!ACCUSATIONS.has(alarm.kind)) continue; // a full disk, a clock: true enough here
        const { node: accused, failed } = alarm.detail as { node?: string; failed?: readonly { check: string }[] };
        if (failed?.some(({ check }) => check === 'consensusHash'))
          cluster.fail(`${name} judged a block by a wrong consensusHash: ${JSON.stringify(alarm.detail)}`); // no traitor here lies about it
        const honest = accused === undefined ? cluster.faulty.size === 0 : !cluster.faulty.has(cluster.names.indexOf(accused));
        if (honest) cluster.fail(`${name} raised ${alarm.kind} ${JSON.stringify(alarm.detail)}`);
      }
    }
    if (motionsPassed) this.#checkMotions();
    if (cluster.failure) throw cluster.failure;
  }

  /** A final block names, and is certified by, the configuration that the block below it decided. */
  #checkJudged(name: string, node: Node, height: number): void {
    const { keys } = this.#cluster;
    const judged = this.#configurations.get(height);
    const headerBytes = node.blocks.headerBytes(height);
    const finality = node.blocks.finality(height);
    if (!judged || !headerBytes || !finality) {
      this.#cluster.fail(`${name} cannot show what ${height} was judged by`);
      return;
    }
    const { engine, validators } = judged.configuration;
    const header = decodeHeader(headerBytes);
    if (!equalBytes(header.consensusHash, consensusHashOf(keys, judged.configuration)))
      this.#cluster.fail(`${name}: block ${height} names another consensusHash than the block below it decided`);
    if (!validators.some((validator) => validator.node === header.proposer))
      this.#cluster.fail(`${name}: ${header.proposer} is no validator of ${height} and proposed it`);
    const block = { engine, chainId: header.chainId, height, digest: headerHash(keys, headerBytes), validators };
    const { fault } = judgeFinality(keys, block, finality);
    if (fault !== undefined) this.#cluster.fail(`${name}: proof of finality of ${height}: ${fault}`);
  }

  /** What the council passed is in force, on every node that is part of the network. */
  #checkMotions(): void {
    const { motions } = this.#setup;
    const parameters = new Map(motions.flatMap((motion) => (motion.kind === 'setParameter' ? [[motion.name, motion.value] as const] : [])));
    const last = new Map(
      motions.flatMap((motion) =>
        motion.kind === 'setParameter' || motion.kind === 'replaceValidatorKey' ? [] : [[motion.node, motion.kind] as const],
      ),
    );
    for (const i of this.#cluster.honest()) {
      const name = this.#cluster.names[i]!;
      const running = this.#cluster.node(i) && !this.#cluster.absent.has(i) ? this.#running.get(name) : undefined;
      if (!running) continue;
      for (const [parameter, value] of parameters)
        if (running.node.parameters()[parameter] !== value) this.#cluster.fail(`${name}: ${parameter} is not ${value}`);
      const held = this.#configurations.get(running.node.head().height + 1)?.configuration.validators ?? [];
      for (const [node, kind] of last)
        if (held.some((validator) => validator.node === this.#cluster.names[node]) !== (kind !== 'suspendNode'))
          this.#cluster.fail(`${name}: ${kind} of ${this.#cluster.names[node]} has had no effect`);
      for (const [node, { publicKey }] of this.#setup.nextSigners)
        if (held.some((validator) => validator.node === this.#cluster.names[node] && !equalBytes(validator.publicKey, publicKey)))
          this.#cluster.fail(`${name}: ${this.#cluster.names[node]} has its old key`);
    }
  }
}

/** The map built anew from the stored state has the root of the head's header. */
async function checkState(cluster: Cluster, name: string, node: Node, store: Store): Promise<void> {
  const prefix = ledgerKey.state('');
  const rows = await createStateRows(store).range({ from: prefix, to: prefixEnd(prefix), limit: STATE_ROWS_MAX });
  const map = mapOf(
    cluster.keys,
    rows.map(({ key, value }) => ({ key: key.slice(prefix.length), valueHash: cluster.keys.hash(value) })),
  );
  const header = decodeHeader(node.blocks.headerBytes(node.head().height)!);
  if (!equalBytes(map.root(), header.stateRoot))
    cluster.fail(`${name}: the stored state at ${header.height} has another root than its header`);
}
