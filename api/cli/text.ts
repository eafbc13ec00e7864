/** Text forms of answers: aligned tables and indented objects; and whether text from outside is what was given. */

/** What is not UTF-8 reaches a program as replacement characters: two passphrases would be one, a search would find nothing and say so. */
export function isUtf8(text: string): boolean {
  return !text.includes('\ufffd');
}

/** Columns as wide as their widest cell; characters of East Asian scripts count two. */
export function table(head: readonly string[], rows: readonly (readonly unknown[])[]): string {
  const cells = [head, ...rows].map((row) => row.map(cellText));
  const widths = head.map((_, i) => Math.max(...cells.map((row) => width(row[i] ?? ''))));
  return `${cells.map((row) => row.map((cell, i) => (i === row.length - 1 ? cell : cell + ' '.repeat(widths[i]! - width(cell)))).join('  ')).join('\n')}\n`;
}

function cellText(value: unknown): string {
  if (value === undefined || value === null) return '';
  return oneLine(typeof value === 'object' ? JSON.stringify(value) : String(value));
}

/** What others wrote may hold line ends and signs that steer a terminal: they are shown as JSON escapes them. */
export function oneLine(text: string): string {
  return text.replace(/\p{Cc}/gu, (sign) => `\\u${sign.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

function width(text: string): number {
  let count = 0;
  for (const character of text) {
    const point = character.codePointAt(0)!;
    count += (point >= 0x1100 && point <= 0x115f) || (point >= 0x2e80 && point <= 0xffdc) || point >= 0x20000 ? 2 : 1;
  }
  return count;
}

/** An object as `name: value` lines, nested ones indented. */
export function outline(value: unknown, indent = ''): string {
  if (Array.isArray(value)) {
    return value
      .map((item) => (isNested(item) ? `${indent}-\n${outline(item, `${indent}  `)}` : `${indent}- ${cellText(item)}\n`))
      .join('');
  }
  if (typeof value !== 'object' || value === null) return `${indent}${cellText(value)}\n`;
  return Object.entries(value)
    .filter(([, member]) => member !== undefined)
    .map(([name, member]) =>
      isNested(member) ? `${indent}${name}:\n${outline(member, `${indent}  `)}` : `${indent}${name}: ${cellText(member)}\n`,
    )
    .join('');
}

function isNested(value: unknown): boolean {
  return typeof value === 'object' && value !== null && Object.keys(value).length > 0;
}
