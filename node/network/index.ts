/** Door of the network adapter. */
export * from './libp2p-network.ts';
export { PROTOCOL_VERSION } from './hello.ts';
export { CUT_OFF_MS, REPORTS_MAX } from './penalties.ts';
