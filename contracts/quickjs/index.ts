/** The door of contracts/quickjs. */
export { bundleDigestOf, bundles } from './bundle.ts';
export { EVENT_DATA_BYTES_MAX, KEY_BYTES_MAX, RESULT_BYTES_MAX, VALUE_BYTES_MAX } from './host-api.ts';
export { loadWasm } from './load-wasm.ts';
export { CODE_BYTES_MAX, createContractMachine, type MachineDeps, QuickJsMachine } from './machine.ts';
