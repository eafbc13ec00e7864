/** Door of the settings: node.json and genesis.json, each with its one schema. */
export { type Fault, nearestName } from './faults.ts';
export { genesisOutgrown, genesisSchema, parseGenesis } from './genesis.ts';
export { type NodeConfig, nodeConfigSchema, parseNodeConfig, type Setting, settings, settingsTable } from './schema.ts';
