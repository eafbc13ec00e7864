/** What a device reads: every route by name, and what others wrote is to it as if it did not exist. An operator is the twin of each refusal. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { after, before, test } from 'node:test';
import { type Bodies, createBodies } from '../../../../node/records/bodies.ts';
import { GUESSES_PER_MINUTE, GUESSES_SAVED_COUNT } from '../../../../node/records/guesses.ts';
import { createRecordService } from '../../../../node/records/service.ts';
import type { Route } from '../../../../api/rest/route.ts';
import { allRoutes } from '../../../../api/rest/routes/index.ts';
import { CONTRACT, deployedKey, production, stateKey } from '../../../../contracts/index.ts';
import { encodeJson, type StoredRecord, toHex } from '../../../../node/format/index.ts';
import {
  aesGcm,
  createRecordIndex,
  createSealedStore,
  prepareRecord,
  type RecordRow,
  type SealedValue,
} from '../../../../node/records/index.ts';
import { Shelf } from '../../node/records/shelf.ts';
import { createMemoryStore, pause } from '../../node/records/memory-store.ts';
import { annexRecord, crypto } from '../../node/records/sample.ts';
import type { TestNode } from '../stand-in-node.ts';
import type { TestWorld } from '../stand-in-world.ts';
import { createRig, type Rig } from '../stand-ins.ts';

/**
 * `refused`: the right is missing. `common`: what it tells is the same for everybody. `own`: tells what the account wrote, see the tests below the table.
 * `writes`: a submission, answered with what became of it. `public`: no token is asked for.
 */
type Reach = 'refused' | 'common' | 'own' | 'writes' | 'public';
const REACH: Readonly<Record<string, Reach>> = {
  submitRecords: 'writes',
  validateRecords: 'writes',
  findRecords: 'own',
  getSourcePosition: 'own',
  getRecord: 'own',
  getRecordHistory: 'own',
  getRecordProof: 'own',
  traceProduct: 'refused',
  submitTransaction: 'writes',
  getTransaction: 'own',
  listBlocks: 'refused',
  getBlock: 'refused',
  validateBlock: 'refused',
  getConsensus: 'common',
  deployContract: 'refused',
  listContracts: 'refused',
  getContract: 'refused',
  callContract: 'refused',
  queryContract: 'refused',
  listContractEvents: 'refused',
  listProposals: 'refused',
  getParameters: 'common',
  proposeChange: 'refused',
  voteOnProposal: 'refused',
  listEntries: 'refused',
  getEntry: 'own',
  getEntryHistory: 'refused',
  registerEntry: 'refused',
  updateEntry: 'refused',
  setEntryState: 'refused',
  listClasses: 'common',
  listNodes: 'refused',
  getNode: 'refused',
  listPeers: 'refused',
  streamEvents: 'refused',
  listAlarms: 'refused',
  acknowledgeAlarm: 'refused',
  metrics: 'refused',
  healthz: 'public',
  readyz: 'public',
  login: 'public',
  stepUp: 'writes',
  issueToken: 'refused',
  listInterfaces: 'public',
  openApi: 'public',
  listExchanges: 'refused',
  consolePage: 'public',
  docsPage: 'public',
  consoleScript: 'public',
  consoleIcon: 'public',
  consoleStyle: 'public',
};

const DEVICE = 'press-7@acme';
const OPERATOR = 'olga@acme';
const sealingKey = new Uint8Array(32).fill(3);

const opened: Bodies[] = [];
function openBodies(world: TestWorld): Bodies {
  const bodies = createBodies({ world: { ...world, crypto } });
  opened.push(bodies);
  return bodies;
}
after(async () => {
  for (const bodies of opened) await bodies.stop();
});

const address = `0x${'1'.repeat(40)}`;
const UNKNOWN = 'f'.repeat(64);

