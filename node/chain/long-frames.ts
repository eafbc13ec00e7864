/**
 * Frames for the engine with so many signatures that one step would hold the voting thread: the new view of 64 validators took it 30 ms, and one of a
 * traitor who collected certificates of many views a quarter of a second. The pool checks what they hold, one frame after another, while the votes of
 * others are heard; the engine then takes it as read. A shell that checks nothing beforehand changes the time a step takes, and no verdict.
 */
import type { Input, SignatureCheck } from '../../consensus/index.ts';
import { VALIDATORS_MAX } from '../format/index.ts';
import { type Frame, FrameInbox, type InboxLimits } from './frame-inbox.ts';
import { FRAME_BYTES_MAX, type World } from '../world.ts';

/** Waiting beside the one that is checked. Of one peer the newest count: who means it says it again. */
const LIMITS: InboxLimits = {
  framesMax: 2 * VALIDATORS_MAX,
  bytesMax: 64 * FRAME_BYTES_MAX.votes,
  framesPerPeerMax: 2,
  bytesPerPeerMax: 2 * FRAME_BYTES_MAX.votes,
};
/** Signatures of one frame that the pool is given at once: a batch of it. */
export const CHECKS_AT_ONCE = 64;

export class LongFrames {
  readonly #waiting: FrameInbox;
  readonly #signaturesOf: (bytes: Uint8Array) => Iterable<SignatureCheck> | undefined;
  readonly #world: Pick<World, 'log' | 'verifier'>;
  /** From the moment a frame's check begins until the engine has taken it. */
  #busy = false;
  #checked: Extract<Input, { kind: 'message' }> | undefined;

  constructor(
    validators: Iterable<string>,
    signaturesOf: (bytes: Uint8Array) => Iterable<SignatureCheck> | undefined,
    world: Pick<World, 'log' | 'verifier'>,
  ) {
    this.#waiting = new FrameInbox(validators, LIMITS);
    this.#signaturesOf = signaturesOf;
    this.#world = world;
  }

  get dropped(): number {
    return this.#waiting.dropped;
  }

  get isChecked(): boolean {
    return this.#checked !== undefined;
  }

  setValidators(validators: Iterable<string>): void {
    this.#waiting.setValidators(validators);
  }

  /** False for a frame that the engine may step as it is. */
  push(frame: Frame): boolean {
    if (!this.#signaturesOf(frame.bytes)) return false;
    this.#waiting.push(frame);
    return true;
  }

  /** Begins with the next frame, if none is under way; resolves when that one can be taken. */
  check(): Promise<void> | undefined {
    const frame = this.#busy || this.#waiting.count === 0 ? undefined : this.#waiting.take();
    if (!frame) return undefined;
    this.#busy = true;
    return this.#check(frame);
  }

  /** A frame whose signatures were checked as far as they hold. */
  take(): Extract<Input, { kind: 'message' }> | undefined {
    const checked = this.#checked;
    if (!checked) return undefined;
    this.#checked = undefined;
    this.#busy = false;
    return checked;
  }

  async #check(frame: Frame): Promise<void> {
    const { verifier, log } = this.#world;
    const valid: SignatureCheck[] = [];
    try {
      for (const checks of inGroups(this.#signaturesOf(frame.bytes) ?? [], CHECKS_AT_ONCE)) {
        const verdicts = await verifier.verifyAll(checks);
        valid.push(...checks.filter((_, i) => verdicts[i]));
        if (verdicts.includes(false)) break; // the engine stops there too
      }
    } catch (error) {
      log.warn({ from: frame.from, error: String(error) }, 'signatures of a frame not checked beforehand');
    }
    this.#checked = { kind: 'message', ...frame, valid };
  }
}

export function* inGroups<T>(items: Iterable<T>, countMax: number): Generator<readonly T[]> {
  let group: T[] = [];
  for (const item of items) {
    group.push(item);
    if (group.length < countMax) continue;
    yield group;
    group = [];
  }
  if (group.length > 0) yield group;
}
