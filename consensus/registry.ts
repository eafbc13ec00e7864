/**
 * Name -> engine: the one switch. A new protocol is a folder, a line in each function here and in finality.ts, and a name in
 * node/format/engines.ts.
 */
import { engineNames, isEngineName, type Validator } from '../node/format/index.ts';
import type { Engine, EngineCrypto, EngineStart, Inspection } from './engine.ts';
import { createPbft, inspectFrame, producerOfView } from './pbft/index.ts';

/** @throws RangeError for a name outside engineNames; chain state is checked before it gets here. */
export function createEngine(name: string, start: EngineStart, crypto: EngineCrypto): Engine {
  switch (name) {
    case 'pbft':
      return createPbft(start, crypto);
    default:
      throw new RangeError(`Cannot run engine ${name}: known are ${engineNames.join(', ')}`);
  }
}

/**
 * The node that the engine entitles to a block by what its header's engineData says.
 * @param validators those of the block's height, sorted by node id.
 * @returns undefined when engineData is not in the engine's canonical form.
 */
export function producerOf(name: string, engineData: Uint8Array, validators: readonly Validator[]): string | undefined {
  if (!isEngineName(name) || validators.length === 0) return undefined;
  try {
    switch (name) {
      case 'pbft':
        return producerOfView(engineData, validators);
    }
  } catch {
    return undefined; // not in its form
  }
}

/** What a frame of an engine says. Undefined for bytes that are no message of it. */
export function inspect(name: string, frame: Uint8Array): Inspection | undefined {
  if (!isEngineName(name)) return undefined;
  switch (name) {
    case 'pbft':
      return inspectFrame(frame);
  }
}
