import assert from 'node:assert/strict';
import { test } from 'node:test';
import { checkRows, checkStandingRows } from './checked-rows.ts';
import { createGuesses } from '../../../../node/records/guesses.ts';
import { outcomeOf, type SubmitDependencies, submitRows } from '../../../../node/records/submit.ts';
import { createCoalescing } from '../../../../node/records/coalescing.ts';
import { createUnderWay } from '../../../../node/records/under-way.ts';
import { CONTRACT, production, registryKey, type RegistryKind, stateKey } from '../../../../contracts/index.ts';
import {
  canonicalJson,
  type Digest,
  type Receipt,
  signTransaction,
  defaultParameters,
  encodeJson,
  fromHex,
  type TextStruct,
  toHex,
} from '../../../../node/format/index.ts';
import { ChainError } from '../../../../node/errors/index.ts';
import { createSlices } from '../../../../node/pace/slices.ts';
import { createTestWorld } from '../../api/stand-in-world.ts';
import { createRig } from '../../api/stand-ins.ts';
import { createRecordSource, type RecordBlocks } from '../../../../node/records/source.ts';
import { parseBody } from '../../../../node/records/formats/index.ts';
import { aesGcm, createSealedSettlement, createSealedStore, prepareRecord, type SealedValue } from '../../../../node/records/index.ts';
import { SEALED_VALUES_MAX } from '../../../../node/records/sealed-values.ts';
import type { TransactionStatus } from '../../../../node/service.ts';
import { createMemoryStore, heldOf, pause } from './memory-store.ts';
import { Shelf } from './shelf.ts';
import { testKey } from '../format/genesis-fixture.ts';
import { rig, times } from './record-rig.ts';
import { annexRecord, crypto } from './sample.ts';

const sealingKey = new Uint8Array(32).fill(3);
const world = createTestWorld();
const inSlices = createSlices(world);
const caller = { account: 'mes@alpha', organisation: 'alpha' } as Parameters<typeof submitRows>[3];

function prepared(tree: TextStruct) {
  const preparation = prepareRecord({ crypto, org: 'alpha', sealingKey }, production, tree);
  return preparation.ok ? preparation.prepared : assert.fail(JSON.stringify(preparation.faults));
}

/** What the checks ask of a node: the state, its head and its parameters. */
function door(stored: readonly TextStruct[], more: object = {}): SubmitDependencies {
  const shelf = new Shelf();
  const { rows } = shelf;
  const register = (kind: RegistryKind, id: string): void => {
    const entry = { kind, id, owner: 'alpha', version: 1, state: 'active', validFrom: null, validTo: null, documentDigest: null, data: {} };
    rows.set(stateKey(CONTRACT.registry, registryKey.entry(kind, id)), encodeJson(entry));
  };
  register('factory', 'F-001');
  register('factory', 'F-01');
  register('device', 'D-1');
  for (const tree of stored) {
    const { recordId, submission } = prepared(tree);
    shelf.put(recordId, { class: 'production', org: 'alpha', actor: 'mes@alpha', content: submission.content, height: 4 });
  }
  const node = {
    info: { chainId: new Uint8Array(32) },
    head: () => ({ height: 9, timestampMs: 1_760_000_000_000, era: 0 }),
    signsFor: (account: string) => account === caller.account,
    parameters: defaultParameters,
    state: { get: (key: string) => rows.get(key) },
    ...more,
  };
  return {
    node,
    crypto,
    sealed: { getSteps: valuesOf([]), isErased: () => false },
    sealingKeys: () => [sealingKey],
    bodies: { inSlices },
    blocks: shelf.blocks,
    source: createRecordSource({ state: node.state, blocks: shelf.blocks }),
    guesses: createGuesses(world.clock),
  } as unknown as SubmitDependencies;
}

function valuesOf(values: readonly SealedValue[]) {
  return function* () {
    yield;
    return values;
  };
}

