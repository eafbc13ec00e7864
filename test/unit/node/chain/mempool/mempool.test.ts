import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import { ChainError } from '../../../../../node/errors/index.ts';
import {
  type Crypto,
  defaultParameters,
  openTransaction,
  signTransaction,
  SUITE,
  toByteText,
  type Transaction,
} from '../../../../../node/format/index.ts';
import type { AccountView, AdmissionContext } from '../../../../../node/ledger/admission.ts';
import { createMempool, type Mempool, type MempoolLimits, type Rejection } from '../../../../../node/chain/mempool/mempool.ts';

const goOn = async () => undefined;
const sha256 = (data: Uint8Array): Uint8Array => createHash('sha256').update(data).digest();
// A signature here is the hash of key and message: enough for a mempool, which only asks for verdicts.
const crypto: Crypto = {
  hash: sha256,
  verify: (_suite, key, message, signature) => Buffer.from(signature).equals(sha256(Buffer.concat([key, message]))),
};
const publicKey = sha256(Buffer.from('key'));
const chainId = sha256(Buffer.from('chain'));

function accountOf(id: string): AccountView {
  const key = {
    keyId: 'k1',
    publicKey: '',
    suite: SUITE.ed25519,
    kind: 'own',
    node: null,
    scope: ['*'],
    validTo: null,
    revoked: false,
  } as const;
  return { id, organisation: 'plant', validFrom: null, validTo: null, roles: ['operator'], keys: new Map([['k1', { key, publicKey }]]) };
}

let salts = 0;
function transaction(
  change: Partial<Transaction> = {},
  sign = (message: Uint8Array) => sha256(Buffer.concat([publicKey, message])),
): Uint8Array {
  const salt = new Uint8Array(16);
  new DataView(salt.buffer).setUint32(0, ++salts);
  const body = {
    chainId,
    sender: 'ann@plant',
    keyId: 'k1',
    salt,
    expiryHeight: 50,
    calls: [{ contract: 'c', method: 'm', args: new Uint8Array(3) }],
    gasLimit: 5,
    suite: 1,
    ...change,
  };
  return signTransaction(crypto, body, sign).bytes;
}

interface Bench {
  readonly pool: Mempool;
  readonly rejected: Rejection[];
  readonly checks: () => number;
  readonly spend: (id: Uint8Array) => void;
  /** What the chain says of every account from now on. */
  readonly change: (account: (id: string) => AccountView | undefined) => void;
}

/** @param verdict no signature is judged before it resolves */
function mempool(limits: Partial<MempoolLimits> = {}, nowMs: () => number = () => 0, verdict: Promise<void> = Promise.resolve()): Bench {
  const rejected: Rejection[] = [];
  const spent = new Set<string>();
  let checks = 0;
  let account = (id: string): AccountView | undefined => (id.endsWith('@plant') ? accountOf(id) : undefined);
  const context = (): AdmissionContext => ({
    chainId,
    height: 10,
    timestampMs: 1_000,
    parameters: defaultParameters(),
    account,
    spent: (id) => spent.has(Buffer.from(id).toString('hex')),
  });
  const pool = createMempool({
    crypto,
    verifier: {
      verify: async (...args) => {
        checks++;
        await verdict;
        return crypto.verify(...args);
      },
      verifyAll: async (list) => {
        checks += list.length;
        await verdict;
        return list.map(({ suite, publicKey: key, message, signature }) => crypto.verify(suite, key, message, signature));
      },
      stop: async () => undefined,
    },
    clock: { now: nowMs, monotonic: nowMs },
    limits: { countMax: 100, bytesMax: 1_000_000, ...limits },
    context,
  });
  pool.onRejected((_id, rejection) => rejected.push(rejection));
  return {
    pool,
    rejected,
    checks: () => checks,
    spend: (id) => spent.add(Buffer.from(id).toString('hex')),
    change: (to) => {
      account = to;
    },
  };
}

