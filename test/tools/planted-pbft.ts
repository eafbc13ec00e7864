/** Planted bugs of what PBFT counts and reads: certificates, messages, records of the vote log, the book of messages. See planted-bugs.ts. */
import type { PlantedBug } from './planted-bugs.ts';

const CERTIFICATES = 'consensus/pbft/certificates.ts';
const BOOK = 'consensus/pbft/book.ts';
const BOOK_TEST = 'test/unit/consensus/pbft/book.test.ts';
const MESSAGES = 'consensus/pbft/messages.ts';
const VOTE_LOG = 'consensus/pbft/vote-log.ts';
const MESSAGES_TEST = 'test/unit/consensus/pbft/messages.test.ts';
const VIEW_CHANGE_TEST = 'test/unit/consensus/pbft/view-change.test.ts';

export const plantedPbft: readonly PlantedBug[] = [
  {
    name: 'one vote counts twice in a prepare certificate',
    file: CERTIFICATES,
    from: 'if (node <= previous) return',
    to: "if (phase === 'commit' && node <= previous) return",
    test: VIEW_CHANGE_TEST,
    only: 'does not prove itself',
  },
  {
    name: 'a vote of a node that is no validator counts in a certificate',
    file: CERTIFICATES,
    from: 'if (!validator) return `',
    to: 'if (!validator) continue;\n    if (!validator) return `',
    test: VIEW_CHANGE_TEST,
    only: 'does not prove itself',
  },
  {
    name: 'a prepare certificate needs no quorum',
    file: CERTIFICATES,
    from: 'if (votes.length < quorum) return',
    to: "if (phase === 'commit' && votes.length < quorum) return",
    test: VIEW_CHANGE_TEST,
    only: 'does not prove itself',
  },
  {
    name: 'a prepare certificate is made of commit votes',
    file: CERTIFICATES,
    from: 'const message = voteSigningBytes(chainId, phase, certificate);',
    to: "const message = voteSigningBytes(chainId, 'commit', certificate);",
    test: VIEW_CHANGE_TEST,
    only: 'does not prove itself',
  },
  {
    name: 'a message states how many certificates are read',
    file: MESSAGES,
    from: 'Math.min(window, HEIGHTS_IN_FLIGHT_MAX)',
    to: 'window',
    test: MESSAGES_TEST,
    only: 'heights in flight',
  },
  {
    name: 'a message of a kind that is not known is read as nothing',
    file: MESSAGES,
    from: "    case undefined:\n      throw new DecodeError('unknown message kind');",
    to: '    case undefined:\n      return undefined as unknown as Message;',
    test: MESSAGES_TEST,
    only: 'kind that no message',
  },
  {
    name: 'a record of a vote holds any message',
    file: VOTE_LOG,
    from: "if (vote.kind !== 'prepare' && vote.kind !== 'commit' && vote.kind !== 'checkpoint') throw new DecodeError('record is no vote');",
    to: '',
    test: MESSAGES_TEST,
    only: 'holds a vote',
  },
  {
    name: 'a record of a view change holds any message',
    file: VOTE_LOG,
    from: "if (message.kind !== 'viewChange') throw new DecodeError('record is no view change');",
    to: '',
    test: MESSAGES_TEST,
    only: 'holds a vote',
  },
  {
    name: 'the votes of one signer are kept without bound',
    file: BOOK,
    from: '    if (held.length > this.#votesPerSignerMax) held.shift();\n',
    to: '',
    test: BOOK_TEST,
    only: 'without end',
  },
  {
    name: 'of the votes of one signer the oldest goes, not the lowest',
    file: BOOK,
    from: '    held.sort(comparePlaces);\n',
    to: '',
    test: BOOK_TEST,
    only: 'without end',
  },
  {
    name: 'places are told apart by height alone',
    file: CERTIFICATES,
    from: 'return a.height - b.height || a.view - b.view;',
    to: 'return a.height - b.height;',
    test: BOOK_TEST,
    only: 'without end',
  },
  {
    name: 'a vote with another signature passes for the one that is held',
    file: BOOK,
    from: ' && equalBytes(held.signature, vote.signature);',
    to: ';',
    test: BOOK_TEST,
    only: 'its signature',
  },
  {
    name: 'commits of the next height count for this one',
    file: BOOK,
    from: '        if (vote.height !== height) continue;\n',
    to: '',
    test: BOOK_TEST,
    only: 'next height',
  },
];
