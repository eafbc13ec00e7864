/**
 * Images of live contracts (contracts/quickjs): at hand before the node votes, so that no call waits for one, and stored, so that a start reads them
 * instead of running every contract's code again. A stored image counts when it has the digest of the deploy receipt; one that is missing,
 * damaged or another is made from the code. The rows are this node's own: no root covers them.
 */
import {
  CONTRACT,
  type ContractMachine,
  type DeployedContract,
  type DeployedEntry,
  deployedKey,
  ExecutionFault,
  stateKey,
} from '../../contracts/index.ts';
import { type ByteText, fromUtf8, prefixEnd } from '../format/index.ts';
import { damagedKey } from '../store/index.ts';
import type { Store, StoreOperation } from '../world.ts';
import { ledgerKey } from './keys.ts';
import type { StateRows } from './state-rows.ts';

const ENTRIES_STEP = 500; // rows read at a time
const ENTRY_SPACE = stateKey(CONTRACT.deployed, deployedKey.entries);

export interface ContractImagesDeps {
  readonly store: Pick<Store, 'get' | 'batch'>;
  readonly state: StateRows;
  readonly machine: ContractMachine;
}

export interface LedgerImages {
  /** Brings the image of every contract that is not terminated to hand. @throws ExecutionFault when code does not give the image of its receipt */
  open(): Promise<void>;
  /** Follows what a block wrote; what the block's batch stores of it. `read`: the state after the block, by full key. */
  follow(writes: readonly ImageWrite[], read: (key: ByteText) => Uint8Array | undefined): StoreOperation[];
}

/** undefined as value deletes. */
export interface ImageWrite {
  readonly key: ByteText;
  readonly value: Uint8Array | undefined;
}

export function createLedgerImages({ store, state, machine }: ContractImagesDeps): LedgerImages {
  /** Code digest -> addresses of the live contracts that run it. */
  const users = new Map<string, Set<string>>();

  function stored(codeDigest: string): Uint8Array | undefined {
    try {
      return store.get(ledgerKey.contractImage(codeDigest));
    } catch (error) {
      if (damagedKey(error) === undefined) throw error;
      return undefined;
    }
  }

  /** Whether the image had to be made from the code. */
  function bring(entry: DeployedEntry, read: (key: ByteText) => Uint8Array | undefined, image: Uint8Array | undefined): boolean {
    const { address, codeDigest, imageDigest, imageBytes, loadGas } = entry;
    const { methods, queries, events } = JSON.parse(fromUtf8(rowOf(read, deployedKey.contract(address)))) as DeployedContract;
    const facts = { imageDigest, imageBytes, methods, queries, events, gasUsed: loadGas };
    const adopted = image !== undefined && machine.adopt(codeDigest, facts, image);
    if (!adopted) {
      const loaded = machine.load(rowOf(read, deployedKey.code(codeDigest)), codeDigest);
      if (loaded.imageDigest !== imageDigest)
        throw new ExecutionFault(`Image of ${address} is ${loaded.imageDigest}, its deploy receipt says ${imageDigest}`);
    }
    machine.keep(codeDigest);
    return !adopted;
  }

  function live(entry: DeployedEntry): boolean {
    const known = users.get(entry.codeDigest);
    if (known) known.add(entry.address);
    else users.set(entry.codeDigest, new Set([entry.address]));
    return known === undefined;
  }

  return {
    async open() {
      for (const codeDigest of users.keys()) machine.release(codeDigest);
      users.clear();
      const to = ledgerKey.state(prefixEnd(ENTRY_SPACE)!);
      const read = (key: ByteText): Uint8Array | undefined => state.get(ledgerKey.state(key));
      for (let from = ledgerKey.state(ENTRY_SPACE); ; ) {
        const rows = await state.range({ from, to, limit: ENTRIES_STEP });
        for (const { value } of rows) {
          const entry = JSON.parse(fromUtf8(value)) as DeployedEntry;
          if (entry.state === 'terminated' || !live(entry)) continue;
          if (!bring(entry, read, stored(entry.codeDigest))) continue;
          const image = { key: ledgerKey.contractImage(entry.codeDigest), value: machine.imageOf(entry.codeDigest)! };
          await store.batch([image], { sync: false });
        }
        if (rows.length < ENTRIES_STEP) return;
        from = `${rows[rows.length - 1]!.key}\0`;
      }
    },
    follow(writes, read) {
      const operations: StoreOperation[] = [];
      for (const { key, value } of writes) {
        if (!key.startsWith(ENTRY_SPACE) || value === undefined) continue;
        const entry = JSON.parse(fromUtf8(value)) as DeployedEntry;
        const { address, codeDigest } = entry;
        const image = ledgerKey.contractImage(codeDigest);
        if (entry.state !== 'terminated') {
          if (!live(entry)) continue;
          bring(entry, read, undefined);
          operations.push({ key: image, value: machine.imageOf(codeDigest)! });
        } else if (users.get(codeDigest)?.delete(address) && users.get(codeDigest)!.size === 0) {
          users.delete(codeDigest);
          machine.release(codeDigest);
          operations.push({ key: image, value: undefined });
        }
      }
      return operations;
    },
  };
}

/** @throws ExecutionFault: the row of a deployed contract is never deleted */
function rowOf(read: (key: ByteText) => Uint8Array | undefined, key: ByteText): Uint8Array {
  const bytes = read(stateKey(CONTRACT.deployed, key));
  if (bytes === undefined) throw new ExecutionFault(`The state lacks the row ${key} of a deployed contract`);
  return bytes;
}