const shelf = new Shelf();
interface Sample {
  readonly row: RecordRow;
  readonly height: number;
  readonly sealed: readonly SealedValue[];
  readonly id: string;
}
/** Who operated differs with the place, so that no version has sealed values of another. */
function contentOf(uid: string, location: string) {
  return annexRecord({
    product_uid: uid,
    production_location: location,
    pro_op_info: { pro_op_name: `of ${location}`, pro_op_id: `E ${location}`, pro_op_record: `at ${location}` },
  });
}
function sample(uid: string, actor: string, height: number, more: Partial<StoredRecord> = {}, location = 'line 3'): Sample {
  const org = actor.split('@')[1]!;
  const preparation = prepareRecord({ crypto, org, sealingKey }, production, contentOf(uid, location));
  if (!preparation.ok) return assert.fail(JSON.stringify(preparation.faults));
  const { recordId, submission, sealed } = preparation.prepared;
  const record = shelf.put(recordId, {
    ...{ class: 'production', org, actor, content: submission.content, height, committedAtMs: 1_760_000_000_000 + height },
    ...{ transactionId: new Uint8Array(32).fill(height), ...more },
  });
  const heightBefore = record.version === 1 ? undefined : 1;
  return { row: { recordId, record: { ...record, heightBefore } }, height, sealed, id: toHex(recordId) };
}
/** One of the device, amended by the operator; one that the device amended against the rule of the contract; foreign ones of its and another organisation. */
const own = sample('SN-1', DEVICE, 1);
const ownAmended = sample('SN-1', OPERATOR, 3, { version: 2 }, 'corrected');
const ownOther = sample('SN-2', DEVICE, 2);
const neighbour = sample('SN-3', OPERATOR, 1);
const taken = sample('SN-3', DEVICE, 4, { version: 2 }, 'elsewhere');
const stranger = sample('SN-4', 'bob@bolt', 2);
const all = [own, ownAmended, ownOther, neighbour, taken, stranger];
const FOREIGN = [neighbour.id, stranger.id];

let rig: Rig;
before(async () => {
  const index = createRecordIndex(createMemoryStore(), crypto);
  for (const height of [1, 2, 3, 4])
    await index.applyBlock(
      height,
      height,
      all.filter((one) => one.height === height).map(({ row }) => row),
    );
  const sealed = createSealedStore(createMemoryStore(), aesGcm, { bytes: randomBytes }, new Uint8Array(32).fill(5), pause);
  await sealed.put(all.map((one) => ({ recordId: one.row.recordId, sealed: one.sealed })));
  const recordsOn = (node: TestNode, world: TestWorld) =>
    createRecordService({
      bodies: openBodies(world),
      node,
      crypto: world.crypto,
      index,
      sealed,
      sealingKeys: () => [sealingKey],
      inclusions: {
        position: (id) => ({ height: id[0]!, index: 0, blockHash: id }),
        async receipt() {
          return { receipt: new Uint8Array(3), index: 0, count: 1, path: [], headerBytes: new Uint8Array(3) };
        },
      },
      blocks: shelf.blocks,
      timers: world.timers,
      clock: world.clock,
      evidence: async (recordId, version, withTransaction) =>
        // biome-ignore lint/correctness/useYield: short enough for no pause
        (function* () {
          return { evidence: toHex(recordId), version, withTransaction } as never;
        })(),
    });
  rig = await createRig({ rateLimitFactor: 0 }, recordsOn);
  for (const [key, value] of shelf.rows) rig.state.rows.set(key, value);
  rig.state.rows.set(stateKey(CONTRACT.deployed, deployedKey.contract(address)), encodeJson({ address, owner: 'acme', state: 'active' }));
  for (const [kind, id, owner] of [
    ['factory', 'F-001', 'acme'],
    ['device', 'D-1', 'acme'],
    ['factory', 'F-B', 'bolt'],
    ['device', 'D-B', 'bolt'],
    ['class', 'heat', 'bolt'],
    ['document', 'paper', 'acme'],
  ] as const)
    rig.state.put(kind, id, owner, { name: id });
});
after(() => rig.close());

