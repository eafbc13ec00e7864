/** Open-loop load: every transaction has its moment, whether or not earlier ones were answered; latency counts from that moment. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Devnet } from '../../devnet/index.ts';
import { HttpsConnection } from './https-client.ts';
import { type Latency, latencyOf } from './statistics.ts';

export interface LoadResult {
  readonly offeredPerS: number;
  readonly committedPerS: number;
  readonly failed: number;
  /** Answered as pending: not committed within the time-out of the call. */
  readonly late: number;
  readonly firstFailure: string | undefined;
  readonly latency: Latency;
}

export interface LoadTarget {
  readonly net: Devnet;
  /** Token of the account that sends through each node. */
  readonly tokens: readonly string[];
}

const PATH = '/api/v1/transactions?wait=sync&timeoutMs=25000';

/** Idle connections to one node; as many are opened as answers are outstanding. */
class Pool {
  #idle: HttpsConnection[] = [];
  readonly #host: string;
  readonly #port: number;
  readonly #ca: string;

  constructor(url: string, ca: string) {
    const { hostname, port } = new URL(url);
    this.#host = hostname;
    this.#port = Number(port);
    this.#ca = ca;
  }

  /** Connections nobody has used yet are cut off after a few seconds, so this comes right before the load. */
  async warm(count: number): Promise<void> {
    this.#idle = this.#idle.filter((connection) => connection.usable);
    while (this.#idle.length < count) this.#idle.push(await HttpsConnection.open(this.#host, this.#port, this.#ca));
  }

  async request(head: string, body: Uint8Array): Promise<{ status: number; body: Buffer }> {
    let connection = this.#idle.pop();
    while (connection !== undefined && !connection.usable) connection = this.#idle.pop();
    // The server may close an idle connection just as it is used: that is no failure of the transaction.
    const kept = await connection?.request(head, body).catch(() => undefined);
    if (connection && kept) {
      this.#idle.push(connection);
      return kept;
    }
    const fresh = await HttpsConnection.open(this.#host, this.#port, this.#ca);
    const answer = await fresh.request(head, body);
    this.#idle.push(fresh);
    return answer;
  }

  close(): void {
    for (const connection of this.#idle) connection.close();
  }
}

export class Load {
  readonly #pools: Pool[];
  readonly #heads: string[];

  constructor(target: LoadTarget) {
    this.#pools = target.net.nodes.map((node) => new Pool(node.url, target.net.ca));
    this.#heads = target.tokens.map(
      (token) =>
        `POST ${PATH} HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer ${token}\r\naccept: application/json\r\ncontent-type: application/octet-stream\r\n`,
    );
  }

  async warm(connections: number): Promise<void> {
    for (const pool of this.#pools) await pool.warm(connections);
  }

  /** Sends `transactions[i]` through node i mod n at i / ratePerS; resolves when all are answered. */
  async run(transactions: readonly Uint8Array[], ratePerS: number): Promise<LoadResult> {
    const latencies: number[] = [];
    let failed = 0;
    let late = 0;
    let firstFailure: string | undefined;
    let lastAnswerMs = 0;
    const start = performance.now();
    const answers: Promise<void>[] = [];
    for (const [i, bytes] of transactions.entries()) {
      const due = start + (i * 1000) / ratePerS;
      const ahead = due - performance.now();
      if (ahead > 1) await sleep(ahead);
      const node = i % this.#pools.length;
      answers.push(
        this.#pools[node]!.request(this.#heads[node]!, bytes).then(
          (answer) => {
            lastAnswerMs = performance.now();
            if (answer.status === 200) latencies.push(lastAnswerMs - due);
            else if (answer.status === 202) late++;
            else {
              failed++;
              firstFailure ??= `${answer.status} ${answer.body.toString('utf8').slice(0, 300)}`;
            }
          },
          (error: Error) => {
            failed++;
            firstFailure ??= error.message;
          },
        ),
      );
    }
    await Promise.all(answers);
    const seconds = (lastAnswerMs - start) / 1000;
    return { offeredPerS: ratePerS, committedPerS: latencies.length / seconds, failed, late, firstFailure, latency: latencyOf(latencies) };
  }

  close(): void {
    for (const pool of this.#pools) pool.close();
  }
}
