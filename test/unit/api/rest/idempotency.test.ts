import assert from 'node:assert/strict';
import { test } from 'node:test';
import { currentOtp } from '../one-time-code.ts';
import { keyspace } from '../../../../node/store/keyspace.ts';
import { createRig, type Rig } from '../stand-ins.ts';
import { json, senderTo } from './calls.ts';

const send = senderTo(() => assert.fail('each test has a rig of its own'));

const address = `0x${'1'.repeat(40)}`;

const call = (body: object, key: string, more: { account?: string; headers?: Record<string, string>; on?: Rig } = {}) =>
  send('POST', `/api/v1/contracts/${address}/call`, {
    ...more,
    headers: { ...json, 'idempotency-key': key, ...more.headers },
    body: JSON.stringify(body),
  });

async function rigWithContract(): Promise<Rig> {
  const own = await createRig();
  const { CONTRACT, deployedKey, stateKey } = await import('../../../../contracts/index.ts');
  const { encodeJson } = await import('../../../../node/format/index.ts');
  own.state.rows.set(stateKey(CONTRACT.deployed, deployedKey.contract(address)), encodeJson({ address, owner: 'acme', state: 'active' }));
  return own;
}

test('the same Idempotency-Key and bytes give the first answer; other bytes are refused; keys are per account', async () => {
  const own = await rigWithContract();
  const first = await call({ method: 'add' }, 'k1', { on: own });
  const again = await call({ method: 'add' }, 'k1', { on: own });
  assert.deepEqual(again.json.data, first.json.data);
  assert.deepEqual([first.headers['idempotency-replayed'], again.headers['idempotency-replayed']], ['false', 'true']);
  assert.equal(own.node.submitted.length, 1);
  const other = await call({ method: 'take' }, 'k1', { on: own });
  assert.deepEqual([other.status, other.json.code], [409, 'IDEMPOTENCY_KEY_REUSED']);
  await call({ method: 'add' }, 'k1', { on: own, account: 'olga@acme' });
  assert.equal(own.node.submitted.length, 2);
  await own.close();
});

test('nothing of one account shows under the same Idempotency-Key of another of its organisation, in flight or after', async () => {
  const own = await rigWithContract();
  const accounts = ['ada@acme', 'olga@acme'] as const;
  const told = async (account: string, body: object) => {
    const { status, json, headers } = await call(body, 'shared', { on: own, account });
    return [status < 300, headers['idempotency-replayed'], json.data.transactionId];
  };
  const inFlight = await Promise.all(accounts.flatMap((account) => [told(account, { method: 'add' }), told(account, { method: 'add' })]));
  assert.equal(own.node.submitted.length, 2, 'one transaction for each account');
  const [ada, adaAgain, olga, olgaAgain] = inFlight.map(([, , id]) => id);
  assert.deepEqual([ada === adaAgain, olga === olgaAgain, ada === olga], [true, true, false]);
  for (const [account, id] of [
    [accounts[0], ada],
    [accounts[1], olga],
  ] as const)
    assert.deepEqual(await told(account, { method: 'add' }), [true, 'true', id]);
  const key = { on: own, account: 'ada@acme' };
  assert.equal((await call({ method: 'take' }, 'hers', key)).headers['idempotency-replayed'], 'false');
  const other = await call({ method: 'add' }, 'hers', { on: own, account: 'olga@acme' });
  assert.deepEqual([other.status, other.headers['idempotency-replayed']], [200, 'false'], 'a key that another account used is free');
  await own.close();
});

test('an Idempotency-Key keeps nothing by which sealed fields could be guessed, and the repeat is answered whole', async () => {
  const own = await createRig();
  const { createHash } = await import('node:crypto');
  const body = '{"pro_op_name":"Li Ming"}';
  for (const url of ['/api/v1/records', '/api/v1/records/validate']) {
    const submit = (text: string) => send('POST', url, { on: own, headers: { ...json, 'idempotency-key': url.slice(-8) }, body: text });
    const first = await submit(body);
    const contentDigest = createHash('sha256').update(body).digest('hex');
    assert.equal(first.json.data.records[0].contentDigest, contentDigest);
    const again = await submit(body);
    assert.equal(again.headers['idempotency-replayed'], 'true');
    assert.deepEqual(again.json.data, first.json.data);
    assert.equal((await submit('{"pro_op_name":"Li Mang"}')).json.code, 'IDEMPOTENCY_KEY_REUSED');
    const kept = [...own.store.rows]
      .filter(([key]) => key.startsWith(keyspace.idempotency))
      .map(([, row]) => new TextDecoder().decode(row));
    assert.ok(kept.length > 0);
    assert.ok(kept.every((row) => !row.includes(contentDigest)));
    const plain = createHash('sha256').update(`{"body":"${contentDigest}","given":{},"mediaType":"application/json","operationId":"`);
    assert.ok(
      kept.every(
        (row) =>
          !row.includes(
            plain
              .copy()
              .update(`${first.json.data.valid ? 'validate' : 'submit'}Records"}`)
              .digest('hex'),
          ),
      ),
    );
  }
  await own.close();
});

