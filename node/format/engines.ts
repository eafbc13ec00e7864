/**
 * The engines that a configuration may name, and what each asks of its validators. Configuration alone: genesis, governance and command
 * line ask here; the engines themselves stand in consensus/ (registry.ts), and no other file names one.
 */
import { quorumSize, type Validator } from './block.ts';
import { type EngineName, engineNames } from './engine-names.ts';

/** PBFT bears floor((n-1)/3) faults, so fewer than four bear none (design: chain, "Governance"). */
const PBFT_VALIDATORS_MIN = 4;

export function isEngineName(name: string): name is EngineName {
  return (engineNames as readonly string[]).includes(name);
}

/** Fewest validators that can run the engine. */
export function validatorsMin(engine: EngineName): number {
  switch (engine) {
    case 'pbft':
      return PBFT_VALIDATORS_MIN;
  }
}

/** Why a validator set cannot run the engine, or undefined. The text goes into receipts, so it never changes. */
export function validatorsFault(engine: string, validators: readonly Pick<Validator, 'node' | 'weight'>[]): string | undefined {
  if (engine !== 'pbft') return undefined;
  if (validators.length < PBFT_VALIDATORS_MIN)
    return `PBFT needs at least ${PBFT_VALIDATORS_MIN} validators, quorum ${quorumSize(PBFT_VALIDATORS_MIN)}`;
  const weighted = validators.find(({ weight }) => weight !== 1);
  return weighted && `PBFT counts validators, so the weight of ${weighted.node} must be 1`;
}
