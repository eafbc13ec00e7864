/**
 * Whether this node does its part, and whether the chain moves: looked at once a second, said by alarms, by `checks` (for `/readyz`) and by
 * metrics. A chain that moves again, a view that has begun, a validator that votes again: each takes back the alarm about it by itself.
 */
import type { EngineStatus } from '../../consensus/index.ts';
import type { ChainParameters, Json } from '../format/index.ts';
import type { Alarm, HealthCheck, Stall } from '../service.ts';
import type { World } from '../world.ts';

/** How often it is looked, ms. */
export const HEALTH_CHECK_MS = 1_000;
/**
 * No final block for this many of the longest view time-outs, although one was due, and the chain stands still. In two of them at least one
 * whole view of the longest kind has failed; shorter trouble is what views are changed for.
 */
export const STALL_VIEWS = 2;

export interface HealthOptions {
  readonly world: Pick<World, 'clock' | 'timers'>;
  readonly node: string;
  readonly alarms: () => readonly Alarm[];
  readonly raise: (kind: string, severity: Alarm['severity'], detail: Json) => void;
  readonly resolve: (kind: string, about: (detail: Json) => boolean, resolution: Json) => void;
  readonly height: () => number;
  readonly parameters: () => Pick<ChainParameters, 'viewTimeoutMaxMs' | 'idleBlockIntervalMs' | 'clockDriftMaxMs'>;
  readonly status: () => EngineStatus;
  /** Why the driver cannot go on, see ConsensusDriver.fault. */
  readonly fault: () => string | undefined;
  /** Blocks that honest validators have and this node lacks. */
  readonly behind: () => number;
  /** Transactions wait for a block. */
  readonly working: () => boolean;
  /** An expelled node awaits no block. */
  readonly expelled: () => boolean;
}

export interface FinalBlock {
  readonly height: number;
  readonly proposer: string;
  readonly timestampMs: number;
}

export interface Health {
  start(): void;
  stop(): void;
  /** A block is final and stored. */
  onBlock(block: FinalBlock): void;
  checks(): readonly HealthCheck[];
  /** Undefined while the chain moves, or owes no block. */
  stalled(): Stall | undefined;
  /** ms since a block was due; 0 when none is. */
  dueForMs(): number;
}

/** A condition that calls for an alarm once it has lasted. */
interface Condition {
  readonly kind: string;
  readonly severity: Alarm['severity'];
  readonly detail: Json;
  readonly afterMs: number;
  readonly holds: boolean;
}

const VIEW_CHANGE = 'VIEW_CHANGE_LASTS';
const always = (): boolean => true;

