/** A registered peer as the transport knows it: its links, where it is dialled, and when next. */
import { publicKeyFromRaw } from '@libp2p/crypto/keys';
import type { PeerId } from '@libp2p/interface';
import { peerIdFromPublicKey } from '@libp2p/peer-id';
import { type Multiaddr, multiaddr } from '@multiformats/multiaddr';
import type { ErrorCode } from '../errors/index.ts';
import { toByteText } from '../format/index.ts';
import type { AdmittedNode, Channel, Log, Random } from '../world.ts';
import type { Link } from './link.ts';

export const BACK_OFF_MIN_MS = 200;
const BACK_OFF_MAX_MS = 2_000;

export interface Peer {
  readonly node: string;
  readonly id: PeerId;
  readonly keyText: string;
  addresses: readonly string[];
  readonly links: Map<Channel, Link>;
  /** Both links are open, and the log says so. */
  up: boolean;
  dialling: boolean;
  attempts: number;
  nextDialMs: number;
  lastSeenMs: number;
  height: number | undefined;
  refusal: ErrorCode | undefined;
}

export function createPeer({ node, transportKey, addresses }: AdmittedNode, nextDialMs: number): Peer {
  return {
    node,
    id: peerIdFromPublicKey(publicKeyFromRaw(transportKey)),
    keyText: toByteText(transportKey),
    addresses,
    links: new Map(),
    up: false,
    dialling: false,
    attempts: 0,
    nextDialMs,
    lastSeenMs: 0,
    height: undefined,
    refusal: undefined,
  };
}

/** Registered addresses first, then those given for bootstrap; all end in the peer's id, so the handshake proves it. */
export function targetsOf(peer: Peer, bootstrap: readonly string[], log: Log): Multiaddr[] {
  const id = peer.id.toString();
  const found = bootstrap.filter((address) => address.endsWith(`/p2p/${id}`));
  const targets: Multiaddr[] = [];
  for (const address of new Set([...peer.addresses.map((address) => `${address}/p2p/${id}`), ...found])) {
    try {
      targets.push(multiaddr(address));
    } catch {
      log.warn({ peer: peer.node, address }, 'registered address is not a multiaddr');
    }
  }
  return targets;
}

/** Spread, so that nodes of a restarted network do not dial in step. */
export function backOffMs(attempts: number, random: Random): number {
  const step = Math.min(BACK_OFF_MAX_MS, BACK_OFF_MIN_MS * 2 ** Math.min(attempts, 10));
  return step / 2 + (step / 2) * (random.bytes(1)[0]! / 255);
}

/** The proven key of a peer, as text; undefined when it is no Ed25519 key. */
export function keyOf(peer: PeerId): string | undefined {
  const key = peer.type === 'Ed25519' ? peer.publicKey.raw : undefined;
  return key === undefined ? undefined : toByteText(key);
}
