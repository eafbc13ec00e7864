/**
 * Single records of one account that come while a transaction of it is under way meet in the next one: a transaction's own cost (signature,
 * admission, votes, receipt) is most of what a single record costs. A record that finds nothing of its account under way goes at once,
 * unless a crowd is coming back; others wait for WAIT_MS_MAX at most, and where a crowd sends, until what is under way is over and those
 * who waited for it are back, or come no longer.
 *
 * Each record has an outcome of its own. A transaction fails whole: the record it failed over has its answer, and the others are sent again
 * without it; where no record is named, or it fails again, each is sent alone. That holds for those whose callers are gone as well: whoever
 * hears of the receipt first, a caller or the register of what is under way, settles it for all.
 */
import { type ByteText, decodeJson, type Digest, type Json, type Receipt, toByteText } from '../format/index.ts';
import { BoundedMap } from '../pace/bounded-map.ts';
import type { NodeService } from '../service.ts';
import type { Timers } from '../world.ts';
import { gasLimitOf, type RecordTransaction, type SendableRow, sendRecords, type TransactionDependencies } from './record-transaction.ts';

/** Longest that a record waits for others, ms: a small part of what a block takes. */
export const WAIT_MS_MAX = 5;
/** So many callers at once are a crowd: what they send goes into as few transactions as can be, or each block would hold a part of them. */
export const CROWD = 4;
/** Longest that a record of a crowd waits while a transaction of its account is under way, ms. It goes as soon as that is over. */
export const CROWD_WAIT_MS_MAX = 100;
/**
 * Longest that it waits then for the next of the others, ms, and as long as above for all of them: those who had their answers together send
 * their next records one after another, as this node answers them and reads what they send. A crowd that was parted stays parted, and each
 * part takes a block of its own from then on. Before the first of them is back nobody waits.
 */
export const RETURN_MS_MAX = 20;
/**
 * Gas that such a transaction asks for, unless one record alone asks for more: forty records, and a fraction of the bytes and records of
 * any other bound. With the transaction's own share every block holds so much of a sender who has used up his own (EXCESS_GAS_PER_BLOCK of
 * node/chain/mempool/gas-shares.ts), so who is put together waits for no budget that a single record would not.
 */
export const GAS_MAX = 990_000_000;
/** Failed transactions of several that a record may have stood in; then it is sent alone. */
export const SHARED_FAILURES_MAX = 2;
/** Accounts remembered; past it the oldest leaves, and its next record goes at once. */
const ACCOUNTS_MAX = 10_000;

/** A submission that was sent, alone or with others of its account. */
export interface Sent {
  /** The transaction it stands in: another one once it was sent again. */
  readonly id: Digest;
  /** Place of its first record in that transaction. */
  readonly place: number;
  /**
   * Does what the receipt of transaction `id` asks for, once for all who stand in it.
   * @returns true when the submission stands in another transaction by now. @throws ChainError of sending it again
   */
  settle(id: Digest, receipt: Receipt): Promise<boolean>;
}

export interface Coalescing {
  /** @param alone in a transaction of its own, at once */
  send(account: string, rows: readonly SendableRow[], alone: boolean): Promise<Sent>;
  /** Records sent so far in a transaction with others. */
  gathered(): number;
}

export interface CoalescingDependencies extends TransactionDependencies {
  readonly node: TransactionDependencies['node'] & Pick<NodeService, 'transaction'>;
  readonly timers: Pick<Timers, 'after'>;
}

