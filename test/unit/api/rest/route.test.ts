import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Type } from '@sinclair/typebox';
import { checkRoutes, type RouteDeclaration, route } from '../../../../api/rest/route.ts';
import { choiceOf, inPath, inQuery, rangeText } from '../../../../api/rest/schema.ts';
import { rights } from '../../../../contracts/index.ts';
import { openApiDocument, registryRows } from '../../../../api/rest/openapi.ts';
import { allRoutes } from '../../../../api/rest/routes/index.ts';
import { listRoute, submitRoute } from '../../../../api/rest/routes/shapes.ts';
import { isErrorCode } from '../../../../node/errors/index.ts';

const id = inPath(Type.String({ maxLength: 9 }), 'a', { en: 'Id', zh: '标识' });
const unit = inQuery(choiceOf('kg', 't'), { default: 'kg', example: 't' }, { en: 'Unit', zh: '单位' });
const whole: RouteDeclaration = {
  operationId: 'weigh',
  method: 'GET',
  url: '/api/v1/weights/:id',
  layer: 'network',
  summary: { en: 'Weigh', zh: '称重' },
  access: { right: 'node:read' },
  timeoutMs: 1_000,
  rateLimit: 'none',
  parameters: { id, unit },
  errors: ['NOT_FOUND'],
  response: { schema: Type.Unknown(), statuses: [200] },
  handler: () => ({ data: null }),
};

interface Documented {
  readonly operationId: string;
  readonly requestBody: { readonly content: Readonly<Record<string, { readonly schema: { readonly required: readonly string[] } }>> };
}

test('a route that is declared in full is taken', () => {
  assert.equal(route(whole).operationId, 'weigh');
  assert.ok(route(whole).errorsAll.includes('TOKEN_EXPIRED'));
});

const without: readonly [string, Partial<Record<keyof RouteDeclaration, unknown>>, RegExp][] = [
  ['an operationId', { operationId: '' }, /operationId/],
  ['a GET or POST method', { method: 'PUT' }, /method/],
  ['a layer of the four', { layer: 'storage' }, /layer/],
  ['a Chinese summary', { summary: { en: 'Weigh' } }, /summary/],
  ['a right', { access: { right: 'weights:read' } }, /right/],
  ['a time-out', { timeoutMs: undefined }, /timeoutMs/],
  ['a rate limit or "none"', { rateLimit: undefined }, /rateLimit/],
  ['errors of the table', { errors: ['WEIGHT_LOST'] }, /WEIGHT_LOST/],
  ['a response', { response: undefined }, /response/],
  ['a handler', { handler: undefined }, /handler/],
  ['its path parameters', { parameters: {} }, /path parameter id/],
  ['a place of each parameter', { parameters: { id, unit: { ...unit, in: undefined } } }, /unit stands nowhere/],
  ['what a parameter is beside its type', { parameters: { id, unit: Type.String({ maxLength: 9 }) } }, /unit stands nowhere/],
  ['Chinese words of a parameter', { parameters: { id, unit: { ...unit, 'x-description-zh': '' } } }, /parameter unit needs words/],
  ['a default inside its range', { parameters: { id, unit: { ...unit, default: 'lb' } } }, /default outside/],
  ['an example inside its range', { parameters: { id, unit: { ...unit, examples: ['lb'] } } }, /example/],
  ['a range', { parameters: { id: { ...id, maxLength: undefined } } }, /range/],
  ['a name of its own for each parameter', { parameters: { id, chain: unit } }, /chain stands twice/],
  ['known names in combination limits', { limits: [{ rule: 'atMostOne', names: ['id', 'weight'], text: { en: 'x', zh: 'x' } }] }, /weight/],
  ['a body for POST', { method: 'POST' }, /POST declares one/],
];
for (const [what, change, fault] of without) {
  test(`a route without ${what} stops the server`, () => {
    assert.throws(() => route({ ...whole, ...change } as RouteDeclaration), fault);
  });
}

test('a list or a submission that declares a parameter of its shape again stops the server', () => {
  const list = { ...whole, page: async () => ({ items: [], height: 0, at: undefined }) };
  const body = { formats: ['application/json'], bytesMax: 1, example: '{}', description: { en: 'x', zh: 'x' } };
  for (const name of ['limit', 'after'])
    assert.throws(() => listRoute({ ...list, parameters: { id, [name]: unit } }), new RegExp(`${name} stands twice`));
  for (const name of ['wait', 'timeoutMs'])
    assert.throws(
      () => submitRoute({ ...whole, method: 'POST', body, parameters: { id, [name]: unit } } as never),
      new RegExp(`${name} stands twice`),
    );
});

test('two routes may not share a name or a place', () => {
  assert.throws(() => checkRoutes([route(whole), route(whole)]), /weigh/);
  assert.throws(() => checkRoutes([route(whole), route({ ...whole, operationId: 'weighAgain' })]), /GET/);
});

test('DB53 5.1: all four layers have operations and none is empty', () => {
  assert.throws(() => checkRoutes([route(whole)]), /layer has no operation/);
  const layers = new Set(allRoutes().map((declared) => declared.layer));
  assert.deepEqual([...layers].sort(), ['application', 'consensus', 'contract', 'network']);
});

