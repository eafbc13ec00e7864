/** A network that loses, delays, repeats and parts. One fabric per cluster; each process has its own `SimNetwork` on it. */
import type { AdmittedNode, Channel, Network, PeerStatus } from '../../node/world.ts';
import { FRAME_BYTES_MAX } from '../../node/world.ts';
import type { SeededRandom } from './random.ts';
import type { Scheduler } from './scheduler.ts';

export interface NetworkFaults {
  lossRatio: number;
  duplicateRatio: number;
  delayMinMs: number;
  delayMaxMs: number;
}

export const HEALTHY: NetworkFaults = { lossRatio: 0, duplicateRatio: 0, delayMinMs: 1, delayMaxMs: 8 };

export class Fabric {
  readonly #scheduler: Scheduler;
  readonly #random: SeededRandom;
  readonly #ports = new Map<string, SimNetwork>();
  faults: NetworkFaults = { ...HEALTHY };
  /** Nodes of different groups do not reach each other; without an entry a node is in group 0. */
  readonly groups = new Map<string, number>();
  /** Sees every frame as it leaves its node. */
  onSent: (from: string, to: string, channel: Channel, frame: Uint8Array) => void = () => {};
  framesSent = 0;
  /** Hears every rule that a node says another broke. */
  onReport: (by: string, node: string, code: string) => void = () => {};
  /** Loses single frames on purpose, so that phases tear apart where plain loss rarely does. */
  loses: (from: string, to: string, channel: Channel, frame: Uint8Array) => boolean = () => false;

  constructor(scheduler: Scheduler, random: SeededRandom) {
    this.#scheduler = scheduler;
    this.#random = random;
  }

  attach(port: SimNetwork): void {
    this.#ports.set(port.self, port);
    for (const other of this.#ports.values()) {
      if (other === port) continue;
      other.peerChanged(port.self, 'up');
      port.peerChanged(other.self, 'up');
    }
  }

  detach(port: SimNetwork): void {
    if (this.#ports.get(port.self) !== port) return;
    this.#ports.delete(port.self);
    for (const other of this.#ports.values()) other.peerChanged(port.self, 'down');
  }

  nodes(): string[] {
    return [...this.#ports.keys()];
  }

  transmit(from: string, to: string, channel: Channel, frame: Uint8Array): boolean {
    if (frame.length > FRAME_BYTES_MAX[channel]) throw new RangeError(`Cannot send ${frame.length} bytes on ${channel}`);
    this.framesSent++;
    this.onSent(from, to, channel, frame);
    if (!this.#ports.has(to)) return false;
    if ((this.groups.get(from) ?? 0) !== (this.groups.get(to) ?? 0)) return true; // a partition looks like silence
    const { lossRatio, duplicateRatio, delayMinMs, delayMaxMs } = this.faults;
    if (this.#random.chance(lossRatio) || this.loses(from, to, channel, frame)) return true;
    const copies = this.#random.chance(duplicateRatio) ? 2 : 1;
    for (let i = 0; i < copies; i++) {
      const delay = delayMinMs + this.#random.ratio() * (delayMaxMs - delayMinMs);
      this.#scheduler.after(delay, () => this.#ports.get(to)?.receive(from, channel, frame));
    }
    return true;
  }
}

export class SimNetwork implements Network {
  readonly self: string;
  readonly #fabric: Fabric;
  readonly #frameHandlers: ((from: string, channel: Channel, frame: Uint8Array) => void)[] = [];
  readonly #peerHandlers: ((node: string, state: 'up' | 'down') => void)[] = [];
  readonly reports: { readonly node: string; readonly code: string }[] = [];

  constructor(fabric: Fabric, self: string) {
    this.#fabric = fabric;
    this.self = self;
  }

  start(): Promise<void> {
    this.#fabric.attach(this);
    return Promise.resolve();
  }

  stop(): Promise<void> {
    this.#fabric.detach(this);
    return Promise.resolve();
  }

  send(to: string, channel: Channel, frame: Uint8Array): boolean {
    return this.#fabric.transmit(this.self, to, channel, frame);
  }

  broadcast(channel: Channel, frame: Uint8Array): void {
    for (const node of this.#fabric.nodes()) if (node !== this.self) this.send(node, channel, frame);
  }

  onFrame(handler: (from: string, channel: Channel, frame: Uint8Array) => void): void {
    this.#frameHandlers.push(handler);
  }

  onPeer(handler: (node: string, state: 'up' | 'down') => void): void {
    this.#peerHandlers.push(handler);
  }

  peers(): readonly PeerStatus[] {
    return this.#fabric
      .nodes()
      .filter((node) => node !== this.self)
      .map((node) => ({ node, connected: true, lastSeenMs: 0, address: undefined }));
  }

  admit(_nodes: readonly AdmittedNode[]): void {}

  report(node: string, code: string): void {
    if (this.reports.length < 1_000) this.reports.push({ node, code });
    this.#fabric.onReport(this.self, node, code);
  }

  receive(from: string, channel: Channel, frame: Uint8Array): void {
    for (const handler of this.#frameHandlers) handler(from, channel, frame);
  }

  peerChanged(node: string, state: 'up' | 'down'): void {
    for (const handler of this.#peerHandlers) handler(node, state);
  }
}
