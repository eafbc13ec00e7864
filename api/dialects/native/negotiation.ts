/** Form and language of an answer, as Accept and Accept-Language ask for them (RFC 9110 §12.4, §12.5). */
import type { Language } from '../../rest/index.ts';

export type AnswerFormat = 'json' | 'xml';

interface Preference {
  readonly range: string;
  readonly quality: number;
}

/** Items of an Accept or Accept-Language header, best first; q=0 last (RFC 9110 §12.4.2). Odd items are skipped: a header cannot break us. */
function preferences(header: string): Preference[] {
  return header
    .slice(0, 1_024)
    .split(',')
    .map((item) => {
      const [range = '', ...options] = item.split(';').map((part) => part.trim().toLowerCase());
      const q = options.find((option) => option.startsWith('q='));
      const quality = q === undefined ? 1 : Number(q.slice(2));
      return { range, quality: Number.isFinite(quality) ? quality : 0 };
    })
    .filter((item) => item.range !== '')
    .sort((a, b) => b.quality - a.quality);
}

/** undefined when the caller takes neither JSON nor XML. No header, or a blank one, means JSON. */
export function answerFormat(accept: string | undefined): AnswerFormat | undefined {
  if (accept === undefined || accept === 'application/json' || accept.trim() === '') return 'json';
  const refused = new Set<string>();
  for (const { range, quality } of preferences(accept)) {
    if (quality <= 0) refused.add(range);
  }
  for (const { range, quality } of preferences(accept)) {
    if (quality <= 0) continue;
    if (range === 'application/json' || range === 'text/json') return 'json';
    if (range === 'application/xml' || range === 'text/xml') return 'xml';
    if (range === '*/*' || range === 'application/*') return refused.has('application/json') ? 'xml' : 'json';
  }
  return undefined;
}

export function answerLanguage(header: string | undefined): Language {
  if (header === undefined) return 'en';
  for (const { range, quality } of preferences(header)) {
    if (quality <= 0) continue;
    if (range === 'zh' || range.startsWith('zh-')) return 'zh';
    if (range === 'en' || range.startsWith('en-') || range === '*') return 'en';
  }
  return 'en';
}