/** All steps at once. */
function ended<T>(steps: Generator<void, T, void>): T {
  for (;;) {
    const step = steps.next();
    if (step.done === true) return step.value;
  }
}

const check = (deps: SubmitDependencies, trees: readonly TextStruct[], by = caller) =>
  checkStandingRows(
    deps,
    trees.map((tree) => ({ tree, locate: () => ({ pointer: '/' }) })) as unknown as Parameters<typeof checkRows>[1],
    by,
    'production',
  );

test('a record sent again with its time spelled otherwise is the stored one, and the answer says how that spells it', async () => {
  const first = annexRecord({ production_time: '2025-03-01T00:00:00Z' });
  const deps = door([first]);
  const stored = prepared(first);
  for (const production_time of ['2025-03-01T08:00:00+08:00', '2025-03-01T00:00:00.000Z', '1740787200000']) {
    const tree = annexRecord({ production_time });
    const [row] = await check(deps, [tree]);
    const outcome = outcomeOf(deps, caller.account, row!, 'repeated');
    assert.equal(outcome.id, toHex(stored.recordId));
    assert.equal(outcome.recordDigest, toHex(stored.recordDigest), 'the digest of what is stored');
    assert.equal(outcome.contentDigest, toHex(crypto.hash(new TextEncoder().encode(canonicalJson(tree)))), 'the digest of what was sent');
    assert.deepEqual(outcome.storedAs, { production_time: '2025-03-01T00:00:00Z' });
  }
  assert.equal('storedAs' in outcomeOf(deps, caller.account, (await check(deps, [first]))[0]!, 'repeated'), false);
});

test('two spellings of one step in one body are one record, and other content under it is a conflict', async () => {
  const deps = door([]);
  const [a, b] = [annexRecord({ production_time: '2025-03-01T00:00:00Z' }), annexRecord({ production_time: '1740787200000' })];
  const ids = (await check(deps, [a, b])).map(({ prepared: { recordId } }) => toHex(recordId));
  assert.equal(ids[0], ids[1]);
  const other = annexRecord({ production_time: '1740787200000', production_location: 'elsewhere' });
  for (const run of [() => check(deps, [a, other]), () => check(door([a]), [other])])
    await assert.rejects(run, (error) => error instanceof ChainError && error.code === 'RECORD_KEY_CONFLICT');
});

/** Code and facts of the refusal. */
const refusal = async (run: () => Promise<unknown>): Promise<readonly [string, Readonly<Record<string, unknown>>]> => {
  try {
    await run();
  } catch (error) {
    if (error instanceof ChainError) return [error.code, error.data];
    throw error;
  }
  return ['OK', {}];
};

