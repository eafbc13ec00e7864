/** Door of the settings: node.json and genesis.json, each with its one schema. */
export type { Fault } from './faults.ts';
export { genesisOutgrown, parseGenesis } from './genesis.ts';
export { type NodeConfig, parseNodeConfig, settings, settingsTable } from './schema.ts';
