/**
 * One of four processes that do nothing but what any chain on Node does with a transaction: HTTPS takes it, one signature check, plain TCP carries it to
 * the three others, which check it as well and say so, and the caller is answered. No queue, hash, block, vote, execution or disk, and no encryption
 * between nodes.
 */
import { createServer as createHttpsServer } from 'node:https';
import type { ServerResponse } from 'node:http';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import sodium from 'sodium-native';

const SIGNATURE_BYTES = 64;

export interface FloorStart {
  readonly key: string;
  readonly cert: string;
  /** Of who signs, hex. */
  readonly publicKey: string;
  /** A transaction begins with a signature and so many bytes that it is over. */
  readonly messageBytes: number;
}

interface Asked {
  readonly answer: ServerResponse;
  left: number;
}

const ANSWER = Buffer.from('{"code":"OK"}');
const peers: Socket[] = [];
const asked = new Map<number, Asked>();
let publicKey: Buffer;
let messageBytes: number;
let lastId = 0;

process.on('message', async (message: FloorStart | { readonly ports: readonly number[] }) => {
  if ('ports' in message) {
    for (const port of message.ports) peers.push(await connected(port));
    process.send!({ ready: true });
    return;
  }
  publicKey = Buffer.from(message.publicKey, 'hex');
  messageBytes = message.messageBytes;
  const link = createServer(takeFrames);
  const api = createHttpsServer({ key: message.key, cert: message.cert }, (request, answer) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => take(chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks), answer));
  });
  await Promise.all([listening(link), listening(api)]);
  process.send!({ link: (link.address() as AddressInfo).port, api: (api.address() as AddressInfo).port });
});

function listening(server: { listen(port: number, host: string, done: () => void): unknown }): Promise<void> {
  return new Promise((resolve) => void server.listen(0, '127.0.0.1', resolve));
}

function connected(port: number): Promise<Socket> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => resolve(socket));
    socket.setNoDelay(true);
    socket.on('data', takeAnswers);
  });
}

function check(transaction: Buffer): void {
  const signature = transaction.subarray(0, SIGNATURE_BYTES);
  const message = transaction.subarray(SIGNATURE_BYTES, SIGNATURE_BYTES + messageBytes);
  if (!sodium.crypto_sign_verify_detached(signature, message, publicKey)) throw new Error('a signature of the bench is wrong');
}

/** What one turn of the event loop brought leaves in one write. */
const outgoing: Buffer[] = [];

function take(transaction: Buffer, answer: ServerResponse): void {
  check(transaction);
  const id = ++lastId;
  asked.set(id, { answer, left: peers.length });
  const head = Buffer.allocUnsafe(8);
  head.writeUInt32LE(id, 0);
  head.writeUInt32LE(transaction.length, 4);
  if (outgoing.length === 0)
    setImmediate(() => {
      const bytes = Buffer.concat(outgoing.splice(0));
      for (const peer of peers) peer.write(bytes);
    });
  outgoing.push(head, transaction);
}

function takeFrames(socket: Socket): void {
  socket.setNoDelay(true);
  let rest: Buffer = Buffer.alloc(0);
  socket.on('data', (chunk: Buffer) => {
    const all = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
    const ids: number[] = [];
    let at = 0;
    while (at + 8 <= all.length && at + 8 + all.readUInt32LE(at + 4) <= all.length) {
      const length = all.readUInt32LE(at + 4);
      check(all.subarray(at + 8, at + 8 + length));
      ids.push(all.readUInt32LE(at));
      at += 8 + length;
    }
    rest = all.subarray(at);
    if (ids.length > 0) socket.write(Buffer.from(Uint32Array.from(ids).buffer));
  });
}

/** Four bytes each; they come in writes of whole ones, and loopback may part one all the same. */
function takeAnswers(this: Socket & { rest?: Buffer }, chunk: Buffer): void {
  const all = this.rest === undefined || this.rest.length === 0 ? chunk : Buffer.concat([this.rest, chunk]);
  const whole = all.length - (all.length % 4);
  for (let at = 0; at < whole; at += 4) {
    const id = all.readUInt32LE(at);
    const one = asked.get(id)!;
    if (--one.left > 0) continue;
    asked.delete(id);
    one.answer.writeHead(200, { 'content-type': 'application/json', 'content-length': ANSWER.length });
    one.answer.end(ANSWER);
  }
  this.rest = all.subarray(whole);
}
