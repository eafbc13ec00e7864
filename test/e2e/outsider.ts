/** A libp2p node of the project's own protocol, with any name and key, beside a devnet: what a stranger or a traitor would run. */
import { randomBytes } from 'node:crypto';
import { fromHex } from '../../node/format/index.ts';
import { createLibp2pNetwork, type Libp2pNetwork } from '../../node/network/index.ts';
import type { ProbeContext } from '../conformance/context.ts';

/** What a handshake names. */
export interface ChainIdentity {
  /** Hexadecimal, both. */
  readonly chainId: string;
  readonly genesisHash: string;
}

/** @param transportSeed Ed25519 seed, 32 bytes. It dials every node of the genesis; stop it when done. */
export async function outsider(
  context: ProbeContext,
  chain: ChainIdentity,
  node: string,
  transportSeed: Uint8Array,
): Promise<Libp2pNetwork> {
  const log = { debug() {}, info() {}, warn() {}, error() {}, child: () => log };
  const network = await createLibp2pNetwork({
    self: node,
    transportSeed,
    listen: ['/ip4/127.0.0.1/tcp/0'],
    chainId: fromHex(chain.chainId),
    genesisHash: fromHex(chain.genesisHash),
    height: () => 0,
    fallbackDialMs: 0,
    world: {
      log,
      clock: { now: () => Date.now(), monotonic: () => performance.now() },
      random: { bytes: (count) => new Uint8Array(randomBytes(count)) },
      timers: {
        after(ms, run) {
          const timer = setTimeout(run, ms);
          return () => clearTimeout(timer);
        },
        every(ms, run) {
          const timer = setInterval(run, ms);
          return () => clearInterval(timer);
        },
      },
    },
  });
  network.admit(
    context.genesis.nodes.map((entry) => ({ node: entry.id, transportKey: fromHex(entry.transportKey), addresses: entry.addresses })),
  );
  await network.start();
  return network;
}
