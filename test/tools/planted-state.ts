/** Planted bugs of the authenticated state: its map in memory, its proofs, and its bytes on disk. See planted-bugs.ts. */
import type { PlantedBug } from './planted-bugs.ts';

const PROOF = 'node/format/state-proof.ts';
const PROOF_TEST = 'test/unit/node/format/state-proof.test.ts';
const MAP = 'node/state/state-map.ts';
const STAGING = 'node/state/staging.ts';
const MAP_TEST = 'test/unit/node/state/state-map.test.ts';
const CHANGES = 'node/state/change-set.ts';
const CHANGES_TEST = 'test/unit/node/state/change-set.test.ts';
const SNAPSHOT = 'node/state/snapshot.ts';
const SNAPSHOT_TEST = 'test/unit/node/state/snapshot.test.ts';
const MERGED = 'node/state/merged-changes.ts';
const MERGED_TEST = 'test/unit/node/state/merged-changes.test.ts';

const proofs: readonly PlantedBug[] = [
  {
    name: 'the root of a state proof may be closed, and states any count',
    from: "    if (kind === STATE_ITEM.closed) throw new DecodeError('the root is closed'); // nothing would cover its count\n",
    to: '',
    only: 'never closed',
  },
  {
    name: 'a state proof of any length is read',
    from: 'if (proof.length > STATE_PROOF_BYTES_MAX)',
    to: 'if (proof.length < 0)',
    only: 'longer than the bound',
  },
  { name: 'a branch of a state proof may lie above its slot', from: 'if (depth < slotDepth || depth', to: 'if (depth', only: 'hostile' },
  { name: 'a branch of a state proof may lie deeper than any key', from: ' || depth > 2 * MAP_KEY_BYTES_MAX)', to: ')', only: 'hostile' },
  {
    name: 'a state proof may lead to another root',
    from: 'if (!equalBytes(top.hash, root))',
    to: 'if (top.hash.length !== root.length)',
    only: 'another root',
  },
  { name: 'a state proof may leave the range half open', from: '  if (!walk.covered) throw notCovered();\n', to: '', only: 'narrower' },
  {
    name: 'bytes that are no state proof end in another error',
    from: 'if (error instanceof DecodeError) throw new StateProofFault(',
    to: 'if (error instanceof RangeError) throw new StateProofFault(',
    only: 'hostile',
  },
  { name: 'entries of a closed subtree are not counted', from: '    else this.count += count;\n', to: '', only: 'narrower' },
  {
    name: 'a closed quad is judged by its first child',
    from: 'relations.size === 1 ? [...relations][0]!',
    to: 'relations.size > 0 ? [...relations][0]!',
    only: 'narrower',
  },
].map((bug) => ({ ...bug, file: PROOF, test: PROOF_TEST }));

