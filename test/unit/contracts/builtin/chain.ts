/** A chain of four organisations with a node, an administrator and an operator each, for tests of the built-in contracts. */
import { createBuiltins, type Genesis, genesisWrites } from '../../../../contracts/index.ts';
import { MemoryChain } from '../memory-host.ts';

export const ORGANISATIONS = ['acme', 'bolt', 'cast', 'dent'] as const;

/** 32 bytes of one number: the tests' keys need no curve. */
export function key(number: number): string {
  return number.toString(16).padStart(2, '0').repeat(32);
}

/** The one key that the stand-in of the screen refuses. */
export const BAD_KEY = key(255);
export const acceptKey = (suite: number, publicKey: string): boolean => suite === 1 && publicKey !== BAD_KEY;

export function nodeData(number: number) {
  return {
    transportKey: key(number),
    validatorKey: key(number + 1),
    tokenKey: key(number + 2),
    custodialKey: key(number + 3),
    addresses: [`/ip4/127.0.0.1/tcp/${4000 + number}`],
    role: 'validator' as const,
    weight: 1,
  };
}

export function ownKey(number: number, keyId = 'own-1') {
  return { keyId, publicKey: key(number), suite: 1, kind: 'own', node: null, scope: ['*'], validTo: null, revoked: false } as const;
}

export function testGenesis(): Genesis {
  return {
    version: 1,
    name: 'test',
    timestampMs: 1_700_000_000_000,
    engine: 'pbft',
    executionVersion: 1,
    parameters: { governanceVotingBlocks: 10 },
    organisations: ORGANISATIONS.map((id) => ({ id, name: `${id} works` })),
    nodes: ORGANISATIONS.map((organisation, i) => ({ id: `n-${organisation}`, organisation, ...nodeData(10 * (i + 1)) })),
    accounts: ORGANISATIONS.flatMap((organisation, i) => [
      { id: `admin@${organisation}`, organisation, type: 'person' as const, roles: ['admin'], keys: [ownKey(100 + i)] },
      { id: `operator@${organisation}`, organisation, type: 'person' as const, roles: ['operator'], keys: [ownKey(110 + i)] },
    ]),
    factories: [{ id: 'F-001', organisation: 'acme', name: 'Kunming works' }],
    devices: [{ id: 'D-1', organisation: 'acme', factory: 'F-001' }],
  };
}

export function testChain(genesis: Genesis = testGenesis()): MemoryChain {
  return new MemoryChain(createBuiltins({ acceptKey }), genesisWrites(genesis));
}
