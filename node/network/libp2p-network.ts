/**
 * Network on libp2p (adapter; decision 0001 beside it says how two connections per peer are held). What runs below it is set up in host.ts.
 *
 * Between each two nodes run two connections, one with a stream for votes, one with a stream for bulk. The node with the lower id dials;
 * the other dials only when nothing has come for a while (it may be the one behind a firewall), and when both did, the lower id's link
 * stays. The gater admits proven keys of registered nodes only. What it knows about peers comes by `admit` and `report` alone; it decides
 * nothing else.
 */
import './shim.ts';
import { generateKeyPairFromSeed } from '@libp2p/crypto/keys';
import type { Connection, Libp2p, PeerId, Stream } from '@libp2p/interface';
import { peerIdFromPrivateKey } from '@libp2p/peer-id';
import type { Multiaddr } from '@multiformats/multiaddr';
import { ChainError, type ErrorCode, isErrorCode } from '../errors/index.ts';
import { type Digest, isAcceptablePublicKey, toByteText } from '../format/index.ts';
import type { AdmittedNode, Channel, Network, PeerStatus, World } from '../world.ts';
import { Handshakes, hostOf } from './handshakes.ts';
import { type Hello, PROTOCOL_VERSION } from './hello.ts';
import { CONNECTIONS_PER_PEER_MAX, createHost, DIAL_TIMEOUT_MS, type Gate } from './host.ts';
import { Link, type LinkEvents } from './link.ts';
import { CUT_OFF_MS, Penalties } from './penalties.ts';
import { BACK_OFF_MIN_MS, backOffMs, createPeer, keyOf, type Peer, targetsOf } from './peer.ts';
import { askOnce, VISIT_PROTOCOL, VISIT_TIMEOUT_MS, VisitDesk, type VisitHandler } from './visits.ts';

const CHANNELS = ['votes', 'bulk'] as const;
const PROTOCOL = { votes: '/tracemill/votes/1', bulk: '/tracemill/bulk/1' } as const;
/** How often missing links are looked at, and how many of these looks it takes to look at idle connections. */
const SWEEP_MS = 100;
const SWEEPS_PER_CLEANING = 10;
/** From opening a stream to the other side's hello. */
export const HELLO_TIMEOUT_MS = 8_000;
/** The node with the higher id waits this long for the other to dial. */
export const FALLBACK_DIAL_MS = 3_000;
/** A connection without a link (bootstrap, a peer that opens no stream) is closed after this. */
const IDLE_CONNECTION_MS = 15_000;
/** Streams of one protocol on one connection: one runs, one replaces it. */
const INBOUND_STREAMS_MAX = 4;

export interface Libp2pNetworkOptions {
  readonly self: string;
  /** Ed25519 seed of the transport key, 32 bytes; not the key that signs votes. */
  readonly transportSeed: Uint8Array;
  /** Multiaddrs; port 0 takes a free one. */
  readonly listen: readonly string[];
  /** Multiaddrs with /p2p of nodes to find the network by. */
  readonly bootstrap?: readonly string[];
  readonly chainId: Digest;
  readonly genesisHash: Digest;
  /** Last final height, for the hello. */
  readonly height: () => number;
  readonly world: Pick<World, 'clock' | 'timers' | 'random' | 'log'>;
  /** Tests make it short. */
  readonly fallbackDialMs?: number;
}

export interface Libp2pNetwork extends Network {
  /** Raw Ed25519 key that others register. */
  readonly transportKey: Uint8Array;
  /** Multiaddrs listened on, without /p2p, once started. */
  readonly addresses: readonly string[];
  /** Multiaddrs with /p2p, as `bootstrap` takes them. */
  readonly bootstrapAddresses: readonly string[];
}

/** Ready, not started. `start` throws ChainError NETWORK_LISTEN_FAILED. */
export async function createLibp2pNetwork(options: Libp2pNetworkOptions): Promise<Libp2pNetwork> {
  const privateKey = await generateKeyPairFromSeed('Ed25519', options.transportSeed);
  const network = new RealNetwork(options, privateKey.publicKey.raw, peerIdFromPrivateKey(privateKey));
  network.attach(await createHost({ privateKey, listen: options.listen, bootstrap: options.bootstrap ?? [], gate: network }));
  return network;
}

