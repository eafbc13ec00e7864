/**
 * Copies the sealed store between the nodes of one organisation over the node streams (design: record, "Sealed fields"). Each node numbers
 * its changes; a peer is told that there are new ones and fetches from where it stands, after every connection too, so nothing is lost
 * while one of them is away.
 *
 * A change travels in a box under a key made from a sealing key that the organisation's nodes share: an operator gives a new node the same
 * sealing keys (node/keystore/README.md). Only nodes that the chain registers, active, to the same organisation are told, answered or
 * heard; they cannot open what they got by mistake without the key, and a value that does not fit its commitment is refused.
 */
import { ChainError } from '../errors/index.ts';
import {
  type ByteText,
  type Crypto,
  decodeAll,
  DecodeError,
  type Digest,
  DIGEST_BYTES,
  equalBytes,
  hashTagged,
  Reader,
  toHex,
  utf8,
  Writer,
} from '../format/index.ts';
import type { Requests, SealedBox } from '../peers/index.ts';
import { createPause, type Pause, withPauses } from '../pace/index.ts';
import type { Network, Store, World } from '../world.ts';
import { AEAD_NONCE_BYTES, AEAD_TAG_BYTES, type Aead } from './cipher.ts';
import type { SealedValue } from './prepare.ts';
import { LOG_ID_BYTES, type SealedChange, sealedKeyspace, type SealedStore } from './sealed-store.ts';
import { commitmentSteps, decodeValues, NO_VALUES, SEALED_BYTES_MAX } from './sealed-values.ts';

/** Changes in one answer; an answer ends earlier when it holds so many bytes. */
export const SEALED_ANSWER_CHANGES_MAX = 128;
export const SEALED_ANSWER_BYTES_MAX = 4_194_304;
/** How often connected nodes of the organisation are asked without being told: a hint may be lost, a node newly registered. */
export const SEALED_PULL_EVERY_MS = 30_000;

/** Rows that come back with the values; marks of erasing and numbers do not. */
const MENDABLE = [sealedKeyspace.dataKey.prefix, sealedKeyspace.values.prefix];

/** Bytes around the values of a change. */
const FRAME_BYTES = DIGEST_BYTES + 8;
/** Of one change, encrypted: with nonce and tag. */
export const SEALED_BOX_BYTES_MAX = SEALED_BYTES_MAX + FRAME_BYTES + AEAD_NONCE_BYTES + AEAD_TAG_BYTES;

interface Unpacked {
  readonly recordId: Digest;
  readonly erased: boolean;
  readonly sealed: readonly SealedValue[];
}

/** A sealing key of the organisation: 32 bytes under the name every node of it knows. */
export interface SealingKey {
  readonly id: string;
  readonly secret: Uint8Array;
}

export interface SealedReplicationOptions {
  readonly world: Pick<World, 'clock' | 'timers' | 'log' | 'random'> & { readonly crypto: Pick<Crypto, 'hash'> };
  readonly network: Pick<Network, 'onPeer' | 'peers' | 'report'>;
  readonly requests: Requests;
  readonly sealed: SealedStore;
  /** The sealed store's own database, for the cursors. */
  readonly store: Store;
  readonly aead: Aead;
  /** Oldest first; the last one is used for what is sent. */
  readonly sealingKeys: () => readonly SealingKey[];
  /** Whether the chain registers the node, active, to this node's organisation. */
  readonly isOwn: (node: string) => boolean;
  /**
   * Whether the chain registers the node to another organisation. A suspended node of this one may not know of that yet: it breaks no rule.
   */
  readonly isForeign: (node: string) => boolean;
  /** A node of the organisation sends under a key that is not held here, or is another one of the same name. */
  readonly onKeysDiffer: (node: string, keyId: string) => void;
  /** Everything that these nodes sent so far was opened, or is no longer this node's to open. */
  readonly onKeysFit: (fits: (node: string) => boolean) => void;
  /** Tests make it short. */
  readonly pullEveryMs?: number;
}

export interface SealedReplication {
  /**
   * Drops a damaged row of the sealed store and fetches all changes of the organisation's nodes again; false when none of them gave it
   * back.
   */
  mend(key: ByteText): Promise<boolean>;
  start(): void;
  stop(): Promise<void>;
}

