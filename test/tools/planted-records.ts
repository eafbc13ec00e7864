/** Planted bugs of records, and of what is kept beside the chain: sealed values, the exchange log, evidence. See planted-bugs.ts. */
import type { PlantedBug } from './planted-bugs.ts';

const OWN_READING_TEST = 'test/unit/api/rest/own-reading.test.ts';
const SUBMIT = 'api/records/submit.ts';
const SUBMIT_TEST = 'test/unit/api/records/submit.test.ts';
const EXCHANGE_LOG_TEST = 'test/unit/node/exchange-log.test.ts';
const EVIDENCE = 'node/format/evidence-verdict.ts';
const EVIDENCE_TEST = 'test/unit/node/format/evidence-exchange.test.ts';

export const plantedRecords: readonly PlantedBug[] = [
  {
    name: 'guesses at what an account may not read are free',
    file: 'api/records/check-rows.ts',
    from: '      if (!visible) deps.guesses.charge(account);\n',
    to: '',
    test: OWN_READING_TEST,
    only: 'guesses',
  },
  {
    name: 'who may not read a repeated record hears its transaction',
    file: 'api/records/submit.ts',
    from: "status === 'repeated' && first && seesRecord(readingOf(node).read, account, first) ? first",
    to: "status === 'repeated' && first && readingOf(node) && account ? first",
    test: OWN_READING_TEST,
    only: 'a submission tells',
  },
  {
    name: 'an account with a right to its own records reads those of others',
    file: 'api/records/service.ts',
    from: 'first && seesRecord(read, caller.account, first)',
    to: 'first',
    test: OWN_READING_TEST,
    only: 'as unknown as one',
  },
  {
    name: 'an account with a right to its own records finds those of others',
    file: 'api/records/service.ts',
    from: '...(readsAll(caller) ? {} : { author: caller.account }),',
    to: '',
    test: OWN_READING_TEST,
    only: 'finds its own',
  },
  {
    name: 'a submission that equals one under way is sent once more',
    file: 'api/records/under-way.ts',
    from: 'let other = sends.get(key); other;',
    to: 'let other: Promise<Sent> | undefined; other;',
    test: 'test/unit/api/records/under-way.test.ts',
    only: 'eight sends',
  },
  {
    name: 'a record that another transaction stored is answered with a receipt that stored nothing',
    file: 'api/records/submit.ts',
    from: "results.every(({ status }) => status === 'repeated')",
    to: 'results.length < 0',
    test: 'test/unit/api/records/under-way.test.ts',
    only: 'overlaps',
  },
  {
    name: 'a log of exchanges that was cut goes on where it ends',
    file: 'node/exchange-log.ts',
    from: '      chained = { sequence: last.sequence, link: fromHex(last.link) };\n',
    to: '',
    test: EXCHANGE_LOG_TEST,
    only: 'cut log',
  },
  {
    name: 'a log of exchanges is not held against its anchors',
    file: 'node/exchange-audit.ts',
    from: 'if (toHex(stored) !== ahead[0].link) tell(',
    to: "if (toHex(stored) === '') tell(",
    test: EXCHANGE_LOG_TEST,
    only: 'written anew',
  },
  {
    name: 'links of a log of exchanges are not computed again',
    file: 'node/exchange-audit.ts',
    from: '!equalBytes(stored, linkAfter(crypto, link, row.value.subarray(32)))',
    to: 'stored.length === 0',
    test: EXCHANGE_LOG_TEST,
    only: 'a changed, a missing',
  },
  {
    name: 'sealed values of a large body are written in one go',
    file: 'node/records/sealed-store.ts',
    from: 'RECORDS_AT_ONCE = 16;',
    to: 'RECORDS_AT_ONCE = 10_000;',
    test: 'test/unit/node/records/sealed-parts.test.ts',
    only: 'in parts',
  },
  {
    name: 'a record is not sealed again with earlier keys',
    file: 'node/records/reseal.ts',
    from: 'isSealed(stands) ? keys.map(',
    to: 'isSealed(stands) ? keys.slice(-1).map(',
    test: SUBMIT_TEST,
    only: 'every key held',
  },
  {
    name: 'sealed values of a refused submission stay',
    file: SUBMIT,
    from: '    if (holds) await sealed.drop(id); // admission',
    to: '    // admission',
    test: SUBMIT_TEST,
    only: 'leaves nothing',
  },
  {
    name: 'the record that a later call refuses is sought in the first call',
    file: SUBMIT,
    from: 'const record = before + recordOfCall;',
    to: 'const record = recordOfCall;',
    test: 'test/unit/api/records/under-way.test.ts',
    only: 'later call',
  },
  {
    name: 'a body may take the thread for bodies as long as it likes',
    file: 'api/records/body-thread.ts',
    from: 'world.timers.after(msMax, () => void at.worker.terminate());',
    to: 'world.timers.after(msMax, () => undefined);',
    test: 'test/unit/api/records/bodies.test.ts',
    only: 'too much memory or time',
  },
  {
    name: 'a bundle may show the receipt of another transaction',
    file: EVIDENCE,
    from: '!equalBytes(receipt.transactionId, opened.id)',
    to: 'receipt.transactionId.length === 0',
    test: EVIDENCE_TEST,
    only: 'both verifiers',
  },
  {
    name: 'a bundle may show a transaction that did not write its record',
    file: EVIDENCE,
    from: 'record && !equalBytes(record.transactionId, opened.id)',
    to: 'record && record.transactionId.length === 0',
    test: EVIDENCE_TEST,
    only: 'both verifiers',
  },
  {
    name: 'a bundle may show the certificate of another header',
    file: EVIDENCE,
    from: 'votes.height !== decoded.height || !equalBytes(votes.digest, hash)',
    to: 'votes.height < 0',
    test: EVIDENCE_TEST,
    only: 'both verifiers',
  },
];
