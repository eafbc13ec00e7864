/**
 * The bare transport: two processes, libp2p over TCP with Noise and yamux as a node sets them up, one stream. Run as a program it is the receiving end, ordered over the
 * channel of its parent.
 */
import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import '../../node/network/shim.ts';
import { yamux } from '@chainsafe/libp2p-yamux';
import { tcp } from '@libp2p/tcp';
import { multiaddr } from '@multiformats/multiaddr';
import { createLibp2p } from 'libp2p';
import { createEncryption } from '../../node/network/encryption.ts';
import { CHUNK_BYTES } from '../../node/network/link.ts';
import { delayWindowUpdates } from '../../node/network/window.ts';

const PROTOCOL = '/tracemill-bench/1';
const BULK_SENDS = 2_000;
const BULK_BYTES = CHUNK_BYTES;
const SMALL_SENDS = 10_000;
const SMALL_BYTES = 200; // a vote
const WARM_SENDS = 200;

export interface LinkCosts {
  /** CPU us a byte in large sends. */
  readonly sentByteUs: number;
  readonly receivedByteUs: number;
  /** CPU us of one small send and its receipt, each on its own turn of the event loop. */
  readonly frameUs: number;
}

interface Received {
  readonly bytes: number;
  readonly cpuUs: number;
}

const host = () =>
  createLibp2p({
    addresses: { listen: ['/ip4/127.0.0.1/tcp/0'] },
    transports: [tcp()],
    connectionEncrypters: [createEncryption()],
    streamMuxers: [yamux()],
  });
const cpuUs = (): number => {
  const { user, system } = process.cpuUsage();
  return user + system;
};

export async function measureLink(): Promise<LinkCosts> {
  const child = fork(fileURLToPath(import.meta.url), ['receive']);
  const answer = <T>(): Promise<T> => new Promise((resolve) => child.once('message', (message) => resolve(message as T)));
  const address = await answer<string>();
  const own = await host();
  try {
    const connection = await own.dial(multiaddr(address));
    const stream = await connection.newStream(PROTOCOL);
    const received = (): Promise<Received> => {
      const told = answer<Received>();
      child.send('tell');
      return told;
    };
    const run = async (sends: number, bytes: number): Promise<{ sentUs: number; receivedUs: number }> => {
      const before = await received();
      const start = cpuUs();
      const payload = new Uint8Array(bytes).fill(7);
      for (let i = 0; i < sends; i++) {
        if (!stream.send(payload)) await new Promise((resolve) => stream.addEventListener('drain', resolve, { once: true }));
        if (bytes === SMALL_BYTES) await new Promise((resolve) => setImmediate(resolve));
      }
      let after = await received();
      while (after.bytes - before.bytes < sends * bytes) after = await received();
      return { sentUs: cpuUs() - start, receivedUs: after.cpuUs - before.cpuUs };
    };
    await run(WARM_SENDS, BULK_BYTES);
    const bulk = await run(BULK_SENDS, BULK_BYTES);
    await run(WARM_SENDS, SMALL_BYTES);
    const small = await run(SMALL_SENDS, SMALL_BYTES);
    const bytes = BULK_SENDS * BULK_BYTES;
    return {
      sentByteUs: bulk.sentUs / bytes,
      receivedByteUs: bulk.receivedUs / bytes,
      frameUs: (small.sentUs + small.receivedUs) / SMALL_SENDS,
    };
  } finally {
    await own.stop();
    child.kill();
  }
}

if (process.argv[2] === 'receive' && process.send !== undefined) {
  let bytes = 0;
  const receiver = await host();
  await receiver.handle(PROTOCOL, (stream) => {
    delayWindowUpdates(stream);
    stream.addEventListener('message', ({ data }) => {
      bytes += data.byteLength;
    });
  });
  process.on('message', () => process.send!({ bytes, cpuUs: cpuUs() } satisfies Received));
  process.send(receiver.getMultiaddrs()[0]!.toString());
}
