/** The door of consensus/. */
export * from './engine.ts';
