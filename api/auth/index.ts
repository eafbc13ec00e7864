/** Door of who is calling: credentials, tokens, and what the chain says of an account. */
export { createCredentials, type Credentials } from './credentials.ts';
export { stateReader } from './identity.ts';
export { importCredentials } from './import.ts';
export { API_TOKEN_MS_MAX, createHeldTokens, encodeToken, issueToken, type TokenClaims, verifyToken } from './token.ts';
