/** Worker thread of the verify pool (adapter): checks one batch per message. See verify-batch.ts for the layout. */
import { parentPort } from 'node:worker_threads';
import { createCrypto } from './real-crypto.ts';
import { verifyBatch } from './verify-batch.ts';

const port = parentPort!;
const crypto = createCrypto();

port.on('message', (job: { readonly id: number; readonly batch: Uint8Array<ArrayBuffer> }) => {
  port.postMessage({ id: job.id, verdicts: verifyBatch(crypto, job.batch) });
});