const versions: readonly PlantedBug[] = [
  { name: 'a block is committed on another state', file: MAP, from: 'if (next.parent !== head || ', to: 'if (', only: 'only on the state' },
  { name: 'a dropped block is committed', file: MAP, from: " || next.state !== 'staged')", to: ')', only: 'only on the state' },
  {
    name: 'what was staged beside a committed block stays readable',
    file: MAP,
    from: 'if (sibling !== next) drop(sibling);',
    to: 'if (sibling === undefined) drop(sibling);',
    only: 'leaves no memory',
  },
  { name: 'a version of the past is read', file: MAP, from: " || version.state === 'past')", to: ')', only: 'only on the state' },
  {
    name: 'what a dropped candidate made stays in memory',
    file: MAP,
    from: '    free(version.staging!.made);\n',
    to: '',
    only: 'leaves no memory',
  },
  {
    name: 'candidates staged on a dropped one stay',
    file: MAP,
    from: '    for (const child of version.children) drop(child);\n',
    to: '',
    only: 'leaves no memory',
  },
  {
    name: 'what a committed block no longer refers to stays in memory',
    file: MAP,
    from: 'if (holds === 0) free(left);',
    to: 'if (holds < 0) free(left);',
    only: 'leaves no memory',
  },
  {
    name: 'memory of a held version is given back at the next commit',
    file: MAP,
    from: 'if (holds === 0) free(left);',
    to: 'if (holds >= 0) free(left);',
    only: 'held version',
  },
  {
    name: 'a candidate changes the branches of the version it stands on',
    file: STAGING,
    from: 'return this.#make(this.#tree.branches.copy(branch));',
    to: 'return branch;',
    only: 'candidates form a tree',
  },
  {
    name: 'a branch of few entries stays a branch',
    file: STAGING,
    from: 'if (count <= BUCKET_ENTRIES_MAX) this.#collapse',
    to: 'if (count === 0) this.#collapse',
    only: 'any blocks',
  },
  {
    name: 'a branch of one child stays',
    file: STAGING,
    from: 'else if (!this.#lift(branch, out, outAt)) {',
    to: 'else {',
    only: 'all beside one subtree',
  },
  {
    name: 'the quad of a changed child is not hashed again',
    file: STAGING,
    from: 'quads |= 1 << (nibble >> 2);',
    to: 'quads |= 1 << (nibble & 3);',
    only: 'any blocks',
  },
  {
    name: 'the key of a path of several nibbles is not compared with it',
    file: STAGING,
    from: 'if (depth === slotDepth) return this.#updateBranch',
    to: 'if (depth >= slotDepth) return this.#updateBranch',
    only: 'any blocks',
  },
  {
    name: 'the former value of a path that is a key is not kept',
    file: STAGING,
    from: '      this.#batch.replace(write, bytes, body + 3, body + bodyBytesAt(bytes, start));\n',
    to: '',
    only: 'path of a branch',
  },
  {
    name: 'undo forgets locations',
    file: 'node/state/batch.ts',
    from: ', location: readLocation(this.#former, at + DIGEST_BYTES) }',
    to: ' }',
    only: 'undo a block',
  },
  {
    name: 'a moved bucket is looked for where it was',
    file: 'node/state/bucket-log.ts',
    from: '        this.#settle(bucket, to, bytes);\n',
    to: '',
    only: 'leaves no memory',
  },
  {
    name: 'garbage is never collected',
    file: 'node/state/bucket-log.ts',
    from: 'this.#liveBytes / GARBAGE_DIVISOR + ',
    to: 'this.#liveBytes * 1e9 + ',
    only: 'leaves no memory',
  },
  {
    name: 'a record is walked to by the length of another',
    file: 'node/state/bucket-log.ts',
    from: '      at += bytes;\n',
    to: '      at += bytes + UNIT_BYTES;\n',
    only: 'leaves no memory',
  },
].map((bug) => ({ ...bug, test: MAP_TEST }));

const paged: readonly PlantedBug[] = [
  {
    name: 'a damaged page of the map is read',
    file: 'node/state/segments.ts',
    from: 'throw new PagesDamaged(index, page);',
    to: 'continue;',
    only: 'flipped, swapped and lost',
  },
  {
    name: 'the map takes any memory',
    file: 'node/state/segments.ts',
    from: 'while (this.#order.length > most - spare) {',
    to: 'while (this.#order.length > most + 1_000) {',
    only: 'within its memory',
  },
  {
    name: 'a block that meets a damaged page leaves its nodes behind',
    file: MAP,
    from: '      free(staging.made);\n      throw error;\n',
    to: '      throw error;\n',
    only: 'leaves no memory behind',
  },
].map((bug) => ({ ...bug, test: 'test/unit/node/state/page-file.test.ts' }));

const onDisk: readonly PlantedBug[] = [
  {
    name: 'a damaged change set is read',
    file: CHANGES,
    from: "throw damaged('its hash differs');",
    to: 'body.length;',
    only: 'any byte changed',
  },
  {
    name: 'a change set of a later form is read',
    file: CHANGES,
    from: 'if (form !== FORM)',
    to: 'if (form < 0)',
    only: 'another form',
  },
  {
    name: 'a change set names a key twice',
    file: CHANGES,
    from: "    if (key <= previous) throw new DecodeError('keys are out of order');\n",
    to: '',
    only: 'another form',
  },
  {
    name: 'a change set holds a key the map cannot hold',
    file: CHANGES,
    from: 'if (length > MAP_KEY_BYTES_MAX)',
    to: 'if (length < 0)',
    only: 'another form',
  },
].map((bug) => ({ ...bug, test: CHANGES_TEST }));

