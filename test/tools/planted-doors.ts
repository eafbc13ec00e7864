/**
 * Planted bugs of what comes in from outside (bodies, connections, frames, guesses) and of what is kept beside the chain (sealed values, the exchange
 * log, evidence). See planted-bugs.ts.
 */
import type { PlantedBug } from './planted-bugs.ts';

const SUBMIT = 'api/records/submit.ts';
const SUBMIT_TEST = 'test/unit/api/records/submit.test.ts';
const UNDER_WAY_TEST = 'test/unit/api/records/under-way.test.ts';
const EXCHANGE_LOG = 'node/exchange-log.ts';
const EXCHANGE_LOG_TEST = 'test/unit/node/exchange-log.test.ts';
const GENESIS_TEST = 'test/unit/node/config/genesis.test.ts';
const TOKEN_TEST = 'test/unit/api/auth/token.test.ts';
const MEMPOOL = 'node/mempool/mempool.ts';
const MEMPOOL_TEST = 'test/unit/node/mempool/mempool.test.ts';
const TLS_SERVER = 'api/rest/tls-server.ts';
const CONNECTIONS_TEST = 'test/unit/api/rest/connections.test.ts';
const EXCHANGE = 'api/rest/exchange.ts';
const CSV = 'api/formats/csv.ts';
const FORMATS_TEST = 'test/unit/api/formats/formats.test.ts';
const QUERY_QUEUE = 'node/ledger/query-queue.ts';
const QUERY_QUEUE_TEST = 'test/unit/node/ledger/query-queue.test.ts';
const EVIDENCE = 'node/format/evidence-verdict.ts';
const EVIDENCE_TEST = 'test/unit/node/format/evidence-exchange.test.ts';