async function codeOf(work: Promise<unknown>): Promise<string> {
  try {
    await work;
  } catch (error) {
    assert.ok(error instanceof ChainError, String(error));
    return error.code;
  }
  return 'OK';
}

test('each kind of bad transaction is refused with its own code, and nothing of it stays', async () => {
  const { pool } = mempool();
  const other = sha256(Buffer.from('other chain'));
  const cases: readonly (readonly [string, Uint8Array])[] = [
    ['TRANSACTION_MALFORMED', transaction().subarray(1)],
    ['TRANSACTION_MALFORMED', Buffer.concat([transaction(), Buffer.from([0])])],
    ['TRANSACTION_CHAIN_FOREIGN', transaction({ chainId: other })],
    ['TRANSACTION_EMPTY', transaction({ calls: [] })],
    ['TRANSACTION_GAS_LIMIT', transaction({ gasLimit: 0 })],
    ['TRANSACTION_EXPIRED', transaction({ expiryHeight: 9 })],
    ['TRANSACTION_EXPIRY_TOO_FAR', transaction({ expiryHeight: 10 + defaultParameters().txLifetimeBlocksMax + 1 })],
    ['TRANSACTION_SENDER_UNKNOWN', transaction({ sender: 'eve@nowhere' })],
    ['TRANSACTION_KEY_UNKNOWN', transaction({ keyId: 'k2' })],
    ['TRANSACTION_SIGNATURE_INVALID', transaction({}, () => new Uint8Array(32))],
  ];
  for (const [code, bytes] of cases) assert.equal(await codeOf(pool.add(bytes, 'client')), code);
  assert.deepEqual(pool.size(), { count: 0, bytes: 0 });
});

test('a transaction at either end of its lifetime is admitted', async () => {
  const { pool } = mempool();
  assert.equal(await codeOf(pool.add(transaction({ expiryHeight: 10 }), 'client')), 'OK');
  assert.equal(await codeOf(pool.add(transaction({ expiryHeight: 10 + defaultParameters().txLifetimeBlocksMax }), 'client')), 'OK');
});

test('one transaction handed in many times at once is verified once', async () => {
  const { pool, checks } = mempool();
  const bytes = transaction();
  const codes = await Promise.all([1, 2, 3].map(() => codeOf(pool.add(bytes, 'peer'))));
  assert.deepEqual(codes.sort(), ['MEMPOOL_TRANSACTION_KNOWN', 'MEMPOOL_TRANSACTION_KNOWN', 'OK']);
  assert.equal(checks(), 1);
});

test('who hands in the same bytes finds the transaction they are, waiting or in check; another signature over them is none', async () => {
  const { pool, checks } = mempool();
  const bytes = transaction({ salt: new Uint8Array(16) });
  const forged = transaction({ salt: new Uint8Array(16) }, () => new Uint8Array(64).fill(7));
  assert.equal(await pool.same(bytes), undefined);
  const added = pool.add(bytes, 'client');
  const inCheck = pool.same(bytes);
  assert.equal(await pool.same(forged), undefined);
  assert.equal(await inCheck, await added);
  assert.deepEqual([await pool.same(bytes), await pool.same(forged), checks()], [await added, undefined, 1]);
  const bad = transaction({}, () => new Uint8Array(64));
  const answers = [pool.add(bad, 'client'), pool.same(bad)];
  assert.deepEqual(await Promise.all(answers.map((answer) => codeOf(answer as Promise<unknown>))), [
    'TRANSACTION_SIGNATURE_INVALID',
    'TRANSACTION_SIGNATURE_INVALID',
  ]);
});

test('a transaction that became final is refused as repeated', async () => {
  const { pool, spend } = mempool();
  const bytes = transaction();
  const entry = await pool.add(bytes, 'client');
  await pool.settle({ included: [{ ...entry, gasUsed: 5 }], height: 10, tookMs: 0 }, goOn);
  spend(entry.id);
  assert.equal(await codeOf(pool.add(bytes, 'client')), 'TRANSACTION_REPEATED');
});

