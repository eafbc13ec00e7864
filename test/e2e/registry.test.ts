/**
 * The register as an organisation uses it, on a running devnet: a record class is registered, takes records as JSON, XML and CSV by REST and by
 * command line, moves to its next version and is withdrawn; other kinds are entries of their owner; every version stays.
 */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type { Actor, ProbeContext } from '../conformance/context.ts';
import { startTestNet, type TestNet } from './net.ts';

const FOREIGN = 1;

let testNet: TestNet;
let context: ProbeContext;
let admin: Actor;

before(async () => {
  testNet = await startTestNet('registry');
  context = testNet.context;
  admin = await steppedUp('machining');
});
after(() => testNet?.stop());

/** The administrator with a token that needs no further code for some minutes. */
async function steppedUp(organisation: string): Promise<Actor> {
  const account = `admin@${organisation}`;
  return { account, organisation, token: await context.steppedUp(account), node: context.nodeOf(account), factory: '', device: '' };
}

const change = (path: string, body: unknown, actor = admin) => context.post(actor.node, path, body, { token: actor.token });
const heat = (version: number, properties: object = {}) => ({
  name: 'heat',
  version,
  key: ['furnace', 'started'],
  body: {
    type: 'struct',
    properties: {
      furnace: { type: 'text', maxLength: 64 },
      started: { type: 'text', format: 'time', maxLength: 64 },
      grade: { type: 'text', enum: ['A', 'B'] },
      degrees: { type: 'decimal', minimum: '0', maximum: '2000' },
      ...properties,
    },
    required: ['furnace', 'started', 'degrees'],
  },
  facts: { time: 'started' },
});
const record = (hour: number, more: object = {}) => ({
  furnace: 'O-1',
  started: `2026-01-01T${hour}:00:00+08:00`,
  degrees: '840.5',
  ...more,
});

async function submitHeat(body: string, type = 'application/json') {
  const { node, token } = context.actor;
  return await context.call(node, 'POST', 'records', { body, type, token, query: { class: 'heat' } });
}

async function found(node: number): Promise<readonly { readonly record: Record<string, unknown>; readonly classVersion: number }[]> {
  const query = { class: 'heat', limit: 50, atLeastHeight: await context.height(0), waitMs: 20_000 };
  return (await context.get(node, 'records', query)).items;
}

test('a class that an organisation registers takes records in every format, by REST and by command line', async () => {
  assert.equal((await submitHeat(JSON.stringify(record(10)))).json.code, 'RECORD_CLASS_UNKNOWN');
  const registered = await change('registry/class', { id: 'heat', data: heat(1) });
  assert.equal(registered.status, 200, registered.text.slice(0, 600));
  assert.equal(registered.json.data.result.owner, 'machining');

  for (const [body, type] of [
    [JSON.stringify(record(10, { grade: 'A' })), 'application/json'],
    ['<record><furnace>O-1</furnace><started>2026-01-01T11:00:00+08:00</started><degrees>841</degrees></record>', 'application/xml'],
    ['furnace,started,degrees\r\nO-1,2026-01-01T12:00:00+08:00,842\r\n', 'text/csv'],
  ] as const) {
    const answer = await submitHeat(body, type);
    assert.equal(answer.status, 200, answer.text.slice(0, 600));
  }
  const file = context.file('heat.json', JSON.stringify(record(13)));
  const submitted = await context.cli(context.actor.node, ['record', 'submit', file, '--class', 'heat']);
  assert.equal(submitted.exitCode, 0, submitted.stdout + submitted.stderr);
  const rows = context.file('heat.csv', 'furnace,started,degrees\nO-1,2026-01-01T14:00:00+08:00,843\nO-1,2026-01-01T15:00:00+08:00,844\n');
  const imported = await context.cli(context.actor.node, ['record', 'import', rows, '--class', 'heat']);
  assert.equal(imported.exitCode, 0, imported.stdout + imported.stderr);

  for (const node of [context.actor.node, FOREIGN]) {
    const degrees = (await found(node)).map((row) => row.record.degrees);
    assert.deepEqual([...degrees].sort(), ['840.5', '840.5', '841', '842', '843', '844'], `node ${node}`);
  }
  const listed = await context.cli(FOREIGN, ['record', 'query', '--class', 'heat', '--limit', '3']);
  assert.equal(listed.exitCode, 0, listed.stdout + listed.stderr);
  assert.equal(JSON.parse(listed.stdout).items.length, 3);
  const bad = await submitHeat(JSON.stringify({ furnace: 'O-1', started: 'noon', degrees: '2001', grad: 'A' }));
  assert.equal(bad.status, 422);
  assert.deepEqual(bad.json.details.map((detail) => `${detail.code} ${String(detail.pointer)}`).sort(), [
    'RECORD_FIELD_UNKNOWN /grad',
    'RECORD_TIME_MALFORMED /started',
    'RECORD_VALUE_RANGE /degrees',
  ]);
});

