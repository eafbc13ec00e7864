/** Door of REST, for those of which the server is made: what a route, a call and an answer are. `server.ts` is a door of its own: it loads them all. */
export type { Reply } from './call.ts';
export { type ApiDeps, apiPrefixes, type ReadState } from './deps.ts';
export { registryRows } from './openapi.ts';
export type { RawParameters } from './parameters.ts';
export { parseQuery } from './percent.ts';
export type { Detail, Refusal } from './refusal.ts';
export { API_PREFIX, layers, type Route } from './route.ts';
export type { Bilingual, Language, Parameter } from './schema.ts';
export { bytesSteps, jsonForm, type Slot, type TextForm, textSteps } from './text-steps.ts';
export type { TlsOptions } from './tls-server.ts';
