/**
 * This program did something wrong, and not the contract. No receipt may be written of it, since another replica could come to another
 * result: the shell halts on it.
 */
export class ExecutionFault extends Error {
  constructor(what: string, cause?: unknown) {
    super(what, cause === undefined ? undefined : { cause });
    this.name = 'ExecutionFault';
  }
}

/** True when the host's own stack or memory ran out: where that happens differs between machines. */
export function isHostFault(error: unknown): boolean {
  return error instanceof ExecutionFault || (error instanceof RangeError && !error.message.startsWith('Cannot '));
}
