/** Damage of the segment files: flipped, wiped, missing, cut and exchanged; it is reported and never an answer, and `rewrite` makes it good. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  type Frame,
  frameBytes,
  locate,
  offsetOf,
  SEGMENT_HEADER_BYTES,
  segmentName,
  segmentOf,
} from '../../../../node/store/segments/form.ts';
import type { SegmentStore } from '../../../../node/store/segments/segment-store.ts';
import { SimDirectory, SimFiles } from '../../../simulation/files.ts';
import { assertHolds, damageIn, group, open, openOn, payload, readerOf, scanned, type Written, written } from './segment-cases.ts';

const isDamaged = { code: 'STORE_DAMAGED' };
const NAMES = [1, 2, 3, 4, 5].map(segmentName);

/** Five segments of two groups each but the last, which has one. */
async function build(): Promise<Written> {
  const built = await written([1, 2, 3, 4, 5, 6, 7, 8, 9].map((height) => group(height, 500, 40, 200 + height)));
  assert.deepEqual([...built.files.files.keys()], NAMES);
  return built;
}

const inSegment = (number: number, { locations }: Written) =>
  locations.flatMap((location, i) => (segmentOf(location) === number ? [i] : []));

/** Every location answers with what was written there or with STORE_DAMAGED. @returns frames that are damaged */
async function damagedFrames(store: Pick<SegmentStore, 'read'>, { locations, groups }: Written): Promise<number[]> {
  const places: number[] = [];
  for (const [i, location] of locations.entries())
    await store.read(location).then(
      (frame) => assert.deepEqual({ ...frame }, { ...groups.flat()[i]! }, `frame ${i}`),
      (error) => {
        assert.equal((error as { code?: string }).code, 'STORE_DAMAGED');
        places.push(i);
      },
    );
  return places;
}

interface Expected {
  /** Frames that cannot be read; any when absent. */
  readonly lost?: readonly number[];
  /** False leaves out the mending. */
  readonly mended?: boolean;
}

/** What is damaged is said by the opening or by an examination, the rest is read, and with the lost frames written anew all is as it was. */
async function assertMended(files: SimFiles, built: Written, what: string, { lost, mended = true }: Expected = {}): Promise<void> {
  const { locations, groups } = built;
  const frames = groups.flat();
  const store = await openOn(files, 2);
  assert.equal(store.opened.tornBytes, 0, `${what}: nothing is cut`);
  const places = await damagedFrames(store, built);
  if (lost) assert.deepEqual(places, lost, what);
  const told = [...store.opened.damage, ...(await damageIn(store))];
  for (const i of places) {
    const end = locations[i]! + frameBytes(frames[i]!.payload.length);
    assert.ok(
      told.some((damage) => damage.location <= locations[i]! && damage.location + damage.bytes >= end),
      `${what}: frame ${i} is told`,
    );
  }
  assert.deepEqual(
    (await scanned(store)).map(({ location }) => location),
    locations.filter((_, i) => !places.includes(i)),
    `${what}: the scan goes on behind it`,
  );
  if (!mended) return store.close();
  for (const i of places) await store.rewrite(locations[i]!, frames[i]!);
  await assertHolds(store, groups, `${what}, mended`);
  const next = group(10, 70);
  await store.append(next);
  await store.close();
  files.crash(() => false);
  const again = await openOn(files, 3);
  assert.deepEqual(again.opened, { tornBytes: 0, damage: [] }, `${what}, mended and opened again`);
  await assertHolds(again, [...groups, next], `${what}, mended and opened again`);
  await again.close();
}

test('a bit that turned over at any byte is damage of one frame at most, and is mended', async () => {
  const built = await written(
    [1, 2, 3].map((height) => group(height, 90, 10)),
    SEGMENT_HEADER_BYTES + 300,
  );
  const { files, locations } = built;
  for (const name of [NAMES[0]!, NAMES[1]!]) {
    const { length } = files.bytesOf(name);
    for (let at = 0; at < length; at += (at >= 120 && at < 4_096) || (at >= 4_220 && at < SEGMENT_HEADER_BYTES) ? 971 : 1) {
      const flipped = files.copy();
      flipped.flip(name, at, 1 << (at % 8));
      const hit = locations.findIndex((location, i) => {
        const from = offsetOf(location);
        const end = from + frameBytes(built.groups.flat()[i]!.payload.length) - 1; // an end mark says nothing any more
        return segmentName(segmentOf(location)) === name && at >= from && at < end;
      });
      await assertMended(flipped, built, `${name}, byte ${at}`, { lost: hit < 0 ? [] : [hit], mended: at % 8 === 3 });
    }
  }
});

test('a sector of zeros in the middle is damage, and is mended', async () => {
  const built = await build();
  const { files } = built;
  for (const name of [NAMES[0]!, NAMES[3]!])
    for (let at = 0; at < files.bytesOf(name).length; at += at === 512 ? 3_584 : at === 4_608 ? 3_584 : 512) {
      const wiped = files.copy();
      wipe(wiped, name, at, Math.min(at + 512, files.bytesOf(name).length));
      await assertMended(wiped, built, `${name}, sector at ${at}`);
    }
});

