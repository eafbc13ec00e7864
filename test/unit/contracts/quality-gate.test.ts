/** The example contracts of the devnet and of contracts/README.md, run as a chain runs them. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { Chain, call, json, newMachine } from './workbench.ts';

const source = readFileSync('devnet/contracts/quality-gate.js', 'utf8');
const machine = await newMachine();

test('the quality gate counts verdicts per product, says so in events, and closes after the third failure', () => {
  const chain = new Chain({ machine });
  const gate = chain.deploy(source);
  const judge = (product: string, verdict: string) => chain.execute([call(gate, 'judge', product, verdict)]);

  assert.deepEqual(judge('P-1', 'pass').results.map(json), [{ pass: 1, fail: 0, open: true }]);
  const [event] = judge('P-1', 'fail').events;
  assert.deepEqual([event!.contract, event!.name], [gate, 'Judged']);
  assert.deepEqual(json(event!.data), { product: 'P-1', verdict: 'fail', inspector: 'ann@acme', pass: 1, fail: 1, open: true });
  judge('P-2', 'pass');
  judge('P-1', 'fail');
  judge('P-1', 'fail');

  assert.deepEqual(json(chain.query(gate, 'totals', 'P-1').result), { pass: 1, fail: 3, open: false });
  assert.deepEqual(json(chain.query(gate, 'totals', 'P-2').result), { pass: 1, fail: 0, open: true });
  const closed = judge('P-1', 'pass');
  assert.deepEqual([closed.code, (json(closed.detail) as { readonly code: string }).code], ['CONTRACT_REFUSED', 'GATE_CLOSED']);
  assert.equal(judge('P-1', 'perhaps').status, 'failed');
});

test('two verdicts in one transaction are both or neither', () => {
  const chain = new Chain({ machine });
  const gate = chain.deploy(source);
  assert.equal(chain.execute([call(gate, 'judge', 'P', 'pass'), call(gate, 'judge', 'P', 'odd')]).failedCall, 1);
  assert.deepEqual(json(chain.query(gate, 'totals', 'P').result), { pass: 0, fail: 0, open: true });
});

test('the contract that contracts/README.md shows loads as printed and does what the page says', () => {
  const { 1: shown } = /```js\n([\s\S]*?)```/.exec(readFileSync('contracts/README.md', 'utf8'))!;
  const chain = new Chain({ machine });
  const address = chain.deploy(shown!);
  const done = chain.execute([call(address, 'judge', 'P-1', 'pass')]);
  assert.deepEqual([done.results.map(json), json(done.events[0]!.data)], [[{ pass: 1, fail: 0 }], { product: 'P-1', verdict: 'pass' }]);
  assert.equal((json(chain.execute([call(address, 'judge', 'P-1', 'odd')]).detail) as { code: string }).code, 'VERDICT_UNKNOWN');
  assert.deepEqual(json(chain.query(address, 'totals', 'P-1').result), { pass: 1, fail: 0 });
  assert.equal(json(chain.query(address, 'totals', 'P-2').result), null);
});
