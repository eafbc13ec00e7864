/** The plain page at `/` and the interface as a page at `/docs`: files outside the envelope. */
import { Type } from '@sinclair/typebox';
import { toHex } from '../../../node/format/index.ts';
import { consoleIcon, consoleScript, consoleStyle, docsPage, page, type PageFacts } from '../../console/index.ts';
import type { NodeService } from '../../../node/service.ts';
import { type Route, route } from '../route.ts';
import { choiceOf, inQuery, type Language } from '../schema.ts';

const file = {
  layer: 'network',
  access: 'public',
  method: 'GET',
  timeoutMs: 5_000,
  rateLimit: 'none',
  parameters: {},
  errors: [],
} as const;

export const consoleRoutes: readonly Route[] = [
  route({
    ...file,
    operationId: 'consolePage',
    url: '/',
    summary: { en: 'The console page', zh: '控制台页面' },
    response: { schema: Type.String(), statuses: [200], outside: ['text/html'] },
    handler: (_call, { node }) => ({
      raw: page(factsOf(node)),
      mediaType: 'text/html; charset=utf-8',
      headers: { 'cache-control': 'no-store' },
    }),
  }),
  route({
    ...file,
    operationId: 'docsPage',
    url: '/docs',
    summary: { en: 'The interface registry as a page', zh: '接口注册表页面' },
    rateLimit: { count: 50, perMs: 1_000 },
    parameters: {
      lang: inQuery(
        choiceOf('en', 'zh'),
        { default: null, example: 'zh' },
        { en: 'Language of the page; default: by Accept-Language', zh: '页面语言；缺省按 Accept-Language' },
      ),
    },
    response: { schema: Type.String(), statuses: [200], outside: ['text/html'] },
    handler: (call, { node, routes }) => ({
      raw: docsPageOf(node, routes, call.parameters.lang ?? call.language),
      mediaType: 'text/html; charset=utf-8',
      headers: { 'cache-control': 'no-cache', vary: 'accept-language' },
    }),
  }),
  route({
    ...file,
    operationId: 'consoleScript',
    url: '/console.js',
    summary: { en: 'Script of the console page', zh: '控制台页面脚本' },
    response: { schema: Type.String(), statuses: [200], outside: ['text/javascript'] },
    handler: () => ({ raw: consoleScript, mediaType: 'text/javascript; charset=utf-8', headers: { 'cache-control': 'no-cache' } }),
  }),
  route({
    ...file,
    operationId: 'consoleIcon',
    url: '/icon.svg',
    summary: { en: 'Icon of the console page', zh: '控制台页面图标' },
    response: { schema: Type.String(), statuses: [200], outside: ['image/svg+xml'] },
    handler: () => ({ raw: consoleIcon, mediaType: 'image/svg+xml', headers: { 'cache-control': 'max-age=86400' } }),
  }),
  route({
    ...file,
    operationId: 'consoleStyle',
    url: '/console.css',
    summary: { en: 'Style of the console page', zh: '控制台页面样式' },
    response: { schema: Type.String(), statuses: [200], outside: ['text/css'] },
    handler: () => ({ raw: consoleStyle, mediaType: 'text/css; charset=utf-8', headers: { 'cache-control': 'no-cache' } }),
  }),
];

/** The pages of a table of routes, by language; they never change. */
const pages = new WeakMap<readonly Route[], Map<Language, string>>();

function docsPageOf(node: NodeService, routes: readonly Route[], language: Language): string {
  const made = pages.get(routes) ?? new Map<Language, string>();
  pages.set(routes, made);
  const known = made.get(language) ?? docsPage(routes, factsOf(node), language);
  made.set(language, known);
  return known;
}

function factsOf({ info }: NodeService): PageFacts {
  return { node: info.node, organisation: info.organisation, version: info.version, genesisHash: toHex(info.genesisHash) };
}
