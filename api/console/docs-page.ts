/**
 * The page at `/docs`: every operation of the interface as the registry has it, in one language, without a script. It is written from the same rows
 * that `GET interfaces` answers, so it can say nothing else.
 */
import { errorTable } from '../../node/errors/index.ts';
import { glossary } from '../glossary.ts';
import { type Bilingual, layers, type Parameter, registryRows, type Route } from '../rest/index.ts';
import { escapeText, type PageFacts } from './text.ts';

type Language = keyof Bilingual;

const WORDS = {
  title: { en: 'Interface', zh: '接口文档' },
  intro: {
    en: 'GET reads, POST submits. Answers are JSON or XML by Accept, in English or Chinese by Accept-Language, in one envelope: code, message, data, details, requestId.',
    zh: 'GET 用于查询，POST 用于提交。应答按 Accept 返回 JSON 或 XML，按 Accept-Language 使用英文或中文，统一结构为 code、message、data、details、requestId。',
  },
  other: { en: '中文', zh: 'English' },
  layer: { en: 'Layer', zh: '层' },
  network: { en: 'Network', zh: '网络层' },
  consensus: { en: 'Consensus', zh: '共识层' },
  contract: { en: 'Contract', zh: '合约层' },
  application: { en: 'Application', zh: '应用层' },
  right: { en: 'Right', zh: '所需权限' },
  public: { en: 'none: public', zh: '无需权限（公开）' },
  stepUp: { en: ', with a one-time password', zh: '，并需动态口令' },
  own: { en: '; or *, for what the caller wrote itself', zh: '；或 *（仅限调用方自己写入的内容）' },
  timeout: { en: 'Time-out', zh: '超时' },
  rate: { en: 'Rate limit', zh: '频率限制' },
  none: { en: 'none', zh: '无' },
  state: { en: 'State', zh: '状态' },
  name: { en: 'Name', zh: '名称' },
  place: { en: 'In', zh: '位置' },
  required: { en: 'Required', zh: '必填' },
  yes: { en: 'yes', zh: '是' },
  range: { en: 'Type and range', zh: '类型与范围' },
  fallback: { en: 'Default', zh: '缺省值' },
  example: { en: 'Example', zh: '示例' },
  meaning: { en: 'Meaning', zh: '说明' },
  limits: { en: 'Together', zh: '组合限制' },
  body: { en: 'Body', zh: '请求体' },
  bytes: { en: 'bytes at most', zh: '字节以内' },
  answers: { en: 'Answers', zh: '应答' },
  outside: { en: 'outside the envelope', zh: '不使用统一结构' },
  errors: { en: 'Errors', zh: '错误码' },
  status: { en: 'Status', zh: 'HTTP 状态' },
  remedy: { en: 'What to do', zh: '处理办法' },
  glossary: { en: 'Names', zh: '名称对照' },
  english: { en: 'English', zh: '英文' },
  chinese: { en: 'Chinese', zh: '中文' },
  genesis: { en: 'Genesis', zh: '创世哈希' },
  version: { en: 'Version', zh: '版本' },
} as const satisfies Readonly<Record<string, Bilingual>>;

type Row = ReturnType<typeof registryRows>[number] & {
  readonly method: string;
  readonly url: string;
  readonly state: string;
  readonly summary: Bilingual;
  readonly access: 'public' | { readonly right: string; readonly own: boolean };
  readonly stepUp: boolean;
  readonly timeoutMs: number;
  readonly rateLimit: 'none' | { readonly count: number; readonly perMs: number };
  readonly parameters: readonly (Pick<Parameter, 'name' | 'required' | 'example' | 'default' | 'description'> & {
    readonly in: string;
    readonly range: string;
  })[];
  readonly limits: readonly { readonly text: Bilingual }[];
  readonly body: {
    readonly formats: readonly string[];
    readonly bytesMax: number;
    readonly example: string;
    readonly description: Bilingual;
  } | null;
  readonly answers: { readonly statuses: readonly number[]; readonly outsideEnvelope: readonly string[] };
  readonly errors: readonly { readonly code: string }[];
};

export function docsPage(routes: readonly Route[], { version, genesisHash }: PageFacts, language: Language): string {
  const t = (name: keyof typeof WORDS): string => WORDS[name][language];
  const rows = registryRows(routes) as readonly Row[];
  const contents = layers.map((layer) => {
    const links = rows
      .filter((row) => row.layer === layer)
      .map((row) => `<li><a href="#${row.operationId}">${operationName(row)}</a></li>`);
    return `<section><h2>${t(layer)}</h2><ul>${links.join('')}</ul></section>`;
  });
  const operations = layers.flatMap((layer) => rows.filter((row) => row.layer === layer).map((row) => operation(row, language, t)));
  const other = language === 'en' ? 'zh' : 'en';
  return `<!doctype html>
<html lang="${language}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${t('title')} · Tracemill</title>
<link rel="icon" href="/icon.svg" type="image/svg+xml">
<link rel="stylesheet" href="/console.css">
</head>
<body class="docs">
<header><h1>Tracemill</h1><p>${t('title')}</p><p><a href="/docs?lang=${other}" hreflang="${other}">${t('other')}</a> · <a href="/api/v1/openapi.json">OpenAPI 3.1</a></p></header>
<p>${t('intro')}</p>
<nav class="card">${contents.join('')}</nav>
${operations.join('\n')}
<section class="card" id="errors"><h2>${t('errors')}</h2>${errorRows(language, t)}</section>
<section class="card" id="names"><h2>${t('glossary')}</h2>${glossaryRows(t)}</section>
<footer>
<p>${t('genesis')} <code>${escapeText(genesisHash)}</code></p>
<p class="quiet">${t('version')} ${escapeText(version)}</p>
</footer>
</body>
</html>
`;
}

