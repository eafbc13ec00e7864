/** What a finished command tells the shell. Part of the interface: numbers are never reused (table in README.md). */
export const EXIT = {
  /** All was done as asked. */
  ok: 0,
  /** The node or the program refused; the error on standard error names code, text and remedy. */
  refused: 1,
  /** The command line was not understood. */
  usage: 2,
  /** The node cannot be reached, is stopping or is overloaded; the same command may work later. */
  unreachable: 3,
  /** Something was examined and does not hold: a proof, a block, a row of a file, a line of doctor. */
  notHeld: 4,
  /** A fault of the program itself. */
  fault: 70,
} as const;

export type ExitCode = (typeof EXIT)[keyof typeof EXIT];
