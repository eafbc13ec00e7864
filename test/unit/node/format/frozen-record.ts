/** The sealed form and key of a record as the door makes them, with one fixed sealing key. */
import { keyOf as keyOfClass, production } from '../../../../contracts/index.ts';
import type { TextStruct } from '../../../../node/format/index.ts';
import { prepareRecord } from '../../../../node/records/index.ts';
import { crypto } from './genesis-fixture.ts';

export function keyOf(record: TextStruct): { readonly [name: string]: string } {
  return keyOfClass(production, record);
}

export function prepareRecordFor(record: TextStruct): Uint8Array {
  const preparation = prepareRecord({ crypto, org: 'alpha', sealingKey: new Uint8Array(32).fill(3) }, production, record);
  if (!preparation.ok) throw new Error(JSON.stringify(preparation.faults));
  return preparation.prepared.submission.content;
}
