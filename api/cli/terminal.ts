/**
 * What a command may touch of the process it runs in. The entry point makes the real one and hands it inward; tests hand in their own.
 */
export interface Terminal {
  /** Answers: standard output. */
  out(text: string): void;
  /** Progress, notes and errors: standard error, so that answers can be piped. */
  err(text: string): void;
  /** A person is watching standard error. */
  readonly interactive: boolean;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly cwd: string;
  readonly nodePath: string;
  readonly nodeVersion: string;
  /** ms since 1970. */
  now(): number;
  /** Ends early, without an error, when `signal` aborts; a sleep holds the process. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
  stdin(): AsyncIterable<Uint8Array>;
  /** Asks without echo; undefined when there is nobody to ask. */
  askSecret(question: string): Promise<string | undefined>;
  /** Calls back at SIGINT or SIGTERM instead of ending the process; returns a function that ends this. */
  onStop(handler: (signal: string) => void): () => void;
}