test('a record that differs from the stored one in seals alone is judged by every key held, and by none the node says only that', async () => {
  const stored = door([annexRecord()]);
  const keys = (...numbers: readonly number[]) => ({ sealingKeys: () => numbers.map((number) => new Uint8Array(32).fill(number)) });
  const operator = (tree: TextStruct, pro_op_name: string): TextStruct => ({
    ...tree,
    pro_op_info: { ...(tree.pro_op_info as TextStruct), pro_op_name },
  });
  const respelled = annexRecord({ production_time: String(Date.parse(annexRecord().production_time as string)) });
  const rows = await check({ ...stored, ...keys(3, 9) }, [annexRecord()]);
  assert.ok(rows[0]!.first, 'sealed under an earlier key: the same record');
  assert.deepEqual(rows[0]!.prepared.submission, prepared(annexRecord()).submission);
  for (const tree of [annexRecord(), respelled, operator(annexRecord(), '韩梅梅')]) {
    const [code, data] = await refusal(() => check({ ...stored, ...keys(8, 9) }, [tree]));
    assert.equal(code, 'SEALED_KEYS_DIFFER');
    const { details, ...facts } = data as { readonly details: readonly object[] };
    assert.deepEqual(
      [Object.keys(facts), details.map((each) => Object.keys(each).sort())],
      [['pointer'], [['code', 'message', 'pointer']]],
    );
  }
  const held = {
    sealed: { getSteps: valuesOf(prepared(annexRecord()).sealed), isErased: () => false } as unknown as SubmitDependencies['sealed'],
  };
  const erased = { sealed: { getSteps: valuesOf([]), isErased: () => true } as unknown as SubmitDependencies['sealed'] };
  for (const [deps, tree] of [
    [{ ...stored, ...keys(8, 9), ...held }, operator(annexRecord(), '韩梅梅')], // the values held open what stands: another value
    [{ ...stored, ...erased }, operator(annexRecord(), '韩梅梅')], // erased here, so its key was held
    [{ ...stored, ...keys(8, 9) }, annexRecord({ production_location: 'elsewhere' })], // more than seals
  ] as const)
    assert.equal((await refusal(() => check(deps, [tree])))[0], 'RECORD_KEY_CONFLICT');
  assert.equal(
    (await refusal(() => check({ ...stored, ...keys(8, 9), ...held }, [annexRecord()])))[0],
    'OK',
    'held values open what stands',
  );
  const press = { ...caller, account: 'press@alpha' };
  const elsewhere = { ...door([annexRecord()], { signsFor: () => true }), ...keys(8, 9) };
  for (const tree of [annexRecord(), operator(annexRecord(), '韩梅梅'), annexRecord({ production_location: 'elsewhere' })])
    assert.equal(
      (await refusal(() => check(elsewhere, [tree], press)))[0],
      'RECORD_KEY_CONFLICT',
      'who may not read it learns that the key is taken',
    );
});

const SECRETS = ['李雷', 'E-1001', 'assembled'];
const EXPIRY_HEIGHT = 20;
const random = { bytes: (count: number) => new Uint8Array(count).map(() => Math.floor(Math.random() * 256)) };

/** A submission through the door into a sealed store, to an end of the caller's choice. */
async function submitted(end: 'refused' | TransactionStatus, meanwhile = (deps: SubmitDependencies): SubmitDependencies => deps) {
  const store = createMemoryStore();
  const sealed = createSealedStore(store, aesGcm, random, new Uint8Array(32).fill(5), pause);
  let during = 0;
  const node = {
    signFor: async (sender: string, calls: never) =>
      signTransaction(
        crypto,
        {
          ...{ chainId: new Uint8Array(32), sender, keyId: 'k', salt: random.bytes(16), expiryHeight: EXPIRY_HEIGHT, calls },
          ...{ gasLimit: 1, suite: 1 },
        },
        testKey('mes').sign,
      ).bytes,
    async submit() {
      during = store.rows.size;
      if (end === 'refused') throw new ChainError('MEMPOOL_FULL');
    },
    awaitTransaction: async () => end,
    onBlock: () => () => {},
  };
  const inclusions = {
    async receipt() {
      return undefined;
    },
    position: () => undefined,
  };
  const before = door([], node);
  const parts = { sealed, inclusions, clock: world.clock, underWay: createUnderWay(before.node, crypto, inSlices) };
  const changed = meanwhile({ ...before, ...parts });
  const deps = { ...changed, coalescing: createCoalescing({ ...changed, timers: world.timers }) };
  const rows = await check(deps, [annexRecord()]);
  const options = { wait: 'sync', timeoutMs: 1, recordClass: 'production', requestId: 'r' } as unknown as Parameters<typeof submitRows>[4];
  const records = [{ tree: annexRecord(), locate: () => ({ pointer: '/' }) }] as unknown as Parameters<typeof submitRows>[1];
  let code = 'OK';
  try {
    await submitRows(deps, records, rows, caller, options);
  } catch (error) {
    code = error instanceof ChainError ? error.code : String(error);
  }
  assert.equal(during, 1, 'the values are on disk before the transaction leaves');
  for (const value of store.rows.values()) for (const secret of SECRETS) assert.ok(!Buffer.from(value).includes(secret));
  return { code, store, sealed, recordId: rows[0]!.prepared.recordId };
}