export function createSealedReplication(options: SealedReplicationOptions): SealedReplication {
  const { world, network, requests, sealed, aead } = options;
  const { crypto, log } = world;
  const pulling = new Map<string, { again: boolean; readonly done: Promise<void> }>();
  let cancel: (() => void) | undefined;
  let telling = false;
  let stopped = false;

  /** Key and name; the name is bound by the key itself, place in the log by the context. */
  function boxKey({ id, secret }: SealingKey): Uint8Array {
    return hashTagged(crypto, 'sealed-field', utf8(`replication\n${id}\n`), secret);
  }

  function context(logId: Uint8Array, sequence: number): Uint8Array {
    return new Writer(64).text('sealed change').fixed(logId, LOG_ID_BYTES).u64(sequence).finish();
  }

  function* pack(logId: Uint8Array, change: SealedChange): Generator<void, SealedBox, void> {
    const key = options.sealingKeys().at(-1);
    if (!key) throw new ChainError('KEY_UNKNOWN', { kind: 'sealing' });
    const plain = new Writer(FRAME_BYTES + change.values.length)
      .fixed(change.recordId, DIGEST_BYTES)
      .bool(change.erased)
      .bytes(change.erased ? NO_VALUES : change.values)
      .finish();
    const nonce = world.random.bytes(AEAD_NONCE_BYTES);
    const box = yield* aead.seal(boxKey(key), nonce, context(logId, change.sequence), plain);
    return { sequence: change.sequence, keyId: key.id, box };
  }

  /**
   * Undefined when no key here opens it. @throws DecodeError for more than a record may have, and a value that is not what its commitment
   * says
   */
  function* unpack(logId: Uint8Array, { sequence, keyId, box }: SealedBox): Generator<void, Unpacked | undefined, void> {
    if (box.length > SEALED_BOX_BYTES_MAX)
      throw new DecodeError(`${box.length} bytes of one change where at most ${SEALED_BOX_BYTES_MAX} are allowed`);
    const key = options.sealingKeys().find(({ id }) => id === keyId);
    const plain = key && (yield* aead.open(boxKey(key), context(logId, sequence), box));
    if (!plain) return undefined;
    const reader = new Reader(plain);
    const [recordId, erased, bytes] = [reader.fixed(DIGEST_BYTES), reader.bool(), reader.bytes()];
    reader.end();
    const sealed = yield* decodeValues(bytes);
    for (const value of sealed) {
      if ((yield* commitmentSteps(crypto, value)) !== value.commitment) throw new DecodeError('a sealed value does not fit its commitment');
      yield;
    }
    return { recordId, erased, sealed };
  }

  requests.serve('getSealed', async (from, question) => {
    if (question.kind !== 'getSealed') return { kind: 'declined', code: 'PEER_DECLINED' };
    if (!options.isOwn(from)) {
      if (options.isForeign(from)) network.report(from, 'SEALED_PEER_FOREIGN');
      log.warn({ peer: from, code: 'SEALED_PEER_FOREIGN' }, 'sealed values refused to a node that is none of this organisation');
      return { kind: 'declined', code: 'SEALED_PEER_FOREIGN' };
    }
    const { log: logId } = await sealed.head();
    const after = equalBytes(question.log, logId) ? question.after : 0;
    const boxes: SealedBox[] = [];
    let bytes = 0;
    const pause = createPause(world);
    for await (const change of sealed.changesAfter(after, SEALED_ANSWER_CHANGES_MAX)) {
      if (change.values.length > SEALED_BYTES_MAX) {
        log.warn({ sequence: change.sequence, code: 'RECORD_TOO_LARGE' }, 'sealed values of a record are too large to be sent');
        continue; // from before there was the bound
      }
      const packed = await withPauses(pack(logId, change), pause);
      if (boxes.length > 0 && bytes + packed.box.length > SEALED_ANSWER_BYTES_MAX) break;
      boxes.push(packed);
      bytes += packed.box.length;
    }
    return { kind: 'sealedAnswer', log: logId, boxes };
  });

  const cursorKey = (node: string): ByteText => sealedKeyspace.cursor.prefix + toHex(utf8(node));

  function cursorOf(node: string): { readonly log: Uint8Array; readonly sequence: number } {
    const bytes = options.store.get(cursorKey(node));
    if (!bytes) return { log: new Uint8Array(LOG_ID_BYTES), sequence: 0 };
    return decodeAll(bytes, (r) => ({ log: r.fixed(LOG_ID_BYTES), sequence: r.u64() }));
  }

  /** Takes what one answer holds. */
  async function pullOnce(node: string, pause: Pause): Promise<'more' | 'done' | 'closed'> {
    const cursor = cursorOf(node);
    const answer = await requests.getSealed(node, cursor.log, cursor.sequence);
    if (answer.boxes.length === 0) return 'done';
    let last = equalBytes(answer.log, cursor.log) ? cursor.sequence : 0;
    for (const box of answer.boxes) {
      if (box.sequence <= last) throw new DecodeError('sealed changes are not in order');
      const change = await withPauses(unpack(answer.log, box), pause);
      if (!change) {
        options.onKeysDiffer(node, box.keyId);
        return 'closed'; // the cursor stays: once the keys are there it goes on from here
      }
      if (change.erased) await sealed.erase(change.recordId);
      else await putOrRefuse(node, change);
      last = box.sequence;
    }
    const value = new Writer(24).fixed(answer.log, LOG_ID_BYTES).u64(last).finish();
    await options.store.batch([{ key: cursorKey(node), value }], { sync: true });
    return 'more';
  }

  /** What does not fit beside what is held here is left out: the changes behind it are not. */
  async function putOrRefuse(node: string, change: Unpacked): Promise<void> {
    try {
      await sealed.put([change]);
    } catch (error) {
      if (!(error instanceof ChainError && error.code === 'RECORD_TOO_LARGE')) throw error;
      log.warn({ peer: node, code: error.code }, 'sealed values of a peer have no room beside those held');
    }
  }

  function pull(node: string): void {
    if (stopped) return;
    const running = pulling.get(node);
    if (running) {
      running.again = true;
      return;
    }
    const state = { again: true, done: Promise.resolve() };
    const pause = createPause(world);
    const run = async (): Promise<void> => {
      while (state.again && !stopped) {
        state.again = false;
        for (let pulled = 'more'; pulled === 'more' && !stopped && options.isOwn(node); ) {
          pulled = await pullOnce(node, pause);
          if (pulled === 'done') options.onKeysFit((other) => other === node);
        }
      }
    };
    state.done = run()
      .catch((error: unknown) => {
        if (error instanceof DecodeError) network.report(node, 'PEER_MESSAGE_MALFORMED');
        log.debug({ peer: node, reason: String(error) }, 'sealed changes not fetched');
      })
      .finally(() => pulling.delete(node));
    pulling.set(node, state);
  }

  const ownPeers = (): string[] => network.peers().flatMap(({ node, connected }) => (connected && options.isOwn(node) ? [node] : []));

  /** Tells the organisation's nodes, once for all changes of a turn. */
  function tell(): void {
    if (telling || stopped) return;
    telling = true;
    sealed
      .head()
      .then((head) => {
        telling = false;
        for (const node of ownPeers()) requests.sendSealedHead(head, node);
      })
      .catch((error: unknown) => {
        telling = false;
        log.warn({ reason: String(error) }, 'sealed changes not announced');
      });
  }

  requests.onSealedHead((from) => {
    if (options.isOwn(from)) pull(from);
    else if (options.isForeign(from)) network.report(from, 'SEALED_PEER_FOREIGN');
  });
  network.onPeer((node, state) => {
    if (state === 'up' && options.isOwn(node)) pull(node);
  });
  sealed.onChange(tell);

  async function mend(key: ByteText): Promise<boolean> {
    const peers = ownPeers();
    if (peers.length === 0 || !MENDABLE.some((prefix) => key.startsWith(prefix))) return false;
    await Promise.all([...pulling.values()].map(({ done }) => done));
    await options.store.batch(
      [key, ...peers.map(cursorKey)].map((row) => ({ key: row, value: undefined })),
      { sync: true },
    );
    for (const node of peers) pull(node);
    await Promise.all([...pulling.values()].map(({ done }) => done));
    return options.store.get(key) !== undefined;
  }

  return {
    mend,
    start() {
      cancel = world.timers.every(options.pullEveryMs ?? SEALED_PULL_EVERY_MS, () => {
        for (const node of ownPeers()) pull(node);
        options.onKeysFit((node) => !options.isOwn(node)); // it was given to another organisation, or suspended
      });
    },
    async stop() {
      stopped = true;
      cancel?.();
      await Promise.all([...pulling.values()].map(({ done }) => done));
    },
  };
}
