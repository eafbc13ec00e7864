/** What the pages share: the facts in their footers, and text that stays text. */

export interface PageFacts {
  readonly node: string;
  readonly organisation: string;
  readonly version: string;
  readonly genesisHash: string;
}

export function escapeText(text: string): string {
  return text.replace(/[&<>"']/g, (c) => `&#${c.charCodeAt(0)};`);
}
