/** One batch of signature checks as bytes: a single buffer is moved to the worker, which costs less than cloning an object per check. */
import { type Crypto, Reader, Writer } from '../format/index.ts';
import type { SignatureCheck } from '../world.ts';

/** In memory of its own, which may be moved. */
export function encodeBatch(checks: readonly SignatureCheck[]): Uint8Array<ArrayBuffer> {
  let bytes = 16;
  for (const { message } of checks) bytes += 128 + message.length;
  return new Writer(bytes).list(checks, writeCheck).view() as Uint8Array<ArrayBuffer>;
}

function writeCheck(writer: Writer, check: SignatureCheck): void {
  writer.u8(check.suite).bytes(check.publicKey).bytes(check.signature).bytes(check.message);
}

/** One byte a check, 1 = valid, in order. */
export function verifyBatch(crypto: Crypto, batch: Uint8Array): Uint8Array {
  const reader = new Reader(batch);
  const verdicts = new Uint8Array(reader.u32());
  for (let i = 0; i < verdicts.length; i++) {
    const suite = reader.u8();
    const publicKey = reader.bytes();
    const signature = reader.bytes();
    verdicts[i] = crypto.verify(suite, publicKey, reader.bytes(), signature) ? 1 : 0;
  }
  return verdicts;
}