test('DB53 5.2.1.1.a: every parameter in the registry has name, required, type, range, example, description, and a default when optional', () => {
  for (const row of registryRows(allRoutes())) {
    for (const parameter of row.parameters as Record<string, unknown>[]) {
      for (const part of ['name', 'in', 'required', 'type', 'range', 'example', 'description'])
        assert.ok(parameter[part] !== undefined && parameter[part] !== '', `${row.operationId} ${String(parameter.name)} lacks ${part}`);
      assert.ok(Object.hasOwn(parameter, 'default'));
      const types = String(parameter.type).split(' | ');
      assert.ok(
        types.every((type) => /^(?:array|boolean|integer|null|object|string|struct)$/.test(type)),
        `${row.operationId} ${String(parameter.name)}: ${String(parameter.type)}`,
      );
      assert.equal(/\bor null\b/.test(String(parameter.range)), types.includes('null'));
    }
  }
});

test('a field of a body is called required when it has no default, in the registry and in OpenAPI', () => {
  const rows = registryRows(allRoutes());
  const { paths } = openApiDocument(allRoutes(), '1') as { paths: Record<string, Record<string, Documented>> };
  const documented = new Map(
    Object.values(paths).flatMap((methods) => Object.values(methods).map((one) => [one.operationId, one] as const)),
  );
  let optional = 0;
  for (const { operationId, body } of allRoutes().filter((route) => route.body?.schema !== undefined)) {
    const fields = Object.entries(body!.schema!.properties as Record<string, { default?: unknown }>);
    const required = fields.filter(([, member]) => member.default === undefined).map(([name]) => name);
    optional += fields.length - required.length;
    const row = rows.find((candidate) => candidate.operationId === operationId)!;
    const told = (row.parameters as { in: string; name: string; required: boolean }[]).filter((parameter) => parameter.in === 'body');
    assert.deepEqual(
      told.filter((parameter) => parameter.required).map(({ name }) => name),
      required,
      operationId,
    );
    assert.deepEqual(documented.get(operationId)!.requestBody.content['application/json']!.schema.required, required, operationId);
  }
  assert.ok(optional > 8, `${optional} fields may be left out`);
});

test('DB53 5.2.1.1.b: every operation states time-out, rate limit and errors with remedies in two languages', () => {
  for (const row of registryRows(allRoutes())) {
    assert.ok(Number(row.timeoutMs) > 0);
    assert.ok(row.rateLimit === 'none' || typeof row.rateLimit === 'object');
    for (const error of row.errors as { code: string; remedy: { en: string; zh: string } }[]) {
      assert.ok(isErrorCode(error.code));
      assert.ok(error.remedy.en && error.remedy.zh);
    }
  }
});

test('every right opens an operation, but that of managing a deployed contract, which its methods ask for: none stands for nothing', () => {
  const asked = new Set<string>();
  for (const { access } of allRoutes()) {
    if (access === 'public') continue;
    asked.add(access.right);
    if (access.own) asked.add(`${access.right}:own`);
  }
  assert.deepEqual(
    rights.filter((right) => !asked.has(right)),
    ['contract:manage'],
  );
});

test('OpenAPI 3.1 names every operation once, with a success answer and every path parameter', () => {
  const document = openApiDocument(allRoutes(), '1') as {
    openapi: string;
    paths: Record<string, Record<string, { operationId: string; parameters: { name: string; in: string }[]; responses: object }>>;
  };
  assert.equal(document.openapi, '3.1.0');
  const operations = Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.values(methods).map((operation) => ({ path, operation })),
  );
  assert.equal(new Set(operations.map(({ operation }) => operation.operationId)).size, allRoutes().length);
  for (const { path, operation } of operations) {
    assert.ok('200' in operation.responses);
    const inPath = [...path.matchAll(/\{(\w+)\}/g)].map((match) => match[1]);
    assert.deepEqual(
      operation.parameters.filter((parameter) => parameter.in === 'path').map((parameter) => parameter.name),
      inPath,
    );
  }
});

test('OpenAPI 3.1 shows the example of every body: the one its route is tried with', () => {
  const document = openApiDocument(allRoutes(), '1') as {
    paths: Record<string, { post?: { requestBody?: { content: Record<string, { example?: unknown }> } } }>;
  };
  for (const { url, body } of allRoutes()) {
    if (!body) continue;
    const { content } = document.paths[url.replaceAll(/:(\w+)/g, '{$1}')]!.post!.requestBody!;
    assert.deepEqual(content['application/json']?.example, JSON.parse(body.example), url);
  }
});

test('ranges are said in one line', () => {
  assert.equal(rangeText(Type.Integer({ minimum: 1, maximum: 9 })), 'integer 1..9');
  assert.equal(rangeText(choiceOf('a', 'b')), 'a | b');
});

test('an operation declares no code it cannot answer: none of the command line, of files of a node, nor of submissions where it only reads', () => {
  for (const { operationId, method, errorsAll } of allRoutes()) {
    const foreign = errorsAll.filter(
      (code) =>
        /^(?:CLI|KEYSTORE|CONFIG|GENESIS|DEVNET)_/.test(code) || (method === 'GET' && /^(?:JSON|XML|CSV|FORMAT|MEMPOOL)_/.test(code)),
    );
    assert.deepEqual(foreign, [], operationId);
  }
});
