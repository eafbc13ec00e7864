/**
 * Looks for texts in every file of a directory as raw bytes, in UTF-8, UTF-16LE, as JSON escapes, in hex and base64; and in the values of
 * its stores.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fromByteText } from '../node/format/index.ts';
import { openLevelStore } from '../node/store/index.ts';

export interface Found {
  readonly path: string;
  readonly text: string;
  readonly form: string;
}

const RANGE_ROWS = 1_000;
/** A shorter text has too few whole base64 groups to be told from chance. */
const BASE64_BYTES_MIN = 8;

interface Needle {
  readonly text: string;
  readonly form: string;
  readonly bytes: Buffer;
}

function needlesOf(texts: readonly string[]): readonly Needle[] {
  return texts.flatMap((text) => {
    const escaped = Array.from({ length: text.length }, (_, i) => {
      const unit = text.charCodeAt(i);
      return unit < 128 ? text[i] : `\\u${unit.toString(16).padStart(4, '0')}`;
    }).join('');
    const forms: Needle[] = [
      { text, form: 'UTF-8', bytes: Buffer.from(text, 'utf8') },
      { text, form: 'UTF-16LE', bytes: Buffer.from(text, 'utf16le') },
    ];
    const plain = Buffer.from(text, 'utf8');
    forms.push({ text, form: 'hex', bytes: Buffer.from(plain.toString('hex')) });
    if (plain.length >= BASE64_BYTES_MIN) {
      for (let shift = 0; shift < 3; shift++) {
        // Whole groups: what stands before and after is not known.
        const cut = plain.subarray(shift, plain.length - ((plain.length - shift) % 3));
        forms.push({ text, form: 'base64', bytes: Buffer.from(cut.toString('base64')) });
      }
    }
    if (/^[0-9a-f]{64}$/.test(text)) forms.push({ text, form: 'digest', bytes: Buffer.from(text, 'hex') });
    if (escaped !== text) forms.push({ text, form: 'JSON escapes', bytes: Buffer.from(escaped) });
    return forms;
  });
}

/** Every file below `directory`. */
export function searchFiles(directory: string, texts: readonly string[]): { readonly files: number; readonly found: readonly Found[] } {
  const needles = needlesOf(texts);
  const found: Found[] = [];
  let files = 0;
  for (const entry of readdirSync(directory, { withFileTypes: true, recursive: true })) {
    if (!entry.isFile()) continue;
    const path = join(entry.parentPath, entry.name);
    if (!existsSync(path)) continue; // a running store drops files
    files++;
    search(readFileSync(path), path, needles, found);
  }
  return { files, found };
}

/** Keys and values of every store below `directory`, as they were written: on disk they are compressed. Nobody else may have them open. */
export async function searchStores(
  directory: string,
  texts: readonly string[],
): Promise<{ readonly values: number; readonly found: readonly Found[] }> {
  const needles = needlesOf(texts);
  const found: Found[] = [];
  let values = 0;
  for (const entry of readdirSync(directory, { withFileTypes: true, recursive: true })) {
    if (entry.name !== 'CURRENT') continue;
    const store = await openLevelStore({ path: entry.parentPath });
    try {
      for (let from = ''; ; ) {
        const rows = await store.range({ from, to: undefined, limit: RANGE_ROWS });
        for (const { key, value } of rows) {
          values++;
          search(Buffer.concat([fromByteText(key), value]), `${entry.parentPath} (a value)`, needles, found);
        }
        const last = rows.at(-1);
        if (last === undefined || rows.length < RANGE_ROWS) break;
        from = `${last.key}\0`;
      }
    } finally {
      await store.close();
    }
  }
  return { values, found };
}

function search(bytes: Buffer, path: string, needles: readonly Needle[], found: Found[]): void {
  for (const needle of needles) if (bytes.includes(needle.bytes)) found.push({ path, text: needle.text, form: needle.form });
}
