/**
 * genesis.json: what all replicas agree on from the first block. The schema says what each place may hold; `rulesOf` says what must fit
 * together: references, uniqueness, ranges of parameters, validators enough for the engine.
 */
import { type Static, Type } from '@sinclair/typebox';
import { isParameterName, isParameterValue, type ParameterRow, parameterTable } from '../format/index.ts';
import { ChainError } from '../errors/index.ts';
import type { Genesis } from '../genesis.ts';
import { type Fault, faultsOf, nearestName } from './faults.ts';
import { ID_PATTERN } from './schema.ts';

const VALIDATORS_MIN = 4; // PBFT bears no fault with fewer (design: chain, "Governance")
const ITEMS_MAX = 10_000; // entries of one list
const id = (description: string) => Type.String({ pattern: ID_PATTERN, maxLength: 64, description });
const key = (description: string) => Type.String({ pattern: '^[0-9a-f]{64}$', description: `${description}; raw Ed25519, 64 hex digits` });
const closed = { additionalProperties: false } as const;

const accountKeySchema = Type.Object(
  {
    keyId: Type.String({ minLength: 1, maxLength: 128 }),
    publicKey: key('Public key'),
    suite: Type.Literal(1),
    kind: Type.Union([Type.Literal('own'), Type.Literal('custodial')]),
    node: Type.Union([id('Node that holds it'), Type.Null()], { description: 'Node that holds a custodial key, else null' }),
    scope: Type.Array(Type.String({ minLength: 1, maxLength: 128 }), { minItems: 1, maxItems: 64 }),
    validTo: Type.Union([Type.Integer({ minimum: 0 }), Type.Null()]),
    revoked: Type.Boolean(),
  },
  closed,
);

export const genesisSchema = Type.Object(
  {
    version: Type.Literal(1, { description: 'Version of this form' }),
    name: Type.String({ minLength: 1, maxLength: 128, description: 'Name of the chain, for people' }),
    timestampMs: Type.Integer({ minimum: 0, description: 'Time of block 0, ms since 1970' }),
    engine: Type.Literal('pbft', { description: 'Consensus engine of the first era' }),
    executionVersion: Type.Integer({ minimum: 1, maximum: 65_535, description: 'Bundle that executes calls' }),
    parameters: Type.Record(Type.String(), Type.Integer(), { description: 'Chain parameters that differ from their defaults' }),
    organisations: Type.Array(Type.Object({ id: id('Organisation'), name: Type.String({ minLength: 1, maxLength: 256 }) }, closed), {
      minItems: 1,
      maxItems: ITEMS_MAX,
    }),
    nodes: Type.Array(
      Type.Object(
        {
          id: id('Node'),
          organisation: id('Organisation that runs it'),
          transportKey: key('libp2p identity'),
          validatorKey: key('Signs votes and seals'),
          tokenKey: key('Signs access tokens'),
          custodialKey: key('Signs for accounts it serves'),
          addresses: Type.Array(Type.String({ minLength: 1, maxLength: 512 }), { minItems: 1, maxItems: 16 }),
          role: Type.Union([Type.Literal('validator'), Type.Literal('observer')]),
          weight: Type.Integer({ minimum: 1, maximum: 1_000_000 }),
        },
        closed,
      ),
      { minItems: 1, maxItems: ITEMS_MAX },
    ),
    accounts: Type.Array(
      Type.Object(
        {
          id: Type.String({ pattern: '^[a-z0-9][a-z0-9._-]*@[a-z0-9]+(?:-[a-z0-9]+)*$', maxLength: 128 }),
          organisation: id('Organisation it belongs to'),
          type: Type.Union([Type.Literal('person'), Type.Literal('device'), Type.Literal('service')]),
          roles: Type.Array(Type.String({ minLength: 1, maxLength: 64 }), { maxItems: 32 }),
          keys: Type.Array(accountKeySchema, { maxItems: 64 }),
        },
        closed,
      ),
      { maxItems: ITEMS_MAX },
    ),
    factories: Type.Array(
      Type.Object(
        {
          id: Type.String({ minLength: 1, maxLength: 128 }),
          organisation: id('Owner'),
          name: Type.String({ minLength: 1, maxLength: 256 }),
        },
        closed,
      ),
      { maxItems: ITEMS_MAX },
    ),
    devices: Type.Array(
      Type.Object(
        {
          id: Type.String({ minLength: 1, maxLength: 128 }),
          organisation: id('Owner'),
          factory: Type.String({ minLength: 1, maxLength: 128 }),
        },
        closed,
      ),
      { maxItems: ITEMS_MAX },
    ),
  },
  closed,
);

