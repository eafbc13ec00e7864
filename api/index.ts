/** The door of api/: what the program that builds a node needs to serve it. The command line and the client have doors of their own. */
export { createCredentials, type Credentials } from './auth/credentials.ts';
export { issueToken, type TokenClaims, verifyToken } from './auth/token.ts';
export * from './rest/deps.ts';
export { createServer, type ApiServer, type ListenOptions, type TlsOptions } from './rest/server.ts';
export { dialects } from './dialects/index.ts';
export type { Dialect } from './dialects/dialect.ts';
export { openApiDocument, registryRows } from './rest/openapi.ts';
export { allRoutes } from './rest/routes/index.ts';