const confirmed = (status: 'ok' | 'failed', code: string, detail: Uint8Array = new Uint8Array(0)): TransactionStatus => {
  const receipt = { transactionId: new Uint8Array(32), height: 3, index: 0, status, code, detail, failedCall: 0, results: [] };
  return { state: 'confirmed', receipt: receipt as unknown as Receipt, blockHash: new Uint8Array(32), timestampMs: 1 };
};

test('a refused submission leaves nothing in the sealed store, and an accepted one its values', async () => {
  for (const [end, code] of [
    ['refused', 'MEMPOOL_FULL'],
    [confirmed('failed', 'RECORD_KEY_CONFLICT'), 'RECORD_KEY_CONFLICT'],
  ] as const) {
    const refused = await submitted(end);
    assert.equal(refused.code, code);
    assert.deepEqual([...refused.store.rows.keys()], [], 'no row of any kind');
    assert.deepEqual((await refused.sealed.head()).sequence, 0, 'no change for other nodes to fetch');
  }
  const accepted = await submitted(confirmed('ok', 'OK'));
  assert.equal(accepted.code, 'OK');
  assert.deepEqual(
    heldOf(accepted.sealed, accepted.recordId).map(({ value }) => value),
    ['李雷', 'E-1001', 'assembled'],
  );
  assert.deepEqual(await accepted.sealed.waiting(), []);
});

test('who says that a record is stored already holds its sealed values, unless they are erased', async () => {
  const shop = rig();
  const send = () => shop.send([annexRecord()]);
  const first = send();
  await shop.turns();
  shop.end(shop.sent[0]!);
  const [stored] = (await first).records;
  const { sealed } = shop.deps;
  const held = () => heldOf(sealed, fromHex(stored!.id));
  const values = held();
  assert.ok(values.length > 0);
  shop.sealedRows.rows.clear(); // as at a node that has not been given them yet, and may never be
  assert.deepEqual(held(), []);
  const repeats = async () => assert.deepEqual((await send()).records[0]!.status, 'repeated');
  await repeats();
  assert.deepEqual(held(), values);
  const { sequence } = await sealed.head();
  await repeats();
  assert.equal((await sealed.head()).sequence, sequence, 'what is held is not written again');
  shop.sealedRows.rows.clear();
  const others = times(SEALED_VALUES_MAX, (i) => ({ ...values[0]!, path: `/ext/${i}`, commitment: `${i}` }));
  await sealed.put([{ recordId: fromHex(stored!.id), sealed: others }]);
  await repeats(); // the record stands, though no more fits beside its later versions
  assert.equal(held().length, SEALED_VALUES_MAX);
  await sealed.erase(fromHex(stored!.id));
  await repeats();
  assert.deepEqual(held(), []);
  assert.equal(shop.sent.length, 1);
});

test('a record that a node with another sealing key stored first is told as such when the contract refuses it', async () => {
  const conflict = confirmed('failed', 'RECORD_KEY_CONFLICT', encodeJson({ record: 0, path: [], recordDigest: 'd' }));
  const other = door([annexRecord()]) as SubmitDependencies & { readonly blocks: RecordBlocks };
  for (const [key, code] of [
    [8, 'SEALED_KEYS_DIFFER'],
    [3, 'RECORD_KEY_CONFLICT'],
  ] as const) {
    const refused = await submitted(conflict, (deps) => {
      let { state } = deps.node;
      const submit: typeof deps.node.submit = (bytes) => {
        state = other.node.state; // the other node was faster
        return deps.node.submit(bytes);
      };
      const node = { ...deps.node, submit, state: { get: (row: string) => state.get(row) } };
      const source = createRecordSource({ state: node.state, blocks: other.blocks });
      return { ...deps, node, source, sealingKeys: () => [new Uint8Array(32).fill(key)] };
    });
    assert.deepEqual([refused.code, refused.store.rows.size], [code, 0]);
  }
});

