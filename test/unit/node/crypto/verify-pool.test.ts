import assert from 'node:assert/strict';
import { once } from 'node:events';
import { test } from 'node:test';
import { Worker } from 'node:worker_threads';
import { createCrypto } from '../../../../node/crypto/real-crypto.ts';
import { createEd25519Signer } from '../../../tools/ed25519-signer.ts';
import { createVerifyPool, VERIFY_BATCH_BYTES_MAX, VERIFY_BATCH_COUNT_MAX, VERIFY_GATHER_MS } from '../../../../node/crypto/verify-pool.ts';
import { ChainError } from '../../../../node/errors/index.ts';
import { SUITE, utf8 } from '../../../../node/format/index.ts';
import type { Log } from '../../../../node/world.ts';

const quiet: Log = { debug() {}, info() {}, warn() {}, error() {}, child: () => quiet };
const signer = createEd25519Signer(new Uint8Array(32).fill(3));

function checks(count: number): { message: Uint8Array; signature: Uint8Array; valid: boolean }[] {
  return Array.from({ length: count }, (_, i) => {
    const message = utf8(`message ${i}`);
    const signature = signer.sign(message);
    const valid = i % 3 !== 0;
    if (!valid) signature[40]! ^= 1;
    return { message, signature, valid };
  });
}

test('a pool answers every check with its own verdict, across many batches', async () => {
  const pool = createVerifyPool({ crypto: createCrypto(), log: quiet, workers: 2 });
  const list = checks(VERIFY_BATCH_COUNT_MAX * 5 + 1);
  const verdicts = await Promise.all(list.map((c) => pool.verify(SUITE.ed25519, signer.publicKey, c.message, c.signature)));
  assert.deepEqual(
    verdicts,
    list.map((c) => c.valid),
  );
  assert.equal(await pool.verify(SUITE.simulated, signer.publicKey, list[1]!.message, list[1]!.signature), false);
  assert.equal(await pool.verify(SUITE.ed25519, new Uint8Array(3), list[1]!.message, new Uint8Array(2)), false);
  await pool.stop();
});

test('a worker that dies in the middle loses no check', async () => {
  const pool = createVerifyPool({ crypto: createCrypto(), log: quiet, workers: 2 });
  const list = checks(VERIFY_BATCH_COUNT_MAX * 6);
  const answers = Promise.all(list.map((c) => pool.verify(SUITE.ed25519, signer.publicKey, c.message, c.signature)));
  const before = [...pool.workers];
  await new Promise((resolve) => setImmediate(resolve));
  await Promise.all(before.map((worker) => worker.terminate()));
  assert.deepEqual(
    await answers,
    list.map((c) => c.valid),
  );
  assert.ok(pool.workers.length > 0 && pool.workers.every((worker) => !before.includes(worker)), 'new workers took their place');
  await pool.stop();
});

test('checks asked for together have one answer in their order, however many batches they take and whichever worker dies', async () => {
  const pool = createVerifyPool({ crypto: createCrypto(), log: quiet, workers: 2 });
  const list = checks(VERIFY_BATCH_COUNT_MAX * 5 + 3).map((c) => ({ ...c, suite: SUITE.ed25519, publicKey: signer.publicKey }));
  const groups = [list.slice(0, 1), list.slice(1, VERIFY_BATCH_COUNT_MAX * 3 + 20), [], list.slice(VERIFY_BATCH_COUNT_MAX * 3 + 20)];
  const answers = Promise.all(groups.map((group) => pool.verifyAll(group)));
  await new Promise((resolve) => setImmediate(resolve));
  await pool.workers[0]!.terminate();
  assert.deepEqual(
    await answers,
    groups.map((group) => group.map(({ valid }) => valid)),
  );
  await pool.stop();
  await assert.rejects(pool.verifyAll(list), (error) => error instanceof ChainError && error.code === 'NODE_STOPPING');
});

test('workers that keep dying leave the checks to those that live, and to the main thread when none does', async () => {
  const pool = createVerifyPool({ crypto: createCrypto(), log: quiet, workers: 2 });
  const list = checks(VERIFY_BATCH_COUNT_MAX * 3).map((c) => ({ ...c, suite: SUITE.ed25519, publicKey: signer.publicKey }));
  for (const alive of [1, 0]) {
    for (let round = 0; round < 20 && pool.workers.length > alive; round++) {
      await pool.workers[0]!.terminate();
      await new Promise((resolve) => setImmediate(resolve));
    }
    assert.equal(pool.workers.length, alive);
    assert.deepEqual(
      await pool.verifyAll(list),
      list.map(({ valid }) => valid),
    );
  }
  await pool.stop();
});

test('checks of a worker that is not replaced go to one that lives, though it is busy when they come back', {
  timeout: 60_000,
}, async () => {
  const pool = createVerifyPool({ crypto: createCrypto(), log: quiet, workers: 2 });
  const DEATHS_REPLACED = 5;
  for (let death = 0; death < DEATHS_REPLACED; death++) {
    await pool.workers[0]!.terminate();
    await new Promise((resolve) => setImmediate(resolve));
    assert.equal(pool.workers.length, 2);
  }
  const [dying, living] = pool.workers as [Worker, Worker];
  dying.postMessage = () => void dying.terminate();
  const post = living.postMessage.bind(living);
  const held: Parameters<typeof post>[] = [];
  living.postMessage = (...message: Parameters<typeof post>) => void held.push(message);
  const list = checks(4 * VERIFY_BATCH_COUNT_MAX).map((c) => ({ ...c, suite: SUITE.ed25519, publicKey: signer.publicKey }));
  const answers = pool.verifyAll(list);
  await once(dying, 'exit');
  await new Promise((resolve) => setImmediate(resolve));
  assert.deepEqual(pool.workers, [living]);
  living.postMessage = post;
  for (const message of held) post(...message);
  assert.deepEqual(
    await answers,
    list.map(({ valid }) => valid),
  );
  await pool.stop();
});

