/** Handshakes under way, bounded by address: one address cannot take the room of the others. */
import type { Multiaddr } from '@multiformats/multiaddr';
import type { Clock } from '../world.ts';

/** From an inbound connection to the end of its handshakes. */
export const HANDSHAKE_TIMEOUT_MS = 8_000;
/** Handshakes of one address that are under way at once. */
export const HANDSHAKES_PER_ADDRESS_MAX = 32;

export class Handshakes {
  readonly #clock: Pick<Clock, 'monotonic'>;
  /** When they began. */
  readonly #byHost = new Map<string, number[]>();

  constructor(clock: Pick<Clock, 'monotonic'>) {
    this.#clock = clock;
  }

  /** Whether another one may begin; it then has. */
  begin(host: string): boolean {
    const now = this.#clock.monotonic();
    const began = (this.#byHost.get(host) ?? []).filter((at) => at > now - HANDSHAKE_TIMEOUT_MS);
    this.#byHost.set(host, began);
    if (began.length >= HANDSHAKES_PER_ADDRESS_MAX) return false;
    began.push(now);
    return true;
  }

  end(host: string): void {
    this.#byHost.get(host)?.shift();
  }

  /** Forgets the hosts all of whose handshakes are over or too late. */
  forgetLate(): void {
    const since = this.#clock.monotonic() - HANDSHAKE_TIMEOUT_MS;
    for (const [host, began] of this.#byHost) if (began.every((at) => at <= since)) this.#byHost.delete(host);
  }
}

export function hostOf(address: Multiaddr): string {
  return address.toString().split('/').slice(0, 3).join('/'); // /ip4/192.0.2.1
}