test('what nobody waits for is settled by its receipt, or goes when it can no longer be final', async () => {
  for (const [ended, height, kept, waiting] of [
    ['ok', EXPIRY_HEIGHT, true, 0],
    ['failed', EXPIRY_HEIGHT, false, 0],
    [undefined, EXPIRY_HEIGHT, false, 1],
    [undefined, EXPIRY_HEIGHT + 1, false, 0],
  ] as const) {
    const pending = await submitted({ state: 'pending', sinceMs: 0 });
    assert.deepEqual(heldOf(pending.sealed, pending.recordId), [], 'no value of a stored record yet');
    assert.equal((await pending.sealed.waiting()).length, 1);
    const log = { error: (_facts: object, text: string) => assert.fail(text) } as unknown as Parameters<
      typeof createSealedSettlement
    >[0]['log'];
    const settlement = createSealedSettlement({
      sealed: pending.sealed,
      outcome: async (_id: Digest) => ended,
      height: () => height,
      log,
      pause,
    });
    settlement.onBlock();
    await settlement.idle();
    assert.equal(heldOf(pending.sealed, pending.recordId).length > 0, kept);
    assert.equal((await pending.sealed.waiting()).length, waiting);
    if (!kept) assert.equal(pending.store.rows.size, waiting);
  }
});

test('submissions that only time will end hold up no other, however many there are', async () => {
  const sealed = createSealedStore(createMemoryStore(), aesGcm, random, new Uint8Array(32).fill(5), pause);
  const idOf = (number: number): Digest => Uint8Array.from([number >> 8, number & 0xff, ...new Uint8Array(30)]);
  const last = 2_000;
  const { recordId, sealed: values } = prepared(annexRecord());
  let pauses = 0;
  for (let number = 0; number <= last; number++) await sealed.hold(idOf(number), EXPIRY_HEIGHT, [{ recordId, sealed: values }]);
  const log = { error: (_facts: object, text: string) => assert.fail(text) } as unknown as Parameters<
    typeof createSealedSettlement
  >[0]['log'];
  const outcome = async (id: Digest) => (toHex(id) === toHex(idOf(last)) ? ('ok' as const) : undefined);
  const settlement = createSealedSettlement({ sealed, outcome, height: () => EXPIRY_HEIGHT, log, pause: async () => void pauses++ });
  settlement.onBlock();
  await settlement.idle();
  assert.equal(heldOf(sealed, recordId).length, SECRETS.length);
  assert.ok(pauses >= last, `${pauses} pauses`);
});

test('a node that holds no key of the account says so, and nothing of what stands under the key of the record', async () => {
  const deps = door([annexRecord()], { signsFor: () => false });
  for (const tree of [annexRecord(), annexRecord({ production_location: 'elsewhere' }), {}])
    await assert.rejects(
      () => check(deps, [tree]),
      (error) => {
        assert.ok(error instanceof ChainError);
        assert.deepEqual([error.code, error.data], ['KEY_NOT_HELD', { account: 'mes@alpha' }]);
        return true;
      },
    );
});

test('the example of every route that takes records is accepted as printed, once its factory is registered', async () => {
  const rig = await createRig({ rateLimitFactor: 0 });
  try {
    const routes = rig.server.context.routes.filter(({ body }) => body?.formats.includes('text/csv'));
    assert.deepEqual(
      routes.map(({ operationId }) => operationId),
      ['submitRecords', 'validateRecords'],
    );
    for (const { body } of routes) {
      const parsed = parseBody('json', new TextEncoder().encode(body!.example));
      assert.ok(parsed.ok);
      assert.equal(ended(checkRows(door([]), parsed.records, caller, 'production', parsed.faults ?? [])).length, 1);
    }
  } finally {
    await rig.close();
  }
});
