/** A network that loses, delays, repeats and parts. One fabric per cluster; each process has its own `SimNetwork` on it. */
import { ChainError } from '../../node/errors/index.ts';
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
  /** Two nodes that have found no way to each other yet. */
  #apart: readonly string[] = [];
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
    for (const other of this.#ports.values()) if (other !== port && this.#meet(port, other)) tell(other, port, 'up');
  }

  detach(port: SimNetwork): void {
    if (this.#ports.get(port.self) !== port) return;
    this.#ports.delete(port.self);
    for (const other of this.#ports.values()) if (this.#meet(port, other)) other.peerChanged(port.self, 'down');
  }

  /** `port` admits others than before: connections end and begin. */
  readmit(port: SimNetwork, change: () => void): void {
    const others = this.#ports.get(port.self) === port ? [...this.#ports.values()].filter((other) => other !== port) : [];
    const before = others.map((other) => this.#meet(port, other));
    change();
    for (const [i, other] of others.entries()) if (before[i] !== this.#meet(port, other)) tell(other, port, before[i] ? 'down' : 'up');
  }

  /** Two nodes, none of which runs yet, find no way to each other until `bringTogether`. */
  keepApart(a: string, b: string): void {
    this.#apart = [a, b];
  }

  bringTogether(): void {
    const ports = this.#apart.flatMap((node) => this.#ports.get(node) ?? []);
    this.#apart = [];
    if (ports[0] && ports[1]) tell(ports[0], ports[1], 'up');
  }

  /** Nodes that `port` has a connection with. */
  met(port: SimNetwork): string[] {
    return [...this.#ports.values()].filter((other) => other !== port && this.#meet(port, other)).map((other) => other.self);
  }

  nodes(): string[] {
    return [...this.#ports.keys()];
  }

  transmit(from: string, to: string, channel: Channel, frame: Uint8Array): boolean {
    if (frame.length > FRAME_BYTES_MAX[channel]) throw new RangeError(`Cannot send ${frame.length} bytes on ${channel}`);
    this.framesSent++;
    this.onSent(from, to, channel, frame);
    const ends = [this.#ports.get(from), this.#ports.get(to)] as const;
    if (!ends[0] || !ends[1] || !this.#meet(ends[0], ends[1])) return false;
    if ((this.groups.get(from) ?? 0) !== (this.groups.get(to) ?? 0)) return true; // a partition looks like silence
    const { lossRatio, duplicateRatio, delayMinMs, delayMaxMs } = this.faults;
    if (this.#random.chance(lossRatio) || this.loses(from, to, channel, frame)) return true;
    const copies = this.#random.chance(duplicateRatio) ? 2 : 1;
    for (let i = 0; i < copies; i++) {
      const delay = delayMinMs + this.#random.ratio() * (delayMaxMs - delayMinMs);
      this.#scheduler.after(delay, () => {
        const port = this.#ports.get(to);
        if (port?.admits(from)) port.receive(from, channel, frame);
      });
    }
    return true;
  }

  /** A question over a connection of its own, to a node that may have no other with this one; undefined where no answer comes. */
  async ask(from: string, to: string, question: Uint8Array): Promise<Uint8Array | undefined> {
    const crosses = async (): Promise<boolean> => {
      const { lossRatio, delayMinMs, delayMaxMs } = this.faults;
      const isLost = this.#random.chance(lossRatio);
      await new Promise<void>(
        (resolve) => void this.#scheduler.after(delayMinMs + this.#random.ratio() * (delayMaxMs - delayMinMs), resolve),
      );
      return !isLost && (this.groups.get(from) ?? 0) === (this.groups.get(to) ?? 0);
    };
    const host = (await crosses()) ? this.#ports.get(to) : undefined;
    const answer = await host?.answerVisit(from, question);
    return answer && (await crosses()) ? answer : undefined;
  }

  /** Each refuses whoever it was not told to admit, so a connection takes both. */
  #meet(a: SimNetwork, b: SimNetwork): boolean {
    return a.admits(b.self) && b.admits(a.self) && !(this.#apart.includes(a.self) && this.#apart.includes(b.self));
  }
}

function tell(a: SimNetwork, b: SimNetwork, state: 'up' | 'down'): void {
  a.peerChanged(b.self, state);
  b.peerChanged(a.self, state);
}

export class SimNetwork implements Network {
  readonly self: string;
  readonly #fabric: Fabric;
  readonly #frameHandlers: ((from: string, channel: Channel, frame: Uint8Array) => void)[] = [];
  readonly #peerHandlers: ((node: string, state: 'up' | 'down') => void)[] = [];
  readonly reports: { readonly node: string; readonly code: string }[] = [];
  /** Undefined until somebody says: everyone. */
  #admitted: ReadonlySet<string> | undefined;
  #visitors: ReadonlySet<string> = new Set();
  #visitHandler: ((from: string, question: Uint8Array) => Promise<Uint8Array | undefined>) | undefined;

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
    const met = this.#fabric.met(this);
    const apart = [...(this.#admitted ?? [])].filter((node) => node !== this.self && !met.includes(node)).sort();
    const status = (node: string, connected: boolean): PeerStatus => ({ node, connected, lastSeenMs: 0, address: undefined });
    return [...met.map((node) => status(node, true)), ...apart.map((node) => status(node, false))];
  }

  queuedBytes(): number {
    return 0; // a frame is on its way at once
  }

  visitors(nodes: readonly Omit<AdmittedNode, 'addresses'>[]): void {
    this.#visitors = new Set(nodes.map(({ node }) => node));
  }

  onVisit(handler: (from: string, question: Uint8Array) => Promise<Uint8Array | undefined>): void {
    this.#visitHandler = handler;
  }

  async visit(node: string, question: Uint8Array): Promise<Uint8Array> {
    const answer = await this.#fabric.ask(this.self, node, question);
    if (answer === undefined) throw new ChainError('PEER_UNREACHABLE', { peer: node });
    return answer;
  }

  async answerVisit(from: string, question: Uint8Array): Promise<Uint8Array | undefined> {
    return this.#visitors.has(from) ? this.#visitHandler?.(from, question) : undefined;
  }

  keepQuiet(): void {} // connections come about without dialling

  onCutOff(): void {} // nobody is cut off

  admit(nodes: readonly AdmittedNode[]): void {
    this.#fabric.readmit(this, () => {
      this.#admitted = new Set(nodes.map(({ node }) => node));
    });
  }

  admits(node: string): boolean {
    return this.#admitted?.has(node) ?? true;
  }

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
