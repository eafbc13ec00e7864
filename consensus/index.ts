/** The door of consensus/. */
export * from './engine.ts';
export * from './finality.ts';
export { createEngine, type EngineName, engineNames, isEngineName, producerOf } from './registry.ts';
