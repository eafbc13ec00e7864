/** Crashes of the segment files: at any byte, with any sectors lost, with a full disk; what is read afterwards are whole groups in order. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ChainError } from '../../../../node/errors/index.ts';
import { SEGMENT_HEADER_BYTES } from '../../../../node/store/segments/form.ts';
import { type DiskCall, SimFiles } from '../../../simulation/files.ts';
import { assertHolds, type Group, group, openOn, scanned, written } from './segment-cases.ts';

const isFull = (error: unknown) => error instanceof ChainError && error.code === 'STORE_FULL';

/** After a crash: a prefix of the groups, all that were acknowledged and at most the one that was under way; and it goes on from there. */
async function assertRecovers(files: SimFiles, groups: readonly Group[], acknowledged: number, what: string, more = true): Promise<void> {
  const store = await openOn(files, 2);
  assert.deepEqual(store.opened.damage, [], what);
  const frames = (await scanned(store)).length;
  let whole = 0;
  for (let count = 0; count < frames; whole++) count += groups[whole]!.length;
  assert.ok(whole === acknowledged || whole === acknowledged + 1, `${what}: ${whole} groups, ${acknowledged} acknowledged`);
  await assertHolds(store, groups.slice(0, whole), what);
  if (more) {
    const next = group(99, 300, 40);
    await store.append(next);
    await store.close();
    const again = await openOn(files, 3);
    assert.deepEqual(again.opened, { tornBytes: 0, damage: [] }, what);
    await assertHolds(again, [...groups.slice(0, whole), next], what);
    await again.close();
  } else await store.close();
}

const GROUPS = [group(1, 200, 40), group(2, 700), group(3, 350, 90, 120), group(4, 0, 33), group(5, 1_200, 30), group(6, 90)];

test('killed at any byte of any write, a store holds every acknowledged group, perhaps the one under way, and goes on', async () => {
  const { files, callsAfter } = await written(GROUPS);
  const disk = new SimFiles();
  for (const [n, call] of files.calls.entries()) {
    const acknowledged = callsAfter.filter((calls) => calls <= n).length;
    await assertRecovers(disk.copy(), GROUPS, acknowledged, `before call ${n}`);
    if (call.kind === 'write')
      for (let bytes = 1; bytes <= call.bytes.length; bytes++) {
        const cut = disk.copy();
        cut.carryOut({ ...call, bytes: call.bytes.subarray(0, bytes) });
        await assertRecovers(cut, GROUPS, acknowledged, `call ${n}, ${bytes} bytes`, bytes % 16 === 0);
      }
    disk.carryOut(call);
  }
});

test('whichever sectors of the group under way were lost, a store holds every acknowledged group and that one whole or not at all', async () => {
  const groups = [group(1, 440), group(2, 300, 800, 460, 300), group(3, 1_900), group(4, 10, 20, 30, 600)];
  const { files, callsAfter } = await written(groups, 20_000);
  const disk = new SimFiles();
  for (const [n, call] of files.calls.entries()) {
    disk.carryOut(call);
    const acknowledged = callsAfter.filter((calls) => calls <= n).length;
    const sectors = disk.unsyncedSectors().reduce((sum, count) => sum + count, 0);
    for (let kept = 0; kept < 1 << sectors; kept++) {
      const crashed = disk.copy();
      crashed.crash((_, sector) => ((kept >> sector) & 1) === 1);
      await assertRecovers(crashed, groups, acknowledged, `call ${n}, sectors ${kept.toString(2)}`, kept % 8 === 3);
    }
  }
});

test('what a store holds after its process was killed before a sync outlasts a loss of power', async () => {
  const { files } = await written(GROUPS);
  const killed = new SimFiles();
  const lastSync = files.calls.findLastIndex(({ kind }) => kind === 'sync');
  for (const call of files.calls.slice(0, lastSync)) killed.carryOut(call);
  const store = await openOn(killed, 2);
  await assertHolds(store, GROUPS, 'after the kill');
  killed.crash(() => false); // without another word of the store: no sector that was not synced is left
  await assertHolds(await openOn(killed, 3), GROUPS, 'after the loss of power');
});

test('a group is torn too when only checksums of a long payload were lost', async () => {
  const groups = [group(1, 100), group(2, 3_600_000)]; // its table fills a sector and more
  const { files } = await written(groups, 5_000_000);
  for (let lost = 0; lost < 3; lost++) {
    const crashed = (await written(groups.slice(0, 1))).files;
    for (const call of files.calls.slice(-2, -1)) crashed.carryOut(call);
    crashed.crash((_, sector) => sector !== lost);
    await assertRecovers(crashed, groups, 1, `sector ${lost}`);
  }
});

test('a payload that ends in zeros, or holds sectors of them, is whole when it is', async () => {
  const zeros = { kind: 1, height: 1, payload: new Uint8Array(2_000) };
  const groups: Group[] = [
    [zeros],
    [
      { ...zeros, height: 2 },
      { kind: 2, height: 2, payload: new Uint8Array(700) },
    ],
  ];
  const { files, callsAfter } = await written(groups);
  const disk = new SimFiles();
  for (const [n, call] of files.calls.entries()) {
    const acknowledged = callsAfter.filter((calls) => calls <= n).length;
    if (call.kind === 'write')
      for (let bytes = 1; bytes <= call.bytes.length; bytes += 7) {
        const cut = disk.copy();
        cut.carryOut({ ...call, bytes: call.bytes.subarray(0, bytes) });
        await assertRecovers(cut, groups, acknowledged, `call ${n}, ${bytes} bytes`);
      }
    disk.carryOut(call);
  }
});

