import assert from 'node:assert/strict';
import { test } from 'node:test';
import { encodeJson, EVENTS_PER_TRANSACTION_MAX, type Json, RECEIPT_DETAIL_BYTES_MAX, utf8 } from '../../../node/format/index.ts';
import { type BuiltinContract, CALL_DEPTH_MAX, ContractFailure, type Host, stateKey } from '../../../contracts/index.ts';
import { block, Chain, call, json, newMachine } from './workbench.ts';

const machine = await newMachine();
const list = (args: Uint8Array): readonly Json[] => json(args) as readonly Json[];

/** A built-in contract whose methods are the cases. */
const ledger: BuiltinContract = {
  name: 'ledger',
  methods: {
    put(host, args) {
      const [key, value] = list(args) as readonly [string, Json];
      host.put(key, encodeJson(value));
      host.emit('Put', encodeJson({ key }));
      return encodeJson(host.caller);
    },
    putThenFail(host, args) {
      this.put!(host, args);
      throw new ContractFailure('CONTRACT_REFUSED', { why: 'on purpose' });
    },
    tryOther(host, args) {
      const [contract, method, inner] = list(args) as readonly [string, string, Json];
      host.put('before', encodeJson(1));
      try {
        return host.call(contract, method, encodeJson(inner!));
      } catch (error) {
        if (!(error instanceof ContractFailure)) throw error;
        return encodeJson({ caught: error.code });
      }
    },
    callSelf(host: Host, args: Uint8Array) {
      const [depth] = list(args) as readonly [number];
      return host.call('ledger', 'callSelf', encodeJson([depth + 1]));
    },
    breakRule() {
      throw new TypeError('a bug');
    },
    breakRuleWithoutGas(host) {
      host.useGas(host.gasLeft);
      throw new TypeError('a bug');
    },
    longDetail() {
      throw new ContractFailure('CONTRACT_REFUSED', { text: 'x'.repeat(5_000), many: Array(1_000).fill('y') });
    },
    emitMany(host) {
      for (let i = 0; i <= EVENTS_PER_TRANSACTION_MAX; i++) host.emit('E', encodeJson(i));
      return encodeJson(null);
    },
    decode() {
      return utf8('\ud800');
    },
  },
  queries: {
    get(host, args) {
      return host.get(list(args)[0] as string) ?? encodeJson(null);
    },
    cheat(host) {
      host.put('k', encodeJson(1));
      return encodeJson(null);
    },
    cheatByCall(host) {
      return host.call('ledger', 'put', encodeJson(['k', 1]));
    },
  },
};
const chain = () => new Chain({ machine, builtins: [ledger] });

test('calls of one transaction see one another, and their results and events come in order', () => {
  const c = chain();
  const done = c.execute([call('ledger', 'put', 'a', 1), call('ledger', 'get', 'a'), call('ledger', 'put', 'b', 2)]);
  assert.equal(done.status, 'ok');
  assert.deepEqual(done.results.map(json), ['ann@acme', 1, 'ann@acme']);
  assert.deepEqual(
    done.events.map((event) => json(event.data)),
    [{ key: 'a' }, { key: 'b' }],
  );
  assert.deepEqual([...done.writes.keys()], [stateKey('ledger', 'a'), stateKey('ledger', 'b')]);
});

test('one failed call undoes the whole transaction and names itself', () => {
  const failed = chain().execute([call('ledger', 'put', 'a', 1), call('ledger', 'putThenFail', 'b', 2), call('ledger', 'put', 'c', 3)]);
  assert.deepEqual([failed.status, failed.code, failed.failedCall], ['failed', 'CONTRACT_REFUSED', 1]);
  assert.deepEqual(json(failed.detail), { why: 'on purpose' });
  assert.deepEqual([failed.results.length, failed.events.length, failed.writes.size], [0, 0, 0]);
  assert.ok(failed.gasUsed > 0);
});

test('a nested call that fails is undone alone when its caller catches it', () => {
  const done = chain().execute([call('ledger', 'tryOther', 'ledger', 'putThenFail', ['x', 1])]);
  assert.deepEqual(done.results.map(json), [{ caught: 'CONTRACT_REFUSED' }]);
  assert.deepEqual([...done.writes.keys()], [stateKey('ledger', 'before')]);
  assert.equal(done.events.length, 0);
});

test('a nested call sees its caller as caller', () => {
  assert.deepEqual(
    chain()
      .execute([call('ledger', 'tryOther', 'ledger', 'put', ['x', 1])])
      .results.map(json),
    ['ledger'],
  );
});

