/** Chain state in memory: entries of the register, accounts with their roles, and the rights that follow from them. */
import { generateKeyPairSync, type KeyObject } from 'node:crypto';
import type { ApiDeps } from '../../../api/rest/index.ts';
import { type AccountData, accessKey, CONTRACT, genesisRoles, registryKey, type RegistryKind, stateKey } from '../../../contracts/index.ts';
import { type ByteText, decodeJson, encodeJson, type Json } from '../../../node/format/index.ts';

export interface TestState {
  readonly rows: Map<ByteText, Uint8Array>;
  put(
    kind: RegistryKind,
    id: string,
    owner: string,
    data: Json,
    more?: { readonly state?: string; readonly validTo?: number | null },
  ): void;
}

export function createTestState(): TestState {
  const rows = new Map<ByteText, Uint8Array>();
  return {
    rows,
    put(kind, id, owner, data, more = {}) {
      const entry = {
        kind,
        id,
        owner,
        version: 1,
        state: more.state ?? 'active',
        validFrom: null,
        validTo: more.validTo ?? null,
        documentDigest: null,
        data,
      };
      rows.set(stateKey(CONTRACT.registry, registryKey.entry(kind, id)), encodeJson(entry));
    },
  };
}

/** Registers accounts by name with their roles, their organisations, and the roles of the chain. */
export function putAccounts(state: TestState, roles: Readonly<Record<string, readonly string[]>>): void {
  for (const [id, held] of Object.entries(roles)) {
    const organisation = id.split('@')[1]!;
    state.put('organisation', organisation, organisation, { name: organisation });
    state.put('account', id, organisation, {
      type: held.includes('device') ? 'device' : 'person',
      roles: [...held],
      keys: [],
      sessionEpoch: 1,
    });
  }
  for (const [role, names] of Object.entries(genesisRoles))
    state.rows.set(stateKey(CONTRACT.access, accessKey.role(role)), encodeJson([...names]));
}

export interface NodeKeys {
  readonly privateKey: KeyObject;
  readonly publicHex: string;
}

export function createNodeKeys(): NodeKeys {
  const { privateKey, publicKey } = generateKeyPairSync('ed25519');
  return { privateKey, publicHex: Buffer.from(publicKey.export({ format: 'jwk' }).x!, 'base64url').toString('hex') };
}

/** The rights of roles, as the `access` contract decides them, without grants. */
export const mayByRole: ApiDeps['may'] = (read, account, right) => {
  const bytes = read(CONTRACT.registry, registryKey.entry('account', account));
  if (bytes === undefined) return false;
  const { roles } = (decodeJson(bytes) as unknown as { data: AccountData }).data;
  return roles.some((role) => {
    const held = read(CONTRACT.access, accessKey.role(role));
    const names = held === undefined ? [] : (decodeJson(held) as readonly string[]);
    return names.includes('*') || names.includes(right);
  });
};
