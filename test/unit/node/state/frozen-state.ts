/** Roots and proofs of a few small states, whose bytes can never change again. Kept in test/data/frozen/state.json. */
import { toHex } from '../../../../node/format/index.ts';
import { createStateMap } from '../../../../node/state/index.ts';
import { digest, fastHash } from './state-map-model.ts';

const version = (i: number): string =>
  `\x07recordsv${digest(`record ${i}`).reduce((key, byte) => key + String.fromCharCode(byte), '')}\0\0\0\x01`;
const count = (n: number, key: (i: number) => string): string[] => Array.from({ length: n }, (_, i) => key(i));

/** Name -> keys; the valueHash of a key is the hash of its name, a space and the key. */
export const frozenSets: Readonly<Record<string, readonly string[]>> = {
  empty: [],
  oneEntry: ['a'],
  fullBucket: count(16, version),
  smallestBranch: count(17, version),
  prefixesOfOneAnother: count(40, (i) => 'p'.repeat(i + 1)),
  everyByte: count(256, (i) => String.fromCharCode(i)),
  records: count(300, version),
};

export const frozenAbsent = version(1_000_000);
export const valueHashIn = (set: string, key: string): Uint8Array => digest(`${set} ${key}`);

export function frozenState(): Record<string, string> {
  const out: Record<string, string> = {};
  for (const [name, keys] of Object.entries(frozenSets)) {
    const map = createStateMap(fastHash);
    map.commit(map.stage(keys.map((key) => ({ key, valueHash: valueHashIn(name, key) }))));
    out[`root of ${name}`] = toHex(map.root());
    if (name !== 'records') continue;
    out['proof of presence'] = toHex(map.prove(keys[7]!));
    out['proof of absence'] = toHex(map.prove(frozenAbsent));
    out['proof of the count'] = toHex(map.proveRange('', undefined, 0));
  }
  return out;
}
