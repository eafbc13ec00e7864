/** Names of the interface against the one glossary (design: api, "Names"). */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { CONTRACT, deployedKey, stateKey } from '../../../contracts/index.ts';
import { fieldOf, production, type StructSchema } from '../../../contracts/classes/index.ts';
import { glossary } from '../../../api/glossary.ts';
import { registryRows } from '../../../api/rest/openapi.ts';
import { encodeJson, type StoredRecord } from '../../../node/format/index.ts';
import { viewSteps } from '../../../node/records/view.ts';
import { sourceFiles } from '../../tools/source.ts';
import { confirmed, testEvent } from './stand-in-node.ts';
import { createRig, type Rig } from './stand-ins.ts';

/** Members whose own members are data: content, arguments and results of contracts, facts of a refusal, bundles of their own format. */
const OPAQUE: ReadonlySet<string> = new Set(['record', 'result', 'results', 'detail', 'facts', 'evidence', 'example', 'default', 'keys']);
const CAMEL_CASE = /^[a-z][a-zA-Z0-9]*$/;
const HEADER = /^[a-z0-9]+(?:-[a-z0-9]+)+$/;

/** The class of annex A with its lists as their items, and the names in it, `token` among them. */
const memberwise: StructSchema = {
  ...production.body,
  properties: Object.fromEntries(
    Object.entries(production.body.properties).map(([name, field]) => [name, field.type === 'list' ? field.items : field]),
  ),
};
const annexNames: readonly string[] = [
  'token',
  ...Object.entries(memberwise.properties).flatMap(([name, field]) => [
    name,
    ...(field.type === 'struct' ? Object.keys(field.properties) : []),
  ]),
];

let rig: Rig;
const found = new Map<string, string>();
const note = (name: string, where: string): void => void (found.has(name) || found.set(name, where));

interface Schema {
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly items?: Schema;
  readonly anyOf?: readonly Schema[];
}
function noteSchema(schema: Schema | undefined, where: string): void {
  for (const [name, member] of Object.entries(schema?.properties ?? {})) {
    note(name, where);
    noteSchema(member, where);
  }
  if (schema?.items !== undefined) noteSchema(schema.items, where);
  for (const part of schema?.anyOf ?? []) noteSchema(part, where);
}
function noteAnswer(value: unknown, where: string): void {
  if (Array.isArray(value)) for (const item of value) noteAnswer(item, where);
  else if (typeof value === 'object' && value !== null)
    for (const [name, member] of Object.entries(value)) {
      note(name, where);
      const isFreeData = name === 'data' && ('contract' in value || 'kind' in value); // of an event or of an entry of the register
      if (!OPAQUE.has(name) && !isFreeData) noteAnswer(member, where);
    }
}

before(async () => {
  rig = await createRig({ rateLimitFactor: 0 });
  const address = `0x${'1'.repeat(40)}`;
  rig.state.rows.set(stateKey(CONTRACT.deployed, deployedKey.contract(address)), encodeJson({ address, state: 'active' }));
  rig.node.events_.push(testEvent(1, 0, 'a', address));
  const { routes } = rig.server.context;
  for (const route of routes) {
    for (const { name } of route.parameters) note(name, `parameter of ${route.operationId}`);
    noteSchema(route.body?.schema as Schema | undefined, `body of ${route.operationId}`);
    noteSchema(route.response.schema as Schema, `answer of ${route.operationId}`);
  }
  for (const route of routes) {
    if (route.method !== 'GET' || route.response.outside?.some((type) => type !== 'application/octet-stream') === true) continue;
    const example = (name: string): string => String(route.parameters.find((parameter) => parameter.name === name)!.example);
    const query = route.parameters.filter((parameter) => parameter.in === 'query' && (parameter.required || parameter.name === 'proof'));
    const url = `${route.url.replace(/:(\w+)/g, (_, name: string) => encodeURIComponent(example(name)))}?${query.map(({ name }) => `${name}=${encodeURIComponent(example(name))}`).join('&')}`;
    const answer = await rig.server.app.inject({ method: 'GET', url, headers: { authorization: `Bearer ${rig.token('ada@acme')}` } });
    noteAnswer(JSON.parse(answer.body), `answer of ${route.operationId}`);
  }
  const hex = 'd'.repeat(64);
  const { statuses } = rig.node;
  rig.node.statuses = () => confirmed(Buffer.from(hex, 'hex'), {});
  const answer = await rig.server.app.inject({
    method: 'GET',
    url: `/api/v1/transactions/${hex}?proof=true`,
    headers: { authorization: `Bearer ${rig.token('ada@acme')}` },
  });
  rig.node.statuses = statuses;
  noteAnswer(JSON.parse(answer.body), 'answer of getTransaction');
  noteAnswer(sampleView(), 'a record');
});
after(() => rig.close());

