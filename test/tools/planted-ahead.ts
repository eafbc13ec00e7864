/** Planted bugs of blocks built while the one below is voted on. See planted-bugs.ts. */
import type { PlantedBug } from './planted-bugs.ts';

const CHAIN = 'node/chain/chain.ts';
const NORMAL_CASE = 'consensus/pbft/normal-case.ts';
const REPLICA = 'consensus/pbft/replica.ts';
const AHEAD_TEST = 'test/unit/consensus/pbft/ahead.test.ts';
const BUILD_TEST = 'test/unit/node/chain/build-ahead.test.ts';

export const plantedAhead: readonly PlantedBug[] = [
  {
    name: 'what was built ahead is proposed whatever became final',
    file: REPLICA,
    from: 'if (ahead && equalBytes(ahead.parent, replica.digest)) {',
    to: 'if (ahead) {',
    test: AHEAD_TEST,
    only: 'did not become final',
  },
  {
    name: 'an answer to a build on another parent is proposed',
    file: NORMAL_CASE,
    from: 'slot.building && equalBytes(parent, replica.digest) ? slot',
    to: 'slot.building ? slot',
    test: AHEAD_TEST,
    only: 'did not become final',
  },
  {
    name: 'a block built ahead is proposed while its parent is voted on',
    file: NORMAL_CASE,
    from: '  awaiting.building = false;\n  awaiting.built = input;\n',
    to: '  awaiting.building = false;\n  replica.slot.built = input;\n  replica.slot.proposal = undefined;\n',
    test: AHEAD_TEST,
    only: 'waits for its parent',
  },
  {
    name: 'a view that fails leaves behind what was built ahead in it',
    file: 'consensus/pbft/slot.ts',
    from: '  slot.built = undefined;\n  slot.more = false;\n  slot.ahead = undefined;\n',
    to: '',
    test: AHEAD_TEST,
    only: 'takes along',
  },
  {
    name: 'a block that was built in another view is proposed',
    file: NORMAL_CASE,
    from: '  if (!equalBytes(engineData, encodeEngineData(replica.view))) return undefined;\n',
    to: '',
    test: AHEAD_TEST,
    only: 'takes along',
  },
  {
    name: 'the next height asks for a block that is being built already',
    file: REPLICA,
    from: '    replica.slot.building = ahead.building;\n',
    to: '',
    test: AHEAD_TEST,
    only: 'no second build',
  },
  {
    name: 'a block built ahead holds the transactions of the one below',
    file: CHAIN,
    from: 'below.some(({ transactions }) => transactions.has(toByteText(hash)))',
    to: 'below.some(() => hash.length === 0)',
    test: BUILD_TEST,
    only: 'what that one left',
  },
  {
    name: 'what was built ahead is let go when its parent is final',
    file: CHAIN,
    from: 'if (equalBytes(held.parent, committed.hash)) reject(held.refused, committed.height + 1);\n      else proposals.delete(name);',
    to: 'proposals.delete(name);',
    test: BUILD_TEST,
    only: 'what that one left',
  },
  {
    name: 'proposals that stand on no final block are held on',
    file: CHAIN,
    from: '      else proposals.delete(name);\n',
    to: '',
    test: BUILD_TEST,
    only: 'not when another block is',
  },
  {
    name: 'a transaction is refused for what a proposal did that is not final',
    file: CHAIN,
    from: '    if (equalBytes(request.parent, tip.hash)) reject(refused, request.height);\n',
    to: '    reject(refused, request.height);\n',
    test: BUILD_TEST,
    only: 'not when another block is',
  },
  {
    name: 'what may not stand above a proposal is never refused',
    file: CHAIN,
    from: 'if (equalBytes(held.parent, committed.hash)) reject(held.refused, committed.height + 1);\n      else proposals',
    to: 'if (!equalBytes(held.parent, committed.hash)) proposals',
    test: BUILD_TEST,
    only: 'not when another block is',
  },
  {
    name: 'a block built ahead is charged with the time of the one below as well',
    file: CHAIN,
    from: 'nowMs - Math.max(beganMs, storedMs)',
    to: 'nowMs - beganMs',
    test: BUILD_TEST,
    only: 'charged',
  },
  {
    name: 'a block that holds as many as may stand in one is taken for all there is',
    file: CHAIN,
    from: ' || waiting.length === parameters.blockTransactionsMax;',
    to: ';',
    test: BUILD_TEST,
    only: 'as many as may stand',
  },
];
