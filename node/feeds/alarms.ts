/**
 * Alarms: what an operator must know, kept until he says that he does (DB53/T 1407-2025 6.2.4.d). Raised by a failed block check, a damaged
 * store entry, an equivocation and the like. The same alarm raised again while unacknowledged is the same alarm: a fault that repeats does
 * not bury others.
 */
import { ChainError } from '../errors/index.ts';
import { type ByteText, canonicalJson, decodeJson, encodeJson, type Json, prefixEnd, u32Text } from '../format/index.ts';
import type { Alarm } from '../service.ts';
import type { Clock, Log, Store } from '../world.ts';

/** Alarms kept; past it the oldest acknowledged one goes, else the oldest of the lowest severity. */
export const ALARMS_MAX = 1_000;
const SEVERITIES = ['info', 'warning', 'critical'] as const;

export interface Alarms {
  /** Oldest first. */
  list(): readonly Alarm[];
  /** Resolves with the alarm once it is on disk: a new one, or the unacknowledged one of the same kind and detail. */
  raise(kind: string, severity: Alarm['severity'], detail: Json): Promise<Alarm>;
  /** Says on the alarm of this kind and detail that the node has put right what it was about; it stays until it is acknowledged. */
  resolve(kind: string, detail: Json, resolution: Json): Promise<void>;
  /** The same for every alarm of this kind that stands and whose detail `about` accepts. */
  resolveAll(kind: string, about: (detail: Json) => boolean, resolution: Json): Promise<void>;
  /** Writes what a full disk kept off it; resolves with false when some is still only in memory. */
  saveMissing(): Promise<boolean>;
  /** @throws ChainError ALARM_UNKNOWN, ALARM_ACKNOWLEDGED, or what the store threw: then it is not acknowledged. */
  acknowledge(id: number, account: string): Promise<Alarm>;
  /** Called for each new alarm, each that is resolved and each acknowledgement. Returns a function that ends it. */
  onChange(listener: (alarm: Alarm) => void): () => void;
}

/** Loads what is stored under `prefix`, which is the alarms' alone. */
export async function openAlarms(options: {
  readonly store: Store;
  readonly prefix: ByteText;
  readonly clock: Clock;
  readonly log: Log;
}): Promise<Alarms> {
  const { store, prefix, clock, log } = options;
  const rows = await store.range({ from: prefix, to: prefixEnd(prefix), limit: 2 * ALARMS_MAX });
  const alarms = new Map<number, Alarm>();
  for (const row of rows) {
    const alarm = decodeAlarm(row.value);
    alarms.set(alarm.id, alarm);
  }
  const listeners = new Set<(alarm: Alarm) => void>();
  /** Numbers whose row on disk is not what memory says. */
  const unsaved = new Set<number>();
  let last = Math.max(0, ...alarms.keys());

  async function save(): Promise<void> {
    const ids = [...unsaved];
    const operations = ids.map((id) => {
      const alarm = alarms.get(id);
      return { key: prefix + u32Text(id), value: alarm && encodeAlarm(alarm) };
    });
    for (const id of ids) unsaved.delete(id);
    try {
      await store.batch(operations, { sync: true });
    } catch (error) {
      for (const id of ids) unsaved.add(id);
      throw error;
    }
  }

  /**
   * Memory first, so that two calls in one turn see each other, and so that an alarm about a full disk is seen; resolves when the disk has
   * it.
   */
  async function keep(alarm: Alarm): Promise<Alarm> {
    alarms.set(alarm.id, alarm);
    const dropped = alarms.size > ALARMS_MAX ? leastWanted([...alarms.values()], alarm.id) : undefined;
    if (dropped !== undefined) alarms.delete(dropped);
    for (const listener of listeners) listener(alarm);
    unsaved.add(alarm.id);
    if (dropped !== undefined) unsaved.add(dropped);
    await save();
    return alarm;
  }

  /** The youngest of this kind and detail that has not been resolved. */
  function find(kind: string, detail: Json): Alarm | undefined {
    const text = canonicalJson(detail);
    const same = (alarm: Alarm) => alarm.kind === kind && alarm.resolvedAtMs === undefined && canonicalJson(alarm.detail) === text;
    return [...alarms.values()].filter(same).at(-1);
  }

  async function end(alarm: Alarm, resolution: Json): Promise<void> {
    log.info({ kind: alarm.kind, detail: alarm.detail, resolution }, 'alarm resolved');
    await keep({ ...alarm, resolvedAtMs: clock.now(), resolution });
  }

  return {
    list: () => [...alarms.values()],
    async raise(kind, severity, detail) {
      const standing = find(kind, detail);
      if (standing && standing.acknowledgedBy === undefined) return standing;
      last++;
      log[severity === 'critical' ? 'error' : 'warn']({ kind, severity, detail }, 'alarm raised');
      return keep({ id: last, raisedAtMs: clock.now(), kind, severity, detail, acknowledgedBy: undefined, acknowledgedAtMs: undefined });
    },
    async resolve(kind, detail, resolution) {
      const standing = find(kind, detail);
      if (standing) await end(standing, resolution);
    },
    async resolveAll(kind, about, resolution) {
      const over = [...alarms.values()].filter((alarm) => alarm.kind === kind && alarm.resolvedAtMs === undefined && about(alarm.detail));
      await Promise.all(over.map((alarm) => end(alarm, resolution)));
    },
    async acknowledge(id, account) {
      const alarm = alarms.get(id);
      if (!alarm) throw new ChainError('ALARM_UNKNOWN', { id });
      if (alarm.acknowledgedBy !== undefined) throw new ChainError('ALARM_ACKNOWLEDGED', { id, acknowledgedBy: alarm.acknowledgedBy });
      try {
        return await keep({ ...alarm, acknowledgedBy: account, acknowledgedAtMs: clock.now() });
      } catch (error) {
        alarms.set(id, alarm);
        throw error;
      }
    },
    async saveMissing() {
      if (unsaved.size > 0)
        await save().catch((error: unknown) => log.warn({ waiting: unsaved.size, error: String(error) }, 'alarms not on disk yet'));
      return unsaved.size === 0;
    },
    onChange(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
}

/** Id of the alarm to let go, never `kept`. */
function leastWanted(alarms: readonly Alarm[], kept: number): number | undefined {
  const rank = (alarm: Alarm) => (alarm.acknowledgedBy === undefined ? 1 + SEVERITIES.indexOf(alarm.severity) : 0);
  let least: Alarm | undefined;
  for (const alarm of alarms) {
    if (alarm.id !== kept && (!least || rank(alarm) < rank(least))) least = alarm;
  }
  return least?.id;
}

function encodeAlarm(alarm: Alarm): Uint8Array {
  return encodeJson({ ...alarm, acknowledgedBy: alarm.acknowledgedBy ?? null, acknowledgedAtMs: alarm.acknowledgedAtMs ?? null });
}

function decodeAlarm(bytes: Uint8Array): Alarm {
  const stored = decodeJson(bytes) as unknown as Alarm & { acknowledgedBy: string | null; acknowledgedAtMs: number | null };
  return { ...stored, acknowledgedBy: stored.acknowledgedBy ?? undefined, acknowledgedAtMs: stored.acknowledgedAtMs ?? undefined };
}
