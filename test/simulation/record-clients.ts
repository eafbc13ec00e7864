/**
 * Clients that hand in records as JSON bodies at the nodes of their organisation, and ask again, there or elsewhere, until they are told that the records
 * are stored. What they were told is kept here, with what each node's exchange log was known to hold; services-check.ts judges by it.
 */
import { ChainError } from '../../node/errors/index.ts';
import { type TextStruct, toHex, utf8 } from '../../node/format/index.ts';
import type { Bearer, Caller, RecordBody, RecordSubmitOptions, SubmitOutcome } from '../../node/records/types.ts';
import type { Cluster } from './cluster.ts';
import type { FullNodes, RunningNode } from './full-node.ts';
import { deviceOf, type FullSetup, isAdded, lineOf, plantOf } from './full-setup.ts';
import type { SeededRandom } from './random.ts';

/** How long a call waits for its receipt, ms. */
const CALL_WAIT_MS = 4_000;
/** A client that was told nothing asks again after a time between these, ms. */
const ASK_AGAIN_MIN_MS = 500;
const ASK_AGAIN_MAX_MS = 4_000;
/** Records of one production batch. */
const BATCH_RECORDS = 4;
/** Refusals that say that something is wrong with a record, where nothing is. */
const BLAMES_RECORD = /^(?:RECORD_|SEALED_|FORMAT_|REFERENCE_)/;

/** Refused by no node that holds its organisation's keys. */
export interface ToldRecord {
  readonly serial: number;
  readonly organisation: string;
  /** Hex. */
  readonly id: string;
  /** Hex id of the transaction that stored it. */
  readonly transactionId: string;
  /** The chain was at least so high. */
  readonly height: number;
  /** When a client was told first, ms, and the nodes that have said so. */
  readonly toldMs: number;
  readonly tellers: Set<string>;
}

/** What a node's exchange log held, on disk, at some time. */
export interface LoggedHead {
  readonly node: string;
  readonly sequence: number;
  readonly link: string;
}

interface Job {
  readonly number: number;
  readonly organisation: string;
  readonly serials: readonly number[];
  told: boolean;
}

export const productOf = (serial: number): string => `JN-${serial}`;
export const batchOf = (serial: number): string => `JB-${Math.floor(serial / BATCH_RECORDS)}`;
/** Clear values of sealed fields, by path. */
export const secretsOf = (serial: number): ReadonlyMap<string, string> =>
  new Map([
    ['pro_op_info.pro_op_name', `Li ${serial}`],
    ['pro_op_info.pro_op_id', `E-${serial}`],
    ['pro_op_info.pro_op_record', 'assembled'],
  ]);

export function callerOf(organisation: string): Caller {
  return {
    account: lineOf(organisation),
    organisation,
    type: 'service',
    roles: ['operator'],
    expiresMs: Number.MAX_SAFE_INTEGER,
    steppedUpAtMs: undefined,
  };
}

export class RecordClients {
  /** By organisation and serial: those of two organisations are two records. */
  readonly told = new Map<string, ToldRecord>();
  readonly logged: LoggedHead[] = [];
  readonly #cluster: Cluster;
  readonly #setup: FullSetup;
  readonly #nodes: FullNodes;
  readonly #random: SeededRandom;
  readonly #jobs = new Map<number, Job>();
  #calls = 0;

  constructor(cluster: Cluster, setup: FullSetup, nodes: FullNodes, random: SeededRandom) {
    this.#cluster = cluster;
    this.#setup = setup;
    this.#nodes = nodes;
    this.#random = random;
  }

