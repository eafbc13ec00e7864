/** Door of what peers ask and tell one another. */
export { serveBlocks } from './block-server.ts';
export { BlockSync } from './block-sync.ts';
export { createRepairer, REPAIR_RETRY_MIN_MS } from './repair.ts';
export { Requests } from './requests.ts';
export { createSpreading, SPREAD_AFTER_BLOCK_MS, SPREAD_GATHER_MS, SPREAD_SEVERAL, type Spreading } from './spreading.ts';
export { createStanding, type Standing, type StandingWatch } from './standing.ts';
export { createMembership } from './membership.ts';
export type { SealedBox } from './messages.ts';
export { watchPeers } from './peer-watch.ts';
export { createPeering, type PeeringLimits } from './peering.ts';
