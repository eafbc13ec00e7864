/** A page file in memory whose reads and writes can fail. */
import { ChainError } from '../../../../node/errors/index.ts';
import { type PageFile, SEGMENT_BYTES } from '../../../../node/state/index.ts';

export class Pages implements PageFile {
  bytes = new Uint8Array(64 * SEGMENT_BYTES);
  reads = 0;
  /** Reads after so many give zeros. */
  readsSound = Number.POSITIVE_INFINITY;
  /** So many of the next reads give zeros. */
  readsLost = 0;
  lost: (write: number) => boolean = () => false;
  full = false;
  #writes = 0;
  write(at: number, bytes: Uint8Array): void {
    if (this.full) throw new ChainError('STORE_FULL', {});
    if (this.lost(this.#writes++)) return;
    while (at + bytes.length > this.bytes.length) {
      const more = new Uint8Array(2 * this.bytes.length);
      more.set(this.bytes);
      this.bytes = more;
    }
    this.bytes.set(bytes, at);
  }
  read(at: number, count: number): Uint8Array {
    this.reads++;
    return this.reads > this.readsSound || this.readsLost-- > 0 ? new Uint8Array(count) : this.bytes.slice(at, at + count);
  }
}
