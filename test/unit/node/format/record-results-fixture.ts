/** Results of `records` as any call may have them. */
import fc from 'fast-check';
import type { RecordResult } from '../../../../node/format/index.ts';
import { counts, digests } from './roundtrip.ts';

const named = { class: fc.constantFrom('production', 'device', 'heat', '质检'), id: digests, recordDigest: digests };
const versions = (min: number) => fc.integer({ min, max: 0xffff_ffff });
const firsts = fc.option(fc.record({ height: counts, transactionId: digests }), { nil: undefined });
const stored = fc.record({ ...named, status: fc.constant('stored' as const) });
const repeated = fc.record({ ...named, status: fc.constant('repeated' as const), currentVersion: versions(1), first: firsts });
const changed = fc.record({
  ...named,
  ...{ status: fc.constantFrom('amended' as const, 'withdrawn' as const), version: versions(2), digestBefore: digests },
});

export const recordResults: fc.Arbitrary<RecordResult[]> = fc.oneof(
  fc.array(fc.oneof(stored, repeated), { minLength: 1, maxLength: 6 }),
  fc.tuple(changed),
);
