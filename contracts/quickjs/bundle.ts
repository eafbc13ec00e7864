/**
 * The frozen bundle of an executionVersion: everything on which a contract's result or its gas depends. A node computes the digest at start
 * from what it will really run, and refuses to start when it is not the one written here (design: execution, "executionVersion").
 */
import { encodeJson, type Json, toHex, utf8, Writer } from '../../node/format/index.ts';
import { CALL_DEPTH_MAX, GAS, IMAGES_TOTAL_BYTES_MAX, LOAD_GAS_MAX, WASM_GAS } from '../gas.ts';
import { GLUE_VERSION, HEAP_PAGES_INITIAL, MEMORY_PAGES, SCRIPT_STACK_BYTES, STACK_BYTES } from './instance.ts';
import { intrinsicsMask, permittedGlobals } from './permits.ts';
import { prelude } from './prelude.ts';

/** executionVersion -> digest of its bundle. Rows are added, never changed. */
export const bundles: Readonly<Record<number, string>> = {
  1: 'e90764ead2849591db315a4bd03e61fc7bbe66b1275f2a7a9396b7df958e39da',
};

/** Digest of the running bundle, 64 hex digits: SHA-256 over the metered binary and every table beside it. */
export function bundleDigestOf(hash: (data: Uint8Array) => Uint8Array, meteredBinary: Uint8Array): string {
  const tables = {
    gas: GAS,
    wasmGas: WASM_GAS,
    callDepthMax: CALL_DEPTH_MAX,
    imagesTotalBytesMax: IMAGES_TOTAL_BYTES_MAX,
    loadGasMax: LOAD_GAS_MAX,
    glueVersion: GLUE_VERSION,
    memoryPages: MEMORY_PAGES,
    stackBytes: STACK_BYTES,
    scriptStackBytes: SCRIPT_STACK_BYTES,
    heapPagesInitial: HEAP_PAGES_INITIAL,
    intrinsics: intrinsicsMask,
    permits: permittedGlobals,
  } satisfies Record<string, Json>;
  const bytes = new Writer(1024).fixed(hash(meteredBinary), 32).bytes(utf8(prelude)).bytes(encodeJson(tables)).finish();
  return toHex(hash(bytes));
}
