/** What a body may hold of sealed values. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ParsedRecord } from '../../../../node/records/formats/index.ts';
import { prepareRows, type PreparedRows } from '../../../../node/records/prepare-rows.ts';
import { production } from '../../../../contracts/classes/index.ts';
import type { TextStruct } from '../../../../node/format/index.ts';
import { SEALED_BYTES_MAX, sealedBytes } from '../../../../node/records/index.ts';
import { annexRecord, crypto } from './sample.ts';

const context = { crypto, org: 'alpha', sealingKey: new Uint8Array(32).fill(3) };
/** As long as the field may be: 9 MB. */
const LONG_TEXT = '工'.repeat(3_000_000);

function record(product: string, texts: number): TextStruct {
  const pro_op_info = Array.from({ length: texts }, (_, i) => ({ pro_op_name: 'Zhao', pro_op_id: `${i}`, pro_op_record: LONG_TEXT }));
  return annexRecord({ product_uid: product, pro_op_info });
}

function prepare(...trees: readonly TextStruct[]): PreparedRows {
  const at = { row: 1, column: '' };
  const steps = prepareRows(
    context,
    production,
    trees.map((tree): ParsedRecord => ({ tree, at, locate: () => at })),
    [],
    { source: {} },
  );
  for (;;) {
    const step = steps.next();
    if (step.done === true) return step.value;
  }
}

test('sealed values are bounded in bytes at the door: those of a record, and those of a body together', () => {
  const { rows } = prepare(record('SN-1', 1));
  assert.ok(sealedBytes(rows[0]!.prepared.sealed) > 9_000_000, 'one of the longest texts has room');
  const [fault] = prepare(record('SN-1', 2)).faults;
  assert.deepEqual([fault?.code, fault?.record, fault?.data.sealedBytesMax], ['RECORD_TOO_LARGE', 0, `${SEALED_BYTES_MAX}`]);
  assert.throws(() => prepare(record('SN-1', 1), record('SN-2', 1)), { code: 'TRANSACTION_TOO_LARGE' });
});
