/** The door of contracts/quickjs. */
export { bundles } from './bundle.ts';
export { loadWasm } from './load-wasm.ts';
export { createContractMachine, QuickJsMachine } from './machine.ts';
