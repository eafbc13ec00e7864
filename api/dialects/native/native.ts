/** The dialect of our own interface: REST under /api/v1 and what operators ask beside it, tokens as Bearer, answers in the envelope. */
import type { IncomingHttpHeaders } from 'node:http';
import { ChainError } from '../../../node/errors/index.ts';
import { API_PREFIX, parseQuery } from '../../rest/index.ts';
import type { Dialect, Outcome } from '../dialect.ts';
import { encodeEnvelope, localDetails, MEDIA_TYPE, messageOf } from './envelope.ts';
import { answerFormat, answerLanguage } from './negotiation.ts';

export const native: Dialect = {
  prefix: API_PREFIX,
  entries: (operations) =>
    operations.map((operation) => ({
      method: operation.method,
      url: operation.url,
      operation,
      formats: operation.body?.formats ?? [],
    })),
  language: ({ headers }) => answerLanguage(headers['accept-language']),
  admit({ headers }, operation) {
    if (answerFormat(headers.accept) === undefined && operation?.response.outside === undefined)
      throw new ChainError('NOT_ACCEPTABLE', { formats: ['application/json', 'application/xml'] });
    return operation && bearerToken(headers);
  },
  readCall: ({ url, path, headers }, _operation, body) => ({ path, ...parseQuery(url), headers, body }),
  *writeAnswer(outcome, { requestId, headers }, language) {
    const format = answerFormat(headers.accept) ?? 'json';
    const refused = outcome.kind === 'refusal';
    const code = refused ? outcome.code : 'OK';
    const envelope = {
      code,
      message: messageOf(code, language),
      data: (refused ? outcome.data : outcome.reply.data) ?? null,
      details: refused ? localDetails(outcome.details, language) : [],
      requestId,
    };
    return {
      status: refused ? outcome.status : outcome.reply.pending === undefined ? 200 : 202,
      headers: {
        'content-type': MEDIA_TYPE[format],
        'cache-control': 'no-store',
        vary: 'accept, accept-language, authorization',
        ...headersOf(outcome),
      },
      body: yield* encodeEnvelope(envelope, format),
    };
  },
};

/** @throws ChainError TOKEN_INVALID */
function bearerToken({ authorization }: IncomingHttpHeaders): string | undefined {
  if (authorization === undefined) return undefined;
  const [scheme = '', token = '', ...more] = authorization.trim().split(/ +/);
  if (scheme.toLowerCase() !== 'bearer' || token === '' || more.length > 0) throw new ChainError('TOKEN_INVALID');
  return token;
}

function headersOf(outcome: Outcome): Record<string, string> {
  if (outcome.kind === 'refusal')
    return {
      ...(outcome.retryAfterS === undefined ? {} : { 'retry-after': String(outcome.retryAfterS) }),
      ...(outcome.status === 401 ? { 'www-authenticate': 'Bearer realm="tracemill"' } : {}),
    };
  const { reply, replayed } = outcome;
  return {
    ...(reply.pending?.transactionId === undefined ? {} : { location: `${API_PREFIX}/transactions/${reply.pending.transactionId}` }),
    ...(replayed === undefined ? {} : { 'idempotency-replayed': String(replayed) }),
  };
}
