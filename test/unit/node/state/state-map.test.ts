import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import { MAP_KEY_BYTES_MAX, toHex, verifyStateProof, verifyStateRange } from '../../../../node/format/index.ts';
import { createStateMap, type MapWrite, type StagedMap, type StateMap } from '../../../../node/state/index.ts';
import {
  after,
  anyKey,
  block,
  digest,
  entriesOf,
  fastHash,
  many,
  type Model,
  modelRoot,
  nextEntry,
  plainHash,
  put,
  sortedEntries,
} from './state-map-model.ts';

const EMPTY: Model = new Map();

function mapOf(model: Model): StateMap {
  const map = createStateMap(fastHash);
  map.commit(map.stage(Array.from(model, ([key, valueHash]) => ({ key, valueHash }))));
  return map;
}

function checkVersion(version: { readonly root: Uint8Array; readonly count: number }, model: Model): void {
  assert.equal(toHex(version.root), modelRoot(model));
  assert.equal(version.count, model.size);
}

function checkHead(map: StateMap, model: Model): void {
  checkVersion({ root: map.root(), count: map.count() }, model);
  const held = map.hold();
  assert.deepEqual(
    entriesOf(held.entries()).map(({ key, valueHash }) => [key, valueHash]),
    sortedEntries(model),
  );
  held.release();
}

test('after any blocks of puts and deletes the root, the count and the entries are those of the definition, with either form of the hash', () => {
  fc.assert(
    fc.property(many(block, 8), fc.constantFrom(plainHash, fastHash), (blocks, hash) => {
      const map = createStateMap(hash);
      let model = EMPTY;
      for (const writes of blocks) {
        map.commit(map.stage(writes));
        model = after(model, writes);
        checkHead(map, model);
      }
      map.commit(map.stage([...model.keys()].map((key) => ({ key, valueHash: undefined }))));
      checkHead(map, EMPTY);
    }),
    { numRuns: 60 },
  );
});

test('the root depends on the set of entries alone, not on the order in which they came', () => {
  fc.assert(
    fc.property(many(block, 4), many(put, 200), fc.nat(40), (blocks, writes, step) => {
      const inParts = createStateMap(fastHash);
      let model = EMPTY;
      for (const part of blocks) {
        inParts.commit(inParts.stage(part));
        model = after(model, part);
      }
      for (let at = 0; at < writes.length; at += step + 1) inParts.commit(inParts.stage(writes.slice(at, at + step + 1)));
      model = after(model, writes);
      assert.equal(toHex(inParts.root()), toHex(mapOf(new Map([...model].reverse())).root()));
    }),
    { numRuns: 40 },
  );
});

test('when all beside one subtree is deleted, what is left is the map of that subtree, whether its parent had other children or an end', () => {
  const left = Array.from(
    { length: 20 },
    (_, i): MapWrite => ({ key: `path\x55${String.fromCharCode(i * 11)}`, valueHash: digest(String(i)) }),
  );
  const alone = mapOf(after(EMPTY, left)).root();
  for (const others of [['path\x54a'], ['path\x65', 'path\x75'], ['path'], ['z'], ['path', 'pa', 'path\x5a', 'q']]) {
    const map = createStateMap(fastHash);
    map.commit(map.stage([...left, ...others.map((key) => ({ key, valueHash: digest(key) }))]));
    const staged = map.stage(others.map((key) => ({ key, valueHash: undefined })));
    assert.equal(toHex(staged.root), toHex(alone), others.join());
  }
});