interface Answer {
  readonly status: number;
  readonly code: string;
  // biome-ignore lint/suspicious/noExplicitAny: answers of many shapes are looked into
  readonly data: any;
  /** All of the answer but what differs from call to call and repeats what was asked. */
  readonly told: string;
}
async function call(account: string, method: 'GET' | 'POST', url: string, payload?: string, type = 'application/json'): Promise<Answer> {
  const headers = { authorization: `Bearer ${rig.token(account)}`, ...(payload === undefined ? {} : { 'content-type': type }) };
  const {
    statusCode: status,
    body,
    headers: answered,
  } = await rig.server.app.inject({ method, url, headers, ...(payload === undefined ? {} : { payload }) });
  const json = String(answered['content-type']).includes('json') ? JSON.parse(body) : {};
  const asked = url.split(/[/?&=]/).filter((part) => part.length > 20 || /^(F|D)-|@/.test(part));
  let told = JSON.stringify([status, { ...json, requestId: '' }, Object.keys(answered).sort()]);
  for (const part of asked) told = told.replaceAll(decodeURIComponent(part), 'ASKED');
  return { status, code: json.code, data: json.data, told };
}
const get = (account: string, path: string) => call(account, 'GET', `/api/v1/${path}`);

function exampleOf(route: Route): ['GET' | 'POST', string, string | undefined, string | undefined] {
  const path = route.parameters
    .filter((parameter) => parameter.in === 'path')
    .reduce((url, { name, example }) => url.replace(`:${name}`, encodeURIComponent(String(example))), route.url);
  const required = route.parameters.filter((parameter) => parameter.in === 'query' && parameter.required);
  const query = new URLSearchParams(required.map(({ name, example }): [string, string] => [name, String(example)]));
  return [route.method, `${path}?${query}`, route.body?.example, route.body?.formats.at(-1)];
}

test('every route says what a device may do with it, and keeps to it', async () => {
  const routes = allRoutes();
  assert.deepEqual(Object.keys(REACH).sort(), routes.map(({ operationId }) => operationId).sort());
  for (const route of routes) {
    const reach = REACH[route.operationId]!;
    const device = await call(DEVICE, ...exampleOf(route));
    assert.equal(device.code === 'RIGHT_MISSING', reach === 'refused', `${route.operationId} answers a device ${device.code}`);
    assert.equal(route.access === 'public', reach === 'public', route.operationId);
    if (reach === 'refused') assert.equal(device.status, 403, route.operationId);
    if (reach === 'common') assert.equal(device.told, (await call(OPERATOR, ...exampleOf(route))).told, route.operationId);
    if (route.response.outside?.includes('text/event-stream')) continue; // does not end
    assert.notEqual((await call('ada@acme', ...exampleOf(route))).code, 'RIGHT_MISSING', route.operationId);
  }
});

test('a record that another account wrote is to a device as unknown as one that does not exist, in every reading of it', async () => {
  for (const more of [
    '',
    '?version=1',
    '?version=2',
    '/history',
    '/proof',
    '/proof?version=1',
    '/proof?transaction=true',
    '/history?limit=1',
  ]) {
    const unknown = await get(DEVICE, `records/${UNKNOWN}${more}`);
    assert.deepEqual([unknown.status, unknown.code], [404, 'RECORD_NOT_FOUND'], more);
    for (const id of FOREIGN) assert.equal((await get(DEVICE, `records/${id}${more}`)).told, unknown.told, more);
    assert.equal((await get(OPERATOR, `records/${neighbour.id}${more}`)).code, 'OK', more);
    assert.equal((await get(OPERATOR, `records/${own.id}${more}`)).code, 'OK', more);
  }
});

test('a device reads what it wrote and what became of it; what others put in stays theirs', async () => {
  const current = await get(DEVICE, `records/${own.id}`);
  assert.deepEqual([current.data.version, current.data.record.production_location], [2, 'corrected']);
  assert.deepEqual((await get(DEVICE, `records/${own.id}/history`)).data.items.length, 2);
  const sealedFor = async (account: string, version: number) =>
    (await get(account, `records/${own.id}?version=${version}`)).data.sealed?.length ?? 0;
  assert.deepEqual([await sealedFor(DEVICE, 1), await sealedFor(DEVICE, 2), await sealedFor(OPERATOR, 2)], [3, 0, 3]);
  assert.equal((await get(DEVICE, `records/${own.id}/proof`)).data.evidence, own.id);
  assert.equal((await get(DEVICE, `records/${own.id}/proof?version=1&transaction=true`)).code, 'OK');
  const whole = await get(DEVICE, `records/${own.id}/proof?transaction=true`);
  assert.equal(whole.code, 'RIGHT_MISSING', 'the transaction of the amendment holds what the operator sent with it');
  assert.equal((await get(OPERATOR, `records/${own.id}/proof?version=1&transaction=true`)).code, 'OK');
});

