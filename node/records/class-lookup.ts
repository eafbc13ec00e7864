/**
 * Class definitions for the query index and answers: the built-in ones, and those organisations registered, in the version a record was
 * written by.
 */
import { type ClassDefinition, classAt, stateKey, type StateView } from '../../contracts/index.ts';

export type ClassLookup = (name: string, version: number) => ClassDefinition | undefined;

/** What was found is remembered, since a version never changes. */
export function createClassLookup(state: StateView): ClassLookup {
  const found = new Map<string, ClassDefinition>();
  return (name, version) => {
    const known = found.get(`${name}\0${version}`) ?? classAt((contract, key) => state.get(stateKey(contract, key)), name, version);
    if (known) found.set(`${name}\0${version}`, known);
    return known;
  };
}
