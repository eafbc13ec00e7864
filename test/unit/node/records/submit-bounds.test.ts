import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BODY_FAULTS_MAX, parseBody } from '../../../../node/records/formats/index.ts';
import { checkRows } from './checked-rows.ts';
import { createGuesses } from '../../../../node/records/guesses.ts';
import { FAULT_TEXT_MAX } from '../../../../node/records/refusal.ts';
import { ChainError } from '../../../../node/errors/index.ts';
import { createTestNode } from '../../api/stand-in-node.ts';
import { createTestState } from '../../api/stand-in-state.ts';
import { createTestWorld } from '../../api/stand-in-world.ts';

const world = createTestWorld();
const deps = {
  node: createTestNode(createTestState(), world),
  crypto: world.crypto,
  sealed: {} as never, // no record below gets as far as its sealed fields
  sealingKeys: () => [new Uint8Array(32)],
  inclusions: undefined as never,
  underWay: undefined as never,
  guesses: createGuesses(world.clock),
};
const caller = {
  account: 'a@acme',
  organisation: 'acme',
  type: 'device',
  roles: [],
  expiresMs: 0,
  steppedUpAtMs: undefined,
} as const;

/** Facts of the refusal of a body, and the CPU it took, ms. */
function refuse(csv: string): { data: Readonly<Record<string, unknown>>; details: readonly unknown[]; cpuMs: number } {
  const before = process.cpuUsage();
  const body = parseBody('csv', new TextEncoder().encode(csv));
  assert.ok(body.ok);
  try {
    for (const _step of checkRows(deps, body.records, caller, 'production'));
  } catch (error) {
    assert.ok(error instanceof ChainError);
    const { details, ...data } = error.data;
    return { data, details: details as unknown[], cpuMs: process.cpuUsage(before).user / 1_000 };
  }
  return assert.fail('the body is refused');
}

test('a refusal looks at no more records than its answer tells of', () => {
  const narrow = refuse(`steel,b,c\n${'1,2,3\n'.repeat(9_000)}`);
  const faultsOfRow = narrow.details.length; // all stand in the header, so each is told once
  assert.equal(narrow.data.recordsUnchecked, 9_000 - Math.ceil(BODY_FAULTS_MAX / faultsOfRow));
  const columns = Array.from({ length: 1_500 }, (_, i) => `c${i}`).join(',');
  const wide = refuse(`${columns}\n${`${'1,'.repeat(1_499)}1\n`.repeat(100)}`);
  assert.ok((wide.data.recordsUnchecked as number) >= 90, `${wide.data.recordsUnchecked} of 100 were not looked at`);
});

test('twice the rows take no more than thrice the CPU to refuse', () => {
  const best = (rows: number): number =>
    Math.min(...Array.from({ length: 5 }, () => refuse(`steel,product_uid,c\n${'1,2,3\n'.repeat(rows)}`).cpuMs));
  best(1_000); // warm
  const [once, twice] = [best(4_000), best(8_000)];
  assert.ok(twice < 3 * once + 50, `${once} ms, then ${twice} ms`);
});

test('a refusal repeats no more of a long name than its bound, in any format', () => {
  const name = (i: number) => `n${i}${'x'.repeat(40_000)}`;
  const names = Array.from({ length: 190 }, (_, i) => name(i));
  const bodies = {
    json: JSON.stringify(Object.fromEntries(names.map((text) => [text, '1']))),
    xml: `<record>${names.map((text) => `<${text}>1</${text}>`).join('')}</record>`,
    csv: `${names.join(',')}\n${names.map(() => '1').join(',')}\n`,
  };
  for (const [format, text] of Object.entries(bodies)) {
    const body = parseBody(format as 'json', new TextEncoder().encode(text));
    assert.ok(body.ok);
    try {
      for (const _step of checkRows(deps, body.records, caller, 'production'));
      assert.fail('the body is refused');
    } catch (error) {
      assert.ok(error instanceof ChainError);
      const details = error.data.details as Readonly<Record<string, unknown>>[];
      assert.ok(details.length > 150, `${format}: ${details.length} faults`);
      for (const fact of details.flatMap((detail) => Object.values(detail)))
        assert.ok(typeof fact !== 'string' || fact.length <= FAULT_TEXT_MAX, `${format}: a fact of ${String(fact).length}`);
    }
  }
});
