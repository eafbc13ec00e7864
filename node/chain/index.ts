/** Door of what happens to a block before it is final. */
export { createChain } from './chain.ts';
export { createConsensusDriver, type DriverOptions } from './driver.ts';
export type { ChainEvents, Emitter } from './events.ts';
export type { InboxLimits } from './frame-inbox.ts';
export { createLeftOut } from './left-out.ts';
export { createMempool, type Mempool, type MempoolLimits, type Waiting } from './mempool/mempool.ts';
export { openPendingBodies } from './pending-bodies.ts';
export { createReceipts } from './receipts.ts';
export { CONSENSUS_FAULT, CONSENSUS_FAULT_OVER } from './retries.ts';
export { type ChainTip, createTip } from './tip.ts';
export { createWorkNotice } from './work-notice.ts';
