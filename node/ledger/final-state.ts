/**
 * The state after the last final block, as the thread that votes and the executor read it. Every call asks for the same few rows of
 * registry, access and governance: they are kept until a block changes any of them.
 */
import { CONTRACT, stateKey } from '../../contracts/index.ts';
import type { ByteText } from '../format/index.ts';
import { type AccountView, readAccount } from './admission.ts';
import { ledgerKey } from './keys.ts';
import type { StateRows } from './state-rows.ts';
import { BoundedMap } from '../pace/bounded-map.ts';

const ACCOUNTS_CACHED_MAX = 10_000;
const ROWS_CACHED_MAX = 20_000;
const CACHED_SPACES = [CONTRACT.registry, CONTRACT.access, CONTRACT.governance].map((contract) => stateKey(contract, ''));

export interface FinalState {
  /** `key` includes the contract's prefix: see stateKey. @throws ChainError STORE_DAMAGED */
  get(key: ByteText): Uint8Array | undefined;
  read(contract: string, key: ByteText): Uint8Array | undefined;
  /** undefined when it is absent or not active. */
  account(id: string): AccountView | undefined;
  /** Rows that are kept have changed, or were repaired. */
  changed(): void;
}

/** Whether rows under this key are kept: a block that writes one is followed by `changed`. */
export function isKept(key: ByteText): boolean {
  return CACHED_SPACES.some((space) => key.startsWith(space));
}

export function createFinalState(rows: Pick<StateRows, 'get'>): FinalState {
  const accounts = new BoundedMap<string, AccountView | undefined>(ACCOUNTS_CACHED_MAX);
  const kept = new BoundedMap<ByteText, Uint8Array | undefined>(ROWS_CACHED_MAX);

  function get(key: ByteText): Uint8Array | undefined {
    if (!isKept(key)) return rows.get(ledgerKey.state(key));
    if (kept.has(key)) return kept.get(key);
    const value = rows.get(ledgerKey.state(key));
    kept.set(key, value);
    return value;
  }

  const read = (contract: string, key: ByteText): Uint8Array | undefined => get(stateKey(contract, key));
  return {
    get,
    read,
    account(id) {
      if (accounts.has(id)) return accounts.get(id);
      const view = readAccount(read, id);
      accounts.set(id, view);
      return view;
    },
    changed() {
      accounts.clear();
      kept.clear();
    },
  };
}
