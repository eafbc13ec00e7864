import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import test from 'node:test';
import fc from 'fast-check';
import { ChainError } from '../../../../node/errors/index.ts';
import { MAP_KEY_BYTES_MAX, toHex, verifyMapProof, verifyRangeProof } from '../../../../node/format/index.ts';
import { createStateMap, type MapWrite, type StagedMap, type StateMap } from '../../../../node/ledger/state-map.ts';
import { modelRoot } from './state-map-model.ts';

const PREFIX = 'm';
const crypto = { hash: (data: Uint8Array) => new Uint8Array(createHash('sha256').update(data).digest()) };
const withText = { ...crypto, hashText: (data: Uint8Array) => createHash('sha256').update(data).digest('binary') };
const digest = (text: string) => crypto.hash(Buffer.from(text));

/** A map over rows in memory, written as the executor writes them. */
class Bed {
  readonly rows = new Map<string, Uint8Array>();
  readonly model = new Map<string, Uint8Array>();
  map: StateMap;

  constructor(cacheNodesMax = 1000) {
    this.map = this.open(cacheNodesMax);
  }

  open(cacheNodesMax = 1000, hash: typeof crypto = crypto): StateMap {
    return createStateMap({ get: (key) => this.rows.get(key) }, hash, PREFIX, { cacheNodesMax });
  }

  write(staged: StagedMap): void {
    for (const { key, value } of staged.operations) {
      assert.ok(key.startsWith(PREFIX));
      if (value) this.rows.set(key, value.slice());
      else this.rows.delete(key);
    }
    this.map.commit(staged);
  }

  apply(writes: readonly MapWrite[]): void {
    this.write(this.map.stage(writes));
    applyTo(this.model, writes);
  }

  check(): void {
    assert.equal(toHex(this.map.root()), modelOf(this.model));
    assert.equal(this.map.count(), this.model.size);
  }
}

function applyTo(model: Map<string, Uint8Array>, writes: readonly MapWrite[]): void {
  for (const { key, valueHash } of writes) {
    if (valueHash) model.set(key, valueHash);
    else model.delete(key);
  }
}

function modelOf(model: Map<string, Uint8Array>): string {
  return modelRoot(Array.from(model, ([key, valueHash]) => ({ key, valueHash })));
}

// Few letters and short keys, so that prefixes of one another, shared runs and deletions that meet something are the rule.
const unit = fc.constantFrom(0x00, 0x01, 0x10, 0x11, 0x1f, 0xf0, 0xff);
const shortKey = fc.array(unit, { minLength: 1, maxLength: 5 }).map((units) => String.fromCharCode(...units));
const deepKey = fc.tuple(fc.constantFrom('', 'records', 'records\0aaaaaaaaaaaa'), shortKey).map(([run, key]) => run + key);
const wideKey = fc.uint8Array({ minLength: 1, maxLength: 3 }).map((bytes) => String.fromCharCode(...bytes));
const anyKey = fc.oneof(shortKey, deepKey, wideKey);
const put = fc.tuple(anyKey, fc.nat(50)).map(([key, value]): MapWrite => ({ key, valueHash: digest(String(value)) }));
const change = fc.oneof({ weight: 3, arbitrary: put }, { weight: 2, arbitrary: anyKey.map((key) => ({ key, valueHash: undefined })) });
const block = fc.array(change, { maxLength: 40 });

test('after any blocks of puts and deletes the root and count are those of the definition, over a cache of any size', () => {
  fc.assert(
    fc.property(fc.array(block, { minLength: 1, maxLength: 6 }), fc.constantFrom(2, 8, 1000), (blocks, cacheNodesMax) => {
      const bed = new Bed(cacheNodesMax);
      for (const writes of blocks) {
        bed.apply(writes);
        bed.check();
      }
      const reopened = bed.open();
      assert.equal(toHex(reopened.root()), toHex(bed.map.root()));
      assert.equal(reopened.count(), bed.map.count());
    }),
    { numRuns: 120 },
  );
});

