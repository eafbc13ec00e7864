/** An in-memory Network and a small chain for the tests of this folder; not a test itself. */
import { createCrypto } from '../../../../node/crypto/real-crypto.ts';
import { ChainError } from '../../../../node/errors/index.ts';
import { decodeCertificate, encodeCertificate } from '../../../../consensus/pbft/certificates.ts';
import { decodeBlock, type Digest, encodeBlock, encodeHeader, equalBytes, headerHash, utf8 } from '../../../../node/format/index.ts';
import { lonelyNetwork } from '../../../tools/lonely-network.ts';
import type { BlockSource } from '../../../../node/peers/block-server.ts';
import { createRealWorld } from '../../../../node/real/world.ts';
import type { Channel, Log, Network } from '../../../../node/world.ts';

export const quiet: Log = { debug() {}, info() {}, warn() {}, error() {}, child: () => quiet };
const crypto = createCrypto();
export const world = createRealWorld({
  log: quiet,
  crypto,
  verifier: { verify: async () => false, verifyAll: async () => [], stop: async () => undefined },
});

export async function until(what: string, condition: () => boolean, timeoutMs = 120_000): Promise<void> {
  const end = performance.now() + timeoutMs;
  while (!condition()) {
    if (performance.now() > end) throw new Error(`Waited ${timeoutMs} ms in vain: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

export interface MemoryNetwork extends Network {
  readonly reports: { readonly node: string; readonly code: string }[];
  /** Frames to this node vanish while false. */
  hears: boolean;
  leave(): void;
  /** Delivers a frame to this node now. */
  hear(from: string, channel: Channel, frame: Uint8Array): void;
  /** One of its two connections to each peer is gone, and made again: peers hear it as down and up. */
  loses(channel: Channel): void;
}

/** A hub that delivers each frame on a later turn, in order. */
export function createHub(): { join(self: string): MemoryNetwork } {
  const members = new Map<
    string,
    {
      network: MemoryNetwork;
      frame: ((from: string, channel: Channel, frame: Uint8Array) => void)[];
      peer: ((node: string, state: 'up' | 'down') => void)[];
    }
  >();
  return {
    join(self) {
      const network: MemoryNetwork = {
        ...lonelyNetwork(self),
        reports: [],
        hears: true,
        start: async () => {
          for (const [other, member] of members) {
            if (other === self) continue;
            for (const handler of member.peer) handler(self, 'up');
            for (const handler of members.get(self)!.peer) handler(other, 'up');
          }
        },
        send(to, channel, frame) {
          const target = members.get(to);
          if (target === undefined || !members.has(self)) return false;
          const copy = frame.slice();
          setImmediate(() => {
            if (members.get(to) === target && target.network.hears) for (const handler of target.frame) handler(self, channel, copy);
          });
          return true;
        },
        broadcast(channel, frame) {
          for (const to of members.keys()) if (to !== self) network.send(to, channel, frame);
        },
        onFrame: (handler) => void members.get(self)!.frame.push(handler),
        onPeer: (handler) => void members.get(self)!.peer.push(handler),
        peers: () =>
          [...members.keys()].filter((node) => node !== self).map((node) => ({ node, connected: true, lastSeenMs: 0, address: undefined })),
        report: (node, code) => void network.reports.push({ node, code }),
        hear(from, channel, frame) {
          for (const handler of members.get(self)!.frame) handler(from, channel, frame);
        },
        loses() {
          for (const state of ['down', 'up'] as const)
            for (const [other, member] of members) if (other !== self) for (const handler of member.peer) handler(self, state);
        },
        leave() {
          members.delete(self);
          for (const member of members.values()) for (const handler of member.peer) handler(self, 'down');
        },
      };
      members.set(self, { network, frame: [], peer: [] });
      return network;
    },
  };
}

const zero = new Uint8Array(32);
const SIGNATURE = utf8('a quorum');

export interface Entry {
  readonly block: Uint8Array;
  readonly hash: Digest;
  readonly finality: Uint8Array;
}

export function makeBlock(height: number, parentHash: Digest, payload: Uint8Array, signature = SIGNATURE): Entry {
  const header = {
    version: 1,
    chainId: zero,
    era: 0,
    height,
    parentHash,
    timestampMs: height,
    proposer: 'n0',
    engine: 'pbft',
    engineData: zero.slice(0, 8),
    txRoot: crypto.hash(payload),
    receiptsRoot: zero,
    stateRoot: zero,
    consensusHash: zero,
    nextConsensusHash: zero,
  };
  const hash = headerHash(crypto, encodeHeader(header));
  return {
    block: encodeBlock({ header, seal: zero, transactions: [payload] }),
    hash,
    finality: encodeCertificate({ view: 0, height, digest: hash, votes: [{ node: 'n0', signature }] }),
  };
}

/** Blocks of a small chain, and the rule a ledger would hold them to: parent, certificate, payload. */
export class Chain implements BlockSource {
  readonly entries: Entry[] = [];
  /** Throws before storing, as a full disk would. */
  trouble: ChainError | undefined;

  static of(height: number, payloadBytes = 8): Chain {
    const chain = new Chain();
    for (let h = 1; h <= height; h++) chain.entries.push(makeBlock(h, chain.head().hash, new Uint8Array(payloadBytes).fill(h & 255)));
    return chain;
  }

  head(): { height: number; hash: Digest } {
    return { height: this.entries.length, hash: this.entries.at(-1)?.hash ?? zero };
  }

  blockBytes(height: number): Uint8Array | undefined {
    return this.entries[height - 1]?.block;
  }

  finality(height: number): Uint8Array | undefined {
    return this.entries[height - 1]?.finality;
  }

  async apply(bytes: Uint8Array, finality: Uint8Array | undefined): Promise<void> {
    await new Promise((resolve) => setImmediate(resolve));
    if (this.trouble !== undefined) throw this.trouble;
    const { header, transactions } = decodeBlock(bytes);
    const hash = headerHash(crypto, encodeHeader(header));
    const certificate = finality && decodeCertificate(finality);
    const holds =
      header.height === this.entries.length + 1 &&
      equalBytes(header.parentHash, this.head().hash) &&
      equalBytes(header.txRoot, crypto.hash(transactions[0]!)) &&
      certificate !== undefined &&
      equalBytes(certificate.digest, hash) &&
      certificate.votes.every((vote) => equalBytes(vote.signature, SIGNATURE));
    if (!holds) throw new ChainError('BLOCK_MALFORMED', { height: header.height });
    this.entries.push({ block: bytes, hash, finality: finality! });
  }
}
