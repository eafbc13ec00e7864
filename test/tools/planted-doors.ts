/** Planted bugs of the doors: connections, callers, answers that are kept, what a node is founded with. See planted-bugs.ts. */
import type { PlantedBug } from './planted-bugs.ts';

const TOKEN_TEST = 'test/unit/api/auth/token.test.ts';
const TLS_SERVER = 'api/rest/tls-server.ts';
const CONNECTIONS_TEST = 'test/unit/api/rest/connections.test.ts';

export const plantedDoors: readonly PlantedBug[] = [
  {
    name: 'requests at once under one Idempotency-Key run each',
    file: 'api/rest/idempotency.ts',
    from: 'const current = running.get(rowKey);',
    to: "const current = running.get('');",
    test: 'test/unit/api/rest/examples.test.ts',
    only: 'eight requests',
  },
  {
    name: 'a percent-encoding that is not UTF-8 stands for itself',
    file: 'api/rest/percent.ts',
    from: 'return undefined;\n  }\n}',
    to: 'return text;\n  }\n}',
    test: 'test/unit/api/rest/server.test.ts',
    only: 'percent-encoding',
  },
  {
    name: 'a genesis is judged by its schema alone',
    file: 'node/config/genesis.ts',
    from: 'shape.length > 0 ? shape : genesisFaults(value as Genesis, isAcceptableKey, isNew).map(withNearestName)',
    to: 'shape',
    test: 'test/unit/node/config/genesis.test.ts',
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
    name: 'one address may hold every place of the interface',
    file: TLS_SERVER,
    from: '    if (held >= Math.ceil(this.#placesMax / (local ? LOOPBACK_SHARE : ADDRESS_SHARE))) return false;\n',
    to: '',
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
    name: 'one address begins any number of handshakes',
    file: 'node/network/handshakes.ts',
    from: '    if (began.length >= HANDSHAKES_PER_ADDRESS_MAX) return false;\n',
    to: '',
    test: 'test/unit/node/network/libp2p-network.test.ts',
    only: 'so many handshakes',
  },
];
