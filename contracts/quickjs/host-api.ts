/**
 * What a running contract can ask of the chain, and what each question costs. Everything that crosses is bytes from a heap the contract
 * controls: sizes are bounded, JSON is read and written again in canonical form before it can reach state, an event or a caller.
 */
import { type ByteText, canonicalJson, encodeJson, equalBytes, fromUtf8, type Json, toByteText, utf8 } from '../../node/format/index.ts';
import { GAS } from '../gas.ts';
import { ContractFailure, type GasTank, type Host } from '../types.ts';
import { ExecutionFault, isHostFault } from '../fault.ts';
import type { HostCall } from './instance.ts';
import { FLAW_SIGN, HOST_OP } from './prelude.ts';

const COLON = 58;
const FLAW = FLAW_SIGN.charCodeAt(0);
const lossy = new TextDecoder(); // an address that is no text is no address

export const KEY_BYTES_MAX = 256;
export const VALUE_BYTES_MAX = 262_144; // one stored value
export const EVENT_DATA_BYTES_MAX = 65_536;
export const RESULT_BYTES_MAX = 1_048_576;
export const CALL_ARGS_BYTES_MAX = 1_048_576; // of a call from one contract to another

/** Gas as the instance counts it, joined to the transaction's tank for the length of a host call. */
export interface GasBridge {
  /** Moves what the engine used since last time from the tank. */
  settle(): void;
  /** Tells the engine what is left. */
  refresh(): void;
}

export function hostCallOf(host: Host, gas: GasTank, bridge: GasBridge, events: ReadonlySet<string>): HostCall {
  return (op, first, second, third) => {
    bridge.settle();
    gas.use(GAS.hostCall);
    const answer = dispatch(host, gas, events, op, first, second, third);
    bridge.refresh();
    return answer;
  };
}

function dispatch(
  host: Host,
  gas: GasTank,
  events: ReadonlySet<string>,
  op: number,
  first: Uint8Array,
  second: Uint8Array,
  third: Uint8Array,
): Uint8Array | undefined {
  switch (op) {
    case HOST_OP.get:
      return host.get(keyOf(first));
    case HOST_OP.put:
      host.put(keyOf(first), canonicalOf(second, VALUE_BYTES_MAX, gas, 'value'));
      return undefined;
    case HOST_OP.delete:
      host.delete(keyOf(first));
      return undefined;
    case HOST_OP.emit: {
      const name = toByteText(first);
      if (!events.has(name)) throw new ContractFailure('CONTRACT_EVENT_UNDECLARED', { event: name });
      host.emit(name, canonicalOf(second, EVENT_DATA_BYTES_MAX, gas, 'event'));
      return undefined;
    }
    case HOST_OP.call:
      return callOther(host, gas, first, second, third);
    default:
      throw new ExecutionFault(`The prelude asked for host call ${op}`);
  }
}

/** A failed callee comes back as a value, so that the caller may catch it; running out of gas does not. */
function callOther(host: Host, gas: GasTank, address: Uint8Array, method: Uint8Array, args: Uint8Array): Uint8Array {
  const canonicalArgs = canonicalOf(args, CALL_ARGS_BYTES_MAX, gas, 'arguments');
  try {
    return answerOf(61, host.call(lossyText(address), toByteText(method), canonicalArgs)); // '='
  } catch (error) {
    if (!(error instanceof ContractFailure) || error.code === 'GAS_EXHAUSTED') throw error;
    return answerOf(33, encodeJson({ code: error.code, detail: error.detail as Json })); // '!'
  }
}

function answerOf(sign: number, rest: Uint8Array): Uint8Array {
  const out = new Uint8Array(rest.length + 1);
  out[0] = sign;
  out.set(rest, 1);
  return out;
}

function keyOf(bytes: Uint8Array): ByteText {
  if (bytes.length === 0 || bytes.length > KEY_BYTES_MAX)
    throw new ContractFailure('CONTRACT_VALUE_INVALID', { what: 'key', bytes: bytes.length, bytesMax: KEY_BYTES_MAX });
  return toByteText(bytes);
}

function lossyText(bytes: Uint8Array): string {
  return lossy.decode(bytes.subarray(0, KEY_BYTES_MAX));
}

/**
 * Canonical form of JSON that a contract made.
 * @throws ContractFailure CONTRACT_VALUE_INVALID for what the prelude found (NaN, a Map, $int), fractions, unsafe integers, unpaired
 * surrogates, nesting past JSON_DEPTH_MAX, or size.
 */
export function canonicalOf(bytes: Uint8Array, bytesMax: number, gas: GasTank, what: string): Uint8Array {
  useJsonGas(bytes, gas);
  if (bytes.length > bytesMax) throw new ContractFailure('CONTRACT_VALUE_INVALID', { what, bytes: bytes.length, bytesMax });
  if (bytes[0] === FLAW) throw new ContractFailure('CONTRACT_VALUE_INVALID', { what, reason: what + lossy.decode(bytes.subarray(1)) });
  try {
    const text = fromUtf8(bytes);
    const canonical = canonicalJson(JSON.parse(text) as Json);
    return canonical === text ? bytes : utf8(canonical);
  } catch (error) {
    if (isHostFault(error)) throw new ExecutionFault('The stack of the host ran out', error);
    throw new ContractFailure('CONTRACT_VALUE_INVALID', { what, rule: 'text, safe integers, true, false, null, lists and objects' });
  }
}

function useJsonGas(json: Uint8Array, gas: GasTank): void {
  gas.use(json.length * GAS.perJsonByte);
  let names = 0;
  for (const byte of json) if (byte === COLON) names++;
  gas.use(names * GAS.perJsonName);
}

/** Arguments as they came with the transaction: a canonical JSON list. @throws ContractFailure CONTRACT_ARGS_INVALID */
export function checkArgs(args: Uint8Array, gas: GasTank): void {
  useJsonGas(args, gas);
  try {
    const value = JSON.parse(fromUtf8(args)) as Json;
    if (Array.isArray(value) && equalBytes(encodeJson(value), args)) return;
  } catch (error) {
    if (isHostFault(error)) throw new ExecutionFault('The stack of the host ran out', error);
  }
  throw new ContractFailure('CONTRACT_ARGS_INVALID', { expected: 'a JSON list in canonical form (RFC 8785)' });
}
