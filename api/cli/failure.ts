/** Turns whatever a command threw into what a person reads (code, text, remedy, facts) and the exit code. */
import { CommanderError } from 'commander';
import { ChainError, errorRow, isErrorCode } from '../../node/errors/index.ts';
import { ApiError, type Detail } from '../client/answer.ts'; // not the door: sockets are loaded by the first connection
import { EXIT, type ExitCode } from './exit-codes.ts';

export interface Failure {
  readonly exitCode: ExitCode;
  readonly code: string;
  readonly message: string;
  readonly remedy: string;
  readonly data: unknown;
  readonly details: readonly Detail[];
  readonly requestId: string | undefined;
}

export type Language = 'en' | 'zh';

export function failureOf(error: unknown, language: Language): Failure {
  if (error instanceof ApiError) return ofAnswer(error, language);
  if (error instanceof ChainError) {
    const row = errorRow(error.code);
    const { exitCode, code } = { exitCode: exitOf(error.code), code: error.code };
    return {
      exitCode,
      code,
      message: row.text[language],
      remedy: row.remedy[language],
      data: error.data,
      details: [],
      requestId: undefined,
    };
  }
  if (error instanceof CommanderError) return ofCode('CLI_USAGE', language, { reason: error.message.replace(/^error: /, '') });
  const reason = error instanceof Error ? (error.stack ?? error.message) : String(error);
  return { ...ofCode('INTERNAL', language, { reason }), exitCode: EXIT.fault };
}

/** A node's own words come first: it may be newer than this program and know codes this one does not. */
function ofAnswer(error: ApiError, language: Language): Failure {
  if (error.status === 0) return ofCode('CLI_NODE_UNREACHABLE', language, { reason: error.message });
  const row = errorRow(error.code);
  const known = isErrorCode(error.code);
  const message = error.message.slice(error.code.length + 2);
  const busy = error.status === 503 || error.status === 429 || error.status === 408;
  return {
    exitCode: busy ? EXIT.unreachable : exitOf(error.code),
    code: error.code,
    message: message === '' && known ? row.text[language] : message,
    remedy: known ? row.remedy[language] : '',
    data: error.data,
    details: error.details,
    requestId: error.requestId,
  };
}

function ofCode(code: 'CLI_USAGE' | 'CLI_NODE_UNREACHABLE' | 'INTERNAL', language: Language, data: Record<string, unknown>): Failure {
  const row = errorRow(code);
  return {
    exitCode: exitOf(code),
    code,
    message: row.text[language],
    remedy: row.remedy[language],
    data,
    details: [],
    requestId: undefined,
  };
}

function exitOf(code: string): ExitCode {
  if (code === 'CLI_USAGE' || code === 'CLI_NODE_UNKNOWN') return EXIT.usage;
  if (code === 'CLI_NODE_UNREACHABLE' || code === 'NODE_STOPPING') return EXIT.unreachable;
  return code === 'CLI_VERIFICATION_FAILED' ? EXIT.notHeld : EXIT.refused;
}

/** Lines for a person. */
export function failureText(failure: Failure): string {
  const lines = [`${failure.code}: ${failure.message}`];
  for (const detail of failure.details) lines.push(`  ${placeOf(detail)}${detail.code}: ${detail.message}`);
  lines.push(...factLines(failure.data));
  if (failure.remedy !== '') lines.push(`  -> ${failure.remedy}`);
  if (failure.requestId) lines.push(`  requestId ${failure.requestId}`);
  return `${lines.join('\n')}\n`;
}

/** Where in the caller's input a detail points. */
export function placeOf(detail: Detail): string {
  if (detail.pointer !== undefined && detail.row === undefined) return `${detail.pointer} `;
  if (detail.row !== undefined)
    return `row ${detail.row}${detail.column === undefined ? (detail.pointer ?? '') : `, column ${detail.column}`} `;
  return detail.path !== undefined ? `${detail.path} ` : detail.parameter !== undefined ? `${detail.parameter} ` : '';
}

function factLines(data: unknown): readonly string[] {
  if (typeof data !== 'object' || data === null) return [];
  return Object.entries(data).flatMap(([name, value]) => {
    if (name === 'faults' && Array.isArray(value)) {
      return (value as { pointer: string; message: string; given?: unknown }[]).map(
        (fault) =>
          `  ${fault.pointer || '(whole file)'} ${fault.message}${fault.given === undefined ? '' : ` (given ${JSON.stringify(fault.given)})`}`,
      );
    }
    if (value === undefined || value === null) return [];
    return [`  ${name}: ${typeof value === 'string' ? value : JSON.stringify(value)}`];
  });
}
