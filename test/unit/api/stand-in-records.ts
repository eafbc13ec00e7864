/** A RecordService that answers as told and keeps what it was asked. */
import { createHash } from 'node:crypto';
import type { RecordBody, RecordService, SubmitOutcome } from '../../../node/records/types.ts';
import { ChainError } from '../../../node/errors/index.ts';

/** A body as the stand-in reads it: anything but `broken`, with `token=...` anywhere. */
function readText({ bytes }: RecordBody): { readonly text: string; readonly token: string | undefined } {
  const text = Buffer.from(bytes).toString('utf8');
  if (text.includes('broken')) {
    throw new ChainError('REQUEST_INVALID', {
      details: [
        { code: 'FIELD_MISSING', pointer: '/product_uid', message: 'is required' },
        { code: 'FIELD_RANGE', row: 2, column: 'propara', message: 'is empty' },
      ],
    });
  }
  const token = /token=(\S+)/.exec(text)?.[1];
  return { token, text: token === undefined ? text : text.replace(`token=${token}`, '') };
}

export interface TestRecords extends RecordService {
  readonly submissions: {
    readonly text: string;
    readonly mediaType: string;
    readonly account: string;
    readonly statedDigest: string | undefined;
    readonly source: Parameters<RecordService['submit']>[2]['source'];
  }[];
  readonly searches: Parameters<RecordService['search']>[0][];
  pending: boolean;
  delayMs: number;
}

export function createTestRecords(): TestRecords {
  const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');
  const outcome = (text: string): SubmitOutcome['records'][number] => {
    const digest = sha256(`sealed ${text}`);
    return { id: digest, version: 1, contentDigest: sha256(text), recordDigest: digest, digestAlg: 'SHA-256', status: 'stored' };
  };
  const row = (id: string) => ({ id, version: 1, recordDigest: 'd'.repeat(64), class: 'production' });
  const service: TestRecords = {
    submissions: [],
    searches: [],
    pending: false,
    delayMs: 0,
    underWay: () => 0,
    gathered: () => 0,
    async submit(body, bearer, options) {
      const { token, text } = readText(body);
      const caller = bearer.identify(token);
      if (service.delayMs > 0) await new Promise((resolve) => setTimeout(resolve, service.delayMs));
      service.submissions.push({
        text,
        mediaType: body.mediaType,
        account: caller.account,
        statedDigest: options.statedDigest,
        source: options.source,
      });
      const pending = service.pending || options.wait === 'async';
      return {
        transactionId: 'e'.repeat(64),
        status: pending ? 'pending' : 'confirmed',
        height: pending ? null : 8,
        blockHash: pending ? null : 'f'.repeat(64),
        records: [outcome(text)],
      };
    },
    contentDigests: async (body) => [sha256(readText(body).text)],
    async validate(body, bearer) {
      const { token, text } = readText(body);
      bearer.identify(token);
      return { records: [outcome(text)] };
    },
    async search(search) {
      service.searches.push(search);
      return { items: [row('a'.repeat(64))], next: null, height: 12, complete: true, withheld: 0, count: null };
    },
    async get(id) {
      if (id === '0'.repeat(64)) throw new ChainError('NOT_FOUND', { id });
      return row(id);
    },
    history: async (id) => ({ items: [row(id)], next: null, height: 12, complete: true, withheld: 0, count: null }),
    proof: async (id, _version, transaction) => ({ evidence: 'v1', id, transaction }),
    trace: async (product) => ({ product, nodes: [], edges: [], height: 12, complete: true }),
  };
  return service;
}
