/** What a call pays for the shape of its contract, in exact gas: no clock here. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { GAS, LOAD_GAS_MAX } from '../../../contracts/index.ts';
import { call, Chain, newMachine } from './workbench.ts';

const machine = await newMachine();
const code = (atLoad: string, events = '{}') => `${atLoad}\ncontract({ events: ${events}, methods: { m() {} } });`;
const PAGE_BYTES = 65_536;
const deployment = (text: string) => call('contracts', 'deploy', { language: 'javascript', code: text, sourceDigest: '0'.repeat(64) });

function gasOfCall(chain: Chain, text: string): number {
  const done = chain.execute([call(chain.deploy(text), 'm')]);
  assert.equal(done.code, 'OK');
  return done.gasUsed;
}

test('a page of an image is paid by every call, whether it holds zeros, was freed, or is full', () => {
  const chain = new Chain({ machine });
  const plain = gasOfCall(chain, code(''));
  const pages = Math.floor((20 * 40_000 * 8) / PAGE_BYTES);
  const fill = 'let big = []; for (let i = 0; i < 20; i++) big.push(new Array(40000).fill(0));';
  for (const atLoad of [fill, `${fill} big = null;`]) {
    const more = gasOfCall(chain, code(atLoad)) - plain;
    assert.ok(more >= pages * GAS.imagePage, `${more} gas for ${pages} pages and more`);
  }
});

test('what a contract says of its events is not read by a call, nor by a list of contracts', () => {
  const chain = new Chain({ machine });
  const address = chain.deploy(code('', '{ E: Array.from({ length: 12000 }, () => []) }'));
  let longest = 0;
  const read = chain.state.get.bind(chain.state);
  chain.state.get = (key) => {
    const value = read(key);
    longest = Math.max(longest, value?.length ?? 0);
    return value;
  };
  assert.equal(chain.execute([call(address, 'm')]).code, 'OK');
  assert.equal(chain.query('contracts', 'list', {}).code, 'OK');
  assert.ok(longest < 1_000, `a row of ${longest} bytes`);
  assert.equal(chain.query('contracts', 'info', { address }).code, 'OK');
  assert.ok(longest > 30_000);
});

test('a deployment pays what it does: little for little, the same on a machine that knows the code, and for code that fails', () => {
  const chain = new Chain({ machine });
  const first = chain.execute([deployment(code('// new'))]);
  assert.ok(first.gasUsed < LOAD_GAS_MAX / 10, `${first.gasUsed}`);
  assert.ok(chain.execute([deployment(code('let n = 0; for (let i = 0; i < 100000; i++) n += i;'))]).gasUsed > 2 * first.gasUsed);
  const again = new Chain({ machine }).execute([deployment(code('// new'))]);
  assert.equal(again.gasUsed, first.gasUsed);
  const broken = [1, 2].map(() => chain.execute([deployment('for (let i = 0; i < 100000; i++); throw new Error("no")')]));
  assert.deepEqual(new Set(broken.map(({ code: word }) => word)), new Set(['CONTRACT_CODE_INVALID']));
  assert.equal(broken[0]!.gasUsed, broken[1]!.gasUsed);
  assert.ok(broken[0]!.gasUsed > 10_000_000);
});

test('a deployment that cannot pay ends the same way whether the image is at hand or not', async () => {
  const text = code('let n = 0; for (let i = 0; i < 200000; i++) n += i;');
  const chain = new Chain({ machine });
  const { gasUsed } = chain.execute([deployment(text)]);
  const short = { gasLimit: Math.floor(gasUsed / 2) };
  const known = chain.execute([deployment(text)], short);
  const cold = new Chain({ machine: await newMachine() }).execute([deployment(text)], short);
  assert.deepEqual([known.code, known.gasUsed], ['GAS_EXHAUSTED', short.gasLimit]);
  assert.deepEqual([cold.code, cold.gasUsed], [known.code, known.gasUsed]);
});

test('a nested call that fails and a name in JSON are paid', () => {
  const chain = new Chain({ machine });
  const address = chain.deploy(
    "contract({ methods: { m(ctx, n) { for (let i = 0; i < n; i++) try { ctx.call('nope', 'x', []); } catch {} }, a(ctx, given) {} } });",
  );
  const gas = (method: string, argument: object | number) => chain.execute([call(address, method, argument as never)]).gasUsed;
  assert.ok(gas('m', 11) - gas('m', 1) >= 10 * 2.5 * GAS.failure, 'the crossing and the engine cost two failures already');
  const names = (count: number) => Object.fromEntries(Array.from({ length: count }, (_, i) => [`k${i}`, 0]));
  assert.ok(gas('a', names(1_001)) - gas('a', names(1)) >= 1_000 * 2.5 * GAS.perJsonName, 'bytes and engine cost two already');
});
