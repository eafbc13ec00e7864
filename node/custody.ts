/** Calls of the accounts that this node serves: tried as the next block would run them, and signed with the node's custodial key. */
import type { ChainTip } from './chain/index.ts';
import { ChainError } from './errors/index.ts';
import { type Digest, signTransaction } from './format/index.ts';
import type { FinalState, ReaderPort } from './ledger/index.ts';
import type { NodeService } from './service.ts';
import type { World } from './world.ts';

/** Transactions signed here expire so many blocks ahead: long past any wait, well inside txLifetimeBlocksMax. */
const LIFETIME_BLOCKS = 1_000;

export type Custody = Pick<NodeService, 'signsFor' | 'judge' | 'signFor'>;

export interface CustodyDependencies {
  readonly world: Pick<World, 'clock' | 'crypto' | 'random'>;
  readonly self: string;
  readonly chainId: Digest;
  readonly state: Pick<FinalState, 'account'>;
  readonly tip: Pick<ChainTip, 'height' | 'configuration'>;
  readonly reader: Pick<ReaderPort, 'judge'>;
  readonly sign: (message: Uint8Array) => Uint8Array;
}

export function createCustody({ world, self, chainId, state, tip, reader, sign }: CustodyDependencies): Custody {
  /** The key this node signs with for an account it serves. */
  function keyOf(id: string) {
    return [...(state.account(id)?.keys.values() ?? [])].find(({ key }) => key.kind === 'custodial' && key.node === self && !key.revoked);
  }

  /** @throws ChainError KEY_NOT_HELD */
  function heldKey(id: string) {
    const key = keyOf(id);
    if (!key) throw new ChainError('KEY_NOT_HELD', { account: id, node: self });
    return key;
  }

  return {
    signsFor: (id) => keyOf(id) !== undefined,
    async judge(sender, calls, gasLimit) {
      const { keyId } = heldKey(sender).key;
      return reader.judge({ sender, keyId, keyKind: 'custodial', calls, gasLimit, timestampMs: world.clock.now() });
    },
    async signFor(id, calls, gasLimit) {
      const { key } = heldKey(id);
      const transaction = {
        chainId,
        sender: id,
        keyId: key.keyId,
        salt: world.random.bytes(16),
        expiryHeight: tip.height + Math.min(LIFETIME_BLOCKS, tip.configuration.parameters.txLifetimeBlocksMax),
        calls,
        gasLimit,
        suite: key.suite,
      };
      return signTransaction(world.crypto, transaction, sign).bytes;
    },
  };
}