export const plantedDoors: readonly PlantedBug[] = [
  {
    name: 'a log of exchanges that was cut goes on where it ends',
    file: EXCHANGE_LOG,
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
    name: 'any key may stand in a genesis',
    file: 'contracts/builtin/genesis.ts',
    from: 'if (!acceptKey(SUITE.ed25519, key)) say(',
    to: "if (key === '') say(",
    test: GENESIS_TEST,
  },
  {
    name: 'a genesis is judged by its schema alone',
    file: 'node/config/genesis.ts',
    from: 'shape.length > 0 ? shape : genesisFaults(value as Genesis, isAcceptableKey).map(withNearestName)',
    to: 'shape',
    test: GENESIS_TEST,
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
    test: UNDER_WAY_TEST,
    only: 'later call',
  },
  {
    name: 'who guesses passwords need not wait',
    file: 'api/auth/throttle.ts',
    from: 'untilMs: clock.monotonic() + lockMs(failures)',
    to: 'untilMs: 0',
    test: TOKEN_TEST,
    only: 'stranger',
  },
  {
    name: "failures of a stranger count for the holder's address too",
    file: 'api/auth/throttle.ts',
    from: 'keyOf = (account: string, address: string): string =>',
    to: 'keyOf = (account: string, address: string): string => account ||',
    test: TOKEN_TEST,
    only: 'stranger',
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
  {
    name: 'one address may hold every place of the interface',
    file: TLS_SERVER,
    from: 'if (own >= Math.ceil(this.#placesMax / (local ? LOOPBACK_SHARE : ADDRESS_SHARE)))',
    to: 'if (own > this.#placesMax)',
    test: CONNECTIONS_TEST,
    only: 'half of the places',
  },
  {
    name: 'a refused connection stays as long as the other side likes',
    file: TLS_SERVER,
    from: 'setTimeout(() => socket.destroy(), REFUSED_LINGER_MS)',
    to: 'setTimeout(() => undefined, REFUSED_LINGER_MS)',
    test: CONNECTIONS_TEST,
    only: 'refused connection',
  },
  {
    name: 'who holds the places of an address in silence keeps others of it out',
    file: TLS_SERVER,
    from: 'ADDRESS_SHARE))) this.#end(address);',
    to: 'ADDRESS_SHARE))) return false;',
    test: CONNECTIONS_TEST,
    only: 'whose places are all held',
  },
  {
    name: 'who is answered loses its place like who is silent',
    file: TLS_SERVER,
    from: '    held.delete(remotePort);\n    held.set(remotePort, socket);\n',
    to: '',
    test: CONNECTIONS_TEST,
    only: 'ends the one of its address',
  },
  {
    name: 'where two addresses hold all places nobody else finds one',
    file: TLS_SERVER,
    from: '      this.#end(most);\n',
    to: '      return false;\n',
    test: CONNECTIONS_TEST,
    only: 'whose places are all held',
  },
  {
    name: 'other machines may take every place of the interface',
    file: TLS_SERVER,
    from: '(local ? 0 : LOOPBACK_PLACES)',
    to: '(local ? 0 : 0)',
    test: CONNECTIONS_TEST,
    only: 'ends the one of its address',
  },
  {
    name: 'a client that takes nothing of its answers keeps its place',
    file: TLS_SERVER,
    from: 'if (response.socket && response.socket.writableLength > 0) response.socket.destroy();',
    to: '',
    test: CONNECTIONS_TEST,
    only: 'reads nothing of its answers',
  },
  {
    name: 'a connection that says nothing keeps its place',
    file: TLS_SERVER,
    from: '    socket.setTimeout(HANDSHAKE_TIMEOUT_MS, forget);\n',
    to: '',
    test: CONNECTIONS_TEST,
    only: 'says nothing',
  },
  {
    name: 'a large body is read before it is known who calls',
    file: EXCHANGE,
    from: 'caller === undefined ? UNKNOWN_CALLER_BODY_BYTES_MAX : BODY_BYTES_MAX',
    to: 'BODY_BYTES_MAX',
    test: 'test/unit/api/rest/https.test.ts',
    only: 'without a bearer token',
  },
  {
    name: 'the rest of a refused body is read away',
    file: EXCHANGE,
    from: '    if (!leavesBodyUnread(request)) return',
    to: '    return',
    test: 'test/unit/api/rest/https.test.ts',
    only: 'without a bearer token',
  },
  {
    name: 'bodies are read on the thread that votes',
    file: 'api/records/bodies.ts',
    from: 'SMALL_BODY_BYTES_MAX = 16_384;',
    to: 'SMALL_BODY_BYTES_MAX = 16_777_216;',
    test: 'test/unit/api/records/bodies.test.ts',
    only: 'too much memory or time',
  },
  {
    name: 'rows of CSV are read on past the bound on records',
    file: CSV,
    from: '++count > BODY_RECORDS_MAX',
    to: '++count < 0',
    test: FORMATS_TEST,
    only: 'stops at its bounds',
  },
  {
    name: 'a row of CSV is read on past the bound on columns',
    file: CSV,
    from: '      if (cells.length > CSV_COLUMNS_MAX) {\n',
    to: '      if (cells.length < 0) {\n',
    test: FORMATS_TEST,
    only: 'stops at its bounds',
  },
  {
    name: 'every fault of a CSV is kept until its end',
    file: CSV,
    from: '      if (faults.length >= BODY_FAULTS_MAX || (header.faulty && count > 0)) break;\n',
    to: '',
    test: FORMATS_TEST,
    only: 'stops at its bounds',
  },
  {
    name: 'what the header of a CSV lacks is said at every row',
    file: 'api/records/refusal.ts',
    from: '    if (inHeader !== undefined && said.has(inHeader)) continue;\n',
    to: '',
    test: FORMATS_TEST,
    only: 'said once',
  },
  {
    name: 'a caller may query as much gas as he likes',
    file: QUERY_QUEUE,
    from: '        budgets.of(job.caller).charge(gas, clock.monotonic());\n',
    to: '',
    test: QUERY_QUEUE_TEST,
    only: 'used up his gas',
  },
  {
    name: 'many callers may query as much gas as they like',
    file: QUERY_QUEUE,
    from: '        budgetOfAll.charge(gas, clock.monotonic());\n',
    to: '',
    test: QUERY_QUEUE_TEST,
    only: 'of the node between them',
  },
  {
    name: 'any number of queries waits',
    file: QUERY_QUEUE,
    from: '    if (count < QUERIES_WAITING_MAX) return true;\n',
    to: '    if (count >= 0) return true;\n',
    test: QUERY_QUEUE_TEST,
    only: 'places are bounded',
  },
  {
    name: 'a turn of consensus takes as long as there are frames',
    file: 'node/consensus-driver.ts',
    from: 'late = clock.monotonic() - beganMs >= TURN_MS_MAX;',
    to: 'late = clock.monotonic() < beganMs;',
    test: 'test/unit/node/consensus-driver.test.ts',
    only: 'taken its time',
  },
  {
    name: 'that the voting thread was held is said by nobody',
    file: 'node/loop-delay.ts',
    from: '      if (!held) options.onHeld(Math.round(maxMs));\n',
    to: '',
    test: 'test/unit/node/loop-delay.test.ts',
    only: 'told once',
  },
  {
    name: 'one address begins any number of handshakes',
    file: 'node/network/libp2p-network.ts',
    from: '    if (began.length >= HANDSHAKES_PER_ADDRESS_MAX) return false;\n',
    to: '',
    test: 'test/unit/node/network/libp2p-network.test.ts',
    only: 'so many handshakes',
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