const snapshots: readonly PlantedBug[] = [
  { name: 'a damaged snapshot is read', from: "throw damaged('a hash differs');", to: 'bytes.length;', only: 'any byte changed' },
  {
    name: 'frames of a snapshot may change places',
    from: "hashTagged(crypto, 'map-snapshot', before, bytes)",
    to: "hashTagged(crypto, 'map-snapshot', bytes)",
    only: 'many frames',
  },
  {
    name: 'a snapshot of a later form is read',
    from: 'if (bytes[0] !== FORM)',
    to: 'if (bytes.length === 0)',
    only: 'well hashed',
  },
  {
    name: 'a snapshot holds another count than it states',
    from: 'if (count !== countStated)',
    to: 'if (count < 0)',
    only: 'well hashed',
  },
  {
    name: 'a snapshot leads to another root',
    from: "  if (changes.length === 0 && !equalBytes(map.root(), head.root)) throw damaged('its entries lead to another root');\n",
    to: '',
    only: 'well hashed',
  },
  { name: 'bytes may follow a snapshot', from: "throw damaged('bytes behind the end');", to: 'count;', only: 'any byte changed' },
  {
    name: 'a snapshot is read out of order',
    from: "    if (compareBytes(key, previous) <= 0) throw damaged('keys are out of order');\n",
    to: '',
    only: 'well hashed',
  },
  {
    name: 'a snapshot has memory taken for any length it states',
    from: 'if (size > FRAME_BYTES_MAX)',
    to: 'if (size < 0)',
    only: 'well hashed',
  },
  { name: 'an entry of a snapshot may be cut off', from: "throw damaged('an entry is cut off');", to: 'key.length;', only: 'well hashed' },
  {
    name: 'a snapshot is written out of order',
    from: "    if (last >= 0 && !isKeyBefore(frame, last, at)) throw new Error('Cannot write a snapshot of entries out of order');\n",
    to: '',
    only: 'not written to its end',
  },
  {
    name: 'the first entry of a frame may stand before the last of the frame before',
    from: 'if (last >= 0 &&',
    to: 'if (last >= 0 && at > 4 &&',
    only: 'across frames',
  },
  {
    name: 'a snapshot is written with another count than it states',
    from: 'if (count !== head.count)',
    to: 'if (count < 0)',
    only: 'not written to its end',
  },
].map((bug) => ({ ...bug, file: SNAPSHOT, test: SNAPSHOT_TEST }));

const EXECUTOR = 'node/ledger/executor.ts';
const EXECUTOR_TEST = 'test/unit/node/ledger/executor-pages.test.ts';

