/** Planted bugs of what calls cost, of what records are taken for, and of what callers are told. See planted-bugs.ts. */
import type { PlantedBug } from './planted-bugs.ts';

const PAGES_TEST = 'test/unit/contracts/pages.test.ts';
const SERVER_TEST = 'test/unit/api/rest/server.test.ts';
const TIME = 'node/format/time.ts';

export const plantedAnswers: readonly PlantedBug[] = [
  {
    name: 'a page of an image that is zero or was freed costs nothing',
    file: 'contracts/vm/machine.ts',
    from: 'this.#pagesOf(entry.image) * GAS.imagePage',
    to: 'this.#pagesOf(entry.image) * 0',
    test: PAGES_TEST,
    only: 'a page of an image',
  },
  {
    name: 'a nested call that fails costs nothing',
    file: 'contracts/execute.ts',
    from: 'if (error instanceof ContractFailure) this.tank.use(GAS.failure);',
    to: '',
    test: PAGES_TEST,
    only: 'a nested call that fails',
  },
  {
    name: 'names in JSON cost nothing',
    file: 'contracts/vm/host-api.ts',
    from: 'gas.use(names * GAS.perJsonName)',
    to: 'gas.use(names * 0)',
    test: PAGES_TEST,
    only: 'a name in JSON',
  },
  {
    name: 'a leap second may stand on any day',
    file: TIME,
    from: "(second === 60n && !utc.startsWith('01', 'YYYY-MM-'.length))",
    to: 'utc.length === 0',
    test: 'test/unit/node/format/record.test.ts',
    only: 'times are UTC',
  },
  {
    name: 'a leap second and the second after it are one instant',
    file: TIME,
    from: "const leap = second === '60';",
    to: "const leap = second === '61';",
    test: 'test/unit/node/format/record.test.ts',
    only: 'an instant has one text',
  },
  {
    name: 'the position of a source goes back with a late sequence',
    file: 'contracts/builtin/records.ts',
    from: 'compareSeq(held.seq, next.seq) : 0',
    to: '-1 : 0',
    test: 'test/unit/contracts/builtin/records.test.ts',
    only: 'position of a source',
  },
  {
    name: 'a stream that resumes ahead of the chain is silent',
    file: 'api/rest/stream.ts',
    from: 'if (position.height > height) throw',
    to: 'if (position.height < 0) throw',
    test: 'test/unit/api/rest/https.test.ts',
    only: 'events stream',
  },
  {
    name: 'a body in another charset is read as UTF-8',
    file: 'api/rest/charset.ts',
    from: '/^utf-?8$/i.test(charset)',
    to: "charset !== ''",
    test: SERVER_TEST,
    only: 'a charset other than',
  },
  {
    name: 'a refused login names no account',
    file: 'api/rest/handle.ts',
    from: 'trace.accountTried = account;',
    to: 'void account;',
    test: SERVER_TEST,
    only: 'every call leaves one entry',
  },
  {
    name: 'a node seals for accounts whose key it does not hold',
    file: 'api/records/check-rows.ts',
    from: 'if (!node.signsFor(account)) throw',
    to: "if (!node.signsFor(account) && account === '') throw",
    test: 'test/unit/api/records/submit.test.ts',
    only: 'holds no key',
  },
  {
    name: 'what the chain would refuse is signed and sent',
    file: 'api/rest/routes/submission.ts',
    from: 'throw refusedError(verdict.code, verdict.detail, { height: verdict.height });',
    to: 'return undefined;',
    test: 'test/unit/api/rest/examples.test.ts',
    only: 'refused before anything is signed',
  },
  {
    name: 'a field that may be left out is called required',
    file: 'api/rest/openapi.ts',
    from: 'members[name]!.default === undefined',
    to: 'members[name] !== undefined',
    test: 'test/unit/api/rest/route.test.ts',
    only: 'called required',
  },
];