export function createCoalescing(deps: CoalescingDependencies): Coalescing {
  const lines = new BoundedMap<string, Line>(ACCOUNTS_MAX);
  let gathered = 0;

  function lineOf(account: string): Line {
    const line = lines.get(account) ?? newLine(account);
    lines.set(account, line);
    return line;
  }

  /** What waited goes now. */
  function depart(line: Line): void {
    const { open } = line;
    if (open === undefined) return;
    line.open = undefined;
    open.close();
    if (open.members.length > 0) void launch(line, open.members);
  }

  /** Sends members in one transaction; each hears of it by its own promise. */
  async function launch(line: Line, members: readonly Member[]): Promise<void> {
    line.sending++;
    try {
      const rows = members.flatMap((member) => member.rows);
      const transaction = await sendRecords(deps, line.account, rows, gasOf(members));
      if (members.length > 1) gathered += rows.length;
      const flight: Flight = { line, transaction, members, settled: undefined };
      line.last = flight;
      if (members[0]!.gathers) line.away.add(flight);
      count(line);
      let place = 0;
      for (const member of members) {
        member.stand(flight, place);
        place += member.rows.length;
      }
    } catch (error) {
      for (const member of members) member.refuse(error);
      line.most = 0;
      count(line);
    } finally {
      line.sending--;
      if (!isUnderWay(line)) depart(line);
    }
  }

  async function settleOnce(flight: Flight, receipt: Receipt): Promise<void> {
    land(flight);
    // Their values are held for the next transaction before those of the failed one are dropped.
    if (receipt.status === 'failed' && flight.members.length > 1) await sendAgain(flight, receipt);
    await flight.transaction.settle(receipt.status);
  }

  async function sendAgain({ line, members }: Flight, receipt: Receipt): Promise<void> {
    const named = recordNamedBy(receipt);
    const others = members.filter((member) => named === undefined || !member.holds(named));
    for (const member of others) member.failures++;
    const together = named !== undefined && others.every(({ failures }) => failures < SHARED_FAILURES_MAX);
    await Promise.all(together ? [launch(line, others)] : others.map((member) => launch(line, [member])));
  }

  /**
   * The transaction is over. It is let go, with the records it held: what waited for it goes, that of a crowd when its callers are back,
   * unless a newer one is under way.
   */
  function land(flight: Flight): void {
    const { line } = flight;
    line.away.delete(flight);
    if (line.last !== flight) return;
    line.last = undefined;
    line.away.clear();
    if (line.sending > 0) return;
    line.callers = line.most;
    line.most = line.open?.members.length ?? 0;
    if (line.callers < CROWD) {
      depart(line);
      return;
    }
    line.open ??= new Gathering();
    line.open.departs(deps.timers.after(CROWD_WAIT_MS_MAX, () => depart(line)));
    if (line.open.members.length > 0) awaitNext(line, line.open);
  }

  /** Of a crowd that is coming back. */
  function awaitNext(line: Line, open: Gathering): void {
    open.awaitsNext(deps.timers.after(RETURN_MS_MAX, () => depart(line)));
  }

  /** Whether the newest transaction still waits for a block; those before it left no later. Asked for what waits here already. */
  async function departIfIdle(last: Flight): Promise<void> {
    const { state } = await deps.node.transaction(last.transaction.id);
    if (state !== 'pending') land(last);
  }

  return {
    gathered: () => gathered,
    send(account, rows, alone) {
      const line = lineOf(account);
      const member = new Member(rows, !alone && rows.length === 1, (flight, receipt) => (flight.settled ??= settleOnce(flight, receipt)));
      if (!member.gathers || !(line.open !== undefined || isUnderWay(line))) {
        void launch(line, [member]);
        return member.sent;
      }
      if (line.open && !line.open.hasRoomFor(member)) depart(line);
      if (line.open === undefined) {
        line.open = new Gathering();
        const few = Math.max(line.callers, line.most) < CROWD;
        line.open.departs(deps.timers.after(few ? WAIT_MS_MAX : CROWD_WAIT_MS_MAX, () => depart(line)));
        // When a row of the store cannot be read, the timer sends what waits.
        if (line.sending === 0 && line.last !== undefined) void departIfIdle(line.last).catch(() => undefined);
      }
      line.open.add(member);
      count(line);
      if (isUnderWay(line)) return member.sent;
      if (line.open.members.length < line.callers) awaitNext(line, line.open);
      else depart(line);
      return member.sent;
    },
  };
}

/** What one account has under way, and what waits to go with its next transaction. */
interface Line {
  readonly account: string;
  /** Transactions being signed and admitted. */
  sending: number;
  /** The newest that is not known to be over. */
  last: Flight | undefined;
  open: Gathering | undefined;
  /** Those of single records that are not known to be over: a crowd whose callers stand in several is one all the same. */
  readonly away: Set<Flight>;
  /** Most callers of single records at a time, in transactions under way and waiting, since the newest transaction was over. */
  most: number;
  /** The same before that: so many may come back. */
  callers: number;
}