class RealNetwork implements Libp2pNetwork, Gate {
  readonly self: string;
  readonly transportKey: Uint8Array;
  readonly #options: Libp2pNetworkOptions;
  readonly #ownId: PeerId;
  readonly #peers = new Map<string, Peer>();
  readonly #byKey = new Map<string, Peer>();
  readonly #penalties = new Penalties();
  readonly #desk: VisitDesk;
  #quiet = false;
  /** Streams that have not greeted yet, with the time they must have. */
  readonly #greeting = new Map<Link, number>();
  readonly #refusedKeys = new Set<string>();
  readonly #handshakes: Handshakes;
  readonly #frameHandlers: ((from: string, channel: Channel, frame: Uint8Array) => void)[] = [];
  readonly #peerHandlers: ((node: string, state: 'up' | 'down') => void)[] = [];
  readonly #cutOffHandlers: ((node: string, code: string, forMs: number) => void)[] = [];
  readonly #linkEvents: LinkEvents = {
    onOpen: (link, hello) => this.#onLinkOpen(link, hello),
    onFrame: (link, frame) => this.#onLinkFrame(link, frame),
    onClose: (link, code) => this.#onLinkClose(link, code),
  };
  #libp2p!: Libp2p;
  #stopSweep: (() => void) | undefined;
  #sweeps = 0;
  #running = false;

  constructor(options: Libp2pNetworkOptions, transportKey: Uint8Array, ownId: PeerId) {
    this.self = options.self;
    this.transportKey = Uint8Array.from(transportKey);
    this.#options = options;
    this.#ownId = ownId;
    this.#desk = new VisitDesk(options.world);
    this.#handshakes = new Handshakes(options.world.clock);
  }

  attach(libp2p: Libp2p): void {
    this.#libp2p = libp2p;
  }

  get addresses(): readonly string[] {
    return this.#libp2p.getMultiaddrs().map((address) => withoutPeer(address));
  }

  get bootstrapAddresses(): readonly string[] {
    return this.addresses.map((address) => `${address}/p2p/${this.#ownId.toString()}`);
  }

  async start(): Promise<void> {
    for (const channel of CHANNELS) {
      await this.#libp2p.handle(PROTOCOL[channel], (stream, connection) => this.#onStream(channel, stream, connection), {
        maxInboundStreams: INBOUND_STREAMS_MAX,
      });
    }
    await this.#libp2p.handle(
      VISIT_PROTOCOL,
      (stream, connection) => {
        void this.#desk.serve(keyOf(connection.remotePeer) ?? '', stream, (reason) => connection.abort(new Error(reason)));
      },
      { maxInboundStreams: 1 },
    );
    try {
      await this.#libp2p.start();
    } catch (error) {
      await this.#libp2p.stop();
      throw new ChainError('NETWORK_LISTEN_FAILED', { listen: this.#options.listen, reason: (error as Error).message }, error);
    }
    this.#running = true;
    this.#stopSweep = this.#options.world.timers.every(SWEEP_MS, () => this.#sweep());
    this.#sweep();
    this.#options.world.log.info({ node: this.self, addresses: this.addresses, peerId: this.#ownId.toString() }, 'network listens');
  }

  async stop(): Promise<void> {
    this.#running = false;
    this.#stopSweep?.();
    for (const link of [...this.#greeting.keys()]) link.abort('OK');
    for (const peer of this.#peers.values()) for (const link of [...peer.links.values()]) link.abort('OK');
    await this.#libp2p.stop();
  }

  send(to: string, channel: Channel, frame: Uint8Array): boolean {
    return this.#peers.get(to)?.links.get(channel)?.send(frame) ?? false;
  }

  broadcast(channel: Channel, frame: Uint8Array): void {
    for (const peer of this.#peers.values()) peer.links.get(channel)?.send(frame);
  }

  queuedBytes(to: string, channel: Channel): number {
    return this.#peers.get(to)?.links.get(channel)?.queuedBytes ?? 0;
  }

  onFrame(handler: (from: string, channel: Channel, frame: Uint8Array) => void): void {
    this.#frameHandlers.push(handler);
  }

  onPeer(handler: (node: string, state: 'up' | 'down') => void): void {
    this.#peerHandlers.push(handler);
  }

  onCutOff(handler: (node: string, code: string, forMs: number) => void): void {
    this.#cutOffHandlers.push(handler);
  }

  peers(): readonly PeerStatus[] {
    const now = this.#now();
    return [...this.#peers.values()].map((peer) => ({
      node: peer.node,
      connected: peer.up,
      lastSeenMs: peer.lastSeenMs,
      address: peer.links.get('votes')?.connection.remoteAddr.toString() ?? peer.addresses[0],
      ...(peer.height === undefined ? {} : { height: peer.height }),
      ...(peer.refusal === undefined ? {} : { refusal: peer.refusal }),
      reports: this.#penalties.count(peer.node),
      cutOffMs: Math.ceil(this.#penalties.cutOffMs(peer.node, now)),
    }));
  }

  admit(nodes: readonly AdmittedNode[]): void {
    const listed = new Map(nodes.filter(({ node }) => node !== this.self).map((entry) => [entry.node, entry]));
    for (const peer of [...this.#peers.values()]) {
      const entry = listed.get(peer.node);
      if (entry === undefined || toByteText(entry.transportKey) !== peer.keyText) this.#expel(peer);
      else if (entry.addresses.join() !== peer.addresses.join()) {
        peer.addresses = entry.addresses;
        peer.nextDialMs = Math.min(peer.nextDialMs, this.#now() + BACK_OFF_MIN_MS);
      }
    }
    for (const entry of listed.values()) if (!this.#peers.has(entry.node)) this.#register(entry);
    if (this.#running) this.#sweep();
  }

  visitors(nodes: readonly Omit<AdmittedNode, 'addresses'>[]): void {
    this.#desk.admit(new Map(nodes.map(({ node, transportKey }) => [toByteText(transportKey), node])));
  }

  onVisit(handler: VisitHandler): void {
    this.#desk.handle(handler);
  }

  async visit(node: string, question: Uint8Array): Promise<Uint8Array> {
    const peer = this.#peers.get(node);
    const targets = peer ? this.#targets(peer) : [];
    if (!this.#running || targets.length === 0) throw new ChainError('PEER_UNREACHABLE', { peer: node });
    const signal = AbortSignal.timeout(VISIT_TIMEOUT_MS);
    let connection: Connection | undefined;
    try {
      connection = await this.#libp2p.dial(targets, { force: true, signal });
      return await askOnce(await connection.newStream(VISIT_PROTOCOL, { signal }), question, this.#options.world.timers);
    } catch (error) {
      throw new ChainError('PEER_UNREACHABLE', { peer: node }, error);
    } finally {
      connection?.abort(new Error('the visit is over'));
    }
  }

  keepQuiet(quiet: boolean): void {
    this.#quiet = quiet;
  }

  #register(entry: AdmittedNode): void {
    if (!isAcceptablePublicKey(entry.transportKey)) {
      this.#options.world.log.error({ peer: entry.node, transportKey: entry.transportKey }, 'registered transport key is no Ed25519 key');
      return;
    }
    const peer = createPeer(entry, this.#now() + (this.#dialsFirst(entry.node) ? 0 : this.#fallbackMs()));
    this.#peers.set(entry.node, peer);
    this.#byKey.set(peer.keyText, peer);
    this.#refusedKeys.delete(peer.keyText);
  }

  #expel(peer: Peer): void {
    this.#peers.delete(peer.node);
    this.#byKey.delete(peer.keyText);
    this.#penalties.forget(peer.node);
    this.#cut(peer, 'PEER_UNREGISTERED');
    this.#options.world.log.info({ peer: peer.node }, 'peer is registered no longer');
  }

  #cut(peer: Peer, code: ErrorCode): void {
    for (const link of [...this.#greeting.keys()]) if (link.node === peer.node) link.abort(code);
    for (const link of [...peer.links.values()]) link.abort(code);
    for (const connection of this.#libp2p.getConnections(peer.id)) connection.abort(new Error(code));
  }

  report(node: string, code: string): void {
    const peer = this.#peers.get(node);
    if (peer === undefined) return;
    this.#options.world.log.debug({ peer: node, code }, 'peer broke a rule');
    if (isErrorCode(code)) peer.refusal = code;
    if (!this.#penalties.report(node, this.#now())) return;
    this.#options.world.log.warn({ peer: node, code, forMs: CUT_OFF_MS }, 'peer cut off for a while');
    for (const handler of this.#cutOffHandlers) handler(node, code, CUT_OFF_MS);
    this.#cut(peer, isErrorCode(code) ? code : 'PEER_MESSAGE_MALFORMED');
  }

  mayBegin(remote: Multiaddr): boolean {
    return this.#handshakes.begin(hostOf(remote));
  }

  handshakeEnded(remote: Multiaddr): void {
    this.#handshakes.end(hostOf(remote));
  }

  isCrowded(peer: PeerId): boolean {
    return this.#libp2p.getConnections(peer).length >= CONNECTIONS_PER_PEER_MAX;
  }

  mayVisit(peer: PeerId): boolean {
    const keyText = keyOf(peer);
    return keyText !== undefined && !this.#byKey.has(keyText) && this.#desk.mayConnect(keyText);
  }

  denies(peer: PeerId): boolean {
    const keyText = keyOf(peer);
    const known = keyText === undefined ? undefined : this.#byKey.get(keyText);
    if (known !== undefined) return this.#penalties.isCutOff(known.node, this.#now());
    if (keyText !== undefined && !this.#refusedKeys.has(keyText) && this.#refusedKeys.size < 1000) {
      this.#refusedKeys.add(keyText); // said once
      this.#options.world.log.warn({ peerId: peer.toString(), code: 'PEER_UNREGISTERED' }, 'unregistered peer refused');
    }
    return true;
  }

  #onStream(channel: Channel, stream: Stream, connection: Connection): void {
    const peer = this.#byKey.get(keyOf(connection.remotePeer) ?? '');
    if (!this.#running || peer === undefined || this.denies(connection.remotePeer)) connection.abort(new Error('PEER_UNREGISTERED'));
    else this.#greet(peer, channel, stream, connection, false);
  }

  #greet(peer: Peer, channel: Channel, stream: Stream, connection: Connection, dialled: boolean): void {
    const link = new Link({ node: peer.node, dialled, connection, stream }, this.#hello(channel), this.#linkEvents);
    this.#greeting.set(link, this.#now() + HELLO_TIMEOUT_MS);
    link.start();
  }

  #hello(channel: Channel): Hello {
    const { chainId, genesisHash, height } = this.#options;
    return { protocolVersion: PROTOCOL_VERSION, chainId, genesisHash, node: this.self, channel, height: height() };
  }

  #onLinkOpen(link: Link, hello: Hello): void {
    this.#greeting.delete(link);
    const peer = this.#peers.get(link.node);
    if (peer === undefined) {
      link.abort('PEER_UNREGISTERED');
      return;
    }
    const old = peer.links.get(link.channel);
    // Two links of one channel: the one dialled by the lower id stays; of two by the same dialler the newer, since it knows the old one is
    // gone.
    if (old !== undefined && old.dialled !== link.dialled && old.dialled === this.#dialsFirst(peer.node)) {
      link.abort('OK');
      return;
    }
    peer.links.set(link.channel, link);
    old?.abort('OK');
    peer.height = hello.height;
    peer.lastSeenMs = this.#now();
    if (peer.up || peer.links.size < CHANNELS.length) return;
    peer.up = true;
    peer.attempts = 0;
    peer.refusal = undefined;
    this.#options.world.log.info({ peer: peer.node, height: hello.height, dialled: link.dialled }, 'peer connected');
    for (const handler of this.#peerHandlers) handler(peer.node, 'up');
  }

  #onLinkFrame(link: Link, frame: Uint8Array): void {
    const peer = this.#peers.get(link.node);
    if (peer === undefined) return;
    peer.lastSeenMs = this.#now();
    for (const handler of this.#frameHandlers) {
      try {
        handler(link.node, link.channel, frame);
      } catch (error) {
        this.#options.world.log.error({ peer: link.node, channel: link.channel, reason: (error as Error).message }, 'frame handler failed');
      }
    }
  }

  #onLinkClose(link: Link, code: ErrorCode): void {
    this.#greeting.delete(link);
    const peer = this.#peers.get(link.node);
    if (peer === undefined) return;
    if (code !== 'OK') {
      const { log } = this.#options.world;
      const fields = { peer: link.node, channel: link.channel, code };
      if (peer.refusal === code)
        log.debug(fields, 'link refused'); // a peer that dials again and again is said once
      else log.warn(fields, 'link refused');
      peer.refusal = code;
      if (code === 'PEER_FRAME_TOO_LARGE' || code === 'PEER_HELLO_INVALID') this.report(link.node, code);
    }
    if (peer.links.get(link.channel) !== link) return;
    peer.links.delete(link.channel);
    if (!peer.up) return;
    peer.up = false;
    peer.nextDialMs = this.#now() + (this.#dialsFirst(peer.node) ? BACK_OFF_MIN_MS : this.#fallbackMs());
    this.#options.world.log.info({ peer: peer.node }, 'peer disconnected');
    for (const handler of this.#peerHandlers) handler(peer.node, 'down');
  }

  #sweep(): void {
    const now = this.#now();
    for (const [link, until] of this.#greeting) {
      if (link.connection.status !== 'open')
        link.abort('OK'); // refused before the link listened: no event tells of it
      else if (now > until) link.abort('PEER_TIMEOUT');
    }
    for (const peer of this.#peers.values()) {
      for (const link of peer.links.values()) link.nudge(now);
      if (peer.links.size === CHANNELS.length) continue;
      if (this.#quiet || peer.dialling || now < peer.nextDialMs || this.#penalties.isCutOff(peer.node, now)) continue;
      if (this.#missing(peer).length > 0) void this.#dial(peer);
    }
    if (this.#sweeps++ % SWEEPS_PER_CLEANING === 0) this.#closeIdleConnections();
  }

  /** Channels without a link, open or greeting: dialling beside a slow hello would only slow it further. */
  #missing(peer: Peer): Channel[] {
    const greeting = [...this.#greeting.keys()].filter((link) => link.node === peer.node).map((link) => link.channel);
    return CHANNELS.filter((channel) => !peer.links.has(channel) && !greeting.includes(channel));
  }

  async #dial(peer: Peer): Promise<void> {
    const targets = this.#targets(peer);
    peer.nextDialMs = this.#now() + backOffMs(peer.attempts++, this.#options.world.random);
    if (targets.length === 0) return;
    peer.dialling = true;
    try {
      for (const channel of CHANNELS) {
        if (!this.#missing(peer).includes(channel)) continue;
        const signal = AbortSignal.timeout(DIAL_TIMEOUT_MS);
        // `force` opens a second connection where one is open; dials of one peer at the same time would be joined, so they go one by one.
        const connection = await this.#libp2p.dial(targets, { force: true, signal });
        const stream = await connection.newStream(PROTOCOL[channel], { signal });
        if (!this.#running || this.#peers.get(peer.node) !== peer) return connection.abort(new Error('PEER_UNREGISTERED'));
        this.#greet(peer, channel, stream, connection, true);
      }
    } catch (error) {
      this.#options.world.log.debug({ peer: peer.node, attempt: peer.attempts, reason: (error as Error).message }, 'dial failed');
    } finally {
      peer.dialling = false;
      peer.nextDialMs = Math.max(peer.nextDialMs, this.#now() + BACK_OFF_MIN_MS); // time for the hello
    }
  }

  #targets(peer: Peer): Multiaddr[] {
    return targetsOf(peer, this.#options.bootstrap ?? [], this.#options.world.log);
  }

  #closeIdleConnections(): void {
    this.#handshakes.forgetLate();
    const used = new Set<Connection>([...this.#greeting.keys()].map((link) => link.connection));
    for (const peer of this.#peers.values()) for (const link of peer.links.values()) used.add(link.connection);
    const before = this.#options.world.clock.now() - IDLE_CONNECTION_MS; // libp2p stamps its timeline with the time of day
    for (const connection of this.#libp2p.getConnections()) {
      if (!used.has(connection) && connection.timeline.open < before) connection.close().catch(() => connection.abort(new Error('idle')));
    }
  }

  #dialsFirst(node: string): boolean {
    return this.self < node;
  }

  #fallbackMs(): number {
    return this.#options.fallbackDialMs ?? FALLBACK_DIAL_MS;
  }

  #now(): number {
    return this.#options.world.clock.monotonic();
  }
}

function withoutPeer(address: Multiaddr): string {
  const text = address.toString();
  const at = text.indexOf('/p2p/');
  return at === -1 ? text : text.slice(0, at);
}
