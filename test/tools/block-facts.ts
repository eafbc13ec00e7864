/** What the executor said of a block, as the versions that it was made of. */
import type { WrittenVersion } from '../../contracts/index.ts';
import { BlockFactsReader, type BlockFacts } from '../../node/ledger/record-facts.ts';

const U32_BITS = 32n;

export function blockFactsIn(bytes: Uint8Array): BlockFacts {
  const reader = new BlockFactsReader(bytes);
  const versions: WrittenVersion[] = [];
  const textOf = (code: number): string | undefined => (code === 0 ? undefined : reader.texts[code - 1]);
  const some = (): string => textOf(reader.some())!;
  const list = <T>(read: () => T): T[] => Array.from({ length: reader.number() }, read);
  while (reader.next()) {
    const { id, version, heightBefore, hasTime, timeHigh, timeLow } = reader;
    const at = { class: textOf(reader.class)!, org: textOf(reader.org)!, actor: textOf(reader.actor)! };
    const state = textOf(reader.state) as WrittenVersion['state'];
    const named = {
      ...{ product: textOf(reader.product), productionBatch: textOf(reader.productionBatch), factory: textOf(reader.factory) },
      ...{ report: textOf(reader.report), verdict: textOf(reader.verdict) },
      timeUs: hasTime ? BigInt.asIntN(64, (BigInt(timeHigh) << U32_BITS) | BigInt(timeLow)) : undefined,
    };
    if (!reader.isNamed) {
      versions.push({ id, version, heightBefore, ...at, state, named: undefined });
      continue;
    }
    const devices = list(some);
    const materials = list(() => ({ supplier: some(), batch: some(), report: textOf(reader.text()) }));
    const links = list(() => ({ rel: some(), type: some(), id: some(), org: textOf(reader.text()) }));
    versions.push({ id, version, heightBefore, ...at, state, named: { ...named, devices, materials, links } });
  }
  return { timestampMs: reader.timestampMs, versions };
}