const pages: readonly PlantedBug[] = [
  {
    name: 'a damaged page is the end of the map',
    file: EXECUTOR,
    from: '      await loadMap(versions.final, error);\n',
    to: '',
    test: EXECUTOR_TEST,
    only: 'load the map again',
  },
  {
    name: 'candidates outlive the map they stand on',
    file: EXECUTOR,
    from: '    versions = createVersions(map, finalReads, { hash, header, headerBytes, configuration }, deps.versionsMax);\n    deps',
    to: '    deps',
    test: EXECUTOR_TEST,
    only: 'executed again',
  },
  {
    name: 'a page that meets damage at a commit leaves the map behind the store',
    file: EXECUTOR,
    from: '      await loadMap(candidate, error); // the block is stored\n',
    to: '',
    test: EXECUTOR_TEST,
    only: 'collects garbage',
  },
  {
    name: 'a snapshot that met damage is tried again for ever',
    file: 'node/ledger/map-rows.ts',
    from: '        if (error instanceof PagesDamaged) lost = error;\n',
    to: '',
    test: 'test/unit/node/ledger/map-rows.test.ts',
    only: 'tells so',
  },
  {
    name: 'a snapshot under way at the stop holds back the last one',
    file: 'node/ledger/map-rows.ts',
    from: '      untilMs = clock.monotonic() + LAST_SNAPSHOT_MS_MAX;\n',
    to: '',
    test: 'test/unit/node/ledger/map-rows.test.ts',
    only: 'writes a last snapshot',
  },
  {
    name: 'a timer that is begun anew by itself runs for ever in one turn',
    file: 'node/real/world.ts',
    from: 'for (const run of [...runs]) if',
    to: 'for (const run of runs) if',
    test: 'test/unit/node/real/world.test.ts',
    only: 'begins anew within its own period',
  },
  {
    name: 'an executor whose opening failed cannot be stopped',
    file: EXECUTOR,
    from: '  let stop = (): Promise<void> => mapRows.stop();\n',
    to: '  let stop = (): Promise<void> => mapRows.finish(map, versions.final.height);\n',
    test: 'test/unit/node/ledger/map-rows.test.ts',
    only: 'whose opening failed',
  },
  {
    name: 'an executor that stops leaves all it has written to the next start',
    file: EXECUTOR,
    from: '    stop = () => mapRows.finish(map, versions.final.height);\n',
    to: '',
    test: 'test/unit/node/ledger/map-rows.test.ts',
    only: 'an executor that stops',
  },
  {
    name: 'a full page file loses what it did not take',
    file: 'node/state/segments.ts',
    from: '      this.#file.write(index * SEGMENT_BYTES, memory);\n',
    to: '      try {\n        this.#file.write(index * SEGMENT_BYTES, memory);\n      } catch {}\n',
    test: 'test/unit/node/state/page-file.test.ts',
    only: 'page file that is full',
  },
  {
    name: 'nobody hears that a page file that was full takes pages again',
    file: 'node/state/tree.ts',
    from: '      if (moved > 0) this.#onWritten();\n',
    to: '',
    test: 'test/unit/node/state/page-file.test.ts',
    only: 'page file that is full',
  },
  {
    name: 'a full page file fails the block that is on disk',
    file: 'node/state/tree.ts',
    from: '      this.#onFault(error);\n',
    to: '      throw error;\n',
    test: 'test/unit/node/state/page-file.test.ts',
    only: 'page file that is full',
  },
  {
    name: 'the record read last outlives its bucket',
    file: 'node/state/bucket-log.ts',
    from: '    this.#readBucket = 0;\n    const garbage',
    to: '    const garbage',
    test: 'test/unit/node/state/page-file.test.ts',
    only: 'number of the one read last',
  },
  {
    name: 'a map made from the values stays in memory whole',
    file: 'node/ledger/map-rows.ts',
    from: '    return room ? fromRows(height) : made;\n',
    to: '    return made;\n',
    test: 'test/unit/node/ledger/map-rows.test.ts',
    only: 'within its memory as well',
  },
];

const merged: readonly PlantedBug[] = [
  {
    name: 'of two changes of one key the earlier counts',
    file: MERGED,
    from: '(order === 0 && a.order > b.order)',
    to: '(order === 0 && a.order < b.order)',
    test: MERGED_TEST,
  },
  {
    name: 'what an earlier set wrote under a key is taken after what a later one did',
    file: MERGED,
    from: 'do this.#step();\n    while (this.isAt(bytes, keyAt, keyLength));',
    to: 'if (keyAt + keyLength <= bytes.length) this.#step();',
    test: MERGED_TEST,
  },
  {
    name: 'an entry that was written since stays beside what replaced it',
    file: MERGED,
    from: 'if (!isReplaced) this.#put(',
    to: 'this.#put(',
    test: MERGED_TEST,
  },
  {
    name: 'a key that was deleted since is put',
    file: MERGED,
    from: 'if (puts) this.#put(',
    to: 'if (puts || keyLength > 0) this.#put(',
    test: MERGED_TEST,
  },
  {
    name: 'what was written behind the last entry of a snapshot is lost',
    file: MERGED,
    from: '    while (this.#changes.at !== undefined) this.#takeChange();\n',
    to: '',
    test: MERGED_TEST,
  },
  {
    name: 'a batch that is full takes more',
    file: MERGED,
    from: '    if (this.#batch.isFull) this.#flush();\n',
    to: '',
    test: MERGED_TEST,
    only: 'across the frames',
  },
  {
    name: 'a start leaves out what it does not merge',
    file: 'node/ledger/map-rows.ts',
    from: '    if (count > 0) apply();\n',
    to: '',
    test: 'test/unit/node/ledger/map-rows.test.ts',
    only: 'beyond what is merged',
  },
  {
    name: 'a start from a snapshot leaves out what was written since',
    file: 'node/ledger/map-rows.ts',
    from: 'loadSnapshot(hash, frames(at), room, changes)',
    to: 'loadSnapshot(hash, frames(at), room, changes.slice(0, 0))',
    test: 'test/unit/node/ledger/map-rows.test.ts',
    only: 'written since',
  },
];

export const plantedState: readonly PlantedBug[] = [...pages, ...proofs, ...versions, ...paged, ...onDisk, ...snapshots, ...merged];