test('the bytes of a torn group never become part of a later one', async () => {
  const { files } = await written([group(1, 100)]);
  const torn: Group = group(2, 600, 700);
  const store = await openOn(files);
  await store.append(torn);
  await store.close();
  const write = files.calls.findLast((call): call is Extract<DiskCall, { kind: 'write' }> => call.kind === 'write')!;
  for (let lost = 0; lost < 3; lost++) {
    const crashed = (await written([group(1, 100)])).files;
    crashed.carryOut(write);
    crashed.crash((_, sector) => sector !== lost); // the head of the first frame, or its payload
    const again = await openOn(crashed);
    assert.ok(again.opened.tornBytes > 0);
    const later: Group = group(3, 600, 700); // its second frame would stand where that of the torn group stood
    await again.append(later);
    await again.close();
    const rewrite = crashed.calls.findLast((call): call is Extract<DiskCall, { kind: 'write' }> => call.kind === 'write')!;
    // The same once more, with the power gone before the sync: of the later group only the first frame is there.
    const twice = (await written([group(1, 100)])).files;
    twice.carryOut(write);
    twice.crash((_, sector) => sector !== lost);
    await (await openOn(twice)).close();
    twice.crash(() => false);
    twice.carryOut({ ...rewrite, bytes: rewrite.bytes.subarray(0, 37 + 600) });
    const end = await openOn(twice);
    await assertHolds(end, [group(1, 100)], `sector ${lost}`);
    await end.close();
  }
});

test('a full disk at any byte of any append: it is refused, nothing of it counts, and the next one is taken when there is room', async () => {
  const sizes = (await written(GROUPS)).files;
  const total = [...sizes.files.keys()].reduce((sum, name) => sum + sizes.bytesOf(name).length, 0);
  for (let room = 0; room < total; room += room > SEGMENT_HEADER_BYTES && room < SEGMENT_HEADER_BYTES + 400 ? 1 : 61) {
    const files = new SimFiles();
    files.roomBytes = room;
    const store = await openOn(files);
    const held: Group[] = [];
    let refused = 0;
    for (const frames of GROUPS) {
      const before = files.roomBytes;
      await store.append(frames).then(
        () => held.push(frames),
        (error) => {
          assert.ok(isFull(error), String(error));
          assert.ok([0, SEGMENT_HEADER_BYTES].includes(before - files.roomBytes), 'a group that failed takes no room');
          refused++;
        },
      );
    }
    assert.ok(refused > 0);
    await assertHolds(store, held, `room ${room}`);
    const crashed = files.copy();
    crashed.roomBytes = Number.POSITIVE_INFINITY;
    crashed.crash(() => true);
    await assertRecovers(crashed, held, held.length, `room ${room}, killed`, false);
    files.roomBytes = Number.POSITIVE_INFINITY;
    await store.append(GROUPS[2]!);
    await assertHolds(store, [...held, GROUPS[2]!], `room ${room}, then enough`);
    await store.close();
  }
});

test('what a refused group left behind, when even cutting it off failed, is cut before the next one', async () => {
  const files = new SimFiles();
  const store = await openOn(files);
  await store.append(group(1, 100));
  const { carryOut } = files;
  const failing = group(2, 600, 700);
  files.roomBytes = 1_300;
  files.carryOut = function (call) {
    if (call.kind === 'truncate') throw new ChainError('STORE_IO');
    carryOut.call(this, call);
  };
  await assert.rejects(store.append(failing), isFull);
  files.carryOut = carryOut;
  files.roomBytes = Number.POSITIVE_INFINITY;
  const short = group(3, 50);
  await store.append(short);
  await assertHolds(store, [group(1, 100), short], 'in the same process');
  await store.close();
  const again = await openOn(files, 2);
  assert.deepEqual(again.opened, { tornBytes: 0, damage: [] });
  await assertHolds(again, [group(1, 100), short], 'and after the next start');
  await again.close();
});

test('a group is answered once it is synced, by one write and one sync, and an error of the disk ends all appending', async () => {
  const files = new SimFiles();
  const store = await openOn(files);
  await store.append(group(1, 100, 200, 300));
  assert.deepEqual(
    files.calls.map(({ kind }) => kind),
    ['put', 'write', 'sync'],
  );
  await Promise.all([store.append(group(2, 100)), store.append(group(3, 100))]);
  assert.deepEqual(
    files.calls.slice(3).map(({ kind }) => kind),
    ['write', 'sync', 'write', 'sync'],
  );
  const { carryOut } = files;
  files.carryOut = function (call) {
    if (call.kind === 'sync') throw new ChainError('STORE_IO', { reason: 'EIO' });
    carryOut.call(this, call);
  };
  await assert.rejects(store.append(group(4, 100)), { code: 'STORE_IO' });
  files.carryOut = carryOut;
  await assert.rejects(store.append(group(5, 100)), { code: 'STORE_IO' }, 'nobody knows what the disk holds');
  await store.close();
});

test('a group whose sync failed is not there when the files are opened anew, and what comes next does not rest on it', async () => {
  const files = new SimFiles();
  const store = await openOn(files, 1);
  await store.append(group(1, 100));
  files.syncFails = true;
  await assert.rejects(store.append(group(2, 100)), { code: 'STORE_IO' });
  files.syncFails = false;
  await store.close();
  const again = await openOn(files, 2);
  await again.append(group(3, 100));
  await again.close();
  files.crash(() => false);
  const after = await openOn(files, 3);
  assert.deepEqual(after.opened, { tornBytes: 0, damage: [] });
  await assertHolds(after, [group(1, 100), group(3, 100)], 'after the loss of power');
  await after.close();
});
