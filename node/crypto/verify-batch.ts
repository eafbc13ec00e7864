/** One batch of signature checks as bytes: a single buffer is moved to the worker, which costs less than cloning an object per check. */
import { type Crypto, Reader, Writer } from '../format/index.ts';

export interface Check {
  readonly suite: number;
  readonly publicKey: Uint8Array;
  readonly message: Uint8Array;
  readonly signature: Uint8Array;
}

export function encodeBatch(checks: readonly Check[]): Uint8Array<ArrayBuffer> {
  const bytes = checks.reduce((sum, check) => sum + 128 + check.message.length, 16);
  return new Writer(bytes)
    .list(checks, (w, check) => w.u8(check.suite).bytes(check.publicKey).bytes(check.signature).bytes(check.message))
    .finish() as Uint8Array<ArrayBuffer>;
}

/** One byte a check, 1 = valid, in order. */
export function verifyBatch(crypto: Crypto, batch: Uint8Array): Uint8Array {
  const verdicts = new Reader(batch).list((r) => {
    const suite = r.u8();
    const publicKey = r.bytes();
    const signature = r.bytes();
    return crypto.verify(suite, publicKey, r.bytes(), signature) ? 1 : 0;
  });
  return Uint8Array.from(verdicts);
}