/** @throws ChainError GENESIS_INVALID with every fault: `{pointer, message, given}`. */
export function parseGenesis(text: string): Genesis {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new ChainError('GENESIS_INVALID', { faults: [{ pointer: '', message: `not JSON: ${(error as Error).message}` }] });
  }
  const shape = faultsOf(genesisSchema, value);
  const faults = shape.length > 0 ? shape : rulesOf(value as Static<typeof genesisSchema>);
  if (faults.length > 0) throw new ChainError('GENESIS_INVALID', { faults });
  return value as Genesis;
}

function rulesOf(genesis: Static<typeof genesisSchema>): readonly Fault[] {
  const faults: Fault[] = [];
  const say = (pointer: string, message: string, given?: unknown): void => {
    faults.push(given === undefined ? { pointer, message } : { pointer, message, given });
  };
  const unique = (list: string, name: string, values: readonly string[]): ReadonlySet<string> => {
    const seen = new Set<string>();
    for (const [i, value] of values.entries()) {
      if (seen.has(value)) say(`/${list}/${i}/${name}`, 'stands there twice', value);
      seen.add(value);
    }
    return seen;
  };
  const known = (set: ReadonlySet<string>, what: string, pointer: string, value: string): void => {
    if (!set.has(value)) say(pointer, `names no ${what} of this file`, value);
  };

  for (const [name, value] of Object.entries(genesis.parameters)) {
    if (!isParameterName(name)) {
      const near = nearestName(name, Object.keys(parameterTable));
      say(`/parameters/${name}`, near === undefined ? 'is not a chain parameter' : `is not a chain parameter; did you mean ${near}?`);
    } else if (!isParameterValue(name, value)) {
      const row: ParameterRow = parameterTable[name];
      say(`/parameters/${name}`, `must lie from ${row.min} to ${row.max} ${row.unit}`, value);
    }
  }
  const organisations = unique(
    'organisations',
    'id',
    genesis.organisations.map((row) => row.id),
  );
  unique(
    'nodes',
    'id',
    genesis.nodes.map((row) => row.id),
  );
  unique(
    'accounts',
    'id',
    genesis.accounts.map((row) => row.id),
  );
  const factories = unique(
    'factories',
    'id',
    genesis.factories.map((row) => row.id),
  );
  unique(
    'devices',
    'id',
    genesis.devices.map((row) => row.id),
  );
  for (const name of ['transportKey', 'validatorKey', 'tokenKey', 'custodialKey'] as const) {
    unique(
      'nodes',
      name,
      genesis.nodes.map((row) => row[name]),
    );
  }
  for (const [i, node] of genesis.nodes.entries()) {
    known(organisations, 'organisation', `/nodes/${i}/organisation`, node.organisation);
  }
  const validators = genesis.nodes.filter((node) => node.role === 'validator').length;
  if (validators < VALIDATORS_MIN) say('/nodes', `hold ${validators} validators; pbft needs at least ${VALIDATORS_MIN}`);
  for (const [i, account] of genesis.accounts.entries()) {
    known(organisations, 'organisation', `/accounts/${i}/organisation`, account.organisation);
    if (!account.id.endsWith(`@${account.organisation}`)) say(`/accounts/${i}/id`, `must end in @${account.organisation}`, account.id);
    const keyIds = new Set<string>();
    for (const [j, row] of account.keys.entries()) {
      const at = `/accounts/${i}/keys/${j}`;
      if (keyIds.has(row.keyId)) say(`${at}/keyId`, 'stands there twice', row.keyId);
      keyIds.add(row.keyId);
      if (row.kind === 'own' && row.node !== null) say(`${at}/node`, 'must be null for a key of kind own', row.node);
      if (row.kind === 'custodial') {
        const holder = genesis.nodes.find((node) => node.id === row.node);
        if (holder === undefined) say(`${at}/node`, 'names no node of this file', row.node);
        else if (holder.organisation !== account.organisation) say(`${at}/node`, 'names a node of another organisation', row.node);
        else if (holder.custodialKey !== row.publicKey) say(`${at}/publicKey`, 'is not the custodialKey of that node');
      }
    }
  }
  for (const [i, factory] of genesis.factories.entries())
    known(organisations, 'organisation', `/factories/${i}/organisation`, factory.organisation);
  for (const [i, device] of genesis.devices.entries()) {
    known(organisations, 'organisation', `/devices/${i}/organisation`, device.organisation);
    known(factories, 'factory', `/devices/${i}/factory`, device.factory);
  }
  return faults;
}
