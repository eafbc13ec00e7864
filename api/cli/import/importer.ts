/**
 * Sends rows in batches, several at once, to one or more nodes. A batch is stored whole or not at all; the rows a node names as bad are taken
 * out and the rest is sent again, so that what remains refused is an exact list. A batch is sent again under one key, and a repeated run stores
 * nothing twice because a record has an identity. The key is drawn, not made of the bytes: nodes store it, and bodies hold sealed fields in clear.
 */
import { randomUUID } from 'node:crypto';
import { ApiError, type Client, type Detail, type SubmitReceipt } from '../../client/index.ts';
import { placeOf } from '../failure.ts';
import type { RawRow, RowSource } from './rows.ts';

export interface RefusedRow {
  readonly row: number;
  readonly code: string;
  readonly message: string;
  /** Place inside the row, when the node named one. */
  readonly place: string;
}

export interface ImportResult {
  readonly rows: number;
  readonly stored: number;
  /** Were on the chain already with the same content. */
  readonly repeated: number;
  readonly refused: readonly RefusedRow[];
  /** Height of the last block that took rows of this run; 0 when none did. */
  readonly height: number;
}

export interface ImportOptions {
  readonly source: RowSource;
  /** Rows are spread over these in turn; one that does not answer is passed over for a while. */
  readonly clients: readonly Client[];
  /** Of every row; production when left out. */
  readonly recordClass?: string;
  readonly batchRows: number;
  readonly inFlight: number;
  /** Rows from the start that an earlier run has settled. */
  readonly skipRows: number;
  /** Called after every settled batch with the count of rows from the start that are settled without a gap. */
  readonly onSettled: (settledRows: number, result: ImportResult) => void;
  readonly onReceipt?: (receipt: SubmitReceipt) => void;
  readonly sleep: (ms: number) => Promise<void>;
  readonly signal?: AbortSignal;
}

const BATCH_CHARACTERS_MAX = 2_097_152; // keeps a batch well inside one transaction of 4 MiB
const ATTEMPTS_MAX = 60; // of one batch while nodes do not answer
const RETRY_DELAY_MS = 500;
/** Statuses by which a node refuses what is sent; any other concerns the caller or the node. */
const CONTENT_REFUSED: ReadonlySet<number> = new Set([400, 409, 413, 422]);

export async function importRows(options: ImportOptions): Promise<ImportResult> {
  const tally = { rows: 0, stored: 0, repeated: 0, height: 0 };
  const refused: RefusedRow[] = [];
  const result = (): ImportResult => ({ ...tally, refused: refused.toSorted((a, b) => a.row - b.row) });
  const settled = new Map<number, number>(); // batch -> rows, of batches behind a gap
  let settledBatches = 0;
  let settledRows = options.skipRows;
  let failed: unknown;

  async function send(batch: readonly RawRow[], index: number): Promise<void> {
    const waiting: (readonly RawRow[])[] = [batch];
    let rows = nextOf(waiting);
    let idempotencyKey = randomUUID();
    const goOn = (): void => {
      [rows, idempotencyKey] = [nextOf(waiting), randomUUID()];
    };
    for (let attempt = 0; rows.length > 0; ) {
      const client = options.clients[(index + attempt) % options.clients.length]!;
      const body = options.source.body(rows);
      try {
        const answer = await client.post<SubmitReceipt>('records', Buffer.from(body), {
          contentType: options.source.contentType,
          idempotencyKey,
          ...(options.recordClass === undefined ? {} : { query: { class: options.recordClass } }),
        });
        const receipt = answer.data;
        if (receipt.status === 'pending') {
          await options.sleep(RETRY_DELAY_MS); // not yet in a block: the same key asks again for the same receipt
          if (++attempt > ATTEMPTS_MAX)
            throw new ApiError({ ...answer, status: 503, code: 'CALL_TIMEOUT', message: 'the batch stays pending' });
          continue;
        }
        const repeated = receipt.records?.filter((record) => record.status === 'repeated').length ?? 0;
        tally.repeated += repeated;
        tally.stored += rows.length - repeated;
        tally.height = Math.max(tally.height, receipt.height ?? 0);
        options.onReceipt?.(receipt);
        goOn();
        attempt = 0;
      } catch (error) {
        if (!(error instanceof ApiError)) throw error;
        if (error.status === 0 || error.status === 429 || error.status >= 502) {
          if (++attempt > ATTEMPTS_MAX || options.signal?.aborted) throw error;
          await options.sleep(Math.min(error.retryAfterMs ?? RETRY_DELAY_MS, 5_000));
          continue;
        }
        const named = namedRows(error, rows);
        if (named.length === 0 && !refusesContent(error)) throw error; // concerns the caller, not a row
        refused.push(...named);
        const bad = new Set(named.map((row) => row.row));
        const left = rows.filter((row) => !bad.has(row.number));
        if (named.length > 0) waiting.push(left);
        else waiting.push(rows.slice(rows.length >> 1), rows.slice(0, rows.length >> 1)); // halved until the row is alone
        goOn();
        attempt = 0;
      }
    }
    tally.rows += batch.length;
    settled.set(index, batch.length);
    for (let count = settled.get(settledBatches); count !== undefined; count = settled.get(settledBatches)) {
      settled.delete(settledBatches++);
      settledRows += count;
    }
    options.onSettled(settledRows, result());
  }

  const running = new Set<Promise<void>>();
  let index = 0;
  for await (const batch of batches(options.source.rows(), options.skipRows, options.batchRows)) {
    if (failed !== undefined || options.signal?.aborted) break;
    const task: Promise<void> = send(batch, index++)
      .catch((error: unknown) => {
        failed ??= error;
      })
      .finally(() => running.delete(task));
    running.add(task);
    if (running.size >= options.inFlight) await Promise.race(running);
  }
  await Promise.all(running);
  if (failed !== undefined) throw failed;
  return result();
}

