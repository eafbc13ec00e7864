/**
 * Adapter: reads the engine's wasm file out of its package. The one file of contracts/ that touches the machine it runs on; the machine
 * (machine.ts) takes bytes and does not care where they come from.
 */
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';

/** Bytes of QuickJS as quickjs-emscripten 0.32.0 compiled it (release, synchronous). */
export async function loadWasm(): Promise<Uint8Array> {
  const path = createRequire(import.meta.url).resolve('@jitl/quickjs-wasmfile-release-sync/wasm');
  return new Uint8Array(await readFile(path));
}
