/**
 * What honest replicas have said over all their lives: no place has two digests, whatever the engine. A crash between two words is where a memory shows
 * that is not kept: no adversary has to make use of it first. What one engine promises besides is in a file of that engine.
 */
import { inspect } from '../../consensus/index.ts';
import { toHex } from '../../node/format/index.ts';
import { PbftPromises } from './pbft-promises.ts';

/** What an engine's replicas promise beyond one digest at a place. */
export interface Promises {
  /** The vote log of `node` is gone. */
  logLost(node: string): void;
  /** A message as it leaves `from`, whose last final block is that of `height`. @returns the rule that it breaks */
  hear(from: string, honest: boolean, frame: Uint8Array, height: number): string | undefined;
  /** Highest height at which `node` has spoken for a block as final. */
  committedAt(node: string): number;
}

function promisesOf(engine: string): Promises {
  if (engine === 'pbft') return new PbftPromises();
  throw new RangeError(`Nothing is known of what ${engine} promises`);
}

export class Words {
  readonly #engine: string;
  readonly #promises: Promises;
  /** `node kind height round` -> digest of every word that binds. */
  readonly #digests = new Map<string, string>();

  constructor(engine: string) {
    this.#engine = engine;
    this.#promises = promisesOf(engine);
  }

  logLost(node: string): void {
    this.#promises.logLost(node);
  }

  /** A frame as it leaves `from`, whose last final block is that of `height`; `honest` says whether its sender is. @returns the rule that it breaks */
  hear(from: string, honest: boolean, frame: Uint8Array, height: number): string | undefined {
    const said = inspect(this.#engine, frame);
    if (!said) return honest ? `${from} sent bytes that are no message` : undefined;
    const { signer, place, digest } = said;
    if (honest && signer === from && digest) {
      const where = `${signer} ${place.kind} ${place.height} ${place.round}`;
      const earlier = this.#digests.get(where);
      if (earlier !== undefined && earlier !== toHex(digest)) return `${where}: two digests signed`;
      this.#digests.set(where, toHex(digest));
    }
    return this.#promises.hear(from, honest, frame, height);
  }

  committedAt(node: string): number {
    return this.#promises.committedAt(node);
  }
}