function wipe(disk: SimFiles, name: string, from: number, to: number): void {
  for (let i = from; i < to; i++) disk.flip(name, i, disk.bytesOf(name)[i]!);
}

test('a file that is missing, wiped, emptied, cut or without its header is damage, and is mended', async () => {
  const built = await build();
  const { files } = built;
  for (const [i, name] of NAMES.slice(0, 4).entries()) {
    const { length } = files.bytesOf(name);
    const all = inSegment(i + 1, built);
    const cases: Record<string, [(disk: SimFiles) => void, readonly number[]]> = {
      missing: [(disk) => disk.carryOut({ kind: 'remove', name }), all],
      emptied: [(disk) => disk.carryOut({ kind: 'truncate', name, size: 0 }), all],
      wiped: [(disk) => wipe(disk, name, 0, length), all],
      'wiped behind its header': [(disk) => wipe(disk, name, SEGMENT_HEADER_BYTES, length), all],
      'without its header': [(disk) => wipe(disk, name, 0, SEGMENT_HEADER_BYTES), []],
      'with half a header': [(disk) => wipe(disk, name, 0, 4_096), []],
      'cut within its last frame': [(disk) => disk.carryOut({ kind: 'truncate', name, size: length - 60 }), all.slice(-1)],
      garbage: [(disk) => disk.carryOut({ kind: 'put', name, bytes: payload(5, length) }), all],
    };
    for (const [what, [spoil, lost]] of Object.entries(cases)) {
      const spoilt = files.copy();
      spoil(spoilt);
      await assertMended(spoilt, built, `${name} ${what}`, { lost });
    }
  }
});

test('the newest file wiped or taken away: what was in it is damage or gone, and the store goes on in another', async () => {
  const built = await build();
  const { files, locations } = built;
  const name = NAMES[4]!;
  for (const bytes of [new Uint8Array(files.bytesOf(name).length), payload(5, 12_000)]) {
    const spoilt = files.copy();
    spoilt.carryOut({ kind: 'put', name, bytes });
    const store = await openOn(spoilt, 2);
    assert.deepEqual(store.opened.damage, [
      { location: locate(5, SEGMENT_HEADER_BYTES), bytes: bytes.length - SEGMENT_HEADER_BYTES, frame: undefined },
    ]);
    const [next] = await store.append(group(10, 70));
    assert.equal(segmentOf(next!), 6);
    for (const [i, location] of locations.entries()) if (segmentOf(location) === 5) await store.rewrite(location, built.groups.flat()[i]!);
    assert.deepEqual(await damagedFrames(store, built), []);
    await store.close();
    const again = await openOn(spoilt, 3);
    assert.deepEqual(await damagedFrames(again, built), []);
    await again.close();
  }
});

test('files that changed places, and one of another node or another time, answer nothing; they are kept when theirs are made anew', async () => {
  const built = await build();
  const { files } = built;
  const swapped = files.copy();
  const [second, fourth] = [swapped.bytesOf(NAMES[1]!).slice(), swapped.bytesOf(NAMES[3]!).slice()];
  swapped.carryOut({ kind: 'put', name: NAMES[1]!, bytes: fourth });
  swapped.carryOut({ kind: 'put', name: NAMES[3]!, bytes: second });
  await assertMended(swapped, built, 'swapped', { lost: [...inSegment(2, built), ...inSegment(4, built)] });
  assert.equal([...swapped.files.keys()].filter((name) => name.includes('.damaged-')).length, 2);

  const other = new SimFiles(); // the same blocks of the same chain, stored by another node
  const store = await open(new SimDirectory(other), { seed: 77 });
  for (const frames of built.groups) await store.append(frames);
  await store.close();
  for (const [i, name] of NAMES.slice(0, 4).entries()) {
    const exchanged = files.copy();
    exchanged.carryOut({ kind: 'put', name, bytes: other.bytesOf(name) });
    const reader = readerOf(new SimDirectory(exchanged));
    await damagedFrames(reader, built); // it answers nothing wrong
    await assertMended(exchanged, built, `${name} of another node`, { lost: inSegment(i + 1, built) });
    assert.deepEqual(await damagedFrames(reader, built), [], 'another thread reads what was mended');
  }
  const newest = files.copy();
  newest.carryOut({ kind: 'put', name: NAMES[4]!, bytes: other.bytesOf(NAMES[4]!) });
  const opened = await openOn(newest, 2);
  assert.deepEqual(await damagedFrames(opened, built), inSegment(5, built), 'the newest of another node');
  assert.equal(segmentOf((await opened.append(group(10, 70)))[0]!), 6);
  await opened.close();

  const early = files.copy();
  early.carryOut({
    kind: 'put',
    name: NAMES[2]!,
    bytes: files.bytesOf(NAMES[2]!).slice(0, SEGMENT_HEADER_BYTES + frameBytes(500) + frameBytes(40)),
  });
  await assertMended(early, built, 'an earlier state of a file', { lost: inSegment(3, built).slice(2) });
});

