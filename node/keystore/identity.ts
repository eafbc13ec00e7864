/** The keys every node has, under their fixed ids, and the public half of them as the registry and genesis hold it. */
import { toHex } from '../format/index.ts';
import type { NodeData } from '../../contracts/builtin/index.ts';
import type { KeyKind } from './key-kinds.ts';
import type { KeyEntry, Keystore } from './keystore.ts';

/**
 * Ids inside a node's keystore. Validator keys that follow the first are `validator-2` and so on: the chain says which one signs. Sealing
 * keys follow the period: `sealing-1`, `sealing-2`, the latest seals.
 */
export const NODE_KEY = {
  transport: 'transport',
  validator: 'validator',
  token: 'token',
  custodial: 'custodial',
  storage: 'storage',
} as const;
const SEALING_PREFIX = 'sealing-';

export type NodePublicKeys = Pick<NodeData, 'transportKey' | 'validatorKey' | 'tokenKey' | 'custodialKey'>;

/**
 * Adds what is missing of a node's keys, the first sealing key included.
 * @param sealing that of the organisation's other nodes: commitments of one record must be the same at all of them.
 */
export async function createNodeKeys(keystore: Keystore, sealing?: Uint8Array): Promise<NodePublicKeys> {
  for (const [kind, id] of Object.entries(NODE_KEY)) if (!keystore.has(id)) await keystore.add(id, kind as KeyKind);
  if (sealingKeyIds(keystore).length === 0) await keystore.add(`${SEALING_PREFIX}1`, 'sealing', sealing);
  return nodePublicKeys(keystore);
}

function nodePublicKeys(keystore: Keystore): NodePublicKeys {
  const hex = (id: string): string => toHex(keystore.publicKey(id));
  return {
    transportKey: hex(NODE_KEY.transport),
    validatorKey: hex(NODE_KEY.validator),
    tokenKey: hex(NODE_KEY.token),
    custodialKey: hex(NODE_KEY.custodial),
  };
}

/** Makes the validator key that is to follow those held; it signs once the chain names it (governance, replaceValidatorKey). */
export function addValidatorKey(keystore: Keystore): Promise<KeyEntry> {
  let number = 2;
  while (keystore.has(`${NODE_KEY.validator}-${number}`)) number++;
  return keystore.add(`${NODE_KEY.validator}-${number}`, 'validator');
}

/**
 * Id of the validator key that the chain names for the node; of the first one when it names none that is held. @param registered public
 * key, hex
 */
export function validatorKeyId(keystore: Keystore, registered: string | undefined): string {
  const named = keystore.list().find(({ kind, publicKey }) => kind === 'validator' && publicKey === registered);
  return named?.id ?? NODE_KEY.validator;
}

/** Ids of the sealing keys still held, the oldest period first; the last one seals, all of them open. */
export function sealingKeyIds(keystore: Keystore): readonly string[] {
  return keystore
    .list()
    .filter((entry) => entry.kind === 'sealing')
    .map((entry) => entry.id)
    .sort((a, b) => periodOf(a) - periodOf(b));
}

/** Begins a new sealing period. */
export async function rotateSealingKey(keystore: Keystore): Promise<string> {
  const last = sealingKeyIds(keystore).at(-1);
  const id = `${SEALING_PREFIX}${last === undefined ? 1 : periodOf(last) + 1}`;
  await keystore.add(id, 'sealing');
  return id;
}

/**
 * Takes over the sealing keys of the organisation's other nodes; one of the same name gives way, since values already sealed here keep
 * their salts in the sealed store. Returns the names taken over.
 */
export async function adoptSealingKeys(keystore: Keystore, given: Keystore): Promise<readonly string[]> {
  const adopted: string[] = [];
  for (const id of sealingKeyIds(given)) {
    const secret = given.secret(id);
    if (keystore.has(id)) {
      if (toHex(keystore.secret(id)) === toHex(secret)) continue;
      await keystore.remove(id);
    }
    await keystore.add(id, 'sealing', secret);
    adopted.push(id);
  }
  return adopted;
}

function periodOf(id: string): number {
  return Number(id.slice(SEALING_PREFIX.length)) || 0;
}
