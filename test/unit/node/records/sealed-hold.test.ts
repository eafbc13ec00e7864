/** How long sealed values on their way between two nodes of an organisation hold the thread that votes, and how many are opened for one answer. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { sealedCommitment } from '../../../../node/format/index.ts';
import type { BulkMessage } from '../../../../node/network/messages.ts';
import { aesGcm } from '../../../../node/records/cipher.ts';
import { createSealedReplication, SEALED_ANSWER_BYTES_MAX } from '../../../../node/records/sealed-replication.ts';
import { createSealedStore } from '../../../../node/records/sealed-store.ts';
import type { Requests } from '../../../../node/sync/index.ts';
import { createRealWorld } from '../../../../node/world-real.ts';
import { leastHold } from '../../api/rest/thread-hold.ts';
import { createCrypto } from '../../../../node/crypto/real-crypto.ts';
import { MemoryLog } from '../memory-world.ts';
import { createMemoryStore, pause } from './memory-store.ts';

const HELD_MS_MAX = 20;
const crypto = createCrypto();
const world = createRealWorld({ log: new MemoryLog(), crypto, verifier: { verify: async () => true, stop: async () => undefined } });
const seed = (text: string) => crypto.hash(new TextEncoder().encode(text));

/** One node; `pulls` asks `serve` of another one until it has everything. */
function node(answer: (question: Extract<BulkMessage, { kind: 'getSealed' }>) => Promise<BulkMessage>) {
  const rows = createMemoryStore();
  let reads = 0;
  const read = (key: string): Uint8Array | undefined => {
    reads++;
    return rows.get(key);
  };
  const store = { ...rows, get: read };
  const sealed = createSealedStore(store, aesGcm, world.random, seed('storage'), pause);
  let serve: typeof answer = answer;
  let up: (peer: string, state: string) => void = () => undefined;
  const requests = {
    serve: (_: string, handler: (from: string, question: unknown) => Promise<BulkMessage>) => {
      serve = (question) => handler('peer', question);
    },
    getSealed: (_: string, log: Uint8Array, after: number) => answer({ kind: 'getSealed', id: 1, log, after }),
    onSealedHead: () => undefined,
    sendSealedHead: () => undefined,
  } as unknown as Requests;
  const onPeer = (handler: typeof up): void => {
    up = handler;
  };
  const network = { onPeer, peers: () => [], report: () => assert.fail('reported') };
  const replication = createSealedReplication({
    ...{ world, network, requests, sealed, store, aead: aesGcm, isOwn: () => true },
    sealingKeys: () => [{ id: 'k', secret: seed('sealing') }],
    onKeysDiffer: () => assert.fail('keys differ'),
    onKeysFit: () => undefined,
  } as never);
  const pull = async (): Promise<void> => {
    up('peer', 'up');
    await pause();
    await replication.stop();
  };
  return { sealed, serve: (question: Parameters<typeof answer>[0]) => serve(question), pull, reads: () => reads };
}

const values = (count: number, bytes: number) =>
  Array.from({ length: count }, (_, i) => {
    const [path, value, salt] = [`ext.v${i}`, 'x'.repeat(bytes), seed(`${i}`)];
    return { path, value, salt, commitment: sealedCommitment(crypto, salt, path, value) };
  });

test('an answer opens as many sealed records as it holds, however many and large the rest are', async () => {
  const holder = node(() => assert.fail());
  const large = values(1, 1_500_000);
  for (let i = 0; i < 40; i++) await holder.sealed.put([{ recordId: seed(`r${i}`), sealed: large }]);
  const before = holder.reads();
  const answer = await holder.serve({ kind: 'getSealed', id: 1, log: new Uint8Array(16), after: 0 });
  assert.ok(answer.kind === 'sealedAnswer');
  assert.equal(answer.boxes.length, Math.floor(SEALED_ANSWER_BYTES_MAX / 1_500_000));
  assert.ok(holder.reads() - before < 20, `${holder.reads() - before} rows read`);
});

test(`sealed values are served and taken over in pieces of less than ${HELD_MS_MAX} ms`, async (t) => {
  const holder = node(() => assert.fail());
  for (let i = 0; i < 128; i++) await holder.sealed.put([{ recordId: seed(`r${i}`), sealed: values(400, 8) }]);
  const question = { kind: 'getSealed', id: 1, log: new Uint8Array(16), after: 0 } as const;
  const given = await holder.serve(question);
  const served = await leastHold(async () => void (await holder.serve(question)), { boundMs: HELD_MS_MAX, triesMax: 8 });
  const taken = await leastHold(
    async () => {
      const taker = node(async ({ after }) => (after === 0 ? given : { kind: 'sealedAnswer', id: 1, log: new Uint8Array(16), boxes: [] }));
      await taker.pull();
      assert.equal(taker.sealed.get(seed('r0')).length, 400);
    },
    { boundMs: HELD_MS_MAX, triesMax: 8 },
  );
  t.diagnostic(`served ${served.longestMs.toFixed(1)} ms, taken ${taken.longestMs.toFixed(1)} ms`);
  assert.ok(served.longestMs <= HELD_MS_MAX && taken.longestMs <= HELD_MS_MAX);
});