test('candidates form a tree: each has its own root and entries, and dropping or committing one changes no other that still stands', () => {
  interface Candidate {
    readonly staged: StagedMap;
    readonly model: Model;
    readonly parent: Candidate | undefined;
  }
  const step = fc.record({ writes: block, on: fc.nat(), what: fc.constantFrom('stage', 'stage', 'stage', 'drop', 'commit') });
  fc.assert(
    fc.property(many(step, 16), (steps) => {
      const map = createStateMap(fastHash);
      let head = EMPTY;
      let open: Candidate[] = [];
      const standsOn = (candidate: Candidate | undefined, root: Candidate): boolean =>
        candidate !== undefined && (candidate === root || standsOn(candidate.parent, root));
      for (const { writes, on, what } of steps) {
        const chosen = open.length === 0 ? undefined : open[on % (open.length + 1)];
        if (what === 'drop' && chosen) {
          map.drop(chosen.staged);
          open = open.filter((candidate) => !standsOn(candidate, chosen));
        } else if (what === 'commit' && chosen?.parent === undefined && chosen) {
          map.commit(chosen.staged);
          head = chosen.model;
          open = reparent(
            open.filter((candidate) => candidate !== chosen && standsOn(candidate, chosen)),
            chosen,
          );
        } else {
          const model = after(chosen?.model ?? head, writes);
          open.push({ staged: map.stage(writes, chosen?.staged), model, parent: chosen });
        }
        checkHead(map, head);
        for (const { staged, model } of open) {
          checkVersion(staged, model);
          for (const [key, valueHash] of model) assert.deepEqual(map.has(key, staged), valueHash);
        }
      }
      for (const { staged } of open) map.drop(staged);
      checkHead(map, head);
    }),
    { numRuns: 40 },
  );

  /** What stood on the committed candidate stands on the head now. */
  function reparent(open: readonly Candidate[], committed: Candidate): Candidate[] {
    const now = new Map<Candidate, Candidate>();
    return open.map((candidate) => {
      const parent = candidate.parent === committed ? undefined : now.get(candidate.parent!);
      const moved = { ...candidate, parent };
      now.set(candidate, moved);
      return moved;
    });
  }
});

test('a dropped candidate leaves no memory behind, and a committed one only what it holds', () => {
  const map = createStateMap(fastHash);
  const writes = Array.from({ length: 3_000 }, (_, i): MapWrite => ({ key: `k${toHex(digest(String(i)))}`, valueHash: digest(`${i}`) }));
  map.commit(map.stage(writes));
  const before = map.memory();
  const one = map.stage(writes.map(({ key }, i) => ({ key, valueHash: i % 3 === 0 ? undefined : digest(`x${i}`) })));
  map.stage(
    writes.slice(0, 500).map(({ key }) => ({ key, valueHash: undefined })),
    one,
  );
  map.drop(one);
  const { entryBytes, buckets, branches } = map.memory();
  assert.deepEqual(
    { entryBytes, buckets, branches },
    { entryBytes: before.entryBytes, buckets: before.buckets, branches: before.branches },
  );
  for (let i = 0; i < 30; i++) {
    const beside = map.stage(writes.slice(0, 100).map(({ key }) => ({ key, valueHash: digest(`beside ${i}`) })));
    map.commit(map.stage(writes.slice(0, 1_000).map(({ key }) => ({ key, valueHash: digest(`again ${i}`) }))));
    assert.throws(() => map.has('k', beside), /dropped/);
  }
  const later = map.memory();
  assert.deepEqual([later.entryBytes, later.buckets, later.branches], [before.entryBytes, before.buckets, before.branches]);
  assert.ok(later.bytes < 3 * before.bytes, 'garbage is collected');
  for (const [i, { key }] of writes.entries()) assert.deepEqual(map.has(key), digest(i < 1_000 ? 'again 29' : `${i}`));
});

test('the writes that undo a block bring back every entry with its location, and name the keys that were replaced', () => {
  fc.assert(
    fc.property(many(block, 3), block, (blocks, last) => {
      const map = createStateMap(fastHash);
      for (const writes of blocks) map.commit(map.stage(writes));
      const held = map.hold();
      const before = entriesOf(held.entries());
      held.release();
      const keys = new Set(before.map(({ key }) => key));
      const staged = map.stage(last);
      assert.deepEqual([...staged.replaced], [...new Set(last.map(({ key }) => key))].filter((key) => keys.has(key)).sort());
      map.commit(staged);
      map.commit(map.stage(staged.undo()));
      assert.deepEqual(entriesOf(map.hold().entries()), before);
    }),
    { numRuns: 40 },
  );
});