test('what a block holds that became final while its signature was checked does not wait for another', async () => {
  let say = (): void => undefined;
  const { pool, checks } = mempool({}, () => 0, new Promise((resolve) => (say = resolve)));
  const [one, other, left] = [transaction(), transaction(), transaction()];
  const refused: string[] = [];
  const answers = [codeOf(pool.add(one, 'client')), pool.addAll([other, left], ({ code }) => refused.push(code) > 0)] as const;
  assert.equal(checks(), 3);
  const included = [one, other].map((bytes) => {
    const idKey = toByteText(openTransaction(crypto, bytes).id);
    return { idKey, sender: 'ann@plant', gasLimit: 5, gasUsed: 5 };
  });
  await pool.settle({ included, height: 10, tookMs: 0 }, goOn);
  say();
  assert.equal(await answers[0], 'TRANSACTION_REPEATED');
  assert.deepEqual(
    (await answers[1]).map(({ bytes }) => bytes),
    [left],
  );
  assert.deepEqual(refused, ['TRANSACTION_REPEATED']);
  assert.equal(pool.size().count, 1);
});

test('of several that came in one frame each is judged by itself, and what follows one that its giver must not give is not opened', async () => {
  const { pool, checks } = mempool();
  const known = transaction();
  await pool.add(known, 'client');
  const frame = new Uint8Array(1_000);
  const good = transaction({ sender: 'bob@plant' });
  frame.set(good, 7);
  const unsigned = transaction({}, () => new Uint8Array(32));
  const given = [frame.subarray(7, 7 + good.length), unsigned, known, good, transaction({ expiryHeight: 9 }), transaction()];
  const refused: string[] = [];
  const [bob, ann, ...none] = await pool.addAll(given, ({ code }) => refused.push(code) > 0);
  frame.fill(0);
  assert.deepEqual([bob!.bytes, ann!.bytes, none], [good, given[5], []], 'copies: the frame may go');
  const known2 = 'MEMPOOL_TRANSACTION_KNOWN';
  assert.deepEqual(refused, [known2, known2, 'TRANSACTION_EXPIRED', 'TRANSACTION_SIGNATURE_INVALID']);
  assert.deepEqual([pool.size().count, checks()], [3, 4]);
  const cut = [transaction(), new Uint8Array(3), transaction()];
  assert.equal((await pool.addAll(cut, ({ code }) => code !== 'TRANSACTION_MALFORMED')).length, 1);
  assert.equal(pool.size().count, 4);
});

test('count and bytes are bounds, and a sender may have as much waiting as is left free', async () => {
  const bob = { sender: 'bob@plant' };
  const byCount = mempool({ countMax: 3 }).pool;
  await byCount.add(transaction(), 'client');
  await byCount.add(transaction(), 'client');
  assert.equal(await codeOf(byCount.add(transaction(), 'client')), 'MEMPOOL_SENDER_QUOTA');
  await byCount.add(transaction(bob), 'client');
  assert.equal(await codeOf(byCount.add(transaction({ sender: 'cy@plant' }), 'client')), 'MEMPOOL_FULL');
  const { length } = transaction();
  const byBytes = mempool({ bytesMax: 3 * length - 2 }).pool;
  await byBytes.add(transaction(), 'client');
  assert.equal(await codeOf(byBytes.add(transaction(), 'peer')), 'MEMPOOL_SENDER_QUOTA');
  await byBytes.add(transaction(bob), 'client');
  assert.equal(await codeOf(byBytes.add(transaction({ sender: 'cy@plant' }), 'client')), 'MEMPOOL_FULL');
});

