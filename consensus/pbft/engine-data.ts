/**
 * What PBFT keeps in a header: the view in which the block was first proposed, as u64. A re-proposal keeps its bytes, so the view of a
 * final block may be above the one in its header. A leaf: whoever judges headers needs no replica.
 */
import { decodeAll, type Validator, Writer } from '../../node/format/index.ts';

export function encodeEngineData(view: number): Uint8Array {
  return new Writer(8).u64(view).finish();
}

/** The node entitled to a block with this engine data. @throws DecodeError for bytes that are no view */
export function producerOfView(engineData: Uint8Array, validators: readonly Validator[]): string {
  return primaryAmong(
    validators,
    decodeAll(engineData, (reader) => reader.u64()),
  );
}

/** p = v mod |R| (PBFT §4). @param validators sorted by node id, at least one. */
export function primaryAmong(validators: readonly Pick<Validator, 'node'>[], view: number): string {
  return validators[view % validators.length]!.node;
}