type Say = (name: keyof typeof WORDS) => string;

function operationName({ method, url }: Row): string {
  return `<code>${method} ${escapeText(url.replace(/:([A-Za-z0-9_]+)/g, '{$1}'))}</code>`;
}

function operation(row: Row, language: Language, t: Say): string {
  const { access, rateLimit, body, answers } = row;
  const facts: readonly (readonly [string, string])[] = [
    [
      t('right'),
      access === 'public'
        ? t('public')
        : `<code>${access.right}</code>${access.own ? t('own').replace('*', `<code>${access.right}:own</code>`) : ''}${row.stepUp ? t('stepUp') : ''}`,
    ],
    [t('timeout'), `${row.timeoutMs} ms`],
    [t('rate'), rateLimit === 'none' ? t('none') : `${rateLimit.count} / ${rateLimit.perMs} ms`],
    [t('state'), row.state],
    ...(body === null
      ? []
      : ([
          [
            t('body'),
            `${escapeText(body.description[language])}<br>${body.formats.join(', ')}; ${body.bytesMax} ${t('bytes')}<br><code>${escapeText(body.example)}</code>`,
          ],
        ] as const)),
    ...(row.limits.length === 0 ? [] : ([[t('limits'), row.limits.map(({ text }) => escapeText(text[language])).join('<br>')]] as const)),
    [
      t('answers'),
      `${answers.statuses.join(', ')}${answers.outsideEnvelope.length === 0 ? '' : `; ${answers.outsideEnvelope.join(', ')} ${t('outside')}`}`,
    ],
    [t('errors'), row.errors.map(({ code }) => `<a href="#${code}">${code}</a>`).join(', ')],
  ];
  return `<section class="card" id="${row.operationId}">
<h2>${operationName(row)}</h2>
<p>${escapeText(row.summary[language])} <span class="quiet">${row.operationId}</span></p>
<dl>${facts.map(([name, value]) => `<dt>${name}</dt><dd>${value}</dd>`).join('')}</dl>
${row.parameters.length === 0 ? '' : parameterTable(row, language, t)}
</section>`;
}

function parameterTable({ parameters }: Row, language: Language, t: Say): string {
  const head = (['name', 'place', 'required', 'range', 'fallback', 'example', 'meaning'] as const).map((name) => `<th>${t(name)}</th>`);
  const rows = parameters.map((parameter) => {
    const { name, required, range, example, description } = parameter;
    const fallback = parameter.default === null || parameter.default === undefined ? '' : JSON.stringify(parameter.default);
    const cells = [
      name,
      parameter.in,
      required ? t('yes') : '',
      range,
      fallback,
      typeof example === 'string' ? example : JSON.stringify(example),
    ];
    return `<tr>${cells.map((cell) => `<td>${escapeText(cell)}</td>`).join('')}<td class="words">${escapeText(description[language])}</td></tr>`;
  });
  return `<table><thead><tr>${head.join('')}</tr></thead><tbody>${rows.join('')}</tbody></table>`;
}

function glossaryRows(t: Say): string {
  const rows = Object.entries(glossary).map(
    ([name, { en, zh, meaning }]) => `<tr><td>${name}</td><td>${en}</td><td>${zh}</td><td class="words">${escapeText(meaning)}</td></tr>`,
  );
  const head = (['name', 'english', 'chinese', 'meaning'] as const).map((name) => `<th>${t(name)}</th>`);
  return `<table><thead><tr>${head.join('')}</tr></thead><tbody>${rows.join('')}</tbody></table>`;
}

function errorRows(language: Language, t: Say): string {
  const rows = Object.entries(errorTable).map(
    ([code, { httpStatus, text, remedy }]) =>
      `<tr id="${code}"><td>${code}</td><td>${httpStatus}</td><td class="words">${escapeText(text[language])}</td><td class="words">${escapeText(remedy[language])}</td></tr>`,
  );
  return `<table><thead><tr><th>${t('name')}</th><th>${t('status')}</th><th>${t('meaning')}</th><th>${t('remedy')}</th></tr></thead><tbody>${rows.join('')}</tbody></table>`;
}
