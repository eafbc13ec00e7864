/** The error table as a page: what node/errors/README.md must be, to the byte. */
import { type ErrorRow, errorTable } from '../../node/errors/index.ts';

export function errorDocs(): string {
  const rows = Object.entries(errorTable as Readonly<Record<string, ErrorRow>>).sort(([a], [b]) => (a < b ? -1 : 1));
  const lines = rows.map(
    ([code, row]) =>
      `| \`${code}\` | ${row.httpStatus} | ${cell(row.text.en)}<br>${cell(row.text.zh)} | ${cell(row.remedy.en)}<br>${cell(row.remedy.zh)} |`,
  );
  return `# node/errors

**Owns** the one table of codes: kind, HTTP status, text and remedy in English and Chinese. Codes are part of the interface: never renamed, never reused.
**Does not own** the places that throw them, nor the envelope that carries them (api/).
**Depends on** nothing.
**Known couplings**: contracts/ names codes of this table in receipts and imports it as types alone; a test holds the two together.

This page is written by \`node dist/test/tools/write-error-docs.js\` and compared by a test. ${rows.length} codes.

| code | HTTP | meaning | what to do |
| --- | --- | --- | --- |
${lines.join('\n')}
`;
}

function cell(text: string): string {
  return text.replace(/\|/g, '\\|');
}