function newLine(account: string): Line {
  return { account, sending: 0, last: undefined, open: undefined, away: new Set(), most: 0, callers: 0 };
}

/** One transaction that was admitted, and who stands in it. */
interface Flight {
  readonly line: Line;
  readonly transaction: RecordTransaction;
  readonly members: readonly Member[];
  settled: Promise<void> | undefined;
}

/** Of all their records; undefined unless each has one alone. */
function gasOf(members: readonly Member[]): number | undefined {
  let gas = 0;
  for (const member of members) {
    if (member.rows.length > 1) return undefined;
    gas += member.gas;
  }
  return gas;
}

/** Counts who is there now. */
function count(line: Line): void {
  let callers = line.open?.members.length ?? 0;
  for (const { members } of line.away) callers += members.length;
  line.most = Math.max(line.most, callers);
}

function isUnderWay({ sending, last }: Line): boolean {
  return sending > 0 || last !== undefined;
}

class Member implements Sent {
  readonly rows: readonly SendableRow[];
  /** A single record that may go with others. */
  readonly gathers: boolean;
  /** Resolves with this member once it stands in a transaction. */
  readonly sent: Promise<Sent>;
  failures = 0;
  place = 0;
  readonly #settle: (flight: Flight, receipt: Receipt) => Promise<void>;
  #gas: number | undefined;
  #key: ByteText | undefined;
  #flight: Flight | undefined;
  #refusal: unknown;
  #resolve!: (sent: Sent) => void;
  #reject!: (error: unknown) => void;

  constructor(rows: readonly SendableRow[], gathers: boolean, settle: (flight: Flight, receipt: Receipt) => Promise<void>) {
    this.rows = rows;
    this.gathers = gathers;
    this.#settle = settle;
    this.sent = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
  }

  /** Of its first record. */
  get gas(): number {
    this.#gas ??= gasLimitOf(this.rows[0]!);
    return this.#gas;
  }

  /** Of its first record. */
  get key(): ByteText {
    this.#key ??= toByteText(this.rows[0]!.prepared.recordId);
    return this.#key;
  }

  get id(): Digest {
    return this.#flight!.transaction.id;
  }

  holds(record: number): boolean {
    return record >= this.place && record < this.place + this.rows.length;
  }

  stand(flight: Flight, place: number): void {
    this.#flight = flight;
    this.place = place;
    this.#resolve(this);
  }

  /** It was not sent, or not sent again. */
  refuse(error: unknown): void {
    this.#refusal = error;
    this.#reject(error);
  }

  async settle(id: Digest, receipt: Receipt): Promise<boolean> {
    const flight = this.#flight!;
    if (id !== flight.transaction.id) return true;
    await this.#settle(flight, receipt);
    if (this.#refusal !== undefined) throw this.#refusal;
    return this.#flight !== flight;
  }
}

/** Records that wait to go together. Two of one key never do: the chain would refuse both for the one. */
class Gathering {
  readonly members: Member[] = [];
  readonly #keys = new Set<ByteText>();
  #gas = 0;
  #cancel: (() => void) | undefined;
  #cancelNext: (() => void) | undefined;

  /** By another timer from now on. */
  departs(cancel: () => void): void {
    this.#cancel?.();
    this.#cancel = cancel;
  }

  /** By this one as well, unless another member comes before. */
  awaitsNext(cancel: () => void): void {
    this.#cancelNext?.();
    this.#cancelNext = cancel;
  }

  /** By no timer any more. */
  close(): void {
    this.#cancel?.();
    this.#cancelNext?.();
  }

  hasRoomFor({ key, gas }: Member): boolean {
    return !this.#keys.has(key) && this.#gas + gas <= GAS_MAX;
  }

  add(member: Member): void {
    this.members.push(member);
    this.#keys.add(member.key);
    this.#gas += member.gas;
  }
}

/** Place of the record that a transaction of one call failed over; undefined when the failure names none. */
function recordNamedBy({ detail, failedCall }: Receipt): number | undefined {
  if (detail.length === 0 || failedCall > 0) return undefined;
  const { record } = decodeJson(detail) as { readonly record?: Json };
  return typeof record === 'number' ? record : undefined;
}