test('the rows on disk depend on the set of entries alone, not on the order in which they came', () => {
  fc.assert(
    fc.property(fc.array(change, { maxLength: 60 }), fc.array(fc.nat(59), { maxLength: 4 }), (writes, cuts) => {
      const inParts = new Bed();
      let from = 0;
      for (const to of [...cuts.map((cut) => Math.min(cut, writes.length)), writes.length].sort((a, b) => a - b)) {
        inParts.apply(writes.slice(from, to));
        from = to;
      }
      const atOnce = new Bed();
      atOnce.apply(Array.from(inParts.model, ([key, valueHash]) => ({ key, valueHash })).reverse());
      assert.deepEqual([...inParts.rows].sort(), [...atOnce.rows].sort());
    }),
    { numRuns: 80 },
  );
});

test('staging changes nothing, blocks staged on one another commit in order, and old values staged again undo them', () => {
  fc.assert(
    fc.property(block, block, block, (first, second, third) => {
      const bed = new Bed(8);
      bed.apply(first);
      const rows = new Map(bed.rows);
      const before = new Map(bed.model);
      const one = bed.map.stage(second);
      const two = bed.map.stage(third, one);
      assert.deepEqual(bed.rows, rows);
      bed.check();
      const afterOne = new Map(before);
      applyTo(afterOne, second);
      const afterTwo = new Map(afterOne);
      applyTo(afterTwo, third);
      assert.equal(toHex(one.root), modelOf(afterOne));
      assert.equal(toHex(two.root), modelOf(afterTwo));
      assert.equal(two.count, afterTwo.size);
      for (const key of afterTwo.keys()) assert.ok(bed.map.has(key, two));
      bed.write(one);
      bed.write(two);
      const touched = new Set([...second, ...third].map((write) => write.key));
      bed.write(bed.map.stage([...touched].map((key) => ({ key, valueHash: before.get(key) }))));
      bed.check();
      assert.deepEqual([...bed.rows].sort(), [...rows].sort());
    }),
    { numRuns: 80 },
  );
});

test('a staged map that does not stand on the committed one is not committed', () => {
  const bed = new Bed();
  const one = bed.map.stage([{ key: 'a', valueHash: digest('1') }]);
  const other = bed.map.stage([{ key: 'b', valueHash: digest('1') }]);
  bed.write(one);
  assert.throws(() => bed.map.commit(other), /staged on another state/);
});

test('every key is proved present with its value and every other key absent', () => {
  fc.assert(
    fc.property(fc.array(put, { maxLength: 40 }), fc.array(anyKey, { maxLength: 20 }), (writes, others) => {
      const bed = new Bed();
      bed.apply(writes);
      const root = bed.map.root();
      for (const key of [...bed.model.keys(), ...others]) {
        const valueHash = bed.model.get(key);
        const claim = verifyMapProof(crypto, root, bed.map.prove(key), key);
        assert.deepEqual(claim, valueHash ? { present: true, valueHash } : { present: false });
        assert.deepEqual(bed.map.has(key), valueHash);
      }
    }),
    { numRuns: 80 },
  );
});

test('a range proof lists the first entries, says whether they are all, and counts the rest exactly', () => {
  fc.assert(
    fc.property(fc.array(put, { maxLength: 60 }), anyKey, fc.option(anyKey, { nil: undefined }), fc.nat(20), (writes, from, to, limit) => {
      const bed = new Bed();
      bed.apply(writes);
      const inside = [...bed.model].filter(([key]) => key >= from && (to === undefined || key < to)).sort(([a], [b]) => (a < b ? -1 : 1));
      const claim = verifyRangeProof(crypto, bed.map.root(), bed.map.proveRange(from, to, limit), from, to);
      assert.equal(claim.count, inside.length);
      const listed = inside.map(([key, valueHash]) => ({ key, valueHash }));
      assert.deepEqual(claim.entries, listed.slice(0, claim.entries.length));
      assert.equal(claim.complete, claim.entries.length === inside.length);
      assert.ok(claim.entries.length >= Math.min(limit, inside.length));
    }),
    { numRuns: 120 },
  );
});

