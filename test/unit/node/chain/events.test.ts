/** What parts hear of the chain: in the order in which they asked, at once, until they have heard enough. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createEmitter } from '../../../../node/chain/events.ts';

interface Events {
  readonly counted: number;
  readonly named: { readonly name: string };
}

test('listeners hear events of their kind, in the order they came, until they end it', () => {
  const { emit, on } = createEmitter<Events>();
  const heard: string[] = [];
  emit('counted', 0);
  const end = on('counted', (count) => heard.push(`first ${count}`));
  on('counted', (count) => heard.push(`second ${count}`));
  on('named', ({ name }) => heard.push(name));
  emit('counted', 1);
  emit('named', { name: 'other' });
  end();
  emit('counted', 2);
  assert.deepEqual(heard, ['first 1', 'second 1', 'other', 'second 2']);
});

test('what a listener throws goes to whoever emits: a block that could not be told of is not told as stored', () => {
  const { emit, on } = createEmitter<Events>();
  on('counted', () => {
    throw new Error('not told');
  });
  assert.throws(() => emit('counted', 1), /not told/);
});
