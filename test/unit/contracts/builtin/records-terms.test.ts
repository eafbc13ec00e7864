import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readClass } from '../../../../contracts/classes/index.ts';
import { encodeAmendment, fromHex, type TermEntry, TERM_CHUNK_ENTRIES, toHex } from '../../../../node/format/index.ts';
import { annexRecord } from '../../node/records/sample.ts';
import { Chain, sealed, raw, type Result } from './records-chain.ts';

test('a term is all versions that name a value in the order of commits, an amendment as well, and a long one is checked in chunks', () => {
  const chain = new Chain();
  const named = (i: number, batch = 'PB-1') => annexRecord({ product_uid: `P-${i}`, ext: { device_id: 'D-1', production_batch: batch } });
  const entryOf = ({ id, version }: Result): TermEntry => ({ id: fromHex(id as string), version: version as number });
  const entries: TermEntry[] = [];
  for (let from = 0; entries.length < TERM_CHUNK_ENTRIES + 3; from += 343)
    entries.push(...chain.submit(Array.from({ length: 343 }, (_, i) => named(from + i))).map(entryOf));
  const { submission, recordId } = { submission: sealed({ ...named(0), production_location: 'moved' }), recordId: entries[0]!.id };
  const change = { recordId, expectedVersion: 1, reason: 'typed wrongly', content: submission.content, source: {} };
  entries.push(entryOf(chain.run('amend', encodeAmendment(change)) as Result));
  const term = ['production_batch', 'PB-1'] as const;
  assert.equal(chain.termFault(entries, ...term), undefined);
  assert.equal(chain.termFault([], 'production_batch', 'PB-2'), undefined, 'what nobody names has no term');
  assert.match(chain.termFault(entries.slice(0, 1), 'production_batch', 'PB-2')!, /1 entries where the term has 0/);
  const [a, b] = [entries[5]!, entries[TERM_CHUNK_ENTRIES + 1]!];
  for (const [forged, fault] of [
    [entries.slice(0, -1), /entries where/],
    [entries.with(5, b), /chunk 0/],
    [entries.with(5, entries[6]!).with(6, a), /chunk 0/],
    [entries.with(TERM_CHUNK_ENTRIES + 1, a), /chunk 1/],
    [entries.with(-1, { ...entries.at(-1)!, version: 1 }), /chunk 1/],
  ] as const)
    assert.match(chain.termFault(forged, ...term)!, fault);
  const keys = [...chain.space.keys()].filter((key) => key.startsWith('t'));
  const products = new Set(entries.map(({ id }) => toHex(id))).size;
  assert.equal(keys.length, products + 2 + 2, 'one of each product, and of both batches and their full chunks');
});

test('a field that its class declares provable is a term, in normal spelling, and what was not measured is none', () => {
  const chain = new Chain();
  const data = {
    name: 'heat',
    version: 1,
    key: ['id'],
    body: {
      type: 'struct',
      properties: { id: { type: 'text' }, degrees: { type: 'decimal', unavailable: true }, secret: { type: 'text', sealed: true } },
      required: ['id'],
    },
    facts: {},
    provable: ['degrees'],
  };
  chain.register('class', 'heat', 'alpha', data);
  const submit = (id: string, degrees: string): TermEntry => {
    const [result] = chain.run('submit', raw({ degrees, id }, 'heat')) as readonly Result[];
    return { id: fromHex(result!.id as string), version: 1 };
  };
  const [first, second] = [submit('a', '40.0'), submit('b', '40')];
  submit('c', 'UNAVAILABLE');
  assert.equal(chain.termFault([first, second], 'field', 'heat', 'degrees', '40'), undefined);
  assert.equal(chain.termFault([], 'field', 'heat', 'degrees', 'UNAVAILABLE'), undefined);
  for (const provable of [[], ['secret'], ['none'], ['degrees', 'degrees'], 'degrees'])
    assert.equal(readClass({ ...data, provable }).ok, false);
});
