/** Reads answers in both formats with readers that are not the project's: JSON.parse and a plain walk of the XML text. */
import { SaxesParser } from 'saxes';

/** Every leaf of a JSON value as text, sorted: what must be the same in another format, whatever its names and nesting look like. Null and empty are left out. */
export function leaves(value: unknown): readonly string[] {
  const out: string[] = [];
  const walk = (node: unknown): void => {
    if (node === null || node === undefined || node === '') return;
    if (typeof node === 'object') for (const member of Object.values(node)) walk(member);
    else out.push(String(node));
  };
  walk(value);
  return out.sort();
}

/** The same of the element that `path` names below the root of an XML document. */
export function xmlLeaves(text: string, ...path: readonly string[]): readonly string[] {
  const out: string[] = [];
  const open: { name: string; text: string; leaf: boolean }[] = [];
  const parser = new SaxesParser();
  parser.on('opentag', (tag) => {
    if (open.length > 0) open.at(-1)!.leaf = false;
    open.push({ name: tag.name, text: '', leaf: true });
  });
  const add = (part: string) => {
    if (open.length > 0) open.at(-1)!.text += part;
  };
  parser.on('text', add);
  parser.on('cdata', add);
  parser.on('closetag', () => {
    const element = open.at(-1)!;
    if (element.leaf && element.text !== '' && path.every((name, i) => open[i + 1]?.name === name)) out.push(element.text);
    open.pop();
  });
  parser.on('error', (error) => {
    throw error;
  });
  parser.write(text).close();
  return out.sort();
}