test('a token that an answer under an Idempotency-Key holds is not on the disk in clear, and is given again', async () => {
  const own = await createRig();
  await own.server.context.credentials.setPassword('ada@acme', 'correct horse');
  const { secret } = await own.server.context.credentials.setOtp('ada@acme');
  const ask = () =>
    send('POST', '/api/v1/auth/step-up', {
      on: own,
      headers: { ...json, 'idempotency-key': 's', otp: currentOtp(secret, own.world.clock.now()) },
    });
  const first = await ask();
  assert.equal(first.status, 200, first.text);
  assert.equal((await ask()).json.data.token, first.json.data.token);
  const rows = [...own.store.rows.values()].map((row) => Buffer.from(row).toString('latin1'));
  assert.ok(rows.every((row) => !row.includes(first.json.data.token)));
  await own.close();
});

test('a pending submission keeps its key for the same body', async () => {
  const own = await createRig();
  const submit = (text: string) => send('POST', '/api/v1/records', { on: own, headers: { ...json, 'idempotency-key': 'p' }, body: text });
  own.records.pending = true;
  assert.equal((await submit('{"a":"1"}')).status, 202);
  assert.equal((await submit('{"a":"2"}')).json.code, 'IDEMPOTENCY_KEY_REUSED');
  own.records.pending = false;
  assert.equal((await submit('{"a":"1"}')).status, 200);
  await own.close();
});

test('concurrent duplicates wait for the first', async () => {
  const own = await rigWithContract();
  const { submit } = own.node;
  own.node.submit = async (bytes) => {
    await new Promise((resolve) => setTimeout(resolve, 20)); // the others come meanwhile
    return submit(bytes);
  };
  const answers = await Promise.all(Array.from({ length: 8 }, () => call({ method: 'add' }, 'k2', { on: own })));
  assert.equal(own.node.submitted.length, 1);
  assert.equal(new Set(answers.map((answer) => JSON.stringify(answer.json.data))).size, 1);
  await own.close();
});

test('work under an Idempotency-Key that outlives its call is not done again by a repeat, which gets its answer', async () => {
  const own = await rigWithContract();
  const { awaitTransaction } = own.node;
  let settle = (): void => {};
  own.node.awaitTransaction = (id, timeoutMs) =>
    new Promise((resolve) => {
      settle = () => resolve(awaitTransaction(id, timeoutMs));
    });
  const { after } = own.world.timers;
  (own.world.timers as { after: typeof after }).after = (_ms, run) => after(5, run);
  const late = await call({ method: 'add' }, 'k4', { on: own });
  (own.world.timers as { after: typeof after }).after = after;
  assert.equal(late.json.code, 'CALL_TIMEOUT');
  const repeat = call({ method: 'add' }, 'k4', { on: own });
  await new Promise((resolve) => setTimeout(resolve, 50));
  settle();
  assert.equal((await repeat).json.data.status, 'confirmed');
  assert.equal((await call({ method: 'add' }, 'k4', { on: own })).headers['idempotency-replayed'], 'true');
  assert.equal(own.node.submitted.length, 1);
  await own.close();
});

test('a refused request frees its key; an interrupted one is not run twice; an expired key is forgotten', async () => {
  const own = await rigWithContract();
  const { submit } = own.node;
  own.node.submit = async () => {
    const { ChainError } = await import('../../../../node/errors/index.ts');
    throw new ChainError('MEMPOOL_FULL');
  };
  const refused = await call({ method: 'add' }, 'k3', { on: own });
  assert.deepEqual([refused.status, refused.headers['retry-after']], [503, '1']);
  own.node.submit = submit;
  assert.equal((await call({ method: 'add' }, 'k3', { on: own })).status, 200);

  // A crash between begin and end leaves a row without an answer.
  const [rowKey, row] = [...own.store.rows].find(([key]) => key.startsWith(keyspace.idempotency))!;
  own.store.rows.set(
    rowKey,
    new TextEncoder().encode(new TextDecoder().decode(row).replace(/"answer":"(?:[^"\\]|\\.)*"/, '"answer":null')),
  );
  assert.equal((await call({ method: 'add' }, 'k3', { on: own })).json.code, 'IDEMPOTENCY_INTERRUPTED');
  own.world.advance(86_400_001);
  assert.equal((await call({ method: 'add' }, 'k3', { on: own })).status, 200);
  await own.close();
});

test('a repeat of a pending answer tells what became of the transaction', async () => {
  const own = await rigWithContract();
  const { statuses } = own.node;
  own.node.statuses = () => ({ state: 'pending', sinceMs: 1 });
  const first = await call({ method: 'add' }, 'k4', { on: own });
  assert.deepEqual([first.status, first.json.data.status], [202, 'pending']);
  own.node.statuses = statuses;
  const later = await call({ method: 'add' }, 'k4', { on: own });
  assert.deepEqual(
    [later.status, later.headers['idempotency-replayed'], later.json.data.status, later.json.data.transactionId],
    [200, 'true', 'confirmed', first.json.data.transactionId],
  );
  assert.equal(own.node.submitted.length, 1);
  await own.close();
});
