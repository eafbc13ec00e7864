/** The plain page at `/`: files outside the envelope. */
import { Type } from '@sinclair/typebox';
import { toHex } from '../../../node/format/index.ts';
import { consoleIcon, consoleScript, consoleStyle, page } from '../../console/page.ts';
import { type Route, route } from '../route.ts';

const file = {
  layer: 'network',
  access: 'public',
  method: 'GET',
  timeoutMs: 5_000,
  rateLimit: 'none',
  parameters: [],
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
      raw: page({
        node: node.info.node,
        organisation: node.info.organisation,
        version: node.info.version,
        genesisHash: toHex(node.info.genesisHash),
      }),
      mediaType: 'text/html; charset=utf-8',
      headers: { 'cache-control': 'no-store' },
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