test('the fast hash gives the same roots as the plain one', () => {
  const bed = new Bed();
  bed.apply(Array.from({ length: 500 }, (_, i) => ({ key: `k${i * 7919}`, valueHash: digest(String(i)) })));
  const fast = bed.open(1000, withText);
  assert.equal(toHex(fast.root()), toHex(bed.map.root()));
  const more = [{ key: 'k3', valueHash: digest('x') }];
  assert.equal(toHex(fast.stage(more).root), toHex(bed.map.stage(more).root));
});

test('keys of the greatest length with long shared runs are held and proved; longer and empty ones are refused', () => {
  const bed = new Bed();
  const long = '\u00ff'.repeat(MAP_KEY_BYTES_MAX);
  const keys = Array.from({ length: 30 }, (_, i) => long.slice(0, MAP_KEY_BYTES_MAX - i));
  bed.apply(keys.map((key) => ({ key, valueHash: digest(String(key.length)) })));
  bed.check();
  for (const key of keys) assert.ok(verifyMapProof(crypto, bed.map.root(), bed.map.prove(key), key).present);
  assert.throws(() => bed.map.stage([{ key: `${long}x`, valueHash: digest('') }]), RangeError);
  assert.throws(() => bed.map.stage([{ key: '', valueHash: digest('') }]), RangeError);
});

test('the deepest map there can be, two nodes for every byte of the longest key, is built, proved and undone', () => {
  const bed = new Bed(100_000);
  const run = 'x'.repeat(MAP_KEY_BYTES_MAX - 1);
  const keys = Array.from({ length: MAP_KEY_BYTES_MAX }, (_, i) => ['\u0018', 'x', 'y'].map((last) => run.slice(0, i) + last)).flat();
  const cold = (): StateMap => bed.open();
  bed.apply(keys.map((key) => ({ key, valueHash: digest(key) })));
  for (const key of [keys.at(-1)!, keys.at(-2)!, `${run}z`, keys[0]!]) {
    const claim = verifyMapProof(crypto, bed.map.root(), cold().prove(key), key);
    assert.deepEqual(claim, keys.includes(key) ? { present: true, valueHash: digest(key) } : { present: false });
    assert.equal(cold().has(key) !== undefined, keys.includes(key));
  }
  const all = verifyRangeProof(crypto, bed.map.root(), cold().proveRange('', undefined, 10_000), '', undefined);
  assert.equal(all.entries.length, keys.length);
  bed.apply(keys.map((key) => ({ key, valueHash: undefined })));
  assert.equal(bed.rows.size, 0);
});

test('a row that is lost or changed on disk is reported as damage, never proved', () => {
  const writes = Array.from({ length: 300 }, (_, i) => ({ key: `key ${(i * 2654435761) % 4294967296}`, valueHash: digest(String(i)) }));
  const good = new Bed();
  good.apply(writes);
  for (const [rowKey, value] of [...good.rows].filter((_, i) => i % 7 === 0)) {
    for (const damage of [undefined, value.subarray(1), flipLast(value)]) {
      const bed = new Bed();
      bed.apply(writes);
      const root = bed.map.root();
      if (damage) bed.rows.set(rowKey, damage);
      else bed.rows.delete(rowKey);
      let faults = 0;
      let map: StateMap;
      try {
        map = bed.open();
      } catch (error) {
        assert.ok(error instanceof ChainError && error.code === 'STORE_DAMAGED');
        continue;
      }
      if (toHex(map.root()) !== toHex(root)) continue; // the root row itself: caught against the header
      for (const { key } of writes) {
        try {
          verifyMapProof(crypto, root, map.prove(key), key);
        } catch (error) {
          assert.ok(error instanceof ChainError && error.code === 'STORE_DAMAGED');
          faults++;
        }
      }
      assert.ok(faults > 0, `damage of row ${Buffer.from(rowKey, 'latin1').toString('hex')} went unnoticed`);
    }
  }
});

function flipLast(bytes: Uint8Array): Uint8Array {
  const out = bytes.slice();
  out[out.length - 1]! ^= 1;
  return out;
}