test('the class moves to its next version with its records, is withdrawn, and every version stays to be read', async () => {
  const next = heat(2, { operator: { type: 'text', maxLength: 64, sealed: true } });
  const wrong = await change('registry/class/heat/update', { version: 1, data: { ...next, version: 3 } });
  assert.deepEqual([wrong.status, wrong.json.code], [400, 'BUILTIN_ARGUMENTS_INVALID'], wrong.text.slice(0, 600));
  const foreign = await change('registry/class/heat/update', { version: 1, data: next }, await steppedUp('supplier'));
  assert.deepEqual([foreign.status, foreign.json.code], [403, 'REGISTRY_ENTRY_FOREIGN'], foreign.text.slice(0, 600));
  const updated = await change('registry/class/heat/update', { version: 1, data: next });
  assert.equal(updated.status, 200, updated.text.slice(0, 600));
  const sealed = await submitHeat(JSON.stringify(record(16, { operator: 'Li Wei' })));
  assert.equal(sealed.status, 200, sealed.text.slice(0, 600));
  const rows = await found(FOREIGN);
  assert.deepEqual(rows.map((row) => row.classVersion).sort(), [1, 1, 1, 1, 1, 1, 2]);
  assert.equal(JSON.stringify(rows).includes('Li Wei'), false, 'a sealed field stays with its organisation');

  const withdrawn = await change('registry/class/heat/state', { state: 'withdrawn' });
  assert.equal(withdrawn.status, 200, withdrawn.text.slice(0, 600));
  assert.equal((await submitHeat(JSON.stringify(record(17)))).json.code, 'RECORD_CLASS_UNKNOWN');
  assert.equal((await found(FOREIGN)).length, 7);
  const history = await context.get(FOREIGN, 'registry/class/heat/history');
  assert.deepEqual(
    history.items.map((entry: { version: number; state: string; data: { version: number } }) => [
      entry.version,
      entry.state,
      entry.data.version,
    ]),
    [
      [1, 'active', 1],
      [2, 'active', 2],
      [3, 'withdrawn', 2],
    ],
  );
  assert.equal((await context.get(FOREIGN, 'registry/class/heat', { version: 1 })).data.version, 1);
  const classes = await context.get(FOREIGN, 'classes');
  assert.deepEqual(classes.items.map((row: { id: string }) => row.id).sort(), [
    'device',
    'heat',
    'material_consumption',
    'production',
    'quality',
  ]);
});

test('an agreement is an entry with the digest of its paper, made and ended by command line', async () => {
  const entry = context.file(
    'agreement.json',
    JSON.stringify({ id: 'supply-2026', data: { name: 'Supply', parties: ['supplier'] }, documentDigest: 'ab'.repeat(32) }),
  );
  const made = await context.cli(admin.node, ['registry', 'register', 'agreement', `@${entry}`], admin.token);
  assert.equal(made.exitCode, 0, made.stdout + made.stderr);
  const ended = await context.cli(admin.node, ['registry', 'withdraw', 'agreement', 'supply-2026'], admin.token);
  assert.equal(ended.exitCode, 0, ended.stdout + ended.stderr);
  const history = await context.cli(FOREIGN, ['registry', 'history', 'agreement', 'supply-2026']);
  assert.deepEqual(
    JSON.parse(history.stdout).items.map((row: { state: string }) => row.state),
    ['active', 'withdrawn'],
  );
  const operator = await change('registry/agreement', { id: 'x', data: {} }, context.actor);
  assert.equal(operator.status, 403, operator.text.slice(0, 300));
});