test('right bytes in a wrong place do not pass: frames of one length that changed places, in a segment and between two', async () => {
  const same = [1, 2, 3, 4].map((height) => group(height, 600));
  const { files, locations } = await written(same);
  const size = frameBytes(600);
  const place = (i: number) => ({ name: segmentName(segmentOf(locations[i]!)), at: offsetOf(locations[i]!) });
  const bytesAt = (i: number) => files.bytesOf(place(i).name).slice(place(i).at, place(i).at + size);
  assert.notEqual(place(0).name, place(2).name);
  assert.equal(place(0).at, place(2).at);
  for (const [a, b] of [
    [0, 1],
    [0, 2],
  ] as const) {
    const moved = files.copy();
    moved.carryOut({ kind: 'write', ...place(a), bytes: bytesAt(b) });
    moved.carryOut({ kind: 'write', ...place(b), bytes: bytesAt(a) });
    const store = await openOn(moved, 2);
    for (const [i, location] of locations.entries())
      if (i === a || i === b) await assert.rejects(store.read(location), isDamaged, `frame ${i}`);
      else assert.deepEqual((await store.read(location)).height, i + 1);
    assert.equal((await scanned(store)).length, 2);
    await store.close();
  }
});

test('a payload that looks like a frame is not one, although the head before it is gone', async () => {
  const { files: source } = await written([group(9, 30)]);
  const forged = source.bytesOf(NAMES[0]!).slice(SEGMENT_HEADER_BYTES); // a sound frame, of another place
  const carrier: Frame = {
    kind: 1,
    height: 1,
    payload: Uint8Array.from({ length: 40 * forged.length }, (_, i) => forged[i % forged.length]!),
  };
  const { files } = await written([[carrier], group(2, 50)]);
  files.flip(NAMES[0]!, SEGMENT_HEADER_BYTES + 5);
  const store = await openOn(files, 2);
  assert.deepEqual(
    (await scanned(store)).map(({ height }) => height),
    [2],
  );
  assert.deepEqual(await damageIn(store), [
    { location: locate(1, SEGMENT_HEADER_BYTES), bytes: frameBytes(carrier.payload.length), frame: undefined },
  ]);
  await store.close();
});

test('a damaged group before a torn one is kept, and only the torn one is cut', async () => {
  const before = [group(1, 300), group(2, 200, 150, 80)];
  for (let frame = 0; frame < 3; frame++) {
    const { files, locations } = await written([...before, group(3, 700, 90)]);
    const write = files.calls.findLast((call) => call.kind === 'write')!;
    const torn = (await written(before)).files;
    torn.carryOut({ ...write, bytes: write.bytes.subarray(0, 600) });
    torn.crash(() => true);
    const place = offsetOf(locations[1 + frame]!);
    torn.flip(NAMES[0]!, place + 40);
    const store = await openOn(torn, 2);
    assert.equal(store.opened.tornBytes, 600, `frame ${frame}`);
    assert.deepEqual(
      store.opened.damage.map((damage) => damage.location),
      [locations[1 + frame]],
    );
    await store.rewrite(locations[1 + frame]!, before[1]![frame]!);
    await assertHolds(store, before, `frame ${frame}`);
    await store.close();
  }
});

test('a frame goes back only to where it stood', async () => {
  const { files, locations, groups } = await build();
  const [frame, other] = groups.flat();
  const store = await openOn(files, 2);
  const first = locations[0]!;
  await assert.rejects(store.rewrite(first, { ...frame!, payload: payload(1, 499) }), RangeError);
  await assert.rejects(store.rewrite(first, { ...frame!, height: 2 }), RangeError);
  await assert.rejects(store.rewrite(first + 1, { ...frame!, payload: payload(1, 600) }), RangeError, 'it would cover the next');
  await assert.rejects(store.rewrite(store.end, frame!), RangeError);
  await assert.rejects(store.rewrite(locate(9, SEGMENT_HEADER_BYTES), frame!), RangeError);
  await assert.rejects(store.rewrite(locate(1, 0), frame!), RangeError, 'the header is no place for a frame');
  await store.rewrite(locations[1]!, other!);
  await assertHolds(store, groups, 'unchanged');
  await store.close();
});

test('what was put back is read by whoever read the damage before, and is on disk', async () => {
  const { files, locations, groups } = await build();
  const store = await openOn(files, 2);
  const reader = readerOf(new SimDirectory(files));
  files.flip(NAMES[0]!, offsetOf(locations[0]!) + 100);
  for (const by of [store, reader]) await assert.rejects(by.read(locations[0]!), isDamaged);
  await store.rewrite(locations[0]!, groups.flat()[0]!);
  files.crash(() => false);
  for (const by of [store, reader]) assert.deepEqual((await by.read(locations[0]!)).payload, groups.flat()[0]!.payload);
  reader.close();
  await store.close();
});

test('files of another chain are refused', async () => {
  const { files } = await build();
  await assert.rejects(open(new SimDirectory(files), { chainId: new Uint8Array(32).fill(8) }), { code: 'STORE_FOREIGN' });
});