test('a device finds its own records, counted and complete, whatever it asks for; an operator finds all', async () => {
  const ids = async (account: string, query: string) => {
    const { code, data } = await get(account, `records?count=exact&${query}`);
    assert.equal(code, 'OK', query);
    assert.deepEqual([data.count, data.complete, data.withheld, data.next], [data.items.length, true, 0, null], query);
    return data.items.map((item: { id: string; version: number }) => `${item.id} ${item.version}`).sort();
  };
  const mine = [`${own.id} 2`, `${ownOther.id} 1`].sort();
  for (const query of [
    '',
    'class=production',
    'device=D-1',
    'factory=F-001',
    'supplier=S-12&materialBatch=B-2025-081',
    'batch=PB-7',
    'include=archived',
  ])
    assert.deepEqual(await ids(DEVICE, query), mine, query);
  assert.deepEqual(await ids(DEVICE, 'order=commit'), [...mine, `${own.id} 1`].sort());
  assert.deepEqual(await ids(DEVICE, 'product=SN-3'), []);
  assert.equal((await get(DEVICE, 'records?product=SN-3')).told, (await get(DEVICE, 'records?product=SN-9')).told);
  assert.equal((await ids(OPERATOR, '')).length, 4);
  assert.equal((await ids(OPERATOR, 'order=commit')).length, all.length);
  const cursor = (await get(OPERATOR, 'records?limit=1')).data.next;
  assert.equal((await get(DEVICE, `records?limit=1&after=${cursor}`)).code, 'RECORD_CURSOR_INVALID');
  const pages = await get(DEVICE, 'records?limit=1');
  const rest = await get(DEVICE, `records?limit=1&after=${pages.data.next}`);
  assert.deepEqual([pages.data.items.length, rest.data.items.length, rest.data.next], [1, 1, null]);
});

test('a submission tells a device nothing of a record another account wrote but that its key is taken', async () => {
  const body = (uid: string, location: string) => JSON.stringify(contentOf(uid, location));
  for (const path of ['records', 'records/validate']) {
    const conflict = async (account: string, uid: string) => (await call(account, 'POST', `/api/v1/${path}`, body(uid, 'x'))).data;
    const untold = await conflict(DEVICE, 'SN-3');
    assert.deepEqual(
      [untold.id, untold.state, untold.recordDigest, untold.height, untold.transactionId],
      [neighbour.id, null, null, null, null],
      path,
    );
    assert.equal((await conflict(DEVICE, 'SN-2')).recordDigest.length, 64);
    assert.equal((await conflict(OPERATOR, 'SN-3')).recordDigest.length, 64);
  }
  const repeated = async (account: string, uid: string) => (await call(account, 'POST', '/api/v1/records', body(uid, 'line 3'))).data;
  for (const [account, uid, proved] of [
    [DEVICE, 'SN-2', true],
    [DEVICE, 'SN-3', false],
    [OPERATOR, 'SN-3', true],
  ] as const) {
    const { records, inclusionProof, transactionId, height, blockHash } = await repeated(account, uid);
    const told = [inclusionProof, transactionId, height, blockHash, records[0].transactionId].map((part) => (part ?? null) !== null);
    assert.deepEqual([records[0].status, told], ['repeated', Array(5).fill(proved)], 'a receipt names every record of its transaction');
    const [validated] = (await call(account, 'POST', '/api/v1/records/validate', body(uid, 'line 3'))).data.records;
    assert.deepEqual([validated.status, 'transactionId' in validated], ['repeated', proved]);
  }
});