test('a block takes one transaction of each sender in turn, so that a flood of one cannot hold up the others', async () => {
  const { pool } = mempool();
  for (let i = 0; i < 10; i++) await pool.add(transaction({ sender: 'flood@plant' }), 'client');
  await pool.add(transaction({ sender: 'bob@plant' }), 'client');
  await pool.add(transaction({ sender: 'cy@plant' }), 'client');
  assert.deepEqual(
    pool.select(4, 1_000_000).map((entry) => entry.sender),
    ['flood@plant', 'bob@plant', 'cy@plant', 'flood@plant'],
  );
});

test('a client whose dear transactions wait is told how long to wait before the next; what peers have admitted is taken', async () => {
  const { pool } = mempool();
  const dear = (change: Partial<Transaction> = {}) => transaction({ gasLimit: 10_000_000_000, ...change });
  const settled = await Promise.all([1, 2].map(() => pool.add(dear(), 'client')));
  const included = settled.map((entry) => ({ ...entry, gasUsed: 10_000_000_000 }));
  await pool.settle({ included, height: 10, tookMs: 0 }, goOn);
  const codes: string[] = [];
  for (let i = 0; i < 9; i++) codes.push(await codeOf(pool.add(dear(), 'client')));
  assert.deepEqual([...new Set(codes)], ['OK', 'RATE_LIMITED']);
  await assert.rejects(pool.add(dear(), 'client'), ({ data }: ChainError) => (data.retryAfterMs as number) === 4_000);
  assert.equal(await codeOf(pool.add(dear(), 'peer')), 'OK');
  assert.equal(await codeOf(pool.add(dear({ sender: 'bob@plant' }), 'client')), 'OK');
});

test('the account of a node is nobody for whom dear calls wait, the account of a person is', async () => {
  for (const [role, taken] of [
    ['node', 1],
    ['operator', 0],
  ] as const) {
    const { pool, change } = mempool();
    change((id) => ({ ...accountOf(id), roles: id === 'n-1@plant' ? [role] : ['operator'] }));
    const small = await pool.add(transaction({ sender: 'n-1@plant' }), 'client');
    const dear = await Promise.all([1, 2].map(() => pool.add(transaction({ gasLimit: 10_000_000_000 }), 'client')));
    const included = [small, ...dear].map((entry) => ({ ...entry, gasUsed: entry.gasLimit }));
    await pool.settle({ included, height: 10, tookMs: 0 }, goOn);
    await pool.add(transaction({ gasLimit: 10_000_000_000 }), 'client');
    assert.equal(pool.select(9, 1_000_000).length, taken, role);
  }
});

test('a client of whom blocks leave much behind is told to come later, before any work; peers, other senders and the next block are not', async () => {
  let nowMs = 0;
  const { pool, checks } = mempool({}, () => nowMs);
  const waiting = await Promise.all(Array.from({ length: 20 }, () => pool.add(transaction(), 'client')));
  const next = async (count: number): Promise<void> => {
    nowMs += 1_000;
    const included = waiting.splice(0, count).map((entry) => ({ ...entry, gasUsed: 1 }));
    await pool.settle({ included, height: 10, tookMs: 100 }, goOn);
  };
  await next(1);
  assert.equal(await codeOf(pool.add(transaction(), 'client')), 'OK', 'one block shows no rate');
  await next(1);
  await next(1);
  const checked = checks();
  await assert.rejects(pool.add(transaction(), 'client'), ({ code, data }: ChainError) => {
    assert.deepEqual([code, data], ['SERVER_BUSY', { sender: 'ann@plant', waiting: 18, retryAfterMs: 16_001 }]);
    return true;
  });
  assert.throws(() => pool.checkBacklog('ann@plant'), { code: 'SERVER_BUSY' });
  assert.equal(checks(), checked, 'no signature was checked');
  pool.checkBacklog('bob@plant');
  assert.equal(await codeOf(pool.add(transaction({ sender: 'bob@plant' }), 'client')), 'OK');
  assert.equal(await codeOf(pool.add(transaction(), 'peer')), 'OK');
});

