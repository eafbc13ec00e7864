/** Accounts and nodes as the registry on chain has them (contracts/builtin/layout.ts): the only source of who may do what. */
import {
  type AccountData,
  CONTRACT,
  isInForce,
  type NodeData,
  type RegistryEntry,
  type RegistryKind,
  registryKey,
  stateKey,
} from '../../contracts/index.ts';
import { decodeJsonOnce } from '../../node/format/index.ts';
import type { NodeService } from '../../node/service.ts';
import type { ReadState } from '../rest/deps.ts';

export function stateReader(node: NodeService): ReadState {
  return (contract, key) => node.state.get(stateKey(contract, key));
}

export interface Account extends Omit<RegistryEntry, 'data'> {
  readonly data: AccountData;
}
export interface RegisteredNode extends Omit<RegistryEntry, 'data'> {
  readonly data: NodeData;
}

export function readEntry(read: ReadState, kind: RegistryKind, id: string): RegistryEntry | undefined {
  const bytes = read(CONTRACT.registry, registryKey.entry(kind, id));
  return bytes === undefined ? undefined : (decodeJsonOnce(bytes) as unknown as RegistryEntry);
}

export function readAccount(read: ReadState, id: string): Account | undefined {
  return readEntry(read, 'account', id) as Account | undefined;
}

export function readNode(read: ReadState, id: string): RegisteredNode | undefined {
  return readEntry(read, 'node', id) as RegisteredNode | undefined;
}

/** Active now, by the clock handed in, and its organisation too. */
export function isActive(entry: RegistryEntry | Account | RegisteredNode, nowMs: number): boolean {
  return isInForce(entry, nowMs);
}
