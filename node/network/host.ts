/** The libp2p host of a node: TCP, Noise, yamux, identify, bootstrap, with the bounds of its connections (adapter). */
import './shim.ts';
import { yamux } from '@chainsafe/libp2p-yamux';
import { bootstrap } from '@libp2p/bootstrap';
import { identify } from '@libp2p/identify';
import type { Libp2p, PeerId, PrivateKey } from '@libp2p/interface';
import { tcp } from '@libp2p/tcp';
import type { Multiaddr } from '@multiformats/multiaddr';
import { createLibp2p } from 'libp2p';
import { createEncryption } from './encryption.ts';
import { HANDSHAKE_TIMEOUT_MS } from './handshakes.ts';

export const DIAL_TIMEOUT_MS = 8_000;
/** Above the largest bulk frame, with the window of yamux on top. */
const READ_BUFFER_BYTES = 67_108_864;
const PENDING_INBOUND_MAX = 256;
const INBOUND_PER_SECOND_MAX = 256;
/** Connections of one peer: one a channel from each side, and those that replace them. */
export const CONNECTIONS_PER_PEER_MAX = 8;
/** Streams on one connection that the other side opens: its channel, what replaces it, identify and ping. */
export const STREAMS_PER_CONNECTION_MAX = 16;
/** Lost pings end a connection only after this: four nodes of a devnet share two cores. */
const PING_TIMEOUT_MS = 20_000;

/** Which connections the host admits. */
export interface Gate {
  /** A connection from outside whose handshake would begin now. */
  mayBegin(remote: Multiaddr): boolean;
  handshakeEnded(remote: Multiaddr): void;
  /** It has as many connections as it can need. */
  isCrowded(peer: PeerId): boolean;
  /** For connections from outside. */
  mayVisit(peer: PeerId): boolean;
  /** The handshake has proven `peer`. */
  denies(peer: PeerId): boolean;
}

/** Ready, not started. */
export function createHost({
  privateKey,
  listen,
  bootstrap: found,
  gate,
}: {
  readonly privateKey: PrivateKey;
  readonly listen: readonly string[];
  readonly bootstrap: readonly string[];
  readonly gate: Gate;
}): Promise<Libp2p> {
  return createLibp2p({
    start: false,
    privateKey,
    addresses: { listen: [...listen] },
    transports: [tcp()],
    connectionEncrypters: [createEncryption()],
    streamMuxers: [yamux({ maxInboundStreams: STREAMS_PER_CONNECTION_MAX, streamOptions: { maxReadBufferLength: READ_BUFFER_BYTES } })],
    peerDiscovery: found.length === 0 ? [] : [bootstrap({ list: [...found] })],
    services: { identify: identify() },
    connectionGater: {
      denyDialMultiaddr: () => false,
      denyInboundConnection: ({ remoteAddr }) => !gate.mayBegin(remoteAddr),
      denyInboundEncryptedConnection: (peer, { remoteAddr }) => {
        gate.handshakeEnded(remoteAddr);
        return gate.isCrowded(peer) || (!gate.mayVisit(peer) && gate.denies(peer));
      },
      denyOutboundEncryptedConnection: (peer) => gate.denies(peer),
    },
    connectionManager: {
      maxIncomingPendingConnections: PENDING_INBOUND_MAX,
      inboundConnectionThreshold: INBOUND_PER_SECOND_MAX,
      inboundUpgradeTimeout: HANDSHAKE_TIMEOUT_MS,
      reconnectRetries: 0,
      dialTimeout: DIAL_TIMEOUT_MS,
    },
    connectionMonitor: { pingTimeout: { minTimeout: PING_TIMEOUT_MS, maxTimeout: PING_TIMEOUT_MS } },
  });
}
