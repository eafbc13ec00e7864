/** Door of the devnet. */
export { childEnvironment, type Devnet, type DevnetNode, type DevnetOptions, startDevnet } from './devnet.ts';
