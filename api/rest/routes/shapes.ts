/**
 * The three shapes most operations have, on top of `route()`: a reading, a paged list, a submission that answers a receipt. A shape fills in what
 * all of its kind share and stays a full declaration: what an operation says itself comes last.
 */
import type { TProperties, TSchema } from '@sinclair/typebox';
import type { CONTRACT, OwnableRight } from '../../../contracts/index.ts';
import { type Json, prefixEnd } from '../../../node/format/index.ts';
import type { ApiContext } from '../context.ts';
import { type Cursor, decodeCursor, encodeCursor, filterDigest } from '../cursor.ts';
import { eachInSteps, jsonBytesSteps, UNBOUNDED } from '../../../node/pace/index.ts';
import type { Call, Reply } from '../call.ts';
import { type Route, type RouteDeclaration, route, withParameters } from '../route.ts';
import type { ValuesOf } from '../schema.ts';
import {
  contractCodes,
  listAnswer,
  listOf,
  type PageParameters,
  pageParameters,
  READ_RATE,
  READ_TIMEOUT_MS,
  Row,
  SUBMIT_RATE,
  SUBMIT_TIMEOUT_MS,
  type WaitParameters,
  waitParameters,
} from './parts.ts';
import { receiptResponse, resumeSubmission } from './submission.ts';

/** Stored bytes behind one page of a list; one that is cut by it says `complete: false`. */
export const PAGE_BYTES_MAX = 1_048_576;
/** Rows of one read of the store. */
const READ_ROWS = 50;

type NoParameters = Readonly<Record<never, TSchema>>;
/** What every shape fills in, so that a declaration may leave it out. */
type Filled = 'method' | 'parameters' | 'timeoutMs' | 'rateLimit' | 'errors' | 'response';
type Rest<P extends TProperties, B extends TSchema, V = ValuesOf<P>> = Omit<RouteDeclaration<P, B, V>, Filled> &
  Partial<RouteDeclaration<P, B, V>>;

/** GET: one thing, or a list short enough to stand in one answer. */
export function readRoute<P extends TProperties = NoParameters>({ parameters, ...declaration }: Rest<P, TSchema>): Route {
  return route<P>({
    method: 'GET',
    timeoutMs: READ_TIMEOUT_MS,
    rateLimit: READ_RATE,
    errors: [],
    response: { schema: Row, statuses: [200] },
    ...declaration,
    parameters: { ...parameters } as P,
  });
}

/** Whether the caller of a reading that is open to owners may read everybody's; else what he wrote himself. */
export function readsAll({ caller }: Call, { may, read }: ApiContext, right: OwnableRight): boolean {
  return may(read, caller.account, right);
}

/** What a page is asked for. */
export interface PageAsked {
  readonly limit: number;
  /** Of the page before; undefined for the first page. */
  readonly cursor: Cursor | undefined;
}

/** What a page holds. `at` is where the next one goes on, undefined when there is none. */
export interface Page {
  readonly items: readonly unknown[];
  readonly height: number;
  readonly at: string | number | undefined;
  /** False when the page ended before it was full, or not all pages speak of one height. */
  readonly complete?: boolean;
  /** Members of the answer beside those of every list. */
  readonly more?: object;
  readonly logged?: Reply['logged'];
}

type ListDeclaration<P extends TProperties> = Omit<Rest<P, TSchema>, 'handler' | 'response'> & {
  /** Schema of one item. */
  readonly item?: TSchema;
  readonly page: (call: Call<ValuesOf<P>>, api: ApiContext, asked: PageAsked) => Promise<Page>;
};

/** GET: a paged list. `limit`, `after`, the cursor bound to the filter, and the envelope of lists come from here. */
export function listRoute<P extends TProperties = NoParameters>({
  page,
  item = Row,
  parameters,
  errors = [],
  ...declaration
}: ListDeclaration<P>): Route {
  return readRoute({
    ...declaration,
    parameters: withParameters(declaration.operationId, { ...parameters } as P, pageParameters),
    errors: ['CURSOR_INVALID', ...errors],
    response: { schema: listOf(item), statuses: [200] },
    handler: async (call, api) => {
      const filter = filterDigest(api.world.crypto, declaration.operationId, call.given);
      const { after, limit } = call.parameters as unknown as PageParameters;
      const cursor = after === undefined ? undefined : decodeCursor(filter, after);
      const { items, height, at, complete = true, more, logged } = await page(call, api, { limit, cursor });
      const next = at === undefined ? null : encodeCursor(filter, { height: cursor?.height ?? height, at });
      const data = listAnswer(items, height, next, { complete, ...(complete || next === null ? {} : { resumeAt: next }), ...more });
      return logged === undefined ? { data } : { data, logged };
    },
  });
}

/** Rows of one key range of a built-in contract's state, by key. @param present a row's JSON as the answer shows it */
export function statePages(
  contract: (typeof CONTRACT)[keyof typeof CONTRACT],
  prefix: string,
  present: (value: Json, api: ApiContext) => unknown = (value) => value,
): (call: Call, api: ApiContext, asked: PageAsked) => Promise<Page> {
  return async (_call, api, { limit, cursor }) => {
    const { height } = api.node.head();
    const from = cursor === undefined ? prefix : `${String(cursor.at)}\0`;
    const { rows, cut } = await readRows(api, contract, { from, to: prefixEnd(prefix), count: limit + 1 });
    const shown = rows.slice(0, limit);
    const items = await api.paced(
      eachInSteps(shown, function* (row) {
        return present((yield* jsonBytesSteps(row.value, UNBOUNDED)) as Json, api);
      }),
    );
    const complete = !cut && (cursor === undefined || cursor.height === height); // state is read at the head
    return { items, height, complete, at: cut || rows.length > limit ? shown[shown.length - 1]!.key : undefined };
  };
}

/** `cut` when more than a page's bytes stand in the range. */
async function readRows(
  { node }: ApiContext,
  contract: string,
  { from, to, count }: { readonly from: string; readonly to: string | undefined; readonly count: number },
) {
  const rows: { readonly key: string; readonly value: Uint8Array }[] = [];
  let bytes = 0;
  while (rows.length < count) {
    const asked = Math.min(READ_ROWS, count - rows.length);
    const read = await node.stateRange(contract, rows.length === 0 ? from : `${rows[rows.length - 1]!.key}\0`, to, asked);
    for (const row of read) {
      if (rows.length > 0 && bytes + row.value.length > PAGE_BYTES_MAX) return { rows, cut: true };
      bytes += row.value.length;
      rows.push(row);
    }
    if (read.length < asked) break;
  }
  return { rows, cut: false };
}

/** POST: a change of the chain. Waits or not as asked, answers a receipt, and a repeat under its key learns what became of it. */
export function submitRoute<P extends TProperties = NoParameters, B extends TSchema = TSchema>({
  parameters,
  ...declaration
}: Rest<P, B, ValuesOf<P> & WaitParameters>): Route {
  return route<P, B, ValuesOf<P> & WaitParameters>({
    method: 'POST',
    timeoutMs: SUBMIT_TIMEOUT_MS,
    rateLimit: SUBMIT_RATE,
    resume: resumeSubmission,
    errors: contractCodes,
    response: receiptResponse,
    ...declaration,
    parameters: withParameters(declaration.operationId, { ...parameters } as P, waitParameters),
  });
}
