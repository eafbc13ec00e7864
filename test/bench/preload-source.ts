/** Thread of preload.ts: makes the transactions of one block each time it is asked. */
import { parentPort, workerData } from 'node:worker_threads';
import { type Digest, toHex } from '../../node/format/index.ts';
import { type SenderNode, sendersOf, submissionsOf, transactionOf } from './workload.ts';

export interface SourceOrder {
  readonly nodes: readonly SenderNode[];
  readonly root: string;
  readonly chainId: Digest;
  readonly recordsPerTransaction: number;
  /** Of one block; number i is of sender i modulo their count. */
  readonly transactions: number;
}

const order = workerData as SourceOrder;
const senders = await sendersOf(order.nodes);
const chainId = toHex(order.chainId);
const submissions = senders.map((sender) => submissionsOf(sender, order.root, `p${sender.node.id}`));
parentPort!.on('message', () => {
  const block = Array.from({ length: order.transactions }, (_, i) => {
    const at = i % senders.length;
    return transactionOf(senders[at]!, chainId, 0, submissions[at]!, order.recordsPerTransaction);
  });
  parentPort!.postMessage(block);
});
