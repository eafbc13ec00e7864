/** What consensus cannot go on without is tried until it works. What stands in the way is said once, and once that it is over. */
import type { World } from '../world.ts';
import type { ChainPort } from './driver.ts';

/** Wait before a failed append or commit is tried again, ms. */
const RETRY_MS = 1_000;

/** Note that this node does not vote for now: `{fault, code}`. */
export const CONSENSUS_FAULT = 'consensus fault';
/** Note that it is over: `{fault}`. */
export const CONSENSUS_FAULT_OVER = 'consensus fault over';

export class Retries {
  readonly #world: Pick<World, 'timers' | 'log'>;
  readonly #note: ChainPort['note'];
  readonly #faults = new Set<string>();
  /** Said by the process before: over once what failed then has worked. */
  readonly #saidBefore: Set<string>;
  readonly #waits = new Set<() => void>();
  #ended = false;

  constructor(world: Pick<World, 'timers' | 'log'>, note: ChainPort['note'], saidBefore: readonly string[] = []) {
    this.#world = world;
    this.#note = note;
    this.#saidBefore = new Set(saidBefore);
  }

  /** One that stands at the moment. */
  fault(): string | undefined {
    return [...this.#faults][0];
  }

  /** @returns what the attempt that worked gave; undefined when `end` came first */
  async untilDone<T>(fault: string, attempt: () => Promise<T>): Promise<T | undefined> {
    for (;;) {
      try {
        const result = await attempt();
        const known = [this.#faults, this.#saidBefore].map((faults) => faults.delete(fault));
        if (known.includes(true)) this.#note(CONSENSUS_FAULT_OVER, { fault });
        return result;
      } catch (error) {
        const code = codeOf(error);
        this.#world.log.error({ fault, code }, 'consensus cannot go on, trying again');
        if (!this.#faults.has(fault)) this.#note(CONSENSUS_FAULT, { fault, code });
        this.#faults.add(fault);
      }
      if (!this.#ended) await this.#pause();
      if (this.#ended) return undefined;
    }
  }

  /** Nothing is tried again. */
  end(): void {
    this.#ended = true;
    for (const wake of this.#waits) wake();
  }

  #pause(): Promise<void> {
    return new Promise((resolve) => {
      const wake = () => {
        cancel();
        this.#waits.delete(wake);
        resolve();
      };
      const cancel = this.#world.timers.after(RETRY_MS, wake);
      this.#waits.add(wake);
    });
  }
}

export function codeOf(error: unknown): string {
  const code = (error as { code?: unknown } | undefined)?.code;
  return typeof code === 'string' ? code : 'INTERNAL';
}
