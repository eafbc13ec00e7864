/** Planted bugs of what a node takes from its peers: catching up, its standing, repair, who may connect. See planted-bugs.ts. */
import type { PlantedBug } from './planted-bugs.ts';

const STANDING = 'node/peers/standing.ts';
const STANDING_TEST = 'test/unit/node/peers/standing.test.ts';

export const plantedPeers: readonly PlantedBug[] = [
  {
    name: 'as many validators as may be faulty expel a node by their word',
    file: STANDING,
    from: 'peers.length > faultsMax(configuration.validators.length)',
    to: 'peers.length >= faultsMax(configuration.validators.length)',
    test: STANDING_TEST,
    only: 'than may be faulty',
  },
  {
    name: 'a node that is no validator helps to expel another by its word',
    file: STANDING,
    from: 'const peers = validators.filter((node) => saying.has(node));',
    to: 'const peers = [...saying];',
    test: STANDING_TEST,
    only: 'than may be faulty',
  },
  {
    name: 'a peer that lets a node in still counts as one that holds it to be expelled',
    file: STANDING,
    from: '    saying.delete(node); // it lets this node in\n',
    to: '',
    test: STANDING_TEST,
    only: 'than may be faulty',
  },
  {
    name: 'a visit that nobody answers lets a node in that was expelled when it stopped',
    file: STANDING,
    from: " || (told === 'unknown' && now.state === 'member' && !letIn)",
    to: '',
    test: STANDING_TEST,
    only: 'visits that nobody answers',
  },
  {
    name: 'headers of a visit need no certificate',
    file: STANDING,
    from: '      if (judgeFinality(crypto, block, finality).fault !== undefined) break;\n',
    to: '',
    test: STANDING_TEST,
    only: 'headers are believed',
  },
  {
    name: 'headers of a visit stand on any parent',
    file: STANDING,
    from: ' || !equalBytes(header.parentHash, at.hash)',
    to: '',
    test: STANDING_TEST,
    only: 'headers are believed',
  },
  {
    name: 'headers above a barrier are judged by the validators below it',
    file: STANDING,
    from: 'if (at.barrier || header.height',
    to: 'if (header.height',
    test: STANDING_TEST,
    only: 'headers are believed',
  },
  {
    name: 'any answer to a visit says that this node is expelled',
    file: STANDING,
    from: "if (answer.kind !== 'headersAnswer') return;",
    to: "if (answer.kind !== 'headersAnswer') return void saying.add(node);",
    test: STANDING_TEST,
    only: 'cannot be read',
  },
];