const refusals: readonly (readonly [string, readonly [string, string, ...Json[]], string])[] = [
  ['an unknown built-in', ['nobody', 'x'], 'CONTRACT_UNKNOWN'],
  ['an unknown address', [`0x${'0'.repeat(40)}`, 'x'], 'CONTRACT_UNKNOWN'],
  ['a malformed address', ['0xZZ', 'x'], 'CONTRACT_UNKNOWN'],
  ['an unknown method', ['ledger', 'nothing'], 'CONTRACT_METHOD_UNKNOWN'],
  ['a name every object has', ['ledger', 'constructor'], 'CONTRACT_METHOD_UNKNOWN'],
  ['a query that writes, called in a transaction', ['ledger', 'cheat'], 'CONTRACT_READ_ONLY'],
  ['a query that writes through another call', ['ledger', 'cheatByCall'], 'CONTRACT_METHOD_UNKNOWN'],
  ['too many events', ['ledger', 'emitMany'], 'CONTRACT_EVENTS_TOO_MANY'],
  ['text that the format layer refuses', ['ledger', 'decode'], 'CONTRACT_ARGS_INVALID'],
  ['calls nested past the bound', ['ledger', 'callSelf', 1], 'CONTRACT_DEPTH_EXCEEDED'],
];
for (const [what, [contract, method, ...args], code] of refusals) {
  test(`${what} ends as ${code}`, () => {
    assert.equal(chain().execute([call(contract, method, ...args)]).code, code);
  });
}

test('bytes that are no canonical JSON are bad arguments of a built-in that decodes them, not a fault', () => {
  assert.equal(chain().execute([{ contract: 'contracts', method: 'pause', args: utf8('{"b":1, "a":2}') }]).code, 'CONTRACT_ARGS_INVALID');
});

test('running out of gas takes all of it and leaves nothing behind', () => {
  const c = chain();
  const full = c.execute([call('ledger', 'put', 'a', 1)]);
  const short = c.execute([call('ledger', 'put', 'a', 1)], { gasLimit: full.gasUsed - 1 });
  assert.deepEqual([short.code, short.gasUsed, short.writes.size], ['GAS_EXHAUSTED', full.gasUsed - 1, 0]);
  assert.equal(c.execute([call('ledger', 'put', 'a', 1)], { gasLimit: full.gasUsed }).status, 'ok');
});

test('a bug in a built-in is thrown as a fault and becomes no receipt', () => {
  assert.throws(() => chain().execute([call('ledger', 'breakRule')]), { name: 'ExecutionFault' });
  // In a call of another contract as well, and when no gas is left to pay for a failure.
  for (const method of ['breakRule', 'breakRuleWithoutGas'])
    assert.throws(() => chain().execute([call('ledger', 'tryOther', 'ledger', method, [])]), { name: 'ExecutionFault' });
});

test('a detail too long for a receipt is cut, the same way every time', () => {
  const [first, second] = [chain(), chain()].map((c) => c.execute([call('ledger', 'longDetail')]).detail);
  assert.ok(first!.length <= RECEIPT_DETAIL_BYTES_MAX);
  assert.deepEqual(first, second);
  assert.equal((json(first!) as { readonly cut: boolean }).cut, true);
});

test('a query reads and is refused everything else', () => {
  const c = chain();
  c.execute([call('ledger', 'put', 'a', 5)]);
  const before = new Map(c.state);
  assert.equal(json(c.query('ledger', 'get', 'a').result), 5);
  assert.equal(c.query('ledger', 'put', 'a', 6).code, 'CONTRACT_METHOD_UNKNOWN');
  assert.equal(c.query('ledger', 'cheat').code, 'CONTRACT_READ_ONLY');
  assert.equal(c.query('ledger', 'cheatByCall').code, 'CONTRACT_METHOD_UNKNOWN');
  assert.deepEqual(c.state, before);
});

const relay = `contract({ methods: {
  put(ctx, key, value) { ctx.put(key, value); return ctx.caller; },
  relay(ctx, address, method, args) { ctx.put('relayed', 1); return ctx.call(address, method, args); },
  careful(ctx, address, method, args) { try { return ctx.call(address, method, args); } catch (error) { return { code: error.code }; } },
  refuse(ctx) { ctx.put('x', 1); ctx.fail('NO', 'not today'); },
  down(ctx, address, n) { return n === 0 ? 0 : 1 + ctx.call(address, 'down', [address, n - 1]); },
}, queries: { read(ctx, key) { return ctx.get(key) ?? null; } } });`;

test('contracts call one another, re-entrantly too, and each sees who called it', () => {
  const c = chain();
  const [one, two] = [c.deploy(relay), c.deploy(`${relay} // another`)];
  assert.deepEqual(c.execute([call(one, 'relay', two, 'put', ['k', 'v'])]).results.map(json), [one]);
  assert.equal(json(c.query(two, 'read', 'k').result), 'v');
  assert.equal(json(c.query(one, 'read', 'k').result), null, 'the state of two contracts is apart');
  assert.deepEqual(c.execute([call(one, 'relay', one, 'put', ['again', 1])]).results.map(json), [one]);
  assert.equal(json(c.query(one, 'read', 'again').result), 1);
  assert.deepEqual(c.execute([call(one, 'relay', 'ledger', 'put', ['k', 1])]).results.map(json), [one]);
});