test('who may not read a record guesses at it so often a minute, and then hears neither right nor wrong', async () => {
  const validate = (account: string, uid: string, location: string) =>
    call(account, 'POST', '/api/v1/records/validate', JSON.stringify(contentOf(uid, location)));
  const heard = async (...sent: Parameters<typeof validate>) => (await validate(...sent)).code;
  const guesser = 'press-8@acme';
  rig.state.put('account', guesser, 'acme', { type: 'device', roles: ['device'], keys: [], sessionEpoch: 1 });
  for (let guess = 0; guess < GUESSES_SAVED_COUNT; guess++)
    assert.equal(await heard(guesser, 'SN-3', `line ${guess + 10}`), 'RECORD_KEY_CONFLICT', `guess ${guess}`);
  for (let more = 0; (await heard(guesser, 'SN-3', 'line 9')) !== 'RATE_LIMITED'; more++) assert.ok(more < GUESSES_PER_MINUTE);
  const right = JSON.stringify(contentOf('SN-3', 'line 3'));
  const told = await Promise.all(['records', 'records/validate'].map((path) => call(guesser, 'POST', `/api/v1/${path}`, right)));
  assert.deepEqual(
    told.map(({ code }) => code),
    ['RATE_LIMITED', 'RATE_LIMITED'],
  );
  assert.equal(await heard(guesser, 'SN-7', 'line 3'), 'OK', 'what nobody wrote is taken as ever');
  assert.equal(await heard(DEVICE, 'SN-2', 'x'), 'RECORD_KEY_CONFLICT', 'its own record');
  assert.equal(await heard(DEVICE, 'SN-3', 'x'), 'RECORD_KEY_CONFLICT', 'another account has guesses of its own');
  for (let guess = 0; guess <= 2 * GUESSES_SAVED_COUNT; guess++) assert.equal(await heard(OPERATOR, 'SN-3', 'x'), 'RECORD_KEY_CONFLICT');
  rig.world.advance((2 * 60_000) / GUESSES_PER_MINUTE);
  assert.equal(await heard(guesser, 'SN-3', 'line 3'), 'OK', 'a retry is answered');
  for (let again = 0; again <= 2 * GUESSES_SAVED_COUNT; again++)
    assert.equal(await heard(guesser, 'SN-3', 'line 3'), 'OK', 'and costs nothing');
});

test('a device learns what became of its own transactions, and of no other', async () => {
  const [mine, foreign, nobody] = ['a', 'b', 'c'].map((digit) => digit.repeat(64)) as [string, string, string];
  rig.node.senders.set(mine, DEVICE).set(foreign, OPERATOR);
  const { statuses } = rig.node;
  const known = [
    statuses(mine),
    { state: 'pending', sinceMs: 3 },
    { state: 'rejected', code: 'TRANSACTION_REPEATED', data: {} },
    { state: 'expired', expiryHeight: 9 },
  ] as const;
  for (const status of known) {
    rig.node.statuses = (id) => (id === nobody ? { state: 'unknown' } : status);
    for (const more of status.state === 'confirmed' ? [''] : ['', '?proof=true']) {
      const unknown = await get(DEVICE, `transactions/${nobody}${more}`);
      assert.deepEqual([unknown.status, unknown.code], [404, 'TRANSACTION_NOT_FOUND']);
      assert.equal((await get(DEVICE, `transactions/${foreign}${more}`)).told, unknown.told, status.state);
      assert.equal((await get(DEVICE, `transactions/${mine}${more}`)).data.state, status.state);
      assert.equal((await get(OPERATOR, `transactions/${mine}${more}`)).data.state, status.state);
    }
  }
  rig.node.statuses = statuses;
});

test('of the register a device sees its own account, classes, and the factories and devices of its organisation', async () => {
  for (const [path, seen] of [
    [`account/${DEVICE}`, true],
    ['factory/F-001', true],
    ['device/D-1', true],
    ['class/heat', true],
    ['account/olga@acme', false],
    ['account/bob@bolt', false],
    ['factory/F-B', false],
    ['device/D-B', false],
    ['organisation/acme', false],
    ['node/node-a', false],
    ['document/paper', false],
  ] as const) {
    const url = `registry/${path.split('/').map(encodeURIComponent).join('/')}`;
    const { code, told } = await get(DEVICE, url);
    assert.equal(code, seen ? 'OK' : 'REGISTRY_ENTRY_UNKNOWN', path);
    if (!seen) assert.doesNotMatch(told, /name|roles|"data":\{[^}]*owner/, path);
    assert.equal((await get(OPERATOR, url)).code, 'OK', path);
  }
});
