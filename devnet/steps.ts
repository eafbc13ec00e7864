/**
 * A scenario as a list of named steps. Each is tried and its outcome printed; a step whose need failed is not tried and counts as failed.
 */

export interface Step {
  readonly name: string;
  /** Names of steps that must have held before. */
  readonly needs?: readonly string[];
  /** Resolves with what to say beside ok; throws what did not hold. */
  readonly run: () => Promise<string>;
}

export interface StepOutcome {
  readonly name: string;
  readonly held: boolean;
  readonly detail: string;
  readonly durationMs: number;
}

export async function runSteps(steps: readonly Step[], say: (line: string) => void): Promise<readonly StepOutcome[]> {
  const outcomes: StepOutcome[] = [];
  const held = new Set<string>();
  for (const step of steps) {
    const started = performance.now();
    const missing = (step.needs ?? []).filter((need) => !held.has(need));
    let outcome: Pick<StepOutcome, 'held' | 'detail'>;
    if (missing.length > 0) outcome = { held: false, detail: `not tried, because this did not hold: ${missing.join('; ')}` };
    else {
      try {
        outcome = { held: true, detail: await step.run() };
      } catch (error) {
        outcome = { held: false, detail: error instanceof Error ? error.message : String(error) };
      }
    }
    const durationMs = Math.round(performance.now() - started);
    outcomes.push({ name: step.name, ...outcome, durationMs });
    if (outcome.held) held.add(step.name);
    say(`${outcome.held ? 'ok    ' : 'FAILED'} ${step.name}${outcome.detail === '' ? '' : `: ${outcome.detail}`} (${durationMs} ms)`);
  }
  return outcomes;
}

/** @throws Error with `what` unless it holds */
export function expect(holds: boolean, what: string): void {
  if (!holds) throw new Error(what);
}

/** @throws Error naming both when they differ */
export function expectEqual(actual: unknown, expected: unknown, what: string): void {
  const [a, b] = [JSON.stringify(actual), JSON.stringify(expected)];
  if (a !== b) throw new Error(`${what}: ${a} instead of ${b}`);
}
