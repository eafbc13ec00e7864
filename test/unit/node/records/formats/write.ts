/** Writes a tree of texts as JSON, XML or CSV, for tests that send one record in all formats. */
import type { TextStruct, TextTree } from '../../../../../node/format/index.ts';

export function writeXml(tree: TextStruct): Uint8Array {
  return new TextEncoder().encode(`<?xml version="1.0" encoding="UTF-8"?>\n<record>${members(tree)}</record>`);
}

function members(tree: TextStruct): string {
  return Object.entries(tree)
    .map(([name, value]) => (Array.isArray(value) ? value.map((item: TextTree) => element(name, item)).join('') : element(name, value)))
    .join('');
}

function element(name: string, value: TextTree): string {
  return `<${name}>${typeof value === 'string' ? escapeXml(value) : members(value as TextStruct)}</${name}>`;
}

function escapeXml(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('\r', '&#13;');
}

export function writeCsv(trees: readonly TextStruct[]): Uint8Array {
  const rows = trees.map((tree) => new Map(flatten(tree, '')));
  const columns = [...new Set(rows.flatMap((row) => [...row.keys()]))];
  const quote = (text: string): string => `"${text.replaceAll('"', '""')}"`;
  const lines = [columns.join(','), ...rows.map((row) => columns.map((name) => (row.has(name) ? quote(row.get(name)!) : '')).join(','))];
  return new TextEncoder().encode(`\ufeff${lines.join('\r\n')}\r\n`);
}

function flatten(value: TextTree, path: string): [string, string][] {
  if (typeof value === 'string') return [[path, value]];
  const entries = Array.isArray(value) ? value.map((item, i): [string, TextTree] => [`${i + 1}`, item]) : Object.entries(value);
  return entries.flatMap(([name, member]) => flatten(member, path === '' ? name : `${path}.${name}`));
}
