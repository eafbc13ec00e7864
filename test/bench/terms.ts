/**
 * The bound a four-validator network on this machine could reach with one record per transaction: every library call the path makes, timed bare in this
 * very run, times how often the code makes it. What lies between the bound and the measured rate is our own code, scheduling and garbage.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { stateKey } from '../../contracts/index.ts';
import { createCrypto, verifyEd25519 } from '../../node/crypto/index.ts';
import { createEd25519Signer } from '../tools/ed25519-signer.ts';
import { decodeSubmissions, openTransaction, toByteText } from '../../node/format/index.ts';
import type { PemPair } from '../../node/keystore/certificates.ts';
import { createStateMap } from '../../node/state/index.ts';
import { CHAIN_WRITE_BUFFER_BYTES, openLevelStore } from '../../node/store/index.ts';
import type { Store } from '../../node/world.ts';
import { HttpsConnection } from './https-client.ts';
import { measureLink } from './link.ts';
import { timed } from './statistics.ts';

export interface Term {
  readonly name: string;
  /** Microseconds of one call, median of this run. */
  readonly us: number;
  /** Calls per transaction. */
  readonly count: number;
  readonly where: 'each validator' | 'once';
  /** Where the count comes from. */
  readonly source: string;
}

export interface TermsInput {
  readonly transaction: Uint8Array;
  readonly keys: number;
  readonly transactionsPerBlock: number;
  readonly tls: PemPair;
  readonly ca: string;
}

export interface Bound {
  readonly terms: readonly Term[];
  readonly eachUs: number;
  readonly onceUs: number;
  readonly perSecond: number;
}

const VALIDATORS = 4;
const CORES = 2;
const ROUNDS = 5;
const BATCHES = 3; // blocks of one round
const STATE_ROWS = 4;
const PUTS = 1 + STATE_ROWS + 1 + 10;
/** Per block: pre-prepare to three, prepare and commit of four to three. */
const FRAMES = 3 + 12 + 12;
const SIGNATURES_MADE = 2 + 4 + 4;
const SIGNATURES_CHECKED = 3 * SIGNATURES_MADE;

