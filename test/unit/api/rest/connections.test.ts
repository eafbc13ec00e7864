/** Who may hold a connection of the interface, and how long a refused one stays. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { after, before, test } from 'node:test';
import { connect as connectTls } from 'node:tls';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Client, createClient } from '../../../../api/client/index.ts';
import { ANSWER_STALL_MS, REFUSED_LINGER_MS } from '../../../../api/rest/tls-server.ts';
import { createRig, type Rig, testTls } from '../stand-ins.ts';

const PLACES = 32;
const HALF = PLACES / 2;
/** Answers asked for in one go: more bytes than the machine keeps for two sockets. */
const ANSWERS = 100;
/** The time a busy machine may take besides; below what else would end a connection. */
const PATIENCE_MS = 8_000;

let rig: Rig;
let port: number;
let client: Client;
before(async () => {
  rig = await createRig({ connectionsMax: PLACES });
  port = await rig.server.listen({ host: '127.0.0.1', port: 0 });
  client = createClient({ url: `https://127.0.0.1:${port}`, ca: (await testTls()).ca, retries: 0 });
});
after(async () => {
  client.close();
  await rig.close();
});

/** A connection that stays half-open after the other side has ended it, as a hostile one would. */
async function hold(localAddress: string): Promise<Socket> {
  const socket = connect({ host: '127.0.0.1', port, localAddress, allowHalfOpen: true });
  socket.on('error', () => {});
  await once(socket, 'connect');
  return socket;
}

const openConnections = (): Promise<number> =>
  new Promise((resolve, reject) => rig.server.app.server.getConnections((error, count) => (error ? reject(error) : resolve(count))));

async function untilOpen(count: number): Promise<void> {
  const endMs = performance.now() + REFUSED_LINGER_MS + PATIENCE_MS;
  while ((await openConnections()) !== count) {
    assert.ok(performance.now() < endMs, `${await openConnections()} connections are open`);
    await sleep(20);
  }
}

test('a refused connection is gone a second after its last words, though the other side neither reads nor closes', async () => {
  const sockets = await Promise.all(Array.from({ length: 4 }, () => hold('127.0.0.2')));
  for (const socket of sockets) {
    socket.pause();
    socket.write('GET / HTTP/1.1\r\n'); // no TLS
  }
  await untilOpen(0);
  for (const socket of sockets) socket.destroy();
});

test('one address holds half of the places of this machine at most, and another one still finds a place', async () => {
  const sockets = await Promise.all(Array.from({ length: PLACES }, () => hold('127.0.0.3')));
  await untilOpen(HALF);
  assert.equal((await client.get('/healthz')).code, 'OK');
  for (const socket of sockets) socket.destroy();
  client.close();
  await untilOpen(0);
  const again = await Promise.all(Array.from({ length: HALF }, () => hold('127.0.0.3')));
  await untilOpen(HALF); // places come back
  for (const socket of again) socket.destroy();
});

test('a client that reads nothing of its answers is cut after a while, and one that reads is not', async () => {
  const { ca } = await testTls();
  const ask = async (localAddress: string) => {
    const socket = connectTls({ socket: await hold(localAddress), ca, servername: 'localhost', checkServerIdentity: () => undefined });
    socket.on('error', () => {});
    await once(socket, 'secureConnect');
    socket.write('GET /api/v1/openapi.json HTTP/1.1\r\nhost: localhost\r\n\r\n'.repeat(ANSWERS));
    await once(socket, 'readable');
    return socket;
  };
  client.close();
  await untilOpen(0);
  const deaf = await ask('127.0.0.4');
  deaf.pause();
  const begin = performance.now();
  await sleep(ANSWER_STALL_MS / 3);
  assert.equal(await openConnections(), 1);
  const slow = await ask('127.0.0.5');
  let read = 0;
  slow.on('data', (bytes: Uint8Array) => {
    read += bytes.length;
    slow.pause();
    setTimeout(() => slow.resume(), 20);
  });
  while ((await openConnections()) > 1) {
    assert.ok(performance.now() - begin < 3 * ANSWER_STALL_MS + PATIENCE_MS, 'it is still there');
    await sleep(100);
  }
  assert.ok(read > 0 && !slow.destroyed);
  deaf.destroy();
  slow.destroy();
});
