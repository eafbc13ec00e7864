/** Runs probes against a live devnet and says what is proved. A row counts only when its probe and its twin held in this run. */
import { readdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import type { Probe, Row } from './clause.ts';
import type { ProbeContext } from './context.ts';

/** Time for one half of a probe, in ms; the longest waits for a node that starts empty. */
const HALF_TIMEOUT_MS = 600_000;

export interface Verdict {
  readonly id: string;
  readonly proved: boolean;
  /** What did not hold, and in which half. */
  readonly reason: string | undefined;
  readonly durationMs: number;
}

/** Every file of probes/ exports one `probe`, named by its row with dashes (a name that ends in `.d.ts` would be a declaration). */
export async function loadProbes(): Promise<readonly Probe[]> {
  const folder = join(dirname(fileURLToPath(import.meta.url)), 'probes');
  const files = readdirSync(folder).filter((name) => name.endsWith('.js'));
  const modules = await Promise.all(
    files.sort().map((name) => import(pathToFileURL(join(folder, name)).href) as Promise<{ probe: Probe }>),
  );
  return modules.map((module) => module.probe);
}

/** One after the other: probes kill and restart nodes. */
export async function runProbes(
  probes: readonly Probe[],
  context: ProbeContext,
  say: (verdict: Verdict) => void,
): Promise<readonly Verdict[]> {
  const verdicts: Verdict[] = [];
  for (const probe of probes) {
    const startedMs = performance.now();
    const reason = (await held('prove', () => probe.prove(context))) ?? (await held('twin', () => probe.twin(context)));
    const verdict = { id: probe.id, proved: reason === undefined, reason, durationMs: Math.round(performance.now() - startedMs) };
    verdicts.push(verdict);
    say(verdict);
  }
  return verdicts;
}

async function held(half: string, run: () => Promise<void>): Promise<string | undefined> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`not done within ${HALF_TIMEOUT_MS} ms`)), HALF_TIMEOUT_MS);
  });
  try {
    await Promise.race([run(), late]);
    return undefined;
  } catch (error) {
    return `${half}: ${error instanceof Error ? error.message : String(error)}`;
  } finally {
    clearTimeout(timer);
  }
}

export interface Report {
  readonly rows: number;
  readonly proved: readonly string[];
  /** Rows of the floor that did not hold, or were left out of a full run. */
  readonly fallen: readonly string[];
  readonly text: string;
}

/**
 * @param asked rows that were to be run; the floor is held against these only, so that one row can be tried alone.
 * @param floor rows proved before.
 */
export function reportOf(
  all: readonly Row[],
  verdicts: readonly Verdict[],
  floor: readonly string[],
  asked: (id: string) => boolean,
): Report {
  const known = new Set(all.map((row) => row.id));
  const proved = verdicts.filter((verdict) => verdict.proved && known.has(verdict.id)).map((verdict) => verdict.id);
  const fallen = floor.filter((id) => asked(id) && !proved.includes(id));
  const lines = verdicts.filter((verdict) => !verdict.proved).map((verdict) => `✖ ${verdict.id} ${verdict.reason}`);
  const owners = new Map<string, string[]>();
  for (const row of all) {
    if (proved.includes(row.id)) continue;
    const name = `part ${row.owner.part} ${row.owner.name}`;
    owners.set(name, [...(owners.get(name) ?? []), row.id]);
  }
  for (const [name, ids] of [...owners].sort(([a], [b]) => (a < b ? -1 : 1))) lines.push(`${name} (${ids.length}): ${ids.join(' ')}`);
  if (fallen.length > 0) lines.push(`proved before and not now: ${fallen.join(' ')}`);
  lines.push(`${proved.length} of ${all.length} proved`);
  return { rows: all.length, proved, fallen, text: lines.join('\n') };
}
