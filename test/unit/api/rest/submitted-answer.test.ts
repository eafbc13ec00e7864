import assert from 'node:assert/strict';
import { test } from 'node:test';
import { submittedAnswer, submittedLog } from '../../../../api/rest/routes/submitted-answer.ts';
import { answerDigestSteps, digestSteps } from '../../../../api/rest/handle.ts';
import { canonicalForm, jsonForm, STEP_CHARACTERS, textSteps } from '../../../../api/rest/text-steps.ts';
import { xmlForm } from '../../../../api/dialects/native/xml.ts';
import { createCrypto } from '../../../../node/crypto/index.ts';
import { canonicalJson, type Json, toHex, utf8 } from '../../../../node/format/index.ts';
import type { RecordOutcome, SubmitOutcome } from '../../../../node/records/index.ts';
import type { Steps } from '../../../../node/pace/index.ts';

const crypto = createCrypto();

function run<T>(steps: Steps<T>): { readonly value: T; readonly count: number } {
  for (let count = 0; ; count++) {
    const step = steps.next();
    if (step.done === true) return { value: step.value, count };
  }
}

const hex = (digit: string): string => digit.repeat(64);
const stored: RecordOutcome = {
  ...{ id: hex('1'), version: 1, contentDigest: hex('2'), recordDigest: hex('3'), digestAlg: 'SHA-256', status: 'stored' },
  currentVersion: 1,
};
const repeated: RecordOutcome = { ...stored, status: 'repeated', transactionId: hex('4'), storedAs: { 'a."b"\u4e2d': '40.0\n' } };
const proofOf = (receipt: string) => ({ receipt, index: 1, count: 3, path: [hex('5'), hex('6')], header: 'ab' });
const outcome = (more: Partial<SubmitOutcome>): SubmitOutcome => ({
  ...{ transactionId: hex('7'), status: 'confirmed', height: 9, blockHash: hex('8'), records: [stored] },
  ...more,
});
const outcomes = [
  outcome({}),
  outcome({ inclusionProof: proofOf('00ff') }),
  outcome({ status: 'pending', height: null, blockHash: null }),
  outcome({ transactionId: null, height: null, blockHash: null, records: [repeated] }),
  outcome({ records: [stored, repeated, stored], inclusionProof: proofOf('ff'.repeat(STEP_CHARACTERS)) }),
  outcome({ records: Array.from({ length: 500 }, () => stored), inclusionProof: proofOf('cd') }),
];

test('the composed answer to submitted records says what their outcome says, in every form', () => {
  for (const told of outcomes) {
    const answer = submittedAnswer(told);
    for (const at of [(data: unknown) => data, (data: unknown) => ({ code: 'OK', data }), (data: unknown) => [data, data]]) {
      const text = (form: typeof jsonForm): string => run(textSteps(at(answer), form)).value.join('');
      assert.equal(text(jsonForm), JSON.stringify(at(told)));
      assert.equal(text(canonicalForm), canonicalJson(at(told) as unknown as Json));
      assert.equal(text(xmlForm), run(textSteps(at(told), xmlForm)).value.join(''));
    }
  }
});

test('the log digests ids and digests of submitted records, and none over their content in clear', () => {
  for (const told of outcomes) {
    const { transactionId, status } = told;
    const digests = told.records.map(({ recordDigest }) => recordDigest);
    const records = told.records.map(({ id, version, recordDigest, status: became }) => ({ id, version, recordDigest, status: became }));
    const { parameters, answer } = submittedLog(told);
    const digest = (value: Json): string => toHex(crypto.hash(utf8(canonicalJson(value))));
    assert.equal(run(digestSteps({ world: { crypto } } as never, parameters)).value, digest({ operation: 'records', digests }));
    assert.equal(
      run(answerDigestSteps({ world: { crypto } } as never, answer)).value,
      digest({ code: 'OK', data: { transactionId, status, records } }),
    );
  }
});

test('an answer of many records and a long proof is written in steps of some kilobytes', () => {
  const records = Array.from({ length: 5_000 }, () => stored);
  for (const receipt of ['00', 'ab'.repeat(500_000)]) {
    const told = outcome({ records, inclusionProof: proofOf(receipt) });
    const { value, count } = run(textSteps({ data: submittedAnswer(told) }, jsonForm));
    assert.ok(count > 20 && value.every((piece) => piece.length < 2 * STEP_CHARACTERS), `${count} steps`);
    assert.ok(run(digestSteps({ world: { crypto } } as never, submittedLog(told).answer)).count > 20);
  }
});

test('who was put into one transaction with others is told by the same proof', () => {
  const inclusionProof = proofOf('0123');
  const told = [stored, repeated].map((record) => outcome({ records: [record], inclusionProof }));
  assert.deepEqual(
    told.map((each) => run(textSteps(submittedAnswer(each), jsonForm)).value.join('')),
    told.map((each) => JSON.stringify(each)),
  );
});