test('a key that is the path of a branch is replaced, deleted and brought back like any other', () => {
  const below = Array.from(
    { length: 20 },
    (_, i): MapWrite => ({ key: `path${String.fromCharCode(i * 11)}`, valueHash: digest(String(i)) }),
  );
  const map = createStateMap(fastHash);
  commitAll([...below, { key: 'path', valueHash: digest('first'), location: 7 }]);
  for (const valueHash of [digest('second'), undefined]) {
    const before = map.root();
    const staged = map.stage([{ key: 'path', valueHash, location: 8 }]);
    assert.deepEqual([...staged.replaced], ['path']);
    map.commit(staged);
    assert.deepEqual(map.has('path'), valueHash);
    commitAll(staged.undo());
    assert.equal(toHex(map.root()), toHex(before));
    assert.deepEqual(map.find('path'), { valueHash: digest('first'), location: 7 });
  }

  function commitAll(writes: readonly MapWrite[]): void {
    map.commit(map.stage(writes));
  }
});

test('a held version is read to its end whatever is committed meanwhile, and gives its memory back', () => {
  const map = createStateMap(fastHash);
  const writes = Array.from(
    { length: 2_000 },
    (_, i): MapWrite => ({ key: toHex(digest(String(i))), valueHash: digest(`${i}`), location: i }),
  );
  map.commit(map.stage(writes));
  const before = map.memory();
  const held = map.hold();
  const root = toHex(map.root());
  const seen: string[] = [];
  const entries = held.entries();
  for (let entry = nextEntry(entries); entry; entry = nextEntry(entries)) {
    if (seen.length % 9 === 0) map.commit(map.stage(writes.slice(0, 100).map(({ key }) => ({ key, valueHash: digest(`${seen.length}`) }))));
    assert.deepEqual(entry.valueHash, digest(String(entry.location)));
    seen.push(entry.key);
  }
  assert.deepEqual(seen, writes.map(({ key }) => key).sort());
  assert.equal(toHex(held.root), root);
  const last = held.entries();
  nextEntry(last);
  held.release();
  held.release();
  assert.throws(() => nextEntry(last), /released/);
  assert.deepEqual(map.memory().buckets, before.buckets);
  assert.deepEqual(map.memory().entryBytes, before.entryBytes);
});

test('a block is committed only on the state it was staged on', () => {
  const map = createStateMap(fastHash);
  const one = map.stage([{ key: 'a', valueHash: digest('1') }]);
  const other = map.stage([{ key: 'b', valueHash: digest('1') }]);
  const onOne = map.stage([{ key: 'c', valueHash: digest('1') }], one);
  assert.throws(() => map.commit(onOne), /another state/);
  map.commit(one);
  assert.throws(() => map.commit(other), /another state/);
  assert.throws(() => map.commit(one), /another state/);
  assert.throws(() => map.stage([], other), /dropped/);
  const given = map.stage([{ key: 'd', valueHash: digest('1') }]);
  map.drop(given);
  map.drop(given);
  assert.throws(() => map.commit(given), /another state/);
  map.commit(onOne);
  assert.throws(() => map.prove('a', one), /past/);
  assert.equal(map.count(), 2);
});

test('every key is proved present with its value and every other key absent, at the head and at a candidate', () => {
  fc.assert(
    fc.property(many(put, 150), block, many(anyKey, 20), (writes, more, others) => {
      const map = createStateMap(fastHash);
      map.commit(map.stage(writes));
      const staged = map.stage(more);
      const model = after(after(EMPTY, writes), more);
      for (const key of [...model.keys(), ...others]) {
        const valueHash = model.get(key);
        const claim = verifyStateProof(plainHash, staged.root, map.prove(key, staged), key);
        assert.deepEqual(claim, valueHash ? { present: true, valueHash } : { present: false });
        assert.deepEqual(map.has(key, staged), valueHash);
      }
    }),
    { numRuns: 60 },
  );
});

