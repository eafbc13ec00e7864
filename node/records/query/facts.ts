/**
 * What the query index is told of versions that are read from blocks: the same that the executor tells of those it writes
 * (node/ledger/record-facts.ts).
 */
import type { ClassDefinition } from '../../../contracts/classes/index.ts';
import { factsSteps, scanContent } from '../../../contracts/classes/index.ts';
import type { NamedFacts, WrittenVersion } from '../../../contracts/index.ts';
import type { Steps } from '../../pace/index.ts';
import { contentSteps, SHORT_BYTES } from '../content-steps.ts';
import type { RecordRow } from '../source.ts';

/** @param definition undefined when the class is not known: such content is found by its class, organisation and author */
export function* writtenVersionSteps(definition: ClassDefinition | undefined, { recordId, record }: RecordRow): Steps<WrittenVersion> {
  const { version, heightBefore, class: name, org, actor, state, content } = record;
  const named = content.length === 0 || !definition ? undefined : yield* namedSteps(definition, content);
  return { id: recordId, version, heightBefore, class: name, org, actor, state, named };
}

/** Content of a class that changed since may not fit it any more: such is read as it is. */
function* namedSteps(definition: ClassDefinition, content: Uint8Array): Steps<NamedFacts> {
  const scanned = content.length <= SHORT_BYTES ? scanContent(definition, content, 'sealed') : undefined;
  return scanned?.facts ?? (yield* factsSteps(definition, yield* contentSteps(content)));
}