test('a batch that two workers died of is checked on the main thread, and the next worker lives', async () => {
  const pool = createVerifyPool({ crypto: createCrypto(), log: quiet, workers: 1 });
  const { postMessage } = Worker.prototype;
  const died = new Set<Worker>();
  Worker.prototype.postMessage = function (this: Worker) {
    died.add(this);
    void this.terminate();
  };
  try {
    const list = checks(VERIFY_BATCH_COUNT_MAX).map((c) => ({ ...c, suite: SUITE.ed25519, publicKey: signer.publicKey }));
    assert.deepEqual(
      await pool.verifyAll(list),
      list.map(({ valid }) => valid),
    );
  } finally {
    Worker.prototype.postMessage = postMessage;
  }
  assert.equal(died.size, 2);
  assert.ok(pool.workers.length === 1 && !died.has(pool.workers[0]!));
  await pool.stop();
});

test('stopping finishes what waits, though a worker dies meanwhile, and refuses what comes after', { timeout: 60_000 }, async () => {
  const pool = createVerifyPool({ crypto: createCrypto(), log: quiet, workers: 1 });
  const list = checks(2 * VERIFY_BATCH_COUNT_MAX);
  const answers = Promise.all(list.map((c) => pool.verify(SUITE.ed25519, signer.publicKey, c.message, c.signature)));
  const stopped = pool.stop();
  await new Promise((resolve) => setImmediate(resolve));
  await pool.workers[0]!.terminate();
  await stopped;
  assert.equal(pool.workers.length, 0);
  assert.deepEqual(
    await answers,
    list.map((c) => c.valid),
  );
  await assert.rejects(pool.verify(SUITE.ed25519, signer.publicKey, utf8('late'), new Uint8Array(64)), (error) => {
    return error instanceof ChainError && error.code === 'NODE_STOPPING';
  });
});

/** Counts the messages to the only thread of a pool from now on. */
function countMessages({ workers }: ReturnType<typeof createVerifyPool>): () => number {
  const [worker] = workers;
  let posted = 0;
  const post = worker!.postMessage.bind(worker);
  worker!.postMessage = (...message: Parameters<typeof post>) => {
    posted++;
    post(...message);
  };
  return () => posted;
}

test('a check that comes alone sends no message to another thread, and those that come while one runs do', async () => {
  const pool = createVerifyPool({ crypto: createCrypto(), log: quiet, workers: 1 });
  const posted = countMessages(pool);
  const list = checks(VERIFY_BATCH_COUNT_MAX + 1);
  const verify = (c: (typeof list)[number]): Promise<boolean> => pool.verify(SUITE.ed25519, signer.publicKey, c.message, c.signature);
  for (const c of list.slice(0, 4)) {
    assert.equal(await verify(c), c.valid);
    await new Promise((resolve) => setTimeout(resolve, 2 * VERIFY_GATHER_MS));
  }
  assert.equal(posted(), 0);
  const verdicts = await Promise.all(list.map(verify)); // a full batch, and one behind it while that one is under way
  assert.deepEqual(
    verdicts,
    list.map((c) => c.valid),
  );
  assert.equal(posted(), 2);
  await pool.stop();
});

test('a message that fills a batch travels without those that come after it', async () => {
  const pool = createVerifyPool({ crypto: createCrypto(), log: quiet, workers: 1 });
  const posted = countMessages(pool);
  const message = new Uint8Array(VERIFY_BATCH_BYTES_MAX);
  const check = { suite: SUITE.ed25519, publicKey: signer.publicKey, message, signature: signer.sign(message) };
  assert.deepEqual(await pool.verifyAll([check, check]), [true, true]);
  assert.equal(posted(), 2);
  await pool.stop();
});

test('after a batch has left, checks that come one by one travel together, each with its own verdict', async () => {
  const pool = createVerifyPool({ crypto: createCrypto(), log: quiet, workers: 1 });
  const posted = countMessages(pool);
  const ROUNDS = 10;
  const list = checks(2 * ROUNDS);
  const verify = (c: (typeof list)[number]): Promise<boolean> => pool.verify(SUITE.ed25519, signer.publicKey, c.message, c.signature);
  for (let round = 0; round < ROUNDS; round++) {
    const [one, other] = [list[2 * round]!, list[2 * round + 1]!];
    const first = verify(one);
    await new Promise((resolve) => setImmediate(resolve)); // the next turn of the event loop
    await new Promise((resolve) => setImmediate(resolve));
    assert.deepEqual(await Promise.all([first, verify(other)]), [one.valid, other.valid]);
  }
  // One a round, but for the first and for turns that a busy machine makes long; without gathering it would be two a round.
  assert.ok(posted() >= 1 && posted() < 1.6 * ROUNDS, `${posted()} messages for ${list.length} checks`);
  await pool.stop();
});
