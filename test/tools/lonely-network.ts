/** A Network that reaches nobody, for nodes that stand alone in a test. */
import { ChainError } from '../../node/errors/index.ts';
import type { Network } from '../../node/world.ts';

export function lonelyNetwork(self: string): Network {
  const nothing = (): void => undefined;
  return {
    self,
    start: async () => undefined,
    stop: async () => undefined,
    send: () => true,
    broadcast: nothing,
    queuedBytes: () => 0,
    onFrame: nothing,
    onPeer: nothing,
    peers: () => [],
    admit: nothing,
    visitors: nothing,
    onVisit: nothing,
    visit: async (node) => {
      throw new ChainError('PEER_UNREACHABLE', { peer: node });
    },
    keepQuiet: nothing,
    report: nothing,
    onCutOff: nothing,
  };
}