function sampleView() {
  const stored: StoredRecord = {
    ...{ class: 'production', classVersion: 1, org: 'acme', actor: 'a@acme', version: 2, state: 'current', height: 1 },
    ...{ index: 0, call: 0, item: 0, recordDigest: new Uint8Array(32), normalDigest: undefined, sourceDigest: new Uint8Array(32) },
    keyContent: new Uint8Array(0),
    content: new TextEncoder().encode('{"product_uid":"P"}'),
    source: { system: 's', id: '1', time: 't', seq: '1', interfaceId: 'i', mapping: 'm' },
    committedAtMs: 1_760_000_000_000,
    transactionId: new Uint8Array(32),
    change: { reason: 'r', digestBefore: new Uint8Array(32) },
  };
  const mappings = [{ id: 'm', owner: 'acme', name: 'M', documentDigest: null }];
  const options = { content: { product_uid: 'P' }, key: {}, blockHash: new Uint8Array(32), sealed: [], erased: true, mappings };
  const steps = viewSteps(new Uint8Array(32), stored, options);
  for (;;) {
    const step = steps.next();
    if (step.done === true) return step.value;
  }
}

test('every name of the interface stands in the glossary', () => {
  assert.ok(found.size > 150, `${found.size} names seen`);
  const missing = [...found].filter(([name]) => !Object.hasOwn(glossary, name)).map(([name, where]) => `${name} (${where})`);
  assert.deepEqual(missing, []);
});

test('own names are camelCase, headers lower case, and names of annex A stand as they are printed', () => {
  const wrong = Object.keys(glossary).filter((name) => !CAMEL_CASE.test(name) && !HEADER.test(name) && !annexNames.includes(name));
  assert.deepEqual(wrong, []);
});

test('the 17 names of table A.1 stand in the glossary and, with the rules of their class, in the registry of every route that takes records', () => {
  assert.equal(annexNames.length, 17);
  assert.deepEqual(
    annexNames.filter((name) => !Object.hasOwn(glossary, name)),
    [],
  );
  for (const operationId of ['submitRecords', 'validateRecords']) {
    const row = registryRows(rig.server.context.routes).find((candidate) => candidate.operationId === operationId)!;
    const fields = (
      row.parameters as readonly { readonly in: string; readonly name: string; readonly required: boolean; readonly example: unknown }[]
    ).filter((parameter) => parameter.in === 'body');
    assert.deepEqual(fields.map(({ name }) => name.split('.').at(-1)!).sort(), [...annexNames].sort());
    assert.ok(fields.every(({ required, example }) => required && typeof example === 'string' && example !== ''));
    for (const { name } of fields) if (name !== 'token') assert.ok(fieldOf(memberwise, name), `${name} is a field of the class`);
  }
});

test('a term has its words in both languages, a meaning, and is used somewhere', () => {
  const code = sourceFiles('api', 'consensus', 'contracts', 'node')
    .filter(({ path }) => path !== 'api/glossary.ts')
    .map(({ text }) => text)
    .join('\n');
  for (const [name, { en, zh, meaning }] of Object.entries(glossary)) {
    assert.ok(en !== '' && meaning !== '' && /[\u4e00-\u9fff]/.test(zh), name);
    assert.ok(new RegExp(`(?<![\\w-])${name}(?![\\w-])`).test(code), `${name} is used nowhere`);
  }
});
