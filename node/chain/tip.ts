/** The last final block of this node, and what it says of the next one. */
import {
  type ConsensusConfiguration,
  type Digest,
  decodeCurrentConfiguration,
  decodeHeader,
  equalBytes,
  type Header,
} from '../format/index.ts';
import type { AccountView, AdmissionContext, Committed, ParentFacts, SpentIds } from '../ledger/index.ts';

export interface Tip {
  readonly height: number;
  readonly hash: Digest;
  readonly header: Header;
  readonly configuration: ConsensusConfiguration;
}

/** Moves on with each final block. */
export interface ChainTip extends Tip {
  /** As it is at present: what is returned stays. */
  now(): Tip;
  /** Facts that checks of the next block go by. */
  parentFacts(): ParentFacts;
  /** Facts by which a transaction is judged for the next block. */
  admission(): AdmissionContext;
  advance(committed: Committed): void;
}

export function createTip(
  opened: Committed,
  { account, spent }: { readonly account: (id: string) => AccountView | undefined; readonly spent: Pick<SpentIds, 'has' | 'add'> },
): ChainTip {
  let encoded = opened.configuration;
  let tip = tipOf(opened, decodeCurrentConfiguration(encoded));
  const isSpent: AdmissionContext['spent'] = (id, expiryHeight) => spent.has(id, expiryHeight);
  return {
    get height() {
      return tip.height;
    },
    get hash() {
      return tip.hash;
    },
    get header() {
      return tip.header;
    },
    get configuration() {
      return tip.configuration;
    },
    now: () => tip,
    parentFacts() {
      const { header, configuration } = tip;
      return {
        hash: tip.hash,
        height: tip.height,
        timestampMs: header.timestampMs,
        era: header.era,
        chainId: header.chainId,
        configuration,
      };
    },
    admission() {
      const { header, configuration, height } = tip;
      return {
        chainId: header.chainId,
        height: height + 1,
        timestampMs: header.timestampMs,
        parameters: configuration.parameters,
        account,
        spent: isSpent,
      };
    },
    advance(committed) {
      spent.add(committed.transactionIds, committed.height + tip.configuration.parameters.txLifetimeBlocksMax);
      if (equalBytes(committed.configuration, encoded)) {
        tip = tipOf(committed, tip.configuration); // as but at a barrier: who knows its lists knows them again
        return;
      }
      encoded = committed.configuration;
      tip = tipOf(committed, decodeCurrentConfiguration(encoded));
    },
  };
}

function tipOf({ height, hash, headerBytes }: Committed, configuration: ConsensusConfiguration): Tip {
  return { height, hash, header: decodeHeader(headerBytes), configuration };
}
