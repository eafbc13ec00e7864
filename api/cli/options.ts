/** Readers of option values; a value out of range is a fault of usage that names the option. */
import { InvalidArgumentError } from 'commander';
import { ChainError } from '../../node/errors/index.ts';

export function integer(min: number, max: number): (text: string) => number {
  return (text) => {
    const value = /^-?\d{1,15}$/.test(text) ? Number(text) : Number.NaN;
    if (!(value >= min && value <= max)) throw new InvalidArgumentError(`Expected a whole number from ${min} to ${max}.`);
    return value;
  };
}

export function oneOf<T extends string>(...words: readonly T[]): (text: string) => T {
  return (text) => {
    const word = words.find((candidate) => candidate === text);
    if (word === undefined) throw new InvalidArgumentError(`Expected one of ${words.join(', ')}.`);
    return word;
  };
}

/** A JSON value given on the command line, `@FILE` having been read already. @throws ChainError CLI_USAGE */
export function jsonArgument(text: string, what: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new ChainError('CLI_USAGE', { reason: `${what} is not JSON: ${(error as Error).message}` });
  }
}
