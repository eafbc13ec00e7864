/**
 * A lean HTTPS/1.1 client for load: keep-alive connections, one request at a time on each, no parsing beyond status and length. It stands on the same
 * cores as the nodes it loads, so what it does not do is part of the measurement.
 */
import { connect, type TLSSocket } from 'node:tls';

export interface Answer {
  readonly status: number;
  readonly body: Buffer;
}

/** Beyond the longest wait of a route: whoever does not answer by then is taken for gone. */
const SILENCE_MAX_MS = 40_000;
const END_OF_HEAD = Buffer.from('\r\n\r\n');

export class HttpsConnection {
  readonly #socket: TLSSocket;
  #chunks: Buffer[] = [];
  #waiting: { resolve: (answer: Answer) => void; reject: (error: Error) => void } | undefined;
  #over = false;

  private constructor(socket: TLSSocket) {
    this.#socket = socket;
    socket.setNoDelay(true);
    socket.setTimeout(SILENCE_MAX_MS, () => socket.destroy(new Error('no answer')));
    socket.on('data', (chunk: Buffer) => this.#onData(chunk));
    socket.on('error', (error) => this.#fail(error));
    socket.on('close', () => this.#fail(new Error('connection closed')));
  }

  static open(host: string, port: number, ca: string): Promise<HttpsConnection> {
    return new Promise((resolve, reject) => {
      const socket = connect({ host, port, ca, servername: 'localhost' }, () => resolve(new HttpsConnection(socket)));
      socket.once('error', reject);
    });
  }

  /** False once the server has ended it or said something nobody asked for: an idle connection is closed after a while. */
  get usable(): boolean {
    return !this.#over;
  }

  request(head: string, body: Uint8Array): Promise<Answer> {
    return new Promise((resolve, reject) => {
      this.#waiting = { resolve, reject };
      this.#socket.cork();
      this.#socket.write(`${head}content-length: ${body.length}\r\n\r\n`, 'latin1');
      this.#socket.write(body);
      this.#socket.uncork();
    });
  }

  close(): void {
    this.#socket.destroy();
  }

  #onData(chunk: Buffer): void {
    if (this.#waiting === undefined) {
      this.#over = true;
      this.#socket.destroy();
      return;
    }
    this.#chunks.push(chunk);
    const all = this.#chunks.length === 1 ? chunk : Buffer.concat(this.#chunks);
    this.#chunks = [all];
    const headEnd = all.indexOf(END_OF_HEAD);
    if (headEnd < 0) return;
    const head = all.toString('latin1', 0, headEnd);
    const length = Number(/content-length: (\d+)/i.exec(head)?.[1] ?? Number.NaN);
    if (Number.isNaN(length)) {
      this.#fail(new Error(`answer without a length: ${head.slice(0, 200)}`));
      return;
    }
    const end = headEnd + END_OF_HEAD.length + length;
    if (all.length < end) return;
    this.#chunks = all.length > end ? [all.subarray(end)] : [];
    const waiting = this.#waiting;
    this.#waiting = undefined;
    waiting?.resolve({ status: Number(head.slice(9, 12)), body: all.subarray(headEnd + END_OF_HEAD.length, end) });
  }

  #fail(error: Error): void {
    this.#over = true;
    const waiting = this.#waiting;
    this.#waiting = undefined;
    waiting?.reject(error);
  }
}
