/**
 * genesis.json: what all replicas agree on from the first block. The schema says what each place may hold; `genesisFaults` of the
 * contracts, which make the first state of it, judges what must fit together.
 */
import { Type } from '@sinclair/typebox';
import { blockGasOfView, blockTimeFault, viewOfBlockGas } from '../../contracts/builtin/index.ts';
import { type Genesis, genesisFaults, parametersIn, PARAMETER_UNKNOWN } from '../../contracts/index.ts';
import { engineNames, isAcceptableKey, parameterTable } from '../format/index.ts';
import { ChainError } from '../errors/index.ts';
import { type Fault, faultsOf, nearestName } from './faults.ts';
import { ID_PATTERN } from './schema.ts';

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

const genesisSchema = Type.Object(
  {
    version: Type.Literal(1, { description: 'Version of this form' }),
    name: Type.String({ minLength: 1, maxLength: 128, description: 'Name of the chain, for people' }),
    timestampMs: Type.Integer({ minimum: 0, description: 'Time of block 0, ms since 1970' }),
    engine: Type.Union(
      engineNames.map((name) => Type.Literal(name)),
      { description: 'Consensus engine of the first era' },
    ),
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
    mappings: Type.Optional(
      Type.Array(
        Type.Object(
          {
            id: Type.String({ minLength: 1, maxLength: 128 }),
            organisation: id('Owner'),
            name: Type.String({ minLength: 1, maxLength: 256 }),
            class: Type.String({ minLength: 1, maxLength: 64 }),
            format: Type.String({ minLength: 1, maxLength: 256 }),
            documentDigest: Type.String({ pattern: '^[0-9a-f]{64}$' }),
          },
          closed,
        ),
        { maxItems: ITEMS_MAX },
      ),
    ),
  },
  closed,
);

/**
 * @param isNew true while the genesis is being made: see `genesisFaults`.
 * @throws ChainError GENESIS_INVALID with every fault: `{pointer, message, given}`.
 */
export function parseGenesis(text: string, { isNew = false } = {}): Genesis {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new ChainError('GENESIS_INVALID', { faults: [{ pointer: '', message: `not JSON: ${(error as Error).message}` }] });
  }
  const shape = faultsOf(genesisSchema, value);
  const faults = shape.length > 0 ? shape : genesisFaults(value as Genesis, isAcceptableKey, isNew).map(withNearestName);
  if (faults.length > 0) throw new ChainError('GENESIS_INVALID', { faults });
  return value as Genesis;
}

function withNearestName(fault: Fault): Fault {
  if (fault.message !== PARAMETER_UNKNOWN) return fault;
  const near = nearestName(fault.pointer.slice('/parameters/'.length), Object.keys(parameterTable));
  return near === undefined ? fault : { ...fault, message: `${fault.message}; did you mean ${near}?` };
}

/** What a chain of this genesis has to put right by governance, and the change that does; undefined when it has nothing to. */
export function genesisOutgrown(genesis: Genesis): { readonly fault: string; readonly change: string } | undefined {
  const parameters = parametersIn(genesis);
  const fault = blockTimeFault(parameters);
  if (fault === undefined) return undefined;
  const viewTimeoutMs = viewOfBlockGas(parameters.blockGasMax);
  const [name, value] =
    viewTimeoutMs <= parameters.viewTimeoutMaxMs
      ? ['viewTimeoutMs', viewTimeoutMs]
      : ['blockGasMax', blockGasOfView(parameters.viewTimeoutMs)];
  return { fault, change: JSON.stringify({ kind: 'setParameter', name, value }) };
}
