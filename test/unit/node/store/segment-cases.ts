/** What the tests of the segment files share: a world without chance, groups to append, and what a store must hold. */
import assert from 'node:assert/strict';
import type { Frame } from '../../../../node/store/segments/form.ts';
import { SegmentReader, seedsIn } from '../../../../node/store/segments/reader.ts';
import { type LocatedFrame, openSegmentStore, type SegmentStore } from '../../../../node/store/segments/segment-store.ts';
import type { FileDirectory } from '../../../../node/world.ts';
import { SimDirectory, SimFiles } from '../../../simulation/files.ts';
import { SeededRandom } from '../../../simulation/random.ts';

export const CHAIN_ID = new Uint8Array(32).fill(7);
/** Two or three groups of the tests fit beside the header. */
const SMALL_SEGMENT_BYTES = 10_000;

export type Group = readonly Frame[];

export function open(directory: FileDirectory, options: { seed?: number; segmentBytes?: number; chainId?: Uint8Array } = {}) {
  const random = new SeededRandom(options.seed ?? 1);
  return openSegmentStore({
    directory,
    chainId: options.chainId ?? CHAIN_ID,
    world: {
      random: { bytes: (count) => random.bytes(count) },
      timers: {
        after: (_, run) => {
          setImmediate(run);
          return () => undefined;
        },
        every: () => () => undefined,
      },
    },
    segmentBytes: options.segmentBytes ?? SMALL_SEGMENT_BYTES,
  });
}

/** What another thread reads by. */
export const readerOf = (directory: FileDirectory) => new SegmentReader(directory, seedsIn(directory, CHAIN_ID));

export const openOn = (files: SimFiles, seed?: number) => open(new SimDirectory(files), seed === undefined ? {} : { seed });

/** Bytes that are never zero, so that a lost sector is one. */
export function payload(n: number, length: number): Uint8Array {
  return Uint8Array.from({ length }, (_, i) => ((n * 31 + i * 7 + (i >> 8)) & 255) | 1);
}

/** One group a height: body, certificate and change set as large as is said. */
export function group(height: number, ...lengths: readonly number[]): Group {
  return lengths.map((length, i) => ({ kind: i + 1, height, payload: payload(height * 8 + i, length) }));
}

export async function scanned(store: SegmentStore): Promise<LocatedFrame[]> {
  const frames: LocatedFrame[] = [];
  for await (const found of store.scan()) if (!('bytes' in found)) frames.push(found);
  return frames;
}

export async function damageIn(store: SegmentStore) {
  const found = [];
  for await (const damage of store.examine()) found.push(damage);
  return found;
}

const plain = ({ kind, height, payload: bytes }: Frame) => ({ kind, height, payload: Buffer.from(bytes).toString('hex') });

/** The store holds these frames and nothing else, by scan and by location, and nothing in it is damaged. */
export async function assertHolds(store: SegmentStore, groups: readonly Group[], what: string): Promise<void> {
  const frames = await scanned(store);
  assert.deepEqual(frames.map(plain), groups.flat().map(plain), what);
  for (const frame of frames) assert.deepEqual(plain(await store.read(frame.location)), plain(frame), what);
  assert.deepEqual(await damageIn(store), [], what);
}

export interface Written {
  readonly files: SimFiles;
  readonly groups: readonly Group[];
  /** Of the frames in order. */
  readonly locations: readonly number[];
  /** Disk calls made when each append resolved. */
  readonly callsAfter: readonly number[];
}

/** A disk to which the groups were appended. */
export async function written(groups: readonly Group[], segmentBytes = SMALL_SEGMENT_BYTES): Promise<Written> {
  const files = new SimFiles();
  const store = await open(new SimDirectory(files), { segmentBytes });
  const locations: number[] = [];
  const callsAfter: number[] = [];
  for (const frames of groups) {
    locations.push(...(await store.append(frames)));
    callsAfter.push(files.calls.length);
  }
  await store.close();
  return { files, groups, locations, callsAfter };
}
