/**
 * Who may use the reader next. One job runs at a time. Trials of calls to be signed go first; queries go round by caller, so that one with many waiting holds up no other.
 * Queries are paid in gas: each caller has a budget a second, and the node has one for all of them together, so that many callers leave the
 * processor to consensus as surely as one does. A budget is charged with what a query used, after it: a debt is at most one query. Queries also rest
 * after each piece of work as the headroom says, so that they take less where the processor is short.
 */
import { ChainError } from '../errors/index.ts';
import { ALL_HEADROOM, type Headroom, rateSaving, TokenBucket, TokenBuckets } from '../pace/index.ts';
import type { Clock, Timers } from '../world.ts';

/** Gas of one caller a second: a sixteenth of a core where a gas is 25 ps. */
export const QUERY_GAS_PER_SECOND = 2_500_000_000;
/** Gas of all callers together a second: a quarter of a core. */
export const QUERY_GAS_PER_SECOND_ALL = 10_000_000_000;
/** Budget that an idle caller, or an idle node, saves up, in ms of its rate. */
export const QUERY_GAS_SAVED_MS = 2_000;
/** Queries of one caller that wait or run. */
export const QUERIES_PER_CALLER_MAX = 32;
/** The longest a query waits for its turn, ms: then its caller is told to come back, and nothing is run for who has gone. */
export const QUERY_WAIT_MS_MAX = 5_000;
/** Queries of all callers that wait. */
export const QUERIES_WAITING_MAX = 256;
/** Trials that wait. */
export const TRIALS_WAITING_MAX = 256;
/** What is said to wait, ms, when places and not gas are used up. */
export const PLACE_WAIT_MS = 1_000;
/** Gas charged for a ms of a query that ended with its thread, so that nobody knows what it used. */
export const GAS_PER_MS = 40_000_000;

export interface QueryQueue {
  /** `run` resolves with the gas it used, whatever its end. @throws ChainError RATE_LIMITED with `retryAfterMs` */
  query<T extends { readonly gasUsed: number }>(caller: string, run: () => Promise<T>): Promise<T>;
  /** @throws ChainError SERVER_BUSY with `retryAfterMs` */
  trial<T>(run: () => Promise<T>): Promise<T>;
  /** Refuses whatever waits and comes. */
  stop(reason: ChainError): void;
}

interface Job {
  readonly caller: string;
  readonly sinceMs: number;
  /** Runs it, settles its promise, and resolves with the gas to charge. */
  run(): Promise<number>;
  refuse(error: ChainError): void;
}

