/**
 * Idempotency keys (design: api, "Writing"): per account, kept `idempotencyKeepMs`. The same key with the same request gets the first answer, the
 * same key with another one IDEMPOTENCY_KEY_REUSED; a duplicate that comes while the first still runs waits for it. Only answers of success are
 * kept: a refused request stored nothing and may be corrected under its key. That a request began is on disk before it begins, so after a crash
 * the node knows that an outcome is missing. Answers lie encrypted: some are tokens.
 */
import { utf8Text } from '../../contracts/index.ts';
import { ChainError } from '../../node/errors/index.ts';
import { type ByteText, decodeJson, encodeJson, fromBase64Url, fromUtf8, toBase64Url, toByteText, utf8 } from '../../node/format/index.ts';
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

/** Encrypts what is kept, bound to its row; `open` gives undefined for anything else. */
export interface AnswerCipher {
  seal(plain: Uint8Array, row: ByteText): Uint8Array;
  open(sealed: Uint8Array, row: ByteText): Uint8Array | undefined;
}

export function createIdempotency(store: Store, clock: World['clock'], keepMs: number, cipher: AnswerCipher): Idempotency {
  const running = new Map<ByteText, { readonly fingerprint: string; readonly outcome: Promise<KeptAnswer> }>();

  /** Answers may hold fractions, which canonical JSON refuses; so the answer is JSON text inside. */
  function encode(row: Row, rowKey: ByteText): Uint8Array {
    const answer = row.answer === null ? null : toBase64Url(cipher.seal(utf8(JSON.stringify(row.answer)), rowKey));
    return encodeJson({ ...row, answer });
  }

  function decode(bytes: Uint8Array, rowKey: ByteText): Row {
    const { fingerprint, expiresMs, answer } = decodeJson(bytes) as { fingerprint: string; expiresMs: number; answer: string | null };
    if (answer === null) return { fingerprint, expiresMs, answer };
    const plain = cipher.open(fromBase64Url(answer), rowKey);
    if (!plain) throw new ChainError('STORE_DAMAGED', { store: 'idempotency' });
    return { fingerprint, expiresMs, answer: JSON.parse(fromUtf8(plain)) as KeptAnswer };
  }

  async function first(rowKey: ByteText, fingerprint: string, repeatable: boolean, run: () => Promise<KeptAnswer>): Promise<KeptAnswer> {
    const expiresMs = clock.now() + keepMs;
    const expiryKey = apiPrefixes.idempotencyExpiry + timeText(expiresMs) + rowKey;
    await sweep();
    await store.batch(
      [
        { key: rowKey, value: encode({ fingerprint, expiresMs, answer: null }, rowKey) },
        { key: expiryKey, value: new Uint8Array(0) },
      ],
      { sync: true },
    );
    try {
      const answer = await run();
      // A repeatable one that is not final runs again when asked again; its row already says so.
      if (answer.status !== 202 || !repeatable)
        await store.batch([{ key: rowKey, value: encode({ fingerprint, expiresMs, answer }, rowKey) }], { sync: true });
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
      const stale = row !== undefined && (decodeJson(row) as { expiresMs: number }).expiresMs <= clock.now(); // the key may have been used again since
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
      const row = bytes === undefined ? undefined : decode(bytes, rowKey);
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

function timeText(ms: number): ByteText {
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(ms));
  return toByteText(bytes);
}