async function* batches(rows: AsyncIterable<RawRow>, skip: number, rowsMax: number): AsyncGenerator<RawRow[], void, undefined> {
  let batch: RawRow[] = [];
  let characters = 0;
  for await (const row of rows) {
    if (row.index < skip) continue;
    if (batch.length > 0 && (batch.length >= rowsMax || characters + row.text.length > BATCH_CHARACTERS_MAX)) {
      yield batch;
      [batch, characters] = [[], 0];
    }
    batch.push(row);
    characters += row.text.length;
  }
  if (batch.length > 0) yield batch;
}

/** 403 is of content only where a record is: the factory of a row may be another's. A right that lacks would lack for every row. */
function refusesContent(error: ApiError): boolean {
  return CONTENT_REFUSED.has(error.status) || (error.status === 403 && error.code.startsWith('RECORD_'));
}

function nextOf(waiting: (readonly RawRow[])[]): readonly RawRow[] {
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) if (next.length > 0) return next;
  return [];
}

/** Rows of the file that an answer names; a row alone is named by any refusal of content. */
function namedRows(error: ApiError, rows: readonly RawRow[]): readonly RefusedRow[] {
  if (rows.length === 1 && refusesContent(error)) {
    const [detail] = error.details;
    return [refusedRow(rows[0]!, detail ?? { code: error.code, message: error.message })];
  }
  return error.details.flatMap((detail) => {
    const position = positionOf(detail);
    const row = position === undefined ? undefined : rows[position];
    return row === undefined ? [] : [refusedRow(row, detail)];
  });
}

/** Index in the batch: CSV rows count from 1 with the header, a JSON Pointer begins with the index, XML paths count from 1. */
function positionOf(detail: Detail): number | undefined {
  if (detail.row !== undefined) return detail.row - 2;
  if (detail.pointer !== undefined) return numberIn(/^\/(\d+)(?:\/|$)/, detail.pointer);
  const position = numberIn(/\/record\[(\d+)\]/, detail.path ?? '');
  return position === undefined ? undefined : position - 1;
}

function numberIn(pattern: RegExp, text: string): number | undefined {
  const digits = pattern.exec(text)?.[1];
  return digits === undefined ? undefined : Number(digits);
}

function refusedRow(row: RawRow, detail: Detail): RefusedRow {
  const { row: _, ...rest } = detail;
  const place = placeOf(rest as Detail).trim() || (detail.column ?? '');
  return {
    row: row.number,
    code: detail.code,
    message: detail.message,
    place: place.replace(/^\/\d+(?=\/)|^\/records(?:\[1\])?\/record\[\d+\]/, ''),
  };
}
