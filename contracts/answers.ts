/**
 * Answers to what every transaction of a block asks of registry and access alike: whether a sender holds a right, whose a factory is. Found once while one
 * block is executed and nobody writes there, and paid for each time with what finding it took: neither result nor gas depends on what is remembered.
 */
import { CONTRACT } from './builtin/index.ts';
import type { Tank } from './gas.ts';

const ANSWERS_MAX = 10_000; // of one block; what is asked beyond them is found each time
const ASKED: ReadonlySet<string> = new Set([CONTRACT.registry, CONTRACT.access]);

export class Answers {
  readonly #held = new Map<string, { readonly answer: unknown; readonly gas: number }>();
  #changed = false;

  /** Before each transaction. */
  begin(): void {
    if (!this.#changed) return;
    this.#held.clear();
    this.#changed = false;
  }

  /** A contract writes: until this transaction has ended nothing is remembered, and nothing of before after it. */
  wrote(contract: string): void {
    if (ASKED.has(contract)) this.#changed = true;
  }

  /** @param question names all that the answer depends on beside registry, access and the block */
  ask<T>(question: string, tank: Tank, find: () => T): T {
    const held = this.#changed ? undefined : this.#held.get(question);
    if (held) {
      tank.use(held.gas);
      return held.answer as T;
    }
    const used = tank.used;
    const answer = find();
    if (!this.#changed && this.#held.size < ANSWERS_MAX) this.#held.set(question, { answer, gas: tank.used - used });
    return answer;
  }
}
