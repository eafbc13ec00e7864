import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Overlay } from '../../../contracts/overlay.ts';

const bytes = (value: number) => Uint8Array.of(value);

test('an overlay shows its writes over the state and leaves the state alone', () => {
  const state = new Map([
    ['a', bytes(1)],
    ['b', bytes(2)],
  ]);
  const overlay = new Overlay({ get: (key) => state.get(key) });
  overlay.set('a', bytes(9));
  overlay.set('b', undefined);
  assert.deepEqual([overlay.get('a'), overlay.get('b'), overlay.get('c')], [bytes(9), undefined, undefined]);
  assert.deepEqual(
    [...overlay.writes()],
    [
      ['a', bytes(9)],
      ['b', undefined],
    ],
  );
  assert.deepEqual(state.get('a'), bytes(1));
});

test('revert undoes what was written since its checkpoint and nothing else', () => {
  const overlay = new Overlay({ get: () => bytes(1) });
  overlay.set('a', bytes(2));
  const outer = overlay.begin();
  overlay.set('a', bytes(3));
  const inner = overlay.begin();
  overlay.set('a', undefined);
  overlay.set('b', bytes(4));
  overlay.revert(inner);
  assert.deepEqual([overlay.get('a'), overlay.get('b')], [bytes(3), bytes(1)]);
  overlay.revert(outer);
  assert.deepEqual([...overlay.writes()], [['a', bytes(2)]]);
});

test('closing more checkpoints than were opened is a bug and says so', () => {
  assert.throws(() => new Overlay({ get: () => undefined }).keep());
});

type Step =
  | { readonly kind: 'set'; readonly key: string; readonly value: number | undefined }
  | { readonly kind: 'begin' | 'keep' | 'revert' };

test('any order of writes and nested checkpoints ends as copying the whole map at each checkpoint would', () => {
  const step: fc.Arbitrary<Step> = fc.oneof(
    fc.record({
      kind: fc.constant('set' as const),
      key: fc.constantFrom('a', 'b', 'c'),
      value: fc.option(fc.integer({ min: 0, max: 255 }), { nil: undefined }),
    }),
    fc.record({ kind: fc.constantFrom('begin' as const, 'keep' as const, 'revert' as const) }),
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
      const overlay = new Overlay({ get: () => undefined });
      let model = new Map<string, number | undefined>();
      const saved: { readonly mark: number; readonly copy: Map<string, number | undefined> }[] = [];
      for (const one of steps) {
        if (one.kind === 'set') {
          overlay.set(one.key, one.value === undefined ? undefined : bytes(one.value));
          model.set(one.key, one.value);
        } else if (one.kind === 'begin') saved.push({ mark: overlay.begin(), copy: new Map(model) });
        else {
          const last = saved.pop();
          if (!last) continue;
          if (one.kind === 'keep') overlay.keep();
          else {
            overlay.revert(last.mark);
            model = last.copy;
          }
        }
      }
      assert.deepEqual(new Map([...overlay.writes()].map(([key, value]) => [key, value?.[0]])), model);
    }),
    { numRuns: 300 },
  );
});
