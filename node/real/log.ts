/**
 * The log of a real node (adapter on pino): event and fields, one JSON object a line. Fields with the name of a secret are blanked wherever
 * they stand.
 */
import pino, { type DestinationStream, type Logger } from 'pino';
import type { Log } from '../world.ts';

export type LogLevel = 'debug' | 'info' | 'warn' | 'error' | 'silent';

/** Field names whose values never reach a log, in any letter case, at any depth. */
export const SECRET_FIELD_NAMES = ['token', 'secret', 'otp', 'password', 'privateKey', 'seed'] as const;
const SECRET = new Set(SECRET_FIELD_NAMES.map((name) => name.toLowerCase()));
const REDACTED = '[redacted]';
/** Deeper objects are not for a log. */
const DEPTH_MAX = 6;
const HEX_BYTES_MAX = 64;

/** Writes to standard output unless `destination` is given. */
export function createLog(options: { readonly level?: LogLevel; readonly destination?: DestinationStream } = {}): Log {
  const settings = { level: options.level ?? 'info', base: null, messageKey: 'event', timestamp: pino.stdTimeFunctions.isoTime };
  return wrap(options.destination === undefined ? pino(settings) : pino(settings, options.destination));
}

function wrap(logger: Logger): Log {
  return {
    debug: (fields, event) => logger.isLevelEnabled('debug') && logger.debug(redactFields(fields), event),
    info: (fields, event) => logger.info(redactFields(fields), event),
    warn: (fields, event) => logger.warn(redactFields(fields), event),
    error: (fields, event) => logger.error(redactFields(fields), event),
    child: (fields) => wrap(logger.child(redactFields(fields))),
  };
}

/** A copy without secrets; byte strings as hex, errors as their message and code. */
export function redactFields(fields: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return redactObject(fields, DEPTH_MAX);
}

function redactObject(fields: object, depth: number): Record<string, unknown> {
  const out: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(fields)) out[name] = SECRET.has(name.toLowerCase()) ? REDACTED : redactValue(value, depth - 1);
  return out;
}

function redactValue(value: unknown, depth: number): unknown {
  if (typeof value === 'bigint') return value.toString();
  if (typeof value !== 'object' || value === null) return value;
  if (value instanceof Uint8Array) return Buffer.from(value.subarray(0, HEX_BYTES_MAX)).toString('hex');
  if (value instanceof Error) return { message: value.message, ...('code' in value ? { code: value.code } : {}) };
  if (depth <= 0) return '[deep]';
  if (Array.isArray(value)) return value.map((item) => redactValue(item, depth - 1));
  return redactObject(value, depth);
}