test('a range proof lists the first entries, says whether they are all, and counts the rest exactly', () => {
  fc.assert(
    fc.property(many(put, 200), anyKey, fc.option(anyKey, { nil: undefined }), fc.nat(40), (writes, from, to, limit) => {
      const map = createStateMap(fastHash);
      map.commit(map.stage(writes));
      const all = sortedEntries(after(EMPTY, writes)).map(([key, valueHash]) => ({ key, valueHash }));
      const inside = all.filter(({ key }) => key >= from && (to === undefined || key < to));
      const claim = verifyStateRange(plainHash, map.root(), map.proveRange(from, to, limit), { from, to });
      assert.equal(claim.count, inside.length);
      assert.equal(claim.total, all.length);
      assert.deepEqual(claim.entries, inside.slice(0, claim.entries.length));
      assert.equal(claim.complete, claim.entries.length === inside.length);
      assert.ok(claim.entries.length >= Math.min(limit, inside.length));
    }),
    { numRuns: 60 },
  );
});

test('every entry keeps its location, to the largest there is; another kind of number is refused', () => {
  const map = createStateMap(fastHash);
  const locations = [0, 1, 2 ** 32 - 1, 2 ** 32, 2 ** 40 + 5, Number.MAX_SAFE_INTEGER];
  map.commit(map.stage(locations.map((location) => ({ key: `k${location}`, valueHash: digest(''), location }))));
  for (const location of locations) assert.equal(map.find(`k${location}`)?.location, location);
  for (const location of [-1, 0.5, 2 ** 53]) assert.throws(() => map.stage([{ key: 'a', valueHash: digest(''), location }]), RangeError);
});

test('keys of the greatest length with long shared runs are held and proved; longer, empty and foreign ones are refused', () => {
  const map = createStateMap(fastHash);
  const long = '\u00ff'.repeat(MAP_KEY_BYTES_MAX);
  const keys = Array.from({ length: 60 }, (_, i) => long.slice(0, MAP_KEY_BYTES_MAX - i));
  const model = new Map(keys.map((key) => [key, digest(String(key.length))]));
  map.commit(map.stage(Array.from(model, ([key, valueHash]) => ({ key, valueHash }))));
  checkHead(map, model);
  for (const key of keys) assert.ok(verifyStateProof(plainHash, map.root(), map.prove(key), key).present);
  for (const key of ['', `${long}x`, '\u0100']) assert.throws(() => map.stage([{ key, valueHash: digest('') }]), RangeError);
  assert.throws(() => map.stage([{ key: 'a', valueHash: new Uint8Array(31) }]), RangeError);
});

test('the deepest map there can be is built, proved and undone, and its worst key costs no more than its depth', () => {
  const run = 'x'.repeat(MAP_KEY_BYTES_MAX - 1);
  const lasts = Array.from({ length: 17 }, (_, i) => String.fromCharCode(16 * (i % 16) + (i >> 4)));
  const keys = Array.from({ length: MAP_KEY_BYTES_MAX }, (_, i) => [...lasts, 'x'].map((last) => run.slice(0, i) + last)).flat();
  const map = mapOf(new Map(keys.map((key) => [key, digest(key)])));
  for (const key of [keys.at(-1)!, keys.at(-2)!, `${run}z`, keys[0]!]) {
    const claim = verifyStateProof(plainHash, map.root(), map.prove(key), key);
    assert.deepEqual(claim, keys.includes(key) ? { present: true, valueHash: digest(key) } : { present: false });
    assert.equal(map.has(key) !== undefined, keys.includes(key));
  }
  const all = verifyStateRange(plainHash, map.root(), map.proveRange('', undefined, 100_000), { from: '', to: undefined });
  assert.equal(all.entries.length, keys.length);
  map.commit(map.stage(keys.map((key) => ({ key, valueHash: undefined }))));
  checkHead(map, EMPTY);
  assert.deepEqual([map.memory().buckets, map.memory().branches], [0, 0]);
});
