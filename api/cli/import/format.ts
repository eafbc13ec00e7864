/** The formats of a file of records, and how the name of a file tells its own. */
import { ChainError } from '../../../node/errors/index.ts';

export const rowFormats = ['jsonl', 'json', 'csv', 'xml'] as const;
export type RowFormat = (typeof rowFormats)[number];

export function formatOfName(name: string): RowFormat | undefined {
  const ending = name.slice(name.lastIndexOf('.') + 1).toLowerCase();
  return ending === 'ndjson' ? 'jsonl' : rowFormats.find((format) => format === ending);
}

/** @throws ChainError CLI_USAGE when neither the flag nor the name tells. */
export function formatOf(file: string, given: RowFormat | undefined): RowFormat {
  const format = given ?? formatOfName(file);
  if (format === undefined) throw new ChainError('CLI_USAGE', { reason: `the name ${file} does not tell the format; give --format` });
  return format;
}
