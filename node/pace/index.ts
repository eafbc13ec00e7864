/**
 * Door of pace: long work in slices, rates, and how much of the loop is free. `bounded-map.ts` is a door of its own, for threads that need
 * nothing else.
 */
export { ALL_HEADROOM, type Headroom, watchHeadroom } from './headroom.ts';
export { joined } from './joined.ts';
export { JSON_BODY_DEPTH_MAX, JSON_NAMES_MAX, JSON_VALUES_MAX, jsonBytesSteps, UNBOUNDED, utf8Steps } from './json-steps.ts';
export {
  createPaced,
  createPause,
  createSlices,
  eachInSteps,
  isSteps,
  nextTurn,
  type Paced,
  type Pause,
  type RunInSlices,
  type Steps,
  withPauses,
} from './slices.ts';
export { rateSaving, TokenBucket, TokenBuckets } from './token-bucket.ts';
