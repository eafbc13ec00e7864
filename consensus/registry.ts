/** Name -> engine: the one switch. A new protocol is a folder and a line here. */
import type { Engine, EngineCrypto, EngineStart } from './engine.ts';
import { createPbft } from './pbft/index.ts';

export const engineNames = ['pbft'] as const;
export type EngineName = (typeof engineNames)[number];

export function isEngineName(name: string): name is EngineName {
  return (engineNames as readonly string[]).includes(name);
}

/** @throws RangeError for a name outside engineNames; chain state is checked before it gets here. */
export function createEngine(name: string, start: EngineStart, crypto: EngineCrypto): Engine {
  switch (name) {
    case 'pbft':
      return createPbft(start, crypto);
    default:
      throw new RangeError(`Cannot run engine ${name}: known are ${engineNames.join(', ')}`);
  }
}
