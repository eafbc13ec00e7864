/**
 * Frames of peers that wait for the engine. Each sender has a queue of its own and each finds its turn in rotation, so that a sender only ever
 * pushes out and delays its own frames: of those in the way the oldest of the sender who holds the most goes, never the newest of who holds little.
 * Validators share nothing with other nodes, who have little to say to the engine.
 */
import { VALIDATORS_MAX } from '../format/index.ts';
import { FRAME_BYTES_MAX } from '../world.ts';

/** Frames waiting from all validators; a validator's share is this divided by their number: at least 32. */
export const INBOX_FRAMES_MAX = 4_096;
/** Bytes of them: one longest frame of each validator always fits. */
export const INBOX_BYTES_MAX = VALIDATORS_MAX * FRAME_BYTES_MAX.votes;
/** Waiting from one validator, however much room there is. */
export const INBOX_FRAMES_PER_PEER_MAX = 512;
export const INBOX_BYTES_PER_PEER_MAX = 16_777_216;
/** The same for nodes that are no validators here: as many as may be registered, and a longest frame of eight of them. */
export const INBOX_OTHERS_FRAMES_MAX = 1_024;
export const INBOX_OTHERS_BYTES_MAX = 8 * FRAME_BYTES_MAX.votes;
export const INBOX_OTHERS_PER_PEER_MAX = 32;

export interface Frame {
  readonly from: string;
  readonly bytes: Uint8Array;
}

/** What one lane holds at most. */
export interface InboxLimits {
  readonly framesMax: number;
  readonly bytesMax: number;
  readonly framesPerPeerMax: number;
  readonly bytesPerPeerMax: number;
}

/** Of all validators together. */
export const INBOX_LIMITS: InboxLimits = {
  framesMax: INBOX_FRAMES_MAX,
  bytesMax: INBOX_BYTES_MAX,
  framesPerPeerMax: INBOX_FRAMES_PER_PEER_MAX,
  bytesPerPeerMax: INBOX_BYTES_PER_PEER_MAX,
};
const OTHERS: InboxLimits = {
  framesMax: INBOX_OTHERS_FRAMES_MAX,
  bytesMax: INBOX_OTHERS_BYTES_MAX,
  framesPerPeerMax: INBOX_OTHERS_PER_PEER_MAX,
  bytesPerPeerMax: FRAME_BYTES_MAX.votes,
};

export class FrameInbox {
  readonly #validators: Lane;
  readonly #others = new Lane(OTHERS);
  #names: ReadonlySet<string>;
  /** A round of the validators' frames is over: one of the others is due. */
  #othersDue = false;

  constructor(validators: Iterable<string>, limits = INBOX_LIMITS) {
    this.#validators = new Lane(limits);
    this.#names = new Set(validators);
  }

  /** Frames dropped for want of room. */
  get dropped(): number {
    return this.#validators.dropped + this.#others.dropped;
  }

  get count(): number {
    return this.#validators.count + this.#others.count;
  }

  isValidator(node: string): boolean {
    return this.#names.has(node);
  }

  /** Frames that wait stay in the order they have. */
  setValidators(validators: Iterable<string>): void {
    const names = new Set(validators);
    if (names.size === this.#names.size && [...names].every((name) => this.#names.has(name))) return;
    this.#names = names;
    const held = [...this.#validators.drain(), ...this.#others.drain()];
    for (const frame of held) this.push(frame);
  }

  push(frame: Frame): void {
    (this.#names.has(frame.from) ? this.#validators : this.#others).push(frame);
  }

  /** The next frame: each validator in turn, and one of the others after each round of them. */
  take(): Frame | undefined {
    if (this.#othersDue || this.#validators.count === 0) {
      this.#othersDue = false;
      const frame = this.#others.take();
      if (frame) return frame;
    }
    const frame = this.#validators.take();
    this.#othersDue = this.#validators.roundIsOver;
    return frame;
  }
}

interface Sender {
  readonly frames: Frame[];
  bytes: number;
}

class Lane {
  readonly #bounds: InboxLimits;
  /** Senders with frames, the one whose turn it is first. */
  readonly #senders = new Map<string, Sender>();
  /** Senders left in the round under way. */
  #round = 0;
  #bytes = 0;
  count = 0;
  dropped = 0;

  constructor(bounds: InboxLimits) {
    this.#bounds = bounds;
  }

  get roundIsOver(): boolean {
    return this.#round === 0;
  }

  push(frame: Frame): void {
    const { framesMax, bytesMax, framesPerPeerMax, bytesPerPeerMax } = this.#bounds;
    let sender = this.#senders.get(frame.from);
    if (!sender) {
      sender = { frames: [], bytes: 0 };
      this.#senders.set(frame.from, sender);
    }
    sender.frames.push(frame);
    this.#add(sender, 1, frame.bytes.length);
    while (sender.frames.length > framesPerPeerMax || sender.bytes > bytesPerPeerMax) this.#dropOldest(frame.from, sender);
    while (this.count > framesMax) this.#dropOldest(...this.#largest((each) => each.frames.length));
    while (this.#bytes > bytesMax) this.#dropOldest(...this.#largest((each) => each.bytes));
  }

  take(): Frame | undefined {
    for (const [from, sender] of this.#senders) {
      if (this.#round === 0) this.#round = this.#senders.size;
      this.#round--;
      this.#senders.delete(from);
      const frame = sender.frames.shift()!;
      this.#add(sender, -1, -frame.bytes.length);
      if (sender.frames.length > 0) this.#senders.set(from, sender); // behind all others
      return frame;
    }
    return undefined;
  }

  *drain(): Iterable<Frame> {
    for (let frame = this.take(); frame; frame = this.take()) yield frame;
  }

  #largest(sizeOf: (sender: Sender) => number): [string, Sender] {
    let largest: [string, Sender] | undefined;
    for (const entry of this.#senders) if (!largest || sizeOf(entry[1]) > sizeOf(largest[1])) largest = entry;
    return largest!;
  }

  #dropOldest(from: string, sender: Sender): void {
    const oldest = sender.frames.shift()!;
    this.#add(sender, -1, -oldest.bytes.length);
    if (sender.frames.length === 0) this.#senders.delete(from);
    this.dropped++;
  }

  #add(sender: Sender, frames: number, bytes: number): void {
    sender.bytes += bytes;
    this.#bytes += bytes;
    this.count += frames;
  }
}
