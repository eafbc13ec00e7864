/**
 * One long-lived stream to one peer on one channel: greets, then carries frames. Frames of one turn of the event loop leave together
 * (libp2p over Noise costs 26 us a send), votes as soon as what sends them has returned: they come out of one loop. A large frame leaves in
 * chunks, a few each turn, so that encrypting it never holds up a vote (adapter: streams of libp2p and turns of the event loop).
 */
import type { Connection, Stream } from '@libp2p/interface';
import type { ErrorCode } from '../errors/index.ts';
import { type Channel, FRAME_BYTES_MAX, SEND_QUEUE_BYTES_MAX } from '../world.ts';
import { FrameQueue, FrameReader } from './frames.ts';
import { encodeHello, type Hello, HELLO_BYTES_MAX, judgeHello } from './hello.ts';
import { delayWindowUpdates } from './window.ts';

/**
 * Bytes of one send: with the header of yamux, 12 bytes, what one message of Noise carries. A longer one would be encrypted and read as
 * two.
 */
export const CHUNK_BYTES = 65_507;
/** Chunks of one turn: about half a millisecond of encryption. */
const CHUNKS_PER_TURN = 8;
const NOW = Promise.resolve();
/** A peer that takes no byte of what waits for it for this long has its link cut, ms. */
export const LINK_STALL_MS = 30_000;

export interface LinkEvents {
  onOpen(link: Link, peer: Hello): void;
  onFrame(link: Link, frame: Uint8Array): void;
  /** `code` is OK when the other side or the network ended it. */
  onClose(link: Link, code: ErrorCode): void;
}

export class Link {
  readonly node: string;
  readonly channel: Channel;
  /** Whether this side dialled. */
  readonly dialled: boolean;
  readonly connection: Connection;
  readonly #stream: Stream;
  readonly #own: Hello;
  readonly #events: LinkEvents;
  readonly #reader: FrameReader;
  readonly #queue = new FrameQueue();
  #state: 'greeting' | 'open' | 'closed' = 'greeting';
  #flushing = false;
  #taken = 0;
  /** What had been taken when somebody last looked and it had changed, monotonic ms. */
  #moved = { taken: 0, atMs: 0 };

  constructor(
    peer: { readonly node: string; readonly dialled: boolean; readonly connection: Connection; readonly stream: Stream },
    own: Hello,
    events: LinkEvents,
  ) {
    this.node = peer.node;
    this.channel = own.channel;
    this.dialled = peer.dialled;
    this.connection = peer.connection;
    this.#stream = peer.stream;
    this.#own = own;
    this.#events = events;
    this.#reader = new FrameReader(FRAME_BYTES_MAX[own.channel], HELLO_BYTES_MAX);
  }

  get isOpen(): boolean {
    return this.#state === 'open';
  }

  /** Listens and sends the hello. Apart from the constructor, so that the owner knows the link before its first event. */
  start(): void {
    delayWindowUpdates(this.#stream);
    this.#stream.addEventListener('message', (event) => {
      if (event.data instanceof Uint8Array) this.#onBytes(event.data);
      else for (const part of event.data) this.#onBytes(part);
    });
    this.#stream.addEventListener('drain', () => this.#schedule());
    this.#stream.addEventListener('close', () => this.close('OK'));
    this.#stream.addEventListener('remoteCloseWrite', () => this.close('OK'));
    this.#queue.push(encodeHello(this.#own));
    this.#schedule();
  }

  /** False when the link is not open or its queue is full; the frame is then dropped. */
  send(frame: Uint8Array): boolean {
    if (this.#state !== 'open' || frame.length === 0 || frame.length > FRAME_BYTES_MAX[this.channel]) return false;
    if (this.#queue.bytes + frame.length > SEND_QUEUE_BYTES_MAX[this.channel]) return false;
    this.#queue.push(frame);
    if (this.channel === 'votes') this.#flushSoon();
    else this.#schedule();
    return true;
  }

  /** Bytes waiting in this process. */
  get queuedBytes(): number {
    return this.#queue.bytes;
  }

  /** Sends again if the stream has room: a missed `drain` must not end a link. One whose other side takes nothing ends. */
  nudge(nowMs: number): void {
    if (this.#queue.bytes === 0 || this.#taken !== this.#moved.taken) this.#moved = { taken: this.#taken, atMs: nowMs };
    else if (nowMs - this.#moved.atMs > LINK_STALL_MS) this.abort('PEER_TIMEOUT');
    if (this.#queue.bytes > 0 && !this.#stream.writableNeedsDrain) this.#schedule();
  }

  close(code: ErrorCode): void {
    if (this.#state === 'closed') return;
    this.#state = 'closed';
    this.#events.onClose(this, code);
    if (code === 'OK') this.connection.close().catch(() => this.connection.abort(new Error('closed')));
    // A refused peer gets our hello first: it is how the other side learns the reason.
    else
      this.#stream
        .close({ signal: AbortSignal.timeout(500) })
        .then(noop, noop)
        .finally(() => this.connection.abort(new Error(code)));
  }

  /** Ends the connection at once. */
  abort(code: ErrorCode): void {
    if (this.#state === 'closed') return;
    this.#state = 'closed';
    this.#events.onClose(this, code);
    this.connection.abort(new Error(code));
  }

  #onBytes(chunk: Uint8Array): void {
    if (this.#state === 'closed') return;
    const frames = this.#reader.push(chunk);
    if (frames === undefined) {
      this.close('PEER_FRAME_TOO_LARGE');
      return;
    }
    for (const frame of frames) {
      if (this.#state === 'open') this.#events.onFrame(this, frame);
      else if (this.#state === 'greeting') this.#onHello(frame);
    }
  }

  #onHello(frame: Uint8Array): void {
    const { code, hello } = judgeHello(frame, this.#own, this.node);
    if (code !== 'OK') {
      this.#flush();
      this.close(code);
      return;
    }
    this.#state = 'open';
    this.#events.onOpen(this, hello!);
  }

  #schedule(): void {
    if (this.#flushing || this.#state === 'closed') return;
    this.#flushing = true;
    setImmediate(this.#flushDue);
  }

  /** In the same turn. */
  #flushSoon(): void {
    if (this.#flushing || this.#state === 'closed') return;
    this.#flushing = true;
    void NOW.then(this.#flushDue);
  }

  readonly #flushDue = (): void => {
    this.#flushing = false;
    this.#flush();
  };

  #flush(): void {
    if (this.#state === 'closed') return;
    try {
      for (let sent = 0; sent < CHUNKS_PER_TURN; sent++) {
        if (this.#stream.writableNeedsDrain) return; // `drain` schedules the next turn
        const chunk = this.#queue.take(CHUNK_BYTES);
        if (chunk === undefined) return;
        this.#taken += chunk.length;
        this.#stream.send(chunk);
      }
    } catch {
      this.abort('OK'); // the stream has closed under us
      return;
    }
    if (this.#queue.bytes > 0) this.#schedule();
  }
}

function noop(): void {}