test('selection leaves out what does not fit and keeps what does', async () => {
  const { pool } = mempool();
  const large = transaction({ calls: [{ contract: 'c', method: 'm', args: new Uint8Array(2_000) }], sender: 'bob@plant' });
  await pool.add(large, 'client');
  const small = await pool.add(transaction(), 'client');
  assert.deepEqual(
    pool.select(10, 1_000).map((entry) => entry.id),
    [small.id],
  );
});

test('what can no longer be included leaves with its reason', async () => {
  const { pool, rejected } = mempool();
  const entry = await pool.add(transaction({ expiryHeight: 12 }), 'client');
  await pool.settle({ included: [], height: 11, tookMs: 0 }, goOn);
  assert.equal(pool.size().count, 1);
  await pool.settle({ included: [], height: 12, tookMs: 0 }, goOn);
  assert.equal(pool.size().count, 0);
  const { code, sender } = pool.rejection(entry.id)!;
  assert.deepEqual([code, sender], ['TRANSACTION_EXPIRED', entry.sender], 'whose it was decides who hears of it');
  assert.equal(rejected.length, 1);
  const [late, early] = [
    await pool.add(transaction({ expiryHeight: 15 }), 'client'),
    await pool.add(transaction({ expiryHeight: 13 }), 'client'),
  ];
  await pool.settle({ included: [{ ...early, gasUsed: 5 }], height: 13, tookMs: 0 }, goOn);
  const soon = await pool.add(transaction({ expiryHeight: 14 }), 'client');
  for (const [height, left] of [
    [13, [late, soon]],
    [14, [late]],
    [15, []],
  ] as const) {
    await pool.settle({ included: [], height, tookMs: 0 }, goOn);
    assert.deepEqual(
      [late, soon].filter(({ id }) => pool.byId(id)),
      left,
    );
  }
});

test('what is checked again leaves with its reason once its sender or key is no more, or another key has its name', async () => {
  const { pool, rejected, change } = mempool();
  const [gone, revoked, replaced, good] = await Promise.all(
    ['gone', 'revoked', 'replaced', 'good'].map((name) => pool.add(transaction({ sender: `${name}@plant` }), 'client')),
  );
  change((id) => {
    if (id === gone!.sender) return undefined;
    const account = accountOf(id);
    const { key } = account.keys.get('k1')!;
    if (id === revoked!.sender) return { ...account, keys: new Map([['k1', { key: { ...key, revoked: true }, publicKey }]]) };
    return id === replaced!.sender ? { ...account, keys: new Map([['k1', { key, publicKey: chainId }]]) } : account;
  });
  assert.deepEqual(
    [gone, revoked, replaced, good].map((entry) => pool.recheck(entry!)),
    [false, false, false, true],
  );
  assert.deepEqual(
    rejected.map(({ code }) => code),
    ['TRANSACTION_SENDER_UNKNOWN', 'TRANSACTION_KEY_UNKNOWN', 'TRANSACTION_KEY_UNKNOWN'],
  );
  assert.equal(pool.size().count, 1);
});

test('a waiting transaction is spread again after ever longer times, what a peer gave later, and no more bytes at once than allowed', async () => {
  let now = 0;
  const { pool } = mempool({}, () => now);
  await pool.add(transaction(), 'client');
  await pool.add(transaction(), 'client');
  await pool.add(transaction(), 'peer');
  const spreadAt: number[] = [];
  for (now = 0; now < 40_000; now += 1_000) for (const _ of pool.overdue(2_000, 1_000_000)) spreadAt.push(now);
  assert.deepEqual(spreadAt, [2_000, 2_000, 6_000, 6_000, 8_000, 14_000, 14_000, 24_000, 30_000, 30_000]);
  now = 200_000;
  assert.equal(pool.overdue(2_000, 1).length, 1);
});
