/**
 * Versions of the ledger: the last final block and, standing on it and on one another, the blocks that were executed and are not final. Each reads the
 * state as it is after its block, so a block can be built and executed on any of them; one that becomes final takes the place of the final one, and
 * whatever does not stand on it goes without having touched a file (design: house, 3).
 */
import { stateKey, type WrittenVersion } from '../../contracts/index.ts';
import { type ByteText, type ConsensusConfiguration, type Digest, type Header, toByteText, toHex } from '../format/index.ts';
import type { StagedMap, StateMap } from '../state/index.ts';
import { type AccountView, readAccount } from './admission.ts';
import type { RunParent, StateEntry } from './block-run.ts';
import type { ParentFacts } from './checks.ts';

/** Blocks held that are executed and not final; past it the one goes that was executed longest ago, and can be executed again. */
export const VERSIONS_MAX = 8;

/** What the execution of a block came to. */
export interface Outcome {
  readonly transactions: readonly Uint8Array[];
  readonly transactionIds: readonly Digest[];
  readonly receipts: readonly Uint8Array[];
  readonly written: readonly WrittenVersion[];
  /** Every key that was written. */
  readonly entries: ReadonlyMap<ByteText, StateEntry>;
  /** The same, in key order. */
  readonly writes: readonly StateEntry[];
  readonly staged: StagedMap;
  /** By which the block above is judged. */
  readonly configuration: ConsensusConfiguration;
  readonly registryChanged: boolean;
}

export interface VersionBlock {
  readonly hash: Digest;
  readonly header: Header;
  readonly headerBytes: Uint8Array;
}

/** A block and the state after it. */
export interface Version extends RunParent, VersionBlock {
  readonly height: number;
  /** Undefined of the final one, on which all others stand. */
  readonly parent: Version | undefined;
  /** Its state map; undefined of the final one, whose map is the committed one. */
  readonly staged: StagedMap | undefined;
}

/** A version that is not final. */
export interface Candidate extends Version {
  readonly parent: Version;
  readonly outcome: Outcome;
}

/** Reads of the last final state. */
export type FinalReads = Pick<RunParent, 'read' | 'transaction' | 'account' | 'isSpent'>;

export interface Versions {
  readonly final: Version;
  /** The version of this block, if it is held. */
  find(hash: Digest): Version | undefined;
  candidate(hash: Digest): Candidate | undefined;
  /** Holds the block as executed on `parent`. @throws Error when so many that are not final stand on one another already */
  add(parent: Version, block: VersionBlock, outcome: Outcome): void;
  /** The candidate, which stands on the final version, is stored: it takes its place. */
  advance(candidate: Candidate): void;
}

export function createVersions(
  map: Pick<StateMap, 'commit' | 'drop'>,
  reads: FinalReads,
  start: VersionBlock & { readonly configuration: ConsensusConfiguration },
  versionsMax = VERSIONS_MAX,
): Versions {
  /** Oldest first. */
  const held = new Map<string, HeldCandidate>();
  let final = finalVersion(reads, start, start.configuration);

  /** Lets the oldest go on which nothing stands, neither a version that is held nor the one that needs the room. */
  function makeRoom(parent: Version): void {
    while (held.size >= versionsMax) {
      const parents = new Set<Version>([parent, ...[...held.values()].map((candidate) => candidate.parent)]);
      const oldest = [...held].find(([, candidate]) => !parents.has(candidate));
      if (!oldest) throw new Error(`Cannot hold a block above ${held.size} that are not final`);
      const [name, candidate] = oldest;
      held.delete(name);
      map.drop(candidate.outcome.staged);
    }
  }

  return {
    get final() {
      return final;
    },
    find: (hash) => (toHex(hash) === toHex(final.hash) ? final : held.get(toHex(hash))),
    candidate: (hash) => held.get(toHex(hash)),
    add(parent, block, outcome) {
      if (held.has(toHex(block.hash))) {
        map.drop(outcome.staged); // built once more: blocks may stand on the first
        return;
      }
      makeRoom(parent);
      held.set(toHex(block.hash), new HeldCandidate(parent, block, outcome));
    },
    advance(candidate) {
      map.commit(candidate.outcome.staged); // drops what was staged beside it
      final = finalVersion(reads, candidate, candidate.configuration);
      for (const [name, other] of held) if (!standsOn(other, candidate)) held.delete(name);
      for (const other of held.values()) if (other.parent === candidate) other.parent = final;
    },
  };
}

function finalVersion(
  { read, transaction, account, isSpent }: FinalReads,
  { hash, header, headerBytes }: VersionBlock,
  configuration: ConsensusConfiguration,
): Version {
  return {
    read,
    transaction,
    account,
    isSpent,
    height: header.height,
    hash,
    header,
    headerBytes,
    configuration,
    parent: undefined,
    staged: undefined,
  };
}

/** Above `ancestor`, not that one itself. */
function standsOn(version: Version, ancestor: Version): boolean {
  for (let below = version.parent; below; below = below.parent) if (below === ancestor) return true;
  return false;
}

class HeldCandidate implements Candidate {
  parent: Version;
  readonly hash: Digest;
  readonly header: Header;
  readonly headerBytes: Uint8Array;
  readonly outcome: Outcome;
  #ids: ReadonlySet<ByteText> | undefined;

  constructor(parent: Version, { hash, header, headerBytes }: VersionBlock, outcome: Outcome) {
    this.parent = parent;
    this.hash = hash;
    this.header = header;
    this.headerBytes = headerBytes;
    this.outcome = outcome;
  }

  get height(): number {
    return this.header.height;
  }

  get configuration(): ConsensusConfiguration {
    return this.outcome.configuration;
  }

  get staged(): StagedMap {
    return this.outcome.staged;
  }

  read(key: ByteText): Uint8Array | undefined {
    const entry = this.outcome.entries.get(key);
    return entry === undefined ? this.parent.read(key) : entry.value;
  }

  transaction(height: number, index: number): Uint8Array {
    return height === this.height ? this.outcome.transactions[index]! : this.parent.transaction(height, index);
  }

  account(id: string): AccountView | undefined {
    if (!this.outcome.registryChanged) return this.parent.account(id);
    return readAccount((contract, key) => this.read(stateKey(contract, key)), id);
  }

  isSpent(id: Digest, expiryHeight: number): boolean {
    this.#ids ??= new Set(this.outcome.transactionIds.map(toByteText));
    return this.#ids.has(toByteText(id)) || this.parent.isSpent(id, expiryHeight);
  }
}

export function parentFactsOf({ hash, height, header, configuration }: Version): ParentFacts {
  const { timestampMs, era, chainId } = header;
  return { hash, height, timestampMs, era, chainId, configuration };
}
