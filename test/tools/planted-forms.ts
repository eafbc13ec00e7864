/** Planted bugs of the forms that are hashed (transactions, receipts, results of records), and of what reading a record's body costs. See planted-bugs.ts. */
import type { PlantedBug } from './planted-bugs.ts';

const RESULTS = 'node/format/record-results.ts';
const RESULTS_TEST = 'test/unit/node/format/record-results.test.ts';
const RECEIPT = 'node/format/receipt.ts';
const RECEIPT_TEST = 'test/unit/node/format/receipt.test.ts';
const ONE_SPELLING = 'one spelling';
const NO_TRANSACTION = 'no transaction gets';

export const plantedForms: readonly PlantedBug[] = [
  {
    name: 'bytes that are no transaction have the hash of one',
    file: 'node/format/transaction.ts',
    from: "hashTagged(crypto, 'transaction-malformed', bytes)",
    to: "hashTagged(crypto, 'transaction-full', bytes)",
    test: 'test/unit/node/format/transaction.test.ts',
    only: 'are no transaction',
  },
  {
    name: 'bytes from a peer are stepped through for more calls than a transaction may hold',
    file: 'node/format/transaction.ts',
    from: `        r.bytes(TRANSACTION_BYTES_MAX);
      }, TRANSACTION_CALLS_MAX);`,
    to: `        r.bytes(TRANSACTION_BYTES_MAX);
      });`,
    test: 'test/unit/node/format/transaction.test.ts',
    only: 'are no transaction',
  },
  {
    name: 'the full hash of a transaction does not cover its signature',
    file: 'node/format/transaction.ts',
    from: "  return hashTagged(crypto, 'transaction-full', id, signature);",
    to: "  return hashTagged(crypto, 'transaction-full', id, signature.subarray(0, 0));",
    test: 'test/unit/node/format/transaction.test.ts',
    only: 'covers the signature',
  },
  {
    name: 'the script of evidence takes a transaction whose signature has another length',
    file: 'node/verify/verify-evidence.mjs',
    from: "  need(length.equals(uint(64, 4)), 'transaction: signature of another length');\n",
    to: '',
    test: 'test/unit/node/verify/verify-evidence.test.ts',
    only: 'length in front',
  },
  {
    name: 'results of records in classes out of order are read',
    file: RESULTS,
    from: 'at > used || at >= classes.length',
    to: 'at >= classes.length',
    test: RESULTS_TEST,
    only: ONE_SPELLING,
  },
  {
    name: 'results of records name a class that no record has',
    file: RESULTS,
    from: "  if (used < classes.length) throw new DecodeError('a class is not used');\n",
    to: '',
    test: RESULTS_TEST,
    only: ONE_SPELLING,
  },
  {
    name: 'results of records name a class twice',
    file: RESULTS,
    from: "  if (new Set(classes).size < classes.length) throw new DecodeError('a class stands twice');\n",
    to: '',
    test: RESULTS_TEST,
    only: ONE_SPELLING,
  },
  {
    name: 'unknown status bits of a record are read',
    file: RESULTS,
    from: 'bits > (STATUS_BITS | TOLD_BIT) || ',
    to: '',
    test: RESULTS_TEST,
    only: ONE_SPELLING,
  },
  {
    name: 'a stored record says that its first version is told',
    file: RESULTS,
    from: " || (told && status !== 'repeated')",
    to: '',
    test: RESULTS_TEST,
    only: ONE_SPELLING,
  },
  {
    name: 'results of records say nothing that a call does',
    file: RESULTS,
    from: '  if (fault !== undefined) throw new DecodeError(fault);\n',
    to: '',
    test: RESULTS_TEST,
    only: ONE_SPELLING,
  },
  {
    name: 'a call returns results of records that nobody can read',
    file: RESULTS,
    from: 'if (fault !== undefined) throw new RangeError(',
    to: 'if (fault === null) throw new RangeError(',
    test: RESULTS_TEST,
    only: ONE_SPELLING,
  },
  {
    name: 'a repeat has an event',
    file: RESULTS,
    from: "    if (status === 'repeated') continue;\n    const version = status === 'stored' ? 1 : result.version;",
    to: "    const version = status === 'stored' || status === 'repeated' ? 1 : result.version;",
    also: [
      {
        from: "const EVENT_NAMES = { stored: 'RecordSubmitted',",
        to: "const EVENT_NAMES = { repeated: 'RecordSubmitted', stored: 'RecordSubmitted',",
      },
    ],
    test: RESULTS_TEST,
    only: 'events and answers',
  },
  {
    name: 'a repeat tells where the first version stands to who may not know',
    file: RESULTS,
    from: "  const place = status === 'repeated' ? result.first : here;",
    to: "  const place = status === 'repeated' ? (result.first ?? here) : here;",
    test: RESULTS_TEST,
    only: 'events and answers',
  },
  {
    name: 'unknown bits of a receipt are read',
    file: RECEIPT,
    from: 'if (bits > (OK_BIT | OWN_KEY_BIT)) throw',
    to: 'if (bits < 0) throw',
    test: RECEIPT_TEST,
    only: NO_TRANSACTION,
  },
  {
    name: 'a failed receipt that says OK is read',
    file: RECEIPT,
    from: "  if (failure.code === 'OK') throw new DecodeError('a failed receipt says OK');\n",
    to: '',
    test: RECEIPT_TEST,
    only: NO_TRANSACTION,
  },
  {
    name: 'a receipt is read whose events do not follow its calls',
    file: RECEIPT,
    from: '  if (fault !== undefined) throw new DecodeError(fault);\n',
    to: '',
    test: RECEIPT_TEST,
    only: NO_TRANSACTION,
  },
  {
    name: 'an event of a receipt stands before those of an earlier call',
    file: RECEIPT,
    from: 'event.call < call || event.call >= results.length',
    to: 'event.call >= results.length',
    test: RECEIPT_TEST,
    only: NO_TRANSACTION,
  },
  {
    name: 'an event of a receipt is of a call that the transaction does not have',
    file: RECEIPT,
    from: 'event.call < call || event.call >= results.length',
    to: 'event.call < call',
    test: RECEIPT_TEST,
    only: NO_TRANSACTION,
  },
  {
    name: 'a receipt that contradicts its status is written',
    file: RECEIPT,
    from: "isWhole ? faultOf(receipt) : 'its parts contradict its status'",
    to: 'faultOf(receipt) ?? (isWhole ? undefined : undefined)',
    test: RECEIPT_TEST,
    only: NO_TRANSACTION,
  },
  {
    name: 'the outbox hands over again the events that it has handed over',
    file: 'node/feeds/outbox.ts',
    from: 'const from = height === after.height ? after.position + 1 : 0;',
    to: 'const from = height === after.height ? after.position : 0;',
    test: 'test/unit/node/feeds/outbox.test.ts',
    only: 'come in the order',
  },
  {
    name: 'a transaction reads bodies of earlier blocks for nothing',
    file: 'contracts/execute.ts',
    from: '    if (!isHere) this.#payForBody();\n',
    to: '',
    test: 'test/unit/contracts/body-gas.test.ts',
  },
  {
    name: 'a query reads as many bodies as it likes beside its gas limit',
    file: 'contracts/execute.ts',
    from: 'this.#isQuery && this.gasBeside === 0',
    to: 'this.#isQuery',
    test: 'test/unit/contracts/body-gas.test.ts',
  },
];
