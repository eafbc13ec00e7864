/** Class definitions for the query index: the built-in ones, and those organisations registered, in the version a record was written by. */
import {
  builtinClass,
  type ClassDefinition,
  CONTRACT,
  entryFrom,
  readClass,
  type RegistryEntry,
  registryKey,
  stateKey,
  type StateView,
} from '../../contracts/index.ts';
import type { ByteText } from '../format/index.ts';

export type ClassLookup = (name: string, version: number) => ClassDefinition | undefined;

/** Looks through the registry's history, newest first; what was found is remembered, since a version never changes. */
export function createClassLookup(state: StateView): ClassLookup {
  const found = new Map<string, ClassDefinition>();
  const read = (key: ByteText): RegistryEntry<'class'> | undefined => {
    const bytes = state.get(stateKey(CONTRACT.registry, key));
    return bytes && entryFrom<'class'>(bytes);
  };
  return (name, version) => {
    const known = builtinClass(name) ?? found.get(`${name}\0${version}`);
    if (known) return known.version === version ? known : undefined;
    for (let at = read(registryKey.entry('class', name))?.version ?? 0; at > 0; at--) {
      const entry = read(registryKey.version('class', name, at));
      const reading = entry && readClass(entry.data);
      if (!reading?.ok || reading.definition.version !== version) continue;
      found.set(`${name}\0${version}`, reading.definition);
      return reading.definition;
    }
    return undefined;
  };
}
