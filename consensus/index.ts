/** The door of consensus/. */
export * from './engine.ts';
export * from './finality.ts';
export { createEngine, producerOf } from './registry.ts';
