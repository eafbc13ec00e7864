/**
 * Idempotency keys (design: api, "Writing"): per account, kept `idempotencyKeepMs`. The same key with the same request gets the first answer, the
 * same key with another one IDEMPOTENCY_KEY_REUSED; a duplicate that comes while the first still runs waits for it. Only answers of success are
 * kept: a refused request stored nothing and may be corrected under its key. That a request began is on disk before it begins, so after a crash
 * the node knows that an outcome is missing. Answers lie encrypted: some are tokens.
 */
import { utf8Text } from '../../contracts/index.ts';
import { ChainError } from '../../node/errors/index.ts';
import { type ByteText, fromUtf8, toByteText } from '../../node/format/index.ts';
import type { Store, World } from '../../node/world.ts';
import { apiPrefixes } from './deps.ts';
import { eachInSteps, jsonBytesSteps, type Paced, type Steps, UNBOUNDED } from '../../node/pace/index.ts';
import { bytesSteps, encodeJsonSteps, jsonForm, textSteps } from './text-steps.ts';

/** Expired keys removed with each new one. */
const SWEEP_MAX = 20;
const RUNNING_MAX = 10_000;
/** Expiry and fingerprint, the last members of a kept row, take less. */
const ROW_END_BYTES = 256;

export interface KeptAnswer {
  readonly pending: boolean;
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
  seal(plain: Uint8Array, row: ByteText): Steps<Uint8Array>;
  open(sealed: Uint8Array, row: ByteText): Steps<Uint8Array | undefined>;
}

export function createIdempotency({
  store,
  clock,
  keepMs,
  cipher,
  paced,
}: {
  readonly store: Store;
  readonly clock: World['clock'];
  readonly keepMs: number;
  readonly cipher: AnswerCipher;
  readonly paced: Paced;
}): Idempotency {
  const running = new Map<ByteText, { readonly fingerprint: string; readonly outcome: Promise<KeptAnswer> }>();

  /** Answers may hold fractions, which canonical JSON refuses; so the answer is JSON text inside. Some are megabytes long: in steps. */
  function* encode({ answer, ...row }: Row, rowKey: ByteText): Steps<Uint8Array> {
    const plain = answer === null ? null : yield* bytesSteps(yield* textSteps(answer, jsonForm));
    const sealed = plain && Buffer.from(yield* cipher.seal(plain, rowKey)).toString('base64url');
    yield;
    return yield* encodeJsonSteps({ ...row, answer: sealed });
  }

  function* openAnswer(sealed: string, rowKey: ByteText): Steps<KeptAnswer> {
    const plain = yield* cipher.open(new Uint8Array(Buffer.from(sealed, 'base64url')), rowKey);
    if (!plain) throw new ChainError('STORE_DAMAGED', { store: 'idempotency' });
    yield;
    return (yield* jsonBytesSteps(plain, UNBOUNDED)) as KeptAnswer;
  }

  async function first(rowKey: ByteText, fingerprint: string, repeatable: boolean, run: () => Promise<KeptAnswer>): Promise<KeptAnswer> {
    const expiresMs = clock.now() + keepMs;
    const expiryKey = apiPrefixes.idempotencyExpiry + timeText(expiresMs) + rowKey;
    await sweep();
    await store.batch(
      [
        { key: rowKey, value: await paced(encode({ fingerprint, expiresMs, answer: null }, rowKey)) },
        { key: expiryKey, value: new Uint8Array(0) },
      ],
      { sync: true },
    );
    try {
      const answer = await run();
      // A repeatable one that is not final runs again when asked again; its row already says so.
      if (!answer.pending || !repeatable)
        await store.batch([{ key: rowKey, value: await paced(encode({ fingerprint, expiresMs, answer }, rowKey), true) }], { sync: true });
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
    const operations = await paced(
      eachInSteps(expired, ({ key }) => {
        const rowKey = key.slice(from.length + 8);
        const row = store.get(rowKey);
        const stale = row !== undefined && expiryOf(row) <= clock.now(); // the key may have been used again since
        return [{ key, value: undefined }, ...(stale ? [{ key: rowKey, value: undefined }] : [])];
      }),
    );
    await store.batch(operations.flat(), { sync: false });
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
      // Checked when it was written, and in one piece: between here and `running` no other call may come in.
      const row = bytes && (JSON.parse(fromUtf8(bytes)) as { fingerprint: string; expiresMs: number; answer: string | null });
      if (row !== undefined && row.expiresMs > clock.now()) {
        if (row.fingerprint !== fingerprint) throw new ChainError('IDEMPOTENCY_KEY_REUSED', { key });
        if (row.answer !== null) return { answer: await paced(openAnswer(row.answer, rowKey)), replayed: true };
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

/** Of a kept row, from its end alone: names are sorted, and an answer before them may be megabytes long. */
function expiryOf(row: Uint8Array): number {
  const match = /"expiresMs":([0-9]+),"fingerprint":"[0-9a-f]+"}$/.exec(Buffer.from(row.subarray(-ROW_END_BYTES)).toString('latin1'));
  return match === null ? 0 : Number(match[1]);
}

function timeText(ms: number): ByteText {
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(ms));
  return toByteText(bytes);
}
