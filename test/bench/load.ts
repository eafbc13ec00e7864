/**
 * Load over HTTPS, open loop (every request has its moment, whether or not earlier ones were answered; latency counts from that moment) or closed (so many
 * requests under way, the next when one is answered). The generator's own CPU is counted apart from that of the nodes.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { type Answer, HttpsConnection } from './https-client.ts';
import { type Latency, latencyOf, ownCpuUs, processUse } from './statistics.ts';

export interface LoadResult {
  /** Requests a second that were meant; undefined when closed loop. */
  readonly offeredPerS: number | undefined;
  readonly committed: number;
  /** Until the last of them was answered. */
  readonly committedPerS: number;
  /** From the moment that a request was meant for. */
  readonly latency: Latency;
  /** From when it went out: less than that by its wait for a connection. */
  readonly sentLatency: Latency;
  /** Answered as pending: not committed within the time-out of the call. */
  readonly late: number;
  /** Refusals by code. */
  readonly refused: Readonly<Record<string, number>>;
  /** Connections that ended under a request; it is sent once more over another. */
  readonly resets: number;
  /** Requests that were not answered over two connections. */
  readonly lost: number;
  /** CPU us of each node and of this process. */
  readonly nodesCpuUs: readonly number[];
  readonly loadCpuUs: number;
}

/** One request: through which node, and its body. */
export interface Request {
  readonly node: number;
  readonly body: Uint8Array;
}

/** Of a devnet, what load needs. */
export interface LoadTarget {
  /** PEM. */
  readonly ca: string;
  readonly nodes: readonly { readonly url: string; readonly pid: number | undefined }[];
}

export type Route = 'transactions' | 'records';

const TIMEOUT_MS = 25_000; // the longest the routes wait
const CONTENT_TYPE = { transactions: 'application/octet-stream', records: 'application/json' } as const;
/** Of one node. */
export const CONNECTIONS_MAX = 512;
const REFUSED_WAIT_MS = 100; // closed loop: before a refused request is sent again
const ATTEMPTS_MAX = 300; // of one request in the closed loop
const CODE = /"code":"([A-Z0-9_]+)"/;

interface SentAnswer extends Answer {
  readonly sentMs: number;
}

/**
 * Connections to one node: as many are opened as answers are outstanding, up to the most that a client's agent keeps; past it a request waits for one that
 * is free, and its time with it. A handshake costs as much as several requests, and an open loop without an end would measure those.
 */
class Pool {
  #idle: HttpsConnection[] = [];
  #open = 0;
  readonly #waiting: (() => void)[] = [];
  readonly #host: string;
  readonly #port: number;
  readonly #ca: string;
  resets = 0;

  constructor(url: string, ca: string) {
    const { hostname, port } = new URL(url);
    this.#host = hostname;
    this.#port = Number(port);
    this.#ca = ca;
  }