  /** Organisations that have an honest node in the network, by what the genesis says. */
  organisations(): readonly string[] {
    return [...new Set(this.#served().map((i) => this.#setup.organisationOf(i)))];
  }

  /** Hands in the records of number `number`, and does not rest until their client was told. */
  handIn(number: number): void {
    const organisations = this.organisations();
    if (organisations.length === 0) return;
    const job: Job = { number, organisation: organisations[number % organisations.length]!, serials: serialsOf(number), told: false };
    this.#jobs.set(number, job);
    this.#ask(job);
  }

  /** Numbers whose clients were told nothing yet, of organisations that have an honest node in the network. */
  waiting(): readonly number[] {
    const organisations = new Set(this.organisations());
    return [...this.#jobs.values()].filter((job) => !job.told && organisations.has(job.organisation)).map(({ number }) => number);
  }

  /** Honest nodes in the network that sign for their organisation's account. */
  #served(): number[] {
    const { motions } = this.#setup;
    return this.#cluster.honest().filter((i) => !isAdded(motions, i) && !this.#cluster.absent.has(i));
  }

  #ask(job: Job): void {
    const nodes = this.#served().filter((i) => this.#setup.organisationOf(i) === job.organisation);
    if (nodes.length > 0) {
      void this.#call(this.#random.pick(nodes), job);
      if (this.#random.chance(0.25)) void this.#call(this.#random.pick(nodes), job); // both at once, or twice at one
    }
    this.#cluster.scheduler.after(this.#random.integer(ASK_AGAIN_MIN_MS, ASK_AGAIN_MAX_MS), () => {
      if (!job.told || this.#random.chance(0.2)) this.#ask(job); // whose answer was lost asks again as well
    });
  }

  async #call(i: number, job: Job): Promise<void> {
    const running = this.#nodes.running(i);
    if (!running?.services) return;
    const { process, services } = running;
    const startedMs = process.world.clock.now();
    const requestId = `r${++this.#calls}`;
    let code = 'OK';
    let rows = 0;
    try {
      const outcome = await services.records.submit(bodyOf(job), bearerOf(job.organisation), { ...OPTIONS, requestId });
      if (process.dead()) return;
      rows = outcome.records.length;
      this.#hear(process.node, job, outcome);
    } catch (error) {
      if (process.dead()) return;
      code = error instanceof ChainError ? error.code : String(error);
      if (!(error instanceof ChainError) || BLAMES_RECORD.test(code))
        this.#cluster.fail(`${process.node} refuses the records ${job.serials}, which are sound: ${code}`);
    }
    await this.#log(running, {
      requestId,
      timeMs: startedMs,
      caller: lineOf(job.organisation),
      organisation: job.organisation,
      code,
      rows,
    });
  }

  #hear(node: string, job: Job, outcome: SubmitOutcome): void {
    if (outcome.status !== 'confirmed') return;
    for (const [at, record] of outcome.records.entries()) {
      const serial = job.serials[at]!;
      const transactionId = record.status === 'repeated' ? record.transactionId : outcome.transactionId;
      if (transactionId === undefined || transactionId === null || outcome.height === null) {
        this.#cluster.fail(`${node} does not say which transaction stored record ${serial}`);
        continue;
      }
      const key = `${job.organisation} ${serial}`;
      const before = this.told.get(key);
      if (before && (before.id !== record.id || before.transactionId !== transactionId))
        this.#cluster.fail(`${node}: record ${serial} was stored by another transaction than a client was told before`);
      const { id } = record;
      const { organisation } = job;
      const toldMs = this.#cluster.scheduler.nowMs;
      const told = before ?? { serial, organisation, id, transactionId, height: outcome.height, toldMs, tellers: new Set() };
      told.tellers.add(node);
      this.told.set(key, told);
    }
    job.told = true;
  }

  /** The entry that a door writes of a call. What is flushed must be there for good. */
  async #log(
    { process, services }: RunningNode,
    entry: Pick<NewEntry, 'requestId' | 'timeMs' | 'caller' | 'organisation' | 'code' | 'rows'>,
  ) {
    const { exchanges } = services!;
    const digest = toHex(process.world.crypto.hash(utf8(entry.requestId)));
    const durationMs = process.world.clock.now() - entry.timeMs;
    try {
      exchanges.append({
        ...entry,
        interfaceId: 'submitRecords',
        address: ADDRESS,
        parametersDigest: digest,
        answerDigest: digest,
        durationMs,
      });
      await exchanges.flush();
    } catch (error) {
      if (!(error instanceof ChainError)) this.#cluster.fail(`${process.node} cannot log a call: ${String(error)}`);
      return; // a full disk
    }
    if (!process.dead()) this.logged.push({ node: process.node, ...exchanges.head() });
  }
}

type NewEntry = Parameters<NonNullable<RunningNode['services']>['exchanges']['append']>[0];

const ADDRESS = '10.0.0.1';
const OPTIONS: Omit<RecordSubmitOptions, 'requestId'> = {
  wait: 'sync',
  timeoutMs: CALL_WAIT_MS,
  statedDigest: undefined,
  recordClass: 'production',
  source: {},
};

function bearerOf(organisation: string): Bearer {
  const known = callerOf(organisation);
  return { known, address: ADDRESS, identify: () => known };
}

/** One record or three; one body in five says again what an earlier one says, and something new. */
function serialsOf(number: number): number[] {
  if (number % 5 === 4) return [10 * (number - 1), 10 * number];
  return number % 3 === 0 ? [10 * number, 10 * number + 1, 10 * number + 2] : [10 * number];
}

function bodyOf({ organisation, serials }: Job): RecordBody {
  const trees = serials.map((serial) => recordOf(organisation, serial));
  return { bytes: utf8(JSON.stringify(trees.length === 1 ? trees[0] : trees)), mediaType: 'application/json' };
}

function recordOf(organisation: string, serial: number): TextStruct {
  const [name, id, work] = [...secretsOf(serial).values()];
  return {
    production_time: '2026-01-01T08:00:00+08:00',
    production_location: 'Kunming, line 4',
    product_uid: productOf(serial),
    pro_raw_material: { pro_supplier: 'S-12', pro_batch_number: `JM-${serial}`, pro_Report_qualify_eval: 'QR-77' },
    propara: { pro_temperature: '21.50', pro_humidity: '45', pro_pressure: 'UNAVAILABLE' },
    pro_op_info: { pro_op_name: name!, pro_op_id: id!, pro_op_record: work! },
    pro_factory_uid: plantOf(organisation),
    ext: { device_id: deviceOf(organisation), production_batch: batchOf(serial) },
  };
}
