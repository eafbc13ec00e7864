/**
 * A value that writes its own JSON. Answers that a node gives thousands of times a second are composed from what they tell, without objects in between;
 * what they say is what their value says, member for member and in its order.
 */
import type { Steps } from '../../node/pace/index.ts';

/** The text of one value, in pieces of a step each. */
export interface SelfWrittenText {
  /** As JSON.stringify writes the value. */
  readonly json: readonly string[];
  /** As canonicalJson of node/format writes it. */
  readonly canonical: readonly string[];
}

export abstract class SelfWritten {
  abstract textSteps(): Steps<SelfWrittenText>;
  /** For forms that are not JSON. */
  abstract valueSteps(): Steps<unknown>;
}
