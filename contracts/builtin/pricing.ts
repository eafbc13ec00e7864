/**
 * What the built-in contracts that speak JSON charge for reading it, measured by test/bench/gas-calibrate.ts: the host prices the bytes as
 * bytes, and parsing them, judging every name and writing them again in canonical form costs a hundred times that.
 */
import type { BuiltinContract, Host } from '../types.ts';

/** Gas of reading arguments, for each byte. */
export const GAS_PER_ARGUMENT_JSON_BYTE = 7_500;
/** Gas of opening a stored entry and writing it again, for each byte read. */
export const GAS_PER_ENTRY_JSON_BYTE = 4_000;

type Method = (host: Host, args: Uint8Array) => Uint8Array;

/** The contract with its arguments paid for before a method looks at them. */
export function pricedByArguments(contract: BuiltinContract): BuiltinContract {
  const priced = (methods: Readonly<Record<string, Method>>): Readonly<Record<string, Method>> =>
    Object.fromEntries(
      Object.entries(methods).map(([name, method]) => [
        name,
        (host: Host, args: Uint8Array): Uint8Array => {
          host.useGas(GAS_PER_ARGUMENT_JSON_BYTE * args.length);
          return method(host, args);
        },
      ]),
    );
  return { ...contract, methods: priced(contract.methods), queries: priced(contract.queries) };
}