export function createHealth(options: HealthOptions): Health {
  const { world, node, resolve } = options;
  const nowMs = (): number => world.clock.monotonic();
  /** monotonic ms of the last final block, or of the start. */
  let movedMs = nowMs();
  let workSinceMs: number | undefined;
  /** monotonic ms since which a condition holds. */
  const since = new Map<string, number>();
  let cancel: (() => void) | undefined;

  /** A block is due when work waits, or when the chain has been idle for its interval. */
  function dueForMs(): number {
    if (options.expelled()) return 0;
    const idleDueMs = movedMs + options.parameters().idleBlockIntervalMs;
    return Math.max(0, Math.floor(nowMs() - Math.min(workSinceMs ?? idleDueMs, idleDueMs)));
  }

  const stallMs = (): number => STALL_VIEWS * options.parameters().viewTimeoutMaxMs;

  function stalled(): Stall | undefined {
    const dueMs = dueForMs();
    if (dueMs < stallMs()) return undefined;
    const status = options.status();
    return { height: options.height(), dueForMs: dueMs, phase: status.phase, view: viewOf(status) };
  }

  function conditions(): readonly Condition[] {
    const status = options.status();
    const { phase } = status;
    const unanswered = unansweredOf(status);
    const { viewTimeoutMaxMs } = options.parameters();
    const detail = { node };
    const unheard = phase === 'mute' && unanswered.length > 0;
    return [
      { kind: 'VOTE_LOG_LOST', severity: 'critical', detail: { cause: 'older than the chain' }, afterMs: 0, holds: phase === 'mute' },
      { kind: 'VOTE_LOG_UNANSWERED', severity: 'critical', detail: { unanswered }, afterMs: stallMs(), holds: unheard },
      { kind: 'VALIDATOR_EXCLUDED', severity: 'critical', detail, afterMs: 0, holds: phase === 'excluded' },
      { kind: VIEW_CHANGE, severity: 'warning', detail, afterMs: viewTimeoutMaxMs, holds: phase === 'viewChange' },
      { kind: 'NODE_BEHIND', severity: 'warning', detail, afterMs: stallMs(), holds: options.behind() > 0 },
    ];
  }

  /** Once: an alarm that was acknowledged while its cause lasts does not come back. */
  function raiseOnce(kind: string, severity: Alarm['severity'], detail: Json): void {
    if (!options.alarms().some((alarm) => alarm.kind === kind && alarm.resolvedAtMs === undefined)) options.raise(kind, severity, detail);
  }

  function look(): void {
    const now = nowMs();
    workSinceMs = options.working() ? (workSinceMs ?? now) : undefined;
    const { phase } = options.status();
    for (const { kind, severity, detail, afterMs, holds } of conditions()) {
      if (holds) {
        const from = since.get(kind) ?? now;
        since.set(kind, from);
        if (now - from >= afterMs) raiseOnce(kind, severity, detail);
        continue;
      }
      since.delete(kind);
      const unknown = kind === 'VOTE_LOG_LOST' && phase === 'observing'; // nothing is known of its votes until it is a validator again
      if (!unknown) resolve(kind, always, { phase });
    }
    const stall = stalled();
    if (stall) raiseOnce('NO_FINAL_BLOCK', 'critical', { height: stall.height });
  }

  function onBlock({ height, proposer, timestampMs }: FinalBlock): void {
    movedMs = nowMs();
    workSinceMs = options.working() ? movedMs : undefined;
    resolve('NO_FINAL_BLOCK', always, { height });
    resolve('BLOCK_CHECK_FAILED', (detail) => Number((detail as { height?: unknown }).height) <= height, { height });
    const apartMs = Math.abs(world.clock.now() - timestampMs);
    if (apartMs > options.parameters().clockDriftMaxMs) return; // an old block, fetched late, says nothing of today's clocks
    resolve('CLOCK_DRIFT', (detail) => (detail as { proposer?: unknown }).proposer === proposer, { height, apartMs });
  }

  function checks(): readonly HealthCheck[] {
    const status = options.status();
    const { phase, producer } = status;
    const behind = options.behind();
    const fault = options.fault();
    const stall = stalled();
    const changingMs = nowMs() - (since.get(VIEW_CHANGE) ?? nowMs());
    const unread = options.alarms().find(({ kind, resolvedAtMs }) => kind === 'STORE_IO' && resolvedAtMs === undefined);
    const viewText = `view ${viewOf(status)}, primary ${producer}`;
    return [
      { check: 'votes', passed: phase !== 'mute' && phase !== 'excluded', detail: phaseText(phase, unansweredOf(status)) },
      {
        check: 'view',
        passed: changingMs < options.parameters().viewTimeoutMaxMs,
        detail: phase === 'viewChange' ? `in a view change to ${viewText}` : viewText,
      },
      { check: 'storing', passed: fault === undefined, detail: fault ?? 'votes and blocks are stored' },
      {
        check: 'disk',
        passed: unread === undefined,
        detail: unread ? `STORE_IO: the disk failed, says the store ${storeOf(unread)}` : 'answers',
      },
      { check: 'synced', passed: behind === 0, detail: behind === 0 ? 'level with the others' : `syncing, ${behind} blocks behind` },
      {
        check: 'finality',
        passed: stall === undefined,
        detail: stall ? `NO_FINAL_BLOCK: a block has been due for ${stall.dueForMs} ms` : `height ${options.height()}`,
      },
    ];
  }

  return {
    start() {
      movedMs = nowMs();
      look();
      cancel = world.timers.every(HEALTH_CHECK_MS, look);
    },
    stop: () => cancel?.(),
    onBlock,
    checks,
    stalled,
    dueForMs,
  };
}

function storeOf({ detail }: Alarm): string {
  return String((detail as { readonly store?: unknown }).store);
}

/** 0 under an engine without views. */
function viewOf({ details }: EngineStatus): number {
  return Number(details.view ?? 0);
}

function unansweredOf({ details }: EngineStatus): readonly string[] {
  return Array.isArray(details.unanswered) ? details.unanswered.map(String) : [];
}

function phaseText(phase: string, unanswered: readonly string[]): string {
  if (phase !== 'mute' || unanswered.length === 0) return PHASES[phase] ?? phase;
  return `VOTE_LOG_UNANSWERED: mute, and has yet to hear from ${unanswered.join(', ')}`;
}

/** What a phase means for who watches; the others speak for themselves. */
const PHASES: Readonly<Record<string, string>> = {
  mute: 'VOTE_LOG_LOST: mute until a height above all that it may have signed is final',
  excluded: 'VALIDATOR_EXCLUDED: its key was voted with elsewhere; a new key comes by governance',
  observing: 'no validator, votes on nothing',
};