test('a failed callee fails its caller unless the caller catches it', () => {
  const c = chain();
  const [one, two] = [c.deploy(relay), c.deploy(`${relay} // another`)];
  const failed = c.execute([call(one, 'relay', two, 'refuse', [])]);
  assert.deepEqual([failed.code, failed.writes.size], ['CONTRACT_REFUSED', 0]);
  const caught = c.execute([call(one, 'careful', two, 'refuse', [])]);
  assert.deepEqual([caught.status, caught.writes.size, json(caught.results[0]!)], ['ok', 0, { code: 'CONTRACT_REFUSED' }]);
});

test('contracts nest to the bound of call depth and no further', () => {
  const c = chain();
  const one = c.deploy(relay);
  assert.deepEqual(c.execute([call(one, 'down', one, CALL_DEPTH_MAX - 1)]).results.map(json), [CALL_DEPTH_MAX - 1]);
  assert.equal(c.execute([call(one, 'down', one, CALL_DEPTH_MAX)]).code, 'CONTRACT_REFUSED');
});

test('recursion inside nested contracts shares one bound', () => {
  const c = chain();
  const one = c.deploy(`contract({ methods: { dive(ctx, levels, frames) {
    const down = (n) => (n > 0 ? down(n - 1) : levels > 0 ? ctx.call(ctx.self, 'dive', [levels - 1, frames]) : 'bottom');
    return down(frames);
  } } });`);
  const dive = (levels: number, frames: number) => c.execute([call(one, 'dive', levels, frames)]);
  assert.deepEqual(dive(6, 100).results.map(json), ['bottom']);
  assert.deepEqual(dive(0, 900).results.map(json), ['bottom']);
  const deep = dive(6, 900);
  assert.deepEqual([deep.status, JSON.stringify(json(deep.detail)).includes('CONTRACT_DEPTH_EXCEEDED')], ['failed', true]);
  assert.deepEqual(dive(6, 900), deep);
});

test('gas that runs out in a callee cannot be caught', () => {
  const c = chain();
  const one = c.deploy(
    `contract({ methods: { spin(ctx) { for (;;); }, careful(ctx, a) { try { ctx.call(a, 'spin'); } catch (e) {} return 1; } } });`,
  );
  assert.equal(c.execute([call(one, 'careful', one)], { gasLimit: 200_000_000 }).code, 'GAS_EXHAUSTED');
});

test('a contract query changes nothing and may not call a method', () => {
  const c = chain();
  const one = c.deploy(`contract({ methods: { put(ctx) { ctx.put('k', 1); } }, queries: {
    write(ctx) { ctx.put('k', 1); }, emits(ctx) { ctx.emit('E', 1); }, through(ctx) { return ctx.call(ctx.self, 'put', []); } }, events: { E: {} } });`);
  assert.equal(c.query(one, 'write').code, 'CONTRACT_READ_ONLY');
  assert.equal(c.query(one, 'emits').code, 'CONTRACT_READ_ONLY');
  assert.equal(c.query(one, 'put').code, 'CONTRACT_METHOD_UNKNOWN');
  assert.equal(c.query(one, 'through').code, 'CONTRACT_REFUSED');
  assert.equal(c.execute([call(one, 'write')]).code, 'CONTRACT_READ_ONLY');
});

test('block facts reach a contract as they are in the block', () => {
  const c = chain();
  const one = c.deploy('contract({ queries: { facts(ctx) { return [ctx.block, ctx.sender, ctx.self]; } } });');
  assert.deepEqual(json(c.query(one, 'facts').result), [{ height: block.height, timestampMs: block.timestampMs }, 'ann@acme', one]);
});

test('code that was changed in the store is not run', () => {
  const c = chain();
  const one = c.deploy(relay);
  const [key, code] = [...c.state].find(([name]) => name.startsWith(stateKey('contracts', 'k')))!;
  c.state.set(
    key,
    Uint8Array.from(code, (byte, at) => (at === code.length - 10 ? byte ^ 1 : byte)),
  );
  assert.equal(c.execute([call(one, 'put', 'k', 1)]).code, 'CONTRACT_CODE_DAMAGED');
  assert.equal(c.query(one, 'read', 'k').code, 'CONTRACT_CODE_DAMAGED');
  c.state.delete(key);
  assert.equal(c.execute([call(one, 'put', 'k', 1)]).code, 'CONTRACT_CODE_DAMAGED');
});

test('an image other than the one in the deploy receipt halts the node', () => {
  const c = chain();
  const one = c.deploy(relay);
  const key = stateKey('contracts', `e${one}`);
  const row = json(c.state.get(key)!) as { readonly [name: string]: Json };
  c.state.set(key, encodeJson({ ...row, imageDigest: 'f'.repeat(64) }));
  assert.throws(() => c.execute([call(one, 'put', 'k', 1)]), { name: 'ExecutionFault' });
});
