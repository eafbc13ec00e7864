/**
 * A value that writes its own JSON. Answers that a node gives thousands of times a second are composed from what they tell, without objects in between;
 * what they say is what their value says, member for member and in its order.
 */
import type { Json } from '../../node/format/index.ts';
import type { Steps } from '../../node/pace/index.ts';

/** In pieces of a step each. */
export abstract class SelfWritten {
  /** As JSON.stringify writes the value. */
  abstract jsonSteps(): Steps<readonly string[]>;
  /** As canonicalJson of node/format writes it. */
  abstract canonicalSteps(): Steps<readonly string[]>;
  /** For forms that are not JSON. */
  abstract valueSteps(): Steps<unknown>;
}

/** What the exchange log digests: a value, or its canonical JSON in pieces of a step each. */
export type Logged = Json | (() => Steps<readonly string[]>);