export function createQueryQueue({
  clock,
  timers,
  headroom = ALL_HEADROOM,
}: {
  readonly clock: Pick<Clock, 'monotonic'>;
  readonly timers: Pick<Timers, 'after'>;
  readonly headroom?: Headroom | undefined;
}): QueryQueue {
  const trials: Job[] = [];
  const waiting = new Map<string, Job[]>(); // by caller, none empty, in the order of their turns
  const buckets = new TokenBuckets(clock);
  const rate = rateSaving(QUERY_GAS_PER_SECOND, QUERY_GAS_SAVED_MS);
  const bucketOfAll = new TokenBucket(rateSaving(QUERY_GAS_PER_SECOND_ALL, QUERY_GAS_SAVED_MS), clock);
  let count = 0; // of queries that wait
  let running: Job | undefined;
  let cancelWait: (() => void) | undefined;
  let restUntilMs = 0;
  let stopped: ChainError | undefined;

  function refuseForGas(caller: string): ChainError | undefined {
    const retryAfterMs = buckets.of(caller, rate).waitMs();
    return retryAfterMs === 0 ? undefined : new ChainError('RATE_LIMITED', { gasPerSecond: QUERY_GAS_PER_SECOND, retryAfterMs });
  }

  /** Makes room for a caller with fewer places than another has. */
  function giveRoom(caller: string): boolean {
    if (count < QUERIES_WAITING_MAX) return true;
    let most: Job[] = [];
    for (const jobs of waiting.values()) if (jobs.length > most.length) most = jobs;
    if (most.length <= (waiting.get(caller)?.length ?? 0) + 1) return false;
    count--;
    most.pop()!.refuse(new ChainError('RATE_LIMITED', { waitingMax: QUERIES_WAITING_MAX, retryAfterMs: PLACE_WAIT_MS }));
    return true;
  }

  /** The next query, of the caller whose turn it is; he goes to the end of the round. */
  function take(): Job | undefined {
    for (const [caller, jobs] of waiting) {
      const job = jobs.shift()!;
      count--;
      waiting.delete(caller);
      if (jobs.length > 0) waiting.set(caller, jobs);
      const refusal = refuseForGas(caller); // what ran since it came may have used his budget up
      if (!refusal) return job;
      job.refuse(refusal);
    }
    return undefined;
  }

  function refuseLate(): void {
    const sinceMs = clock.monotonic() - QUERY_WAIT_MS_MAX;
    for (const [caller, jobs] of waiting) {
      while (jobs.length > 0 && jobs[0]!.sinceMs < sinceMs) {
        count--;
        jobs.shift()!.refuse(new ChainError('RATE_LIMITED', { waitMsMax: QUERY_WAIT_MS_MAX, retryAfterMs: PLACE_WAIT_MS }));
      }
      if (jobs.length === 0) waiting.delete(caller);
    }
  }

  function next(): void {
    if (running || stopped) return;
    refuseLate();
    const trial = trials.shift();
    if (trial) {
      start(trial);
      return;
    }
    if (count === 0 || cancelWait) return;
    const waitMs = Math.max(bucketOfAll.waitMs(), restUntilMs - clock.monotonic());
    if (waitMs > 0) {
      cancelWait = timers.after(waitMs, () => {
        cancelWait = undefined;
        next();
      });
      return;
    }
    const query = take();
    if (query) start(query);
  }

  function start(job: Job): void {
    running = job;
    const startedMs = clock.monotonic();
    void job.run().then((gas) => {
      running = undefined;
      const nowMs = clock.monotonic();
      restUntilMs = Math.max(restUntilMs, nowMs + headroom.restMs(nowMs - startedMs)); // a short trial ends no long rest
      if (gas > 0) {
        buckets.of(job.caller, rate).charge(gas);
        bucketOfAll.charge(gas);
      }
      next();
    });
  }

  function jobOf<T>(caller: string, run: () => Promise<T>, gasOf: (answer: T) => number, gasPerMs: number) {
    let settle!: { resolve: (answer: T) => void; reject: (error: unknown) => void };
    const answer = new Promise<T>((resolve, reject) => {
      settle = { resolve, reject };
    });
    const job: Job = {
      caller,
      sinceMs: clock.monotonic(),
      async run() {
        const startedMs = clock.monotonic();
        try {
          const value = await run();
          settle.resolve(value);
          return gasOf(value);
        } catch (error) {
          settle.reject(error);
          return Math.ceil((clock.monotonic() - startedMs) * gasPerMs);
        }
      },
      refuse: (error) => settle.reject(error),
    };
    return { job, answer };
  }

  return {
    async query(caller, run) {
      if (stopped) throw stopped;
      const refusal = refuseForGas(caller);
      if (refusal) throw refusal;
      const own = (waiting.get(caller)?.length ?? 0) + (running?.caller === caller ? 1 : 0);
      if (own >= QUERIES_PER_CALLER_MAX || !giveRoom(caller))
        throw new ChainError('RATE_LIMITED', {
          waitingMax: own >= QUERIES_PER_CALLER_MAX ? QUERIES_PER_CALLER_MAX : QUERIES_WAITING_MAX,
          retryAfterMs: PLACE_WAIT_MS,
        });
      const { job, answer } = jobOf(caller, run, ({ gasUsed }) => gasUsed, GAS_PER_MS);
      const jobs = waiting.get(caller);
      if (jobs) jobs.push(job);
      else waiting.set(caller, [job]);
      count++;
      next();
      return answer;
    },
    async trial(run) {
      if (stopped) throw stopped;
      if (trials.length >= TRIALS_WAITING_MAX)
        throw new ChainError('SERVER_BUSY', { waitingMax: TRIALS_WAITING_MAX, retryAfterMs: PLACE_WAIT_MS });
      const { job, answer } = jobOf('', run, () => 0, 0);
      trials.push(job);
      next();
      return answer;
    },
    stop(reason) {
      stopped = reason;
      cancelWait?.();
      for (const job of [...trials.splice(0), ...[...waiting.values()].flat()]) job.refuse(reason);
      waiting.clear();
      count = 0;
    },
  };
}
