/** The door of contracts/. */
export * from './types.ts';
export * from './answers.ts';
export * from './builtin/layout.ts';
export * from './builtin/index.ts';
export * from './builtin/validity.ts';
export * from './execute.ts';
export * from './fault.ts';
export * from './gas.ts';
export * from './overlay.ts';
export * from './builtin/deployed.ts';
export * from './quickjs/index.ts';
export * from './builtin/records.ts';
export * from './builtin/records-checks.ts';
export * from './builtin/records-versions.ts';
export * from './classes/index.ts';