  /** Connections nobody has used yet are cut off after a few seconds, so this comes right before the load. */
  async warm(count: number): Promise<void> {
    const usable = this.#idle.filter((connection) => connection.usable);
    this.#open -= this.#idle.length - usable.length;
    this.#idle = usable;
    while (this.#idle.length < Math.min(count, CONNECTIONS_MAX)) this.#idle.push(await this.#connect());
  }

  /** Undefined when two connections ended under it. */
  async request(head: string, body: Uint8Array): Promise<SentAnswer | undefined> {
    for (let attempt = 0; attempt < 2; attempt++) {
      try {
        const connection = await this.#free();
        try {
          const sentMs = performance.now();
          const { status, body: said } = await connection.request(head, body);
          this.#idle.push(connection);
          return { status, body: said, sentMs };
        } catch (error) {
          this.#open--;
          throw error;
        } finally {
          this.#wakeNext();
        }
      } catch {
        this.resets++;
      }
    }
    return undefined;
  }

  close(): void {
    for (const connection of this.#idle) connection.close();
    this.#open -= this.#idle.length;
    this.#idle = [];
  }

  async #free(): Promise<HttpsConnection> {
    for (;;) {
      const idle = this.#idle.pop();
      if (idle?.usable === true) return idle;
      if (idle !== undefined) this.#open--;
      else if (this.#open < CONNECTIONS_MAX) return await this.#connect();
      else await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
  }

  async #connect(): Promise<HttpsConnection> {
    this.#open++;
    try {
      return await HttpsConnection.open(this.#host, this.#port, this.#ca);
    } catch (error) {
      this.#open--;
      this.#wakeNext(); // or those who wait for a node that takes none would wait for ever
      throw error;
    }
  }

  #wakeNext(): void {
    this.#waiting.shift()?.();
  }
}

/** What one run came to, as its answers arrive. */
class Tally {
  readonly latencies: number[] = [];
  readonly sentLatencies: number[] = [];
  readonly refused: Record<string, number> = {};
  late = 0;
  lost = 0;
  committedMs = 0;

  /** True when it is committed. */
  note(answer: SentAnswer | undefined, dueMs: number): boolean {
    if (answer?.status === 200) {
      this.committedMs = performance.now();
      this.latencies.push(this.committedMs - dueMs);
      this.sentLatencies.push(this.committedMs - answer.sentMs);
      return true;
    }
    if (answer === undefined) this.lost++;
    else if (answer.status === 202) this.late++;
    else {
      const code = CODE.exec(answer.body.toString('latin1'))?.[1] ?? `HTTP ${answer.status}`;
      this.refused[code] = (this.refused[code] ?? 0) + 1;
    }
    return false;
  }
}

export class Load {
  readonly #net: LoadTarget;
  readonly #pools: readonly Pool[];
  readonly #heads: Readonly<Record<Route, readonly string[]>>;

  /** @param tokens of the account that sends through each node */
  constructor(net: LoadTarget, tokens: readonly string[]) {
    this.#net = net;
    this.#pools = net.nodes.map((node) => new Pool(node.url, net.ca));
    const headsOf = (route: Route): readonly string[] =>
      tokens.map(
        (token) =>
          `POST /api/v1/${route}?wait=sync&timeoutMs=${TIMEOUT_MS} HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer ${token}\r\naccept: application/json\r\ncontent-type: ${CONTENT_TYPE[route]}\r\n`,
      );
    this.#heads = { transactions: headsOf('transactions'), records: headsOf('records') };
  }

  /** Opens connections before the clock starts. */
  async warm(connectionsPerNode: number): Promise<void> {
    for (const pool of this.#pools) await pool.warm(connectionsPerNode);
  }

  /** Open loop: request i is sent at i / ratePerS; resolves when all are answered. */
  async offer(requests: readonly Request[], ratePerS: number, route: Route = 'transactions'): Promise<LoadResult> {
    return await this.#measured(ratePerS, async (tally, startMs) => {
      const answers: Promise<unknown>[] = [];
      for (const [i, request] of requests.entries()) {
        const dueMs = startMs + (i * 1000) / ratePerS;
        const aheadMs = dueMs - performance.now();
        if (aheadMs > 1) await sleep(aheadMs);
        answers.push(this.#send(request, route).then((answer) => tally.note(answer, dueMs)));
      }
      await Promise.all(answers);
    });
  }

  /** Closed loop of one request, `count` times: the next is sent whatever is answered. */
  async repeat(request: Request, count: number, underWay: number, route: Route = 'transactions'): Promise<LoadResult> {
    return await this.#measured(undefined, async (tally) => {
      let left = count;
      const caller = async (): Promise<void> => {
        for (let sentMs = performance.now(); left-- > 0; sentMs = performance.now()) tally.note(await this.#send(request, route), sentMs);
      };
      await Promise.all(Array.from({ length: underWay }, caller));
    });
  }

  /** Closed loop: `underWay` requests at a time until `next` has no more; one that is refused is sent again. */
  async keep(next: () => Request | undefined, underWay: number, route: Route = 'transactions'): Promise<LoadResult> {
    return await this.#measured(undefined, async (tally) => {
      const caller = async (): Promise<void> => {
        for (let request = next(); request !== undefined; request = next()) {
          const sentMs = performance.now();
          for (let attempt = 0; attempt < ATTEMPTS_MAX && !tally.note(await this.#send(request, route), sentMs); attempt++)
            await sleep(REFUSED_WAIT_MS);
        }
      };
      await Promise.all(Array.from({ length: underWay }, caller));
    });
  }

  close(): void {
    for (const pool of this.#pools) pool.close();
  }

  #send({ node, body }: Request, route: Route): Promise<SentAnswer | undefined> {
    return this.#pools[node]!.request(this.#heads[route][node]!, body);
  }

  async #measured(offeredPerS: number | undefined, work: (tally: Tally, startMs: number) => Promise<void>): Promise<LoadResult> {
    const tally = new Tally();
    for (const pool of this.#pools) pool.resets = 0;
    const nodesBefore = this.#nodesCpuUs();
    const ownBefore = ownCpuUs();
    const startMs = performance.now();
    await work(tally, startMs);
    const loadCpuUs = ownCpuUs() - ownBefore;
    const committed = tally.latencies.length;
    return {
      offeredPerS,
      committed,
      committedPerS: committed === 0 ? 0 : (committed * 1000) / (tally.committedMs - startMs),
      latency: latencyOf(tally.latencies),
      sentLatency: latencyOf(tally.sentLatencies),
      late: tally.late,
      refused: tally.refused,
      resets: this.#pools.reduce((sum, pool) => sum + pool.resets, 0),
      lost: tally.lost,
      nodesCpuUs: this.#nodesCpuUs().map((us, i) => us - nodesBefore[i]!),
      loadCpuUs,
    };
  }

  #nodesCpuUs(): number[] {
    return this.#net.nodes.map(({ pid }) => (pid === undefined ? 0 : processUse(pid).cpuSeconds * 1e6));
  }
}
