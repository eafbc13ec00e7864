/** A stream that a test holds in its hand: it gives what the other side sends, and sees what is sent to it. Not a test itself. */
import { concat } from '../../../../node/format/index.ts';
import { frameHeader } from '../../../../node/network/frames.ts';

export class TestStream extends EventTarget {
  readonly sent: Uint8Array[] = [];
  writableNeedsDrain = false;
  isClosed = false;

  send(bytes: Uint8Array): void {
    if (this.isClosed) throw new Error('closed');
    this.sent.push(bytes);
  }

  async close(): Promise<void> {
    this.isClosed = true;
  }

  /** The other side sends; several parts come as one list of them, as libp2p may hand them over. */
  hear(...parts: Uint8Array[]): void {
    this.dispatchEvent(Object.assign(new Event('message'), { data: parts.length === 1 ? parts[0] : parts }));
  }

  tell(type: 'drain' | 'close' | 'remoteCloseWrite'): void {
    this.dispatchEvent(new Event(type));
  }
}

export const framed = (frame: Uint8Array): Uint8Array => concat(frameHeader(frame.length), frame);
