/**
 * Idempotency keys (design: api, "Writing"): per account, kept `idempotencyKeepMs`. The same key with the same request gets the first answer, the
 * same key with another one IDEMPOTENCY_KEY_REUSED; a duplicate that comes while the first still runs waits for it. Only answers of success are
 * kept: a refused request stored nothing and may be corrected under its key. That a request began is on disk before it begins, so after a crash
 * the node knows that an outcome is missing.
 */
import { utf8Text } from '../../contracts/index.ts';
import { ChainError } from '../../node/errors/index.ts';
import { type ByteText, decodeJson, encodeJson, type Json, toByteText } from '../../node/format/index.ts';
import type { Store, World } from '../../node/world.ts';
import { apiPrefixes } from './deps.ts';

/** Expired keys removed with each new one. */
const SWEEP_MAX = 20;
const RUNNING_MAX = 10_000;

export interface KeptAnswer {
  readonly status: number;
  readonly data: unknown;
}

interface Row {
  readonly fingerprint: string;
  readonly expiresMs: number;
  /** Absent while the first request runs. */
  readonly answer: KeptAnswer | null;
}

export interface Idempotency {
  /**
   * Runs `run` once for a key. `fingerprint` is a keyed digest of operation and request.
   * @returns the answer, and whether it is the first one's.
   */
  once(
    request: { readonly account: string; readonly key: string; readonly fingerprint: string; readonly repeatable: boolean },
    run: () => Promise<KeptAnswer>,
  ): Promise<{ readonly answer: KeptAnswer; readonly replayed: boolean }>;
}

export function createIdempotency(store: Store, clock: World['clock'], keepMs: number): Idempotency {
  const running = new Map<ByteText, { readonly fingerprint: string; readonly outcome: Promise<KeptAnswer> }>();

  async function first(rowKey: ByteText, fingerprint: string, repeatable: boolean, run: () => Promise<KeptAnswer>): Promise<KeptAnswer> {
    const expiresMs = clock.now() + keepMs;
    const expiryKey = apiPrefixes.idempotencyExpiry + timeText(expiresMs) + rowKey;
    await sweep();
    await store.batch(
      [
        { key: rowKey, value: encodeRow({ fingerprint, expiresMs, answer: null }) },
        { key: expiryKey, value: new Uint8Array(0) },
      ],
      { sync: true },
    );
    try {
      const answer = await run();
      // A repeatable one that is not final runs again when asked again; its row already says so.
      if (answer.status !== 202 || !repeatable)
        await store.batch([{ key: rowKey, value: encodeRow({ fingerprint, expiresMs, answer }) }], { sync: true });
      return answer;
    } catch (error) {
      await store.batch(
        [
          { key: rowKey, value: undefined },
          { key: expiryKey, value: undefined },
        ],
        { sync: false },
      );
      throw error;
    }
  }

  async function sweep(): Promise<void> {
    const from = apiPrefixes.idempotencyExpiry;
    const expired = await store.range({ from, to: from + timeText(clock.now()), limit: SWEEP_MAX });
    if (expired.length === 0) return;
    const operations = expired.flatMap(({ key }) => {
      const rowKey = key.slice(from.length + 8);
      const row = store.get(rowKey);
      const stale = row !== undefined && decodeRow(row).expiresMs <= clock.now(); // the key may have been used again since
      return [{ key, value: undefined }, ...(stale ? [{ key: rowKey, value: undefined }] : [])];
    });
    await store.batch(operations, { sync: false });
  }

  return {
    async once({ account, key, fingerprint, repeatable }, run) {
      const rowKey = `${apiPrefixes.idempotency}${utf8Text(account)}\0${utf8Text(key)}`;
      const current = running.get(rowKey);
      if (current !== undefined) {
        if (current.fingerprint !== fingerprint) throw new ChainError('IDEMPOTENCY_KEY_REUSED', { key });
        return { answer: await current.outcome, replayed: true };
      }
      const bytes = store.get(rowKey);
      const row = bytes === undefined ? undefined : decodeRow(bytes);
      if (row !== undefined && row.expiresMs > clock.now()) {
        if (row.fingerprint !== fingerprint) throw new ChainError('IDEMPOTENCY_KEY_REUSED', { key });
        if (row.answer !== null) return { answer: row.answer, replayed: true };
        if (!repeatable) throw new ChainError('IDEMPOTENCY_INTERRUPTED', { key });
      }
      if (running.size >= RUNNING_MAX) throw new ChainError('SERVER_BUSY');
      const outcome = first(rowKey, fingerprint, repeatable, run);
      running.set(rowKey, { fingerprint, outcome });
      try {
        return { answer: await outcome, replayed: false };
      } finally {
        running.delete(rowKey);
      }
    },
  };
}

/** Answers may hold fractions, which canonical JSON refuses; so the answer is kept as JSON text inside. */
function encodeRow(row: Row): Uint8Array {
  return encodeJson({
    fingerprint: row.fingerprint,
    expiresMs: row.expiresMs,
    answer: row.answer === null ? null : JSON.stringify(row.answer),
  });
}

function decodeRow(bytes: Uint8Array): Row {
  const row = decodeJson(bytes) as { [name: string]: Json };
  return {
    fingerprint: row.fingerprint as string,
    expiresMs: row.expiresMs as number,
    answer: row.answer === null ? null : (JSON.parse(row.answer as string) as KeptAnswer),
  };
}

function timeText(ms: number): ByteText {
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(ms));
  return toByteText(bytes);
}
