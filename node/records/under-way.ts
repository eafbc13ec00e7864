/**
 * Submissions under way: sent, and not yet final, refused or expired. A submission of the same account that equals one of them joins it, so
 * that many sends of one record make one transaction and all callers get its receipt. Equal means the same records in the same order, alike
 * to the byte in the form that is stored; what the sender says of their source does not count, as it does not for records that are final
 * already.
 *
 * What overlaps in part, is spelled otherwise, or comes from another account or through another node goes in a transaction of its own, in
 * which the chain finds what is stored already repeated; the answer names the transaction that stored it. So it is after a restart: this
 * register is in memory only.
 */
import { BoundedMap } from '../pace/bounded-map.ts';
import { type ByteText, type Crypto, type Digest, DIGEST_BYTES, toByteText, utf8, Writer } from '../format/index.ts';
import type { Sent } from './coalescing.ts';
import type { PreparedRecord } from './prepare.ts';
import type { NodeService, TransactionStatus } from '../service.ts';
import type { RunInSlices } from '../pace/index.ts';

/** Submissions remembered; past it the oldest leaves, and the next that equals it makes a transaction of its own. */
export const UNDER_WAY_MAX = 10_000;
/** Submissions looked at after a final block, the oldest first: those that nobody waits for leave here. */
const SWEPT_MAX = 50;
/** Records of one submission looked at between two pauses. */
const STEP_RECORDS = 256;

export interface UnderWay {
  /** What equals an earlier submission under way gets its transaction, or its refusal; anything else is sent. */
  join(account: string, records: readonly PreparedRecord[], send: () => Promise<Sent>): Promise<Sent>;
  /** Those remembered: one that is over stays until a block comes. */
  count(): number;
}

export function createUnderWay(
  node: Pick<NodeService, 'transaction' | 'onBlock'>,
  crypto: Pick<Crypto, 'hash'>,
  inSlices: RunInSlices,
): UnderWay {
  const sends = new BoundedMap<ByteText, Promise<Sent>>(UNDER_WAY_MAX);
  let sweeping = false;

  function leave(key: ByteText, sent: Promise<Sent>): void {
    if (sends.get(key) === sent) sends.delete(key);
  }

  async function stateOf(sent: Sent, statusOf = node.transaction): Promise<'waiting' | 'stored' | 'over'> {
    for (;;) {
      const { id } = sent;
      const status = await statusOf(id);
      if (status.state === 'pending') return 'waiting';
      if (status.state !== 'confirmed') return 'over';
      if (await sent.settle(id, status.receipt)) continue; // sent again, also for who does not wait any more
      return status.receipt.status === 'ok' ? 'stored' : 'over';
    }
  }

  async function sweep(): Promise<void> {
    const asked = new Map<Digest, Promise<TransactionStatus>>(); // many stand in one transaction, and have one id
    const statusOf = (id: Digest): Promise<TransactionStatus> => {
      const status = asked.get(id) ?? node.transaction(id);
      asked.set(id, status);
      return status;
    };
    for (const [key, sent] of [...sends].slice(0, SWEPT_MAX)) {
      const state = await sent.then((each) => stateOf(each, statusOf)).catch(() => 'over' as const);
      leave(key, sent);
      if (state === 'waiting' && !sends.has(key)) sends.set(key, sent); // behind those that were not looked at
    }
  }

  node.onBlock(() => {
    if (sweeping) return;
    sweeping = true;
    void sweep()
      .catch(() => undefined) // a row of the store cannot be read: the next block looks again
      .finally(() => {
        sweeping = false;
      });
  });

  return {
    count: () => sends.size,
    async join(account, records, send) {
      const [only] = records;
      const key = records.length === 1 ? keyOfOne(account, only!) : await inSlices(keyOf(crypto, account, records));
      for (let other = sends.get(key); other; other = sends.get(key)) {
        const earlier = await other;
        if ((await stateOf(earlier).catch(() => 'over')) !== 'over') return earlier;
        leave(key, other);
      }
      const sent = send();
      sends.set(key, sent);
      sent.catch(() => leave(key, sent));
      return sent;
    },
  };
}

/** Longer than the hash that is the key of several. */
function keyOfOne(account: string, { recordId, recordDigest }: PreparedRecord): ByteText {
  return toByteText(recordId) + toByteText(recordDigest) + toByteText(utf8(account));
}

/** Some steps for ten thousand records. */
function* keyOf(crypto: Pick<Crypto, 'hash'>, account: string, records: readonly PreparedRecord[]): Generator<void, ByteText, void> {
  const name = utf8(account);
  const writer = new Writer(2 * DIGEST_BYTES * records.length + name.length);
  for (const [i, { recordId, recordDigest }] of records.entries()) {
    writer.fixed(recordId, DIGEST_BYTES).fixed(recordDigest, DIGEST_BYTES);
    if (i % STEP_RECORDS === 0) yield;
  }
  return toByteText(crypto.hash(writer.fixed(name, name.length).finish())); // digests are of one length: what follows them is the account
}
