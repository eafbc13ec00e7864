import assert from 'node:assert/strict';
import { test } from 'node:test';
import { confirmedAnswer, confirmedSteps } from '../../../../api/rest/routes/confirmed-answer.ts';
import { canonicalForm, jsonForm, textSteps } from '../../../../api/rest/text-steps.ts';
import { xmlForm } from '../../../../api/dialects/native/xml.ts';
import { canonicalJson, encodeJson, encodeRecordResults, type Json, type RecordResult } from '../../../../node/format/index.ts';
import type { Steps } from '../../../../node/pace/index.ts';
import { confirmed } from '../stand-in-node.ts';

function run<T>(steps: Steps<T>): { readonly value: T; readonly count: number } {
  for (let count = 0; ; count++) {
    const step = steps.next();
    if (step.done === true) return { value: step.value, count };
  }
}
const digest = (number: number): Uint8Array => new Uint8Array(32).fill(number);
const base = (number: number) => ({
  class: number % 3 === 0 ? 'quality "1"\u4e2d' : 'production',
  id: digest(number),
  recordDigest: digest(number + 1),
});
const stored = (number: number): RecordResult => ({ ...base(number), status: 'stored' });
const times = (count: number, from = 0): RecordResult[] => Array.from({ length: count }, (_, i) => stored(from + i));
const again: RecordResult = { ...base(7), status: 'repeated', currentVersion: 2, first: { height: 3, transactionId: digest(9) } };
const elsewhere: RecordResult = { ...base(8), status: 'repeated', currentVersion: 1, first: undefined };
const changes: RecordResult[] = (['amended', 'withdrawn'] as const).map((status) => ({
  ...base(1),
  status,
  version: 2,
  digestBefore: digest(5),
}));
const statusOf = (calls: readonly (readonly RecordResult[])[]) =>
  confirmed(digest(200), { results: calls.map((results) => encodeRecordResults(results)), height: 12, index: 3 }) as Parameters<
    typeof confirmedAnswer
  >[0];

test('the composed answer to stored records says what its value says, in every form', () => {
  const [amended, withdrawn] = changes as [RecordResult, RecordResult];
  for (const calls of [
    [times(1)],
    [times(3)],
    [[again]],
    [[stored(1), again, elsewhere]],
    [[amended]],
    [[withdrawn], times(2), [amended]],
    [times(300), times(2, 5)],
  ]) {
    const status = statusOf(calls);
    const answer = confirmedAnswer(status)!;
    const { value } = run(confirmedSteps(status));
    for (const at of [(data: unknown) => data, (data: unknown) => ({ code: 'OK', data }), (data: unknown) => [data, data]]) {
      const text = (form: typeof jsonForm): string => run(textSteps(at(answer), form)).value.join('');
      assert.equal(text(jsonForm), JSON.stringify(at(value)));
      assert.equal(text(canonicalForm), canonicalJson(at(value) as Json));
      assert.equal(text(xmlForm), run(textSteps(at(value), xmlForm)).value.join(''));
    }
  }
});

test('the answer to a thousand records a call is composed and written in steps of some kilobytes', () => {
  const answer = confirmedAnswer(statusOf([times(1_000), times(1_000)]))!;
  for (const form of [jsonForm, canonicalForm]) {
    const { value, count } = run(textSteps({ data: answer }, form));
    assert.ok(
      count > 20 && value.every((piece) => piece.length < 80_000),
      `${count} steps, ${Math.max(...value.map(({ length }) => length))} characters`,
    );
  }
});

test('what a transaction did beside records is shown by its value', () => {
  const events = [{ call: 0, contract: 'c', name: 'n', data: encodeJson({}) }];
  for (const more of [{ results: [] }, { results: [encodeJson('7')] }, { results: [encodeRecordResults(times(1))], events }])
    assert.equal(confirmedAnswer(confirmed(digest(1), more) as Parameters<typeof confirmedAnswer>[0]), undefined);
});
