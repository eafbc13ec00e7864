/** What this machine leaves for a chain: the rate of four processes that take a transaction by HTTPS, check its signature four times, and do nothing else. */
import { type ChildProcess, fork } from 'node:child_process';
import { generateKeyPairSync, randomBytes, sign } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import { testTls } from '../tools/test-tls.ts';
import type { FloorStart } from './floor-node.ts';
import { Load, type LoadResult, type Request } from './load.ts';
import { until } from './rates.ts';

const NODES = 4;
/** As much as a transaction of one AI4I record. */
const TRANSACTION_BYTES = 2_000;
const MESSAGE_BYTES = 32;
/** Signed ones that are sent in turn: nothing here knows one again. */
const TRANSACTIONS = 512;
const WARM_UP_S = 10;
/** At a time. */
const UNDER_WAY = 256;

/** Single transactions in a closed loop of `seconds`, after as much as compiles the code. */
export async function floor(seconds: number): Promise<LoadResult> {
  const program = fileURLToPath(new URL('./floor-node.js', import.meta.url));
  const { key, cert, ca } = await testTls();
  const { privateKey, publicKey } = generateKeyPairSync('ed25519');
  const start: FloorStart = {
    key,
    cert,
    publicKey: publicKey.export({ format: 'der', type: 'spki' }).subarray(-32).toString('hex'),
    messageBytes: MESSAGE_BYTES,
  };
  const children = Array.from({ length: NODES }, () => fork(program));
  const ask = (child: ChildProcess, message: object): Promise<{ readonly link: number; readonly api: number }> =>
    new Promise((resolve, reject) => {
      child.once('message', (said) => resolve(said as { link: number; api: number }));
      child.once('exit', (code) => reject(new Error(`a process of the floor ended with ${code}`)));
      child.send(message);
    });
  try {
    const ports = await Promise.all(children.map((child) => ask(child, start)));
    await Promise.all(children.map((child, i) => ask(child, { ports: ports.filter((_, j) => j !== i).map(({ link }) => link) })));
    const nodes = children.map((child, i) => ({ url: `https://127.0.0.1:${ports[i]!.api}`, pid: child.pid }));
    const load = new Load(
      { ca, nodes },
      Array.from(nodes, () => 'a-token-as-long-as-usual'),
    );
    const transactions = Array.from({ length: TRANSACTIONS }, () => {
      const message = randomBytes(MESSAGE_BYTES);
      const signature = sign(null, message, privateKey);
      return Buffer.concat([signature, message, randomBytes(TRANSACTION_BYTES - signature.length - message.length)]);
    });
    let sent = 0;
    const next = (): Request => ({ node: sent % NODES, body: transactions[sent++ % TRANSACTIONS]! });
    try {
      await load.warm(UNDER_WAY / NODES);
      await load.keep(until(WARM_UP_S, next), UNDER_WAY);
      return await load.keep(until(seconds, next), UNDER_WAY);
    } finally {
      load.close();
    }
  } finally {
    for (const child of children) child.kill('SIGTERM');
  }
}