export async function measureBound(input: TermsInput): Promise<Bound> {
  const crypto = createCrypto();
  const { transaction } = input;
  const opened = openTransaction(crypto, transaction);
  const content = decodeSubmissions(opened.transaction.calls[0]!.args)[0]!.content;
  const text = Buffer.from(content).toString('utf8');
  const signer = createEd25519Signer(crypto.hash(new Uint8Array([1])));
  const message = crypto.hash(transaction);
  const signature = signer.sign(message);
  const dir = mkdtempSync(join(tmpdir(), 'tracemill-bench-'));
  const store = await openLevelStore({ path: dir, writeBufferBytes: CHAIN_WRITE_BUFFER_BYTES });
  try {
    const value = new Uint8Array(content.length + 200).fill(7);
    await fill(store, input.keys, value.subarray(0, 200));
    const random = (i: number): string => toByteText(crypto.hash(Buffer.from(`k${i % input.keys}`)));
    const batch = input.transactionsPerBlock;
    const map = createStateMap(crypto);
    let next = 0;
    const freshKeys = (count: number): string[] => Array.from({ length: count }, () => toByteText(crypto.hash(Buffer.from(`m${next++}`))));
    const mapBatches = Array.from({ length: BATCHES * (ROUNDS + 1) }, () =>
      freshKeys(batch * STATE_ROWS).map((key) => ({ key: stateKey('records', key), valueHash: message })),
    );
    const mapUs =
      (await timed(BATCHES, ROUNDS, async (i) => {
        map.commit(map.stage(mapBatches[i]!));
      })) /
      (batch * STATE_ROWS);
    const putBatches = Array.from({ length: BATCHES * (ROUNDS + 1) }, () =>
      freshKeys(batch * PUTS).map((key) => ({ key: `p${key}`, value: value.subarray(0, 300) })),
    );
    const putUs = (await timed(BATCHES, ROUNDS, (i) => store.batch(putBatches[i]!, { sync: true }))) / (batch * PUTS);
    const link = await measureLink();
    const held = Array.from({ length: 2_000 }, (_, i) => `g${random(i * 7919)}`);
    const size = transaction.length;
    const terms: Term[] = [
      {
        name: 'verify the client signature',
        us: await timed(500, ROUNDS, () => verifyEd25519(signer.publicKey, message, signature)),
        count: 1,
        where: 'each validator',
        source: 'mempool.judge',
      },
      {
        name: `SHA-256 of ${size} bytes (id, hash)`,
        us: await timed(2000, ROUNDS, () => crypto.hash(transaction)),
        count: 4,
        where: 'each validator',
        source: 'openTransaction: id and hash, once in mempool.add, once in the executor (counted by a wrapped hash)',
      },
      {
        name: 'SHA-256 of 64 bytes (leaves, keys, values)',
        us: await timed(2000, ROUNDS, () => crypto.hash(message)),
        count: 9,
        where: 'each validator',
        source: 'record id, index keys, short values, leaves and nodes of both trees (counted by a wrapped hash)',
      },
      {
        name: `SHA-256 of ${content.length} bytes (record)`,
        us: await timed(2000, ROUNDS, () => crypto.hash(content)),
        count: 4,
        where: 'each validator',
        source: 'recordDigest, value of the version row, receipt leaf, results (counted by a wrapped hash)',
      },
      {
        name: 'JSON.parse of the content',
        us: await timed(2000, ROUNDS, () => JSON.parse(text)),
        count: 2,
        where: 'each validator',
        source: 'decodeContent in records.submit and in the query index',
      },
      {
        name: 'JSON.stringify of receipt results and event',
        us: await timed(2000, ROUNDS, () => JSON.stringify({ id: text.slice(0, 64), digest: text.slice(0, 64), height: 1 })),
        count: 2,
        where: 'each validator',
        source: 'resultOf, emit',
      },
      {
        name: 'LevelDB getSync',
        us: await timed(2000, ROUNDS, (i) => store.get(held[i % held.length]!)),
        count: 5,
        where: 'each validator',
        source: 'spent: 1 in mempool.add, 1 in the executor; version: 1; index feeder: 2 (state row and the row it points to)',
      },
      {
        name: 'LevelDB put in a chained synced batch',
        us: putUs,
        count: PUTS,
        where: 'each validator',
        source: 'position 1, state rows 4, large value 1, query index 10 (counted by a wrapped store)',
      },
      {
        name: 'state map, stage and commit',
        us: mapUs,
        count: STATE_ROWS,
        where: 'each validator',
        source: 'version, product, production batch, material batch',
      },
      {
        name: 'receive the transaction over libp2p (per byte)',
        us: link.receivedByteUs,
        count: size,
        where: 'each validator',
        source: 'peering.onTransactions; large sends between two processes',
      },
      {
        name: 'HTTPS request and answer, kept alive, both ends',
        us: await httpsUs(input, size),
        count: 1,
        where: 'once',
        source: 'one POST per transaction; the client end is the load generator',
      },
      {
        name: 'sign (load generator)',
        us: await timed(500, ROUNDS, () => signer.sign(message)),
        count: 0,
        where: 'once',
        source: 'signed before the clock starts',
      },
      { name: 'send to three peers (per byte)', us: link.sentByteUs, count: 3 * size, where: 'once', source: 'peering.spread' },
      {
        name: 'consensus frames, sent and received',
        us: link.frameUs,
        count: FRAMES / batch,
        where: 'once',
        source: 'a block: pre-prepare 3, prepare 12, commit 12, each a send and a receipt',
      },
      {
        name: 'signatures of consensus made',
        us: await timed(200, ROUNDS, () => signer.sign(message)),
        count: SIGNATURES_MADE / batch,
        where: 'once',
        source: 'a block: seal and pre-prepare of the primary, prepare and commit of all four',
      },
      {
        name: 'signatures of consensus checked',
        us: await timed(200, ROUNDS, () => verifyEd25519(signer.publicKey, message, signature)),
        count: SIGNATURES_CHECKED / batch,
        where: 'once',
        source: 'a block: each of them by the three others',
      },
    ];
    const sum = (where: Term['where']): number =>
      terms.filter((term) => term.where === where).reduce((total, term) => total + term.us * term.count, 0);
    const eachUs = sum('each validator');
    const onceUs = sum('once');
    return { terms, eachUs, onceUs, perSecond: (CORES * 1e6) / (VALIDATORS * eachUs + onceUs) };
  } finally {
    await store.close();
    rmSync(dir, { recursive: true, force: true });
  }
}

async function fill(store: Store, count: number, value: Uint8Array): Promise<void> {
  const crypto = createCrypto();
  for (let first = 0; first < count; first += 5_000) {
    const rows = Array.from({ length: Math.min(5_000, count - first) }, (_, i) => ({
      key: `g${toByteText(crypto.hash(Buffer.from(`k${first + i}`)))}`,
      value,
    }));
    await store.batch(rows, { sync: false });
  }
}

/** A bare TLS server that answers what a receipt weighs, and the client of the load generator. */
async function httpsUs(input: TermsInput, size: number): Promise<number> {
  const answer = Buffer.alloc(1_000, 32);
  const server = createTlsServer({ key: input.tls.privateKey, cert: input.tls.certificate }, (request, response) => {
    request.resume();
    request.on('end', () => response.writeHead(200, { 'content-length': answer.length }).end(answer));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const connection = await HttpsConnection.open('127.0.0.1', port, input.ca);
  const body = new Uint8Array(size);
  const us = await timed(300, ROUNDS, () => connection.request('POST / HTTP/1.1\r\nhost: localhost\r\n', body));
  connection.close();
  server.close();
  return us;
}
