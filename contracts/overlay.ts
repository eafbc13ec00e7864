/**
 * Writes of one transaction on top of a state view. They wait here until the block commits; a failed transaction drops them all. While a
 * nested call is open, what it overwrites is kept, so that its failure can be undone alone.
 */
import type { ByteText } from '../node/format/index.ts';
import type { StateView, StateWrites } from './types.ts';

/** Where to go back to; see Overlay.begin. */
export type Checkpoint = number;

export class Overlay implements StateView {
  readonly #state: StateView;
  readonly #writes = new Map<ByteText, Uint8Array | undefined>();
  /** Key, whether it was written before, and with what; three entries a write. Filled only while a checkpoint is open. */
  readonly #journal: (ByteText | boolean | Uint8Array | undefined)[] = [];
  #open = 0;
  /** Of what was never deleted, a value that is absent says that nothing was written. */
  #deleted = false;

  constructor(state: StateView) {
    this.#state = state;
  }

  get(key: ByteText): Uint8Array | undefined {
    const written = this.#writes.get(key);
    if (written !== undefined || (this.#deleted && this.#writes.has(key))) return written;
    return this.#state.get(key);
  }

  /** undefined deletes. */
  set(key: ByteText, value: Uint8Array | undefined): void {
    if (this.#open > 0) this.#journal.push(key, this.#writes.has(key), this.#writes.get(key));
    if (value === undefined) this.#deleted = true;
    this.#writes.set(key, value);
  }

  /** Opens a checkpoint; close it with keep or revert, the last one opened first. */
  begin(): Checkpoint {
    this.#open++;
    return this.#journal.length;
  }

  keep(): void {
    this.#close();
  }

  revert(to: Checkpoint): void {
    const journal = this.#journal;
    for (let at = journal.length - 3; at >= to; at -= 3) {
      const key = journal[at] as ByteText;
      if (journal[at + 1]) this.#writes.set(key, journal[at + 2] as Uint8Array | undefined);
      else this.#writes.delete(key);
    }
    journal.length = to;
    this.#close();
  }

  #close(): void {
    if (this.#open === 0) throw new Error('No checkpoint is open');
    this.#open--;
    if (this.#open === 0) this.#journal.length = 0;
  }

  /** The writes so far; undefined as value deletes. */
  writes(): StateWrites {
    return this.#writes;
  }
}
