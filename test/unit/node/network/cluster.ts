/** Networks on loopback for the tests of this folder; not a test itself. */
import { createHash } from 'node:crypto';
import { createCrypto } from '../../../../node/crypto/real-crypto.ts';
import { createLibp2pNetwork, type Libp2pNetwork, type Libp2pNetworkOptions } from '../../../../node/network/libp2p-network.ts';
import { createRealWorld } from '../../../../node/real/world.ts';
import type { AdmittedNode, Channel, Log } from '../../../../node/world.ts';

const quiet: Log = { debug() {}, info() {}, warn() {}, error() {}, child: () => quiet };

export interface Received {
  readonly from: string;
  readonly channel: Channel;
  readonly frame: Uint8Array;
}

export interface TestNode {
  readonly network: Libp2pNetwork;
  readonly frames: Received[];
  readonly peerEvents: string[];
}

export const seedOf = (name: string) => new Uint8Array(createHash('sha256').update(name).digest());

const crypto = createCrypto();
export const realWorld = createRealWorld({
  log: quiet,
  crypto,
  verifier: { verify: async (...check) => crypto.verify(...check), verifyAll: async () => [], stop: async () => undefined },
});

export async function startNode(name: string, options: Partial<Libp2pNetworkOptions> = {}): Promise<TestNode> {
  const network = await createLibp2pNetwork({
    self: name,
    transportSeed: seedOf(name),
    listen: ['/ip4/127.0.0.1/tcp/0'],
    chainId: seedOf('chain'),
    genesisHash: seedOf('genesis'),
    height: () => 5,
    world: realWorld,
    ...options,
  });
  const node: TestNode = { network, frames: [], peerEvents: [] };
  network.onFrame((from, channel, frame) => node.frames.push({ from, channel, frame }));
  network.onPeer((peer, state) => node.peerEvents.push(`${peer} ${state}`));
  await network.start();
  return node;
}

export function listing(nodes: readonly TestNode[]): AdmittedNode[] {
  return nodes.map(({ network }) => ({ node: network.self, transportKey: network.transportKey, addresses: network.addresses }));
}

export const isUp = (node: TestNode, peer: string) => node.network.peers().some((status) => status.node === peer && status.connected);

/** Polls until `condition` holds; throws with `what` after `timeoutMs`. */
export async function until(what: string, condition: () => boolean, timeoutMs = 120_000): Promise<void> {
  const end = performance.now() + timeoutMs;
  while (!condition()) {
    if (performance.now() > end) throw new Error(`Waited ${timeoutMs} ms in vain: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

export async function stopAll(nodes: readonly TestNode[]): Promise<void> {
  await Promise.all(nodes.map(({ network }) => network.stop()));
}
