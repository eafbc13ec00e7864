/** Planted bugs of which calls run and when: rights of contracts, places and shares in the mempool. See planted-bugs.ts. */
import type { PlantedBug } from './planted-bugs.ts';

const RIGHTS_TEST = 'test/unit/contracts/builtin/rights.test.ts';
const MEMPOOL = 'node/mempool/mempool.ts';
const MEMPOOL_TEST = 'test/unit/node/mempool/mempool.test.ts';

export const plantedCalls: readonly PlantedBug[] = [
  {
    name: 'a deployed contract is called by who may not',
    file: 'contracts/execute.ts',
    from: '      if (ADDRESS.test(call.contract)) run.requireRightToCall(tx.sender);\n',
    to: '',
    test: RIGHTS_TEST,
  },
  {
    name: 'the right to manage a contract is asked for on nothing',
    file: 'contracts/builtin/deployed.ts',
    from: "'contract:manage', `contract",
    to: "'contract:manage', `",
    test: RIGHTS_TEST,
  },
  {
    name: 'what a peer gave is never spread again',
    file: 'node/mempool/mempool.ts',
    from: 'PEERS_REPEAT_LATER = 4;',
    to: 'PEERS_REPEAT_LATER = Number.POSITIVE_INFINITY;',
    test: 'test/unit/node/mempool/mempool.test.ts',
    only: 'what a peer gave later',
  },
  {
    name: 'a fault inside a nested call becomes a verdict when no gas is left',
    file: 'contracts/execute.ts',
    from: 'if (error instanceof ContractFailure) this.tank.use(GAS.failure);',
    to: 'this.tank.use(GAS.failure);',
    test: 'test/unit/contracts/execute.test.ts',
    only: 'fault',
  },
  {
    name: 'a query of a built-in contract asks for no right',
    file: 'contracts/builtin/access.ts',
    from: 'if (!judge(',
    to: 'if (sender === right && !judge(',
    test: 'test/unit/contracts/builtin/access.test.ts',
    only: 'query of a built-in contract is refused',
  },
  {
    name: 'dear calls are held back by nothing',
    file: 'node/mempool/gas-shares.ts',
    from: '    if (!isModestAbout()) {\n      yield* beyond;',
    to: '    if (senders.length > 0) {\n      yield* beyond;',
    test: 'test/unit/node/mempool/gas-shares.test.ts',
  },
  {
    name: 'who loads records in bulk is held back like a flood of dear calls',
    file: 'node/mempool/gas-shares.ts',
    from: 'BULK_GAS_MAX = 7_000_000_000',
    to: 'BULK_GAS_MAX = 1_000_000_000',
    test: 'test/unit/node/mempool/gas-shares.test.ts',
    only: 'bulk loader',
  },
  {
    name: 'calls as large as bulk are held back by nothing',
    file: 'node/mempool/gas-shares.ts',
    from: 'bulk.charge(gasUsed);',
    to: '{}',
    test: 'test/unit/node/mempool/gas-shares.test.ts',
    only: 'as large as bulk',
  },
  {
    name: 'no block is owed for what was held back until something else happens',
    file: 'node/work-notice.ts',
    from: '      next = undefined;\n      tell();\n',
    to: '      next = undefined;\n',
    test: 'test/unit/node/work-notice.test.ts',
    only: 'when its time has come',
  },
  {
    name: 'a dear call puts off the block that is owed for a cheaper one',
    file: 'node/work-notice.ts',
    from: '    if (added && next && next.atMs <= atMs) return; // another one is due before it\n',
    to: '',
    test: 'test/unit/node/work-notice.test.ts',
    only: 'puts off nothing',
  },
  {
    name: 'senders keep their places from block to block',
    file: 'node/mempool/gas-shares.ts',
    from: '    senders.sort((a, b) => b.left - a.left); // who used least goes first\n',
    to: '',
    test: 'test/unit/node/mempool/gas-shares.test.ts',
  },
  {
    name: 'a token bucket that owes lets the next one through',
    file: 'node/token-bucket.ts',
    from: 'return left >= 1 ? 0',
    to: 'return left >= -Infinity ? 0',
    test: 'test/unit/node/token-bucket.test.ts',
  },
  {
    name: 'any key may stand in a genesis',
    file: 'contracts/builtin/genesis.ts',
    from: 'if (!acceptKey(SUITE.ed25519, key)) say(',
    to: "if (key === '') say(",
    test: 'test/unit/node/config/genesis.test.ts',
  },
  {
    name: 'a sender may fill the mempool',
    file: MEMPOOL,
    from: 'queue.size >= countFree || queue.bytes + bytes > bytesFree',
    to: 'queue.size < 0',
    test: MEMPOOL_TEST,
    only: 'are bounds',
  },
  {
    name: 'the mempool holds any number of bytes',
    file: MEMPOOL,
    from: 'countFree < 1 || bytesFree < bytes',
    to: 'countFree < 1',
    test: MEMPOOL_TEST,
    only: 'are bounds',
  },
];
