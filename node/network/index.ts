/** Door of the network adapter. */
export { createLibp2pNetwork, type Libp2pNetwork } from './libp2p-network.ts';
