/**
 * Gives back the room of bodies that came to nothing: a primary whose views fail leaves one each time, up to `blockBytesMax`, and nobody asks for it again
 * once another block is final at its height (decisions/0002).
 *
 * A segment that is written no more is looked at once its heights are final, and after a start: a body is wanted when the row of its height says this very
 * place. Where more than half is not wanted, the rest is appended again behind all others, one body at a time in one queue with proposals, the ledger is told
 * each new place, and then the segment goes (node/store/segments/swept.ts). A crash leaves copies that the next start counts among what is not wanted.
 *
 * The segment of the head's own body is left alone: what stands behind that body are the proposals that a start looks for (node/chain/pending-bodies.ts).
 */
import { ChainError } from '../errors/index.ts';
import { type ClosedSegment, FRAME_KIND, HEIGHT_UNKNOWN, type Location, type SegmentDamage, segmentOf } from '../store/index.ts';
import type { World } from '../world.ts';
import type { BlockFiles } from './block-files.ts';
import type { BlockStore } from './block-store.ts';
import { ledgerKey } from './keys.ts';
import type { LedgerRepair } from './repair.ts';

/** Rest after each step, ms. */
const REST_MS = 50;
/** Frames or rows looked at in a step. */
const LOOK_STEP = 128;
/** What the disk refused is tried again after so long, ms. */
export const SWEEP_RETRY_MS = 60_000;

export interface Sweep {
  /** Looks at all closed segments, in the background. */
  start(): void;
  /** A block became final. */
  onBlock(): void;
  stop(): Promise<void>;
  /** Since the start. */
  swept(): Swept;
}

export interface Swept {
  readonly segments: number;
  /** Given back, less what was appended again. */
  readonly bytes: number;
}

export interface SweepOptions {
  readonly files: Pick<BlockFiles, 'append' | 'closed' | 'end' | 'frames' | 'sweep'>;
  readonly blocks: Pick<BlockStore, 'blockBytes' | 'bodyLocation' | 'head'>;
  readonly ledger: LedgerRepair;
  readonly world: Pick<World, 'log' | 'timers'>;
}

interface Wanted {
  readonly height: number;
  readonly location: Location;
}

export function createSweep({ files, blocks, ledger, world }: SweepOptions): Sweep {
  /** Segments that were looked at: what is wanted in them stays so. */
  const seen = new Set<number>();
  /** The segment that was being written at the last look, when no other was left to look at. */
  let done: number | undefined;
  let running: Promise<void> | undefined;
  let endRest: (() => void) | undefined;
  let stopping = false;
  let segments = 0;
  let bytes = 0;

  const head = (): number => blocks.head()?.height ?? 0;

  function wake(): void {
    const end = files.end();
    if (stopping || running || end === undefined || segmentOf(end) === done) return;
    running = run(segmentOf(end)).finally(() => {
      running = undefined;
    });
  }

  async function run(written: number): Promise<void> {
    try {
      for (let next = due(); next !== undefined; next = due()) {
        await rest();
        await attempt(next);
      }
      const isAllSeen = files.end() !== undefined && files.closed().every(({ number }) => seen.has(number));
      done = isAllSeen ? written : undefined;
    } catch (error) {
      if (!stopping) world.log.warn({ error: String(error) }, 'block files could not be looked at'); // again with the next block
    }
  }

  async function attempt(segment: ClosedSegment): Promise<void> {
    try {
      await look(segment);
      seen.add(segment.number);
    } catch (error) {
      if (stopping) throw error;
      world.log.warn({ segment: segment.number, error: String(error) }, 'block files could not be swept');
      if (error instanceof ChainError && error.code !== 'STORE_DAMAGED') await rest(SWEEP_RETRY_MS);
      else seen.add(segment.number);
    }
  }

  /** Without a known height the frames say whether it is time. */
  function due(): ClosedSegment | undefined {
    const top = head();
    return files.closed().find(({ number, heightMax }) => !seen.has(number) && (heightMax < top || heightMax === HEIGHT_UNKNOWN));
  }

  async function look(segment: ClosedSegment): Promise<void> {
    const wanted = await wantedIn(segment);
    if (wanted === undefined) return;
    let movedBytes = 0;
    for (const { height, location } of wanted) {
      const moved = await move(height, location);
      if (moved === undefined) return;
      movedBytes += moved;
      await rest();
    }
    const given = await files.sweep(segment.number);
    segments++;
    bytes += given - movedBytes;
    world.log.info({ segment: segment.number, bytes: given, movedCount: wanted.length, movedBytes }, 'block files swept');
  }

  /** Bodies to be kept of a segment that is to go; undefined when it is to stay. */
  async function wantedIn(segment: ClosedSegment): Promise<readonly Wanted[] | undefined> {
    const wanted: Wanted[] = [];
    const unread: SegmentDamage[] = [];
    const top = head();
    let wantedBytes = 0;
    let count = 0;
    for await (const found of files.frames(segment.number)) {
      if (++count % LOOK_STEP === 0) await rest();
      if ('frame' in found) {
        unread.push(found);
        continue;
      }
      const { kind, height, location } = found;
      if (kind === FRAME_KIND.swept) continue;
      if (kind !== FRAME_KIND.body || height >= top) return undefined;
      const stands = blocks.bodyLocation(height);
      if (stands === undefined) return undefined; // every final height has one: its row is lost, and that is for repair
      if (stands !== location) continue;
      wanted.push({ height, location });
      wantedBytes += found.bytes;
      if (2 * wantedBytes >= segment.bytes) return undefined;
    }
    return unread.length > 0 && (await isWanted(unread, top)) ? undefined : wanted;
  }

  /** Whether a row says that a body stands where there is damage: it is for repair to put it back. */
  async function isWanted(damage: readonly SegmentDamage[], top: number): Promise<boolean> {
    for (let height = 1; height <= top; height++) {
      if (height % LOOK_STEP === 0) await rest();
      const stands = blocks.bodyLocation(height);
      if (stands === undefined || damage.some(({ location, bytes: length }) => stands >= location && stands < location + length))
        return true;
    }
    return false;
  }

  /** @returns bytes of the body; undefined when it could not be moved */
  async function move(height: number, location: Location): Promise<number | undefined> {
    if (blocks.bodyLocation(height) !== location) return 0; // repair was quicker
    const body = await blocks.blockBytes(height); // damage of it is told, and repaired
    if (body === undefined) return undefined;
    const key = ledgerKey.body(height);
    const { outcome } = await ledger.repair(key, undefined, await files.append(height, body));
    return outcome === 'repaired' && blocks.bodyLocation(height) !== location ? body.length : undefined;
  }

  /** @throws when all is to stop */
  async function rest(ms = REST_MS): Promise<void> {
    await new Promise<void>((resolve) => {
      const cancel = world.timers.after(ms, resolve);
      endRest = () => {
        cancel();
        resolve();
      };
      if (stopping) endRest();
    });
    if (stopping) throw new ChainError('NODE_STOPPING');
  }

  return {
    start: wake,
    onBlock: wake,
    async stop() {
      stopping = true;
      endRest?.();
      await running;
    },
    swept: () => ({ segments, bytes }),
  };
}
