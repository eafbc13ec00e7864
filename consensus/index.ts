/** The door of consensus/. `finality.ts` is a door of its own: who judges a proof loads no replica. */
export {
  type Effect,
  type Engine,
  ENGINE_LIMITS,
  type EngineCrypto,
  type EngineLimits,
  type EngineParameters,
  type EngineStart,
  type EngineStatus,
  type Input,
  PRODUCER_CHANGED,
  type SignatureCheck,
  TICK_MS,
} from './engine.ts';
export { type FinalityProof, isVotedBy, judgeFinality, openFinality } from './finality.ts';
export { createEngine, inspect, producerOf } from './registry.ts';
