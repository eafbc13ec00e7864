/** That nobody waits for an answer any more: the connection ended, or the time of the call is over. */

/** The signal is made when it is asked for: few calls do, and it costs as much as all else here. */
export class Gone {
  #controller: AbortController | undefined;
  #aborted = false;

  get signal(): AbortSignal {
    this.#controller ??= new AbortController();
    if (this.#aborted) this.#controller.abort();
    return this.#controller.signal;
  }

  get aborted(): boolean {
    return this.#aborted;
  }

  abort(): void {
    this.#aborted = true;
    this.#controller?.abort();
  }
}
