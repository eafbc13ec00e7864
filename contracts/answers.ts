/**
 * A cache of what every transaction of a block asks of the registry and of access: whether a sender holds a right, who owns a factory. An
 * answer is found once a block, as long as nobody writes there, and every use of it costs the gas that finding it took: neither result nor
 * gas depends on the cache.
 */
import { CONTRACT } from './builtin/index.ts';
import type { Tank } from './gas.ts';

const ANSWERS_MAX = 10_000; // of one block; past it answers are found each time
const CACHED_CONTRACTS: ReadonlySet<string> = new Set([CONTRACT.registry, CONTRACT.access]);

export class Answers {
  readonly #known = new Map<string, { readonly answer: unknown; readonly gas: number }>();
  #changed = false;

  /** Before each transaction. */
  begin(): void {
    if (!this.#changed) return;
    this.#known.clear();
    this.#changed = false;
  }

  /** A contract writes: the cache is not used for the rest of this transaction, and is empty after it. */
  wrote(contract: string): void {
    if (CACHED_CONTRACTS.has(contract)) this.#changed = true;
  }

  /** @param question names all that the answer depends on beside registry, access and the block */
  cached<T>(question: string, tank: Tank, find: () => T): T {
    const known = this.#changed ? undefined : this.#known.get(question);
    if (known) {
      tank.use(known.gas);
      return known.answer as T;
    }
    const used = tank.used;
    const answer = find();
    if (!this.#changed && this.#known.size < ANSWERS_MAX) this.#known.set(question, { answer, gas: tank.used - used });
    return answer;
  }
}
