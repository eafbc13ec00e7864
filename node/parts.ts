/** A running node is a list of parts, made one on another: they are started in that order and stopped in reverse. */

export interface Part {
  /** For the log and for messages. */
  readonly name: string;
  start?(): void | Promise<void>;
  /** Called once, also when the part was never started or when another part failed to start. */
  stop?(): void | Promise<void>;
}

export class Parts {
  readonly #parts: Part[] = [];
  #stopping: Promise<void> | undefined;

  /** Adds a part that stands on those added before. */
  add(...parts: readonly Part[]): void {
    this.#parts.push(...parts);
  }

  /** @throws what the first part throws that cannot start; those added are stopped by `stop` all the same */
  async start(): Promise<void> {
    for (const part of this.#parts) await part.start?.();
  }

  /**
   * Stops every part, whatever another one does. A second call waits for the first.
   * @throws the first error of a part, after the last one was stopped
   */
  stop(): Promise<void> {
    this.#stopping ??= this.#stopAll();
    return this.#stopping;
  }

  async #stopAll(): Promise<void> {
    const errors: unknown[] = [];
    for (const part of [...this.#parts].reverse()) {
      try {
        await part.stop?.();
      } catch (error) {
        errors.push(error);
      }
    }
    if (errors.length > 0) throw errors[0];
  }
}
