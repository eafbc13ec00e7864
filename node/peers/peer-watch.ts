/** Says which peers were cut off and why, as alarms; each is taken back once the peer has kept to the rules for a while. */
import type { Json } from '../format/index.ts';
import type { Alarm } from '../service.ts';
import type { Network, Timers } from '../world.ts';

export const PEER_CUT_OFF = 'PEER_CUT_OFF';
/** After the time for which a peer was cut off it keeps to the rules for so long before the alarm is taken back, ms. */
export const PEER_CALM_MS = 600_000;

export interface PeerWatch {
  stop(): void;
}

export function watchPeers(options: {
  readonly network: Pick<Network, 'onCutOff'>;
  readonly timers: Pick<Timers, 'after'>;
  readonly raise: (kind: string, severity: Alarm['severity'], detail: Json) => void;
  readonly resolve: (kind: string, about: (detail: Json) => boolean, resolution: Json) => void;
}): PeerWatch {
  const { network, timers, raise, resolve } = options;
  /** By peer. */
  const calming = new Map<string, () => void>();
  network.onCutOff((peer, code, forMs) => {
    raise(PEER_CUT_OFF, 'warning', { peer, code });
    calming.get(peer)?.();
    const calm = (): void => {
      calming.delete(peer);
      resolve(PEER_CUT_OFF, (detail) => (detail as { peer?: unknown }).peer === peer, { by: 'the peer', calmMs: PEER_CALM_MS });
    };
    calming.set(peer, timers.after(forMs + PEER_CALM_MS, calm));
  });
  return {
    stop() {
      for (const cancel of calming.values()) cancel();
    },
  };
}
