/**
 * Alarms of parts that do not wait for the disk. What a full disk does not take stands in memory, is shown, and is written when there is
 * room.
 */
import type { Json } from '../format/index.ts';
import type { Alarm } from '../service.ts';
import type { Timers } from '../world.ts';
import type { Alarms } from './alarms.ts';

const SAVE_RETRY_MS = 2_000;

export interface AlarmRaiser {
  raise(kind: string, severity: Alarm['severity'], detail: Json): void;
  /** Resolves when the alarm is resolved, on disk or in memory. */
  resolve(kind: string, detail: Json, resolution: Json): Promise<void>;
  resolveAll(kind: string, about: (detail: Json) => boolean, resolution: Json): void;
  stop(): void;
}

export function createAlarmRaiser(
  alarms: Pick<Alarms, 'raise' | 'resolve' | 'resolveAll' | 'saveMissing'>,
  timers: Pick<Timers, 'after'>,
): AlarmRaiser {
  let stopped = false;
  let cancelSave: (() => void) | undefined;

  function saveLater(): void {
    cancelSave ??= timers.after(SAVE_RETRY_MS, () => {
      cancelSave = undefined;
      void alarms.saveMissing().then((saved) => {
        if (!saved && !stopped) saveLater();
      });
    });
  }

  return {
    raise: (kind, severity, detail) => void alarms.raise(kind, severity, detail).catch(saveLater),
    resolve: (kind, detail, resolution) => alarms.resolve(kind, detail, resolution).catch(saveLater),
    resolveAll: (kind, about, resolution) => void alarms.resolveAll(kind, about, resolution).catch(saveLater),
    stop() {
      stopped = true;
      cancelSave?.();
    },
  };
}
