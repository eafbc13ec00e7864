/** The door of consensus/. */
export * from './engine.ts';
export { createEngine, type EngineName, engineNames, isEngineName, producerOf } from './registry.ts';
