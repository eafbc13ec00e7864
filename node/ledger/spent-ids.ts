/**
 * Whether a final block holds a transaction already, for who asks it of each new one: the store looks through its tables for what is hardly ever there.
 * The ids of the latest blocks stand in memory, in Bloom filters (Bloom 1970): what is in none of them is in none of those blocks, and what expires too late
 * for any block before them is in none at all. All else is asked of the store, also what a filter only seems to hold.
 */
import type { Digest } from '../format/index.ts';
import { damagedKey } from '../store/index.ts';
import type { BlockStore } from './block-store.ts';

/** Ids of one filter. */
export const SPENT_IDS_PER_FILTER = 262_144;
/** The oldest goes for a new one: with two million ids 4 MiB. */
export const SPENT_FILTERS_MAX = 8;
/** For each id of a full filter: one in a thousand others then seems to be held. */
const BITS_PER_ID = 16;
const BITS_SET_PER_ID = 6;

export class SpentIds {
  readonly #isStored: (id: Digest) => boolean;
  /** The oldest first. */
  readonly #filters: Filter[] = [];
  /** Nothing that is in no filter and in a final block expires above this height. */
  #expiryMax: number;

  /** @param expiryMax no transaction of a block that is final already expires above this height */
  constructor(expiryMax: number, isStored: (id: Digest) => boolean) {
    this.#expiryMax = expiryMax;
    this.#isStored = isStored;
  }

  has(id: Digest, expiryHeight: number): boolean {
    return (expiryHeight <= this.#expiryMax || this.#filters.some((filter) => filter.mayHold(id))) && this.#isStored(id);
  }

  /** Of the next final block. @param expiryMax none of them expires above this height */
  add(ids: readonly Digest[], expiryMax: number): void {
    if (ids.length === 0) return;
    let filter = this.#filters.at(-1);
    if (!filter || filter.count + ids.length > SPENT_IDS_PER_FILTER) {
      filter = new Filter();
      this.#filters.push(filter);
      if (this.#filters.length > SPENT_FILTERS_MAX) this.#expiryMax = Math.max(this.#expiryMax, this.#filters.shift()!.expiryMax);
    }
    filter.add(ids, expiryMax);
  }
}

class Filter {
  readonly #bits = new Uint8Array((SPENT_IDS_PER_FILTER * BITS_PER_ID) / 8);
  count = 0;
  expiryMax = 0;

  add(ids: readonly Digest[], expiryMax: number): void {
    for (const id of ids) for (let i = 0; i < BITS_SET_PER_ID; i++) this.#bits[byteOf(id, i)]! |= bitOf(id, i);
    this.count += ids.length;
    this.expiryMax = Math.max(this.expiryMax, expiryMax);
  }

  mayHold(id: Digest): boolean {
    for (let i = 0; i < BITS_SET_PER_ID; i++) if ((this.#bits[byteOf(id, i)]! & bitOf(id, i)) === 0) return false;
    return true;
  }
}

/** Which bit of a filter: an id is a hash, so four bytes of it at a time are as good as another one. */
function byteOf(id: Digest, i: number): number {
  return ((id[4 * i]! << 16) | (id[4 * i + 1]! << 8) | id[4 * i + 2]!) & (SPENT_IDS_PER_FILTER * (BITS_PER_ID / 8) - 1);
}

function bitOf(id: Digest, i: number): number {
  return 1 << (id[4 * i + 3]! & 7);
}

/** Of a chain that has come to `height`. What the store cannot tell of the blocks up to there, it is asked for each id. */
export async function openSpentIds(blocks: Pick<BlockStore, 'expiryMax' | 'position'>, height: number): Promise<SpentIds> {
  const isStored = (id: Digest): boolean => blocks.position(id) !== undefined;
  try {
    return new SpentIds(await blocks.expiryMax(height), isStored);
  } catch (error) {
    if (damagedKey(error) === undefined) throw error;
    return new SpentIds(Number.POSITIVE_INFINITY, isStored);
  }
}
