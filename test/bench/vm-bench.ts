/**
 * How fast contracts run: `node dist/test/bench/vm-bench.js [milliseconds per row]`. Prints calls per processor second, microseconds and gas
 * per call, and what one unit of gas took, to be held against the 25 ps of contracts/gas.ts. No test: figures move with the machine.
 */
import { readFileSync } from 'node:fs';
import { encodeJson, type Json } from '../../node/format/index.ts';
import type { BuiltinContract, Execution } from '../../contracts/index.ts';
import { Chain, call, newMachine } from '../unit/contracts/workbench.ts';

const ROW_MS = Number(process.argv[2] ?? 500);
const WARM_CALLS = 200;

const started = performance.now();
const machine = await newMachine();
console.log(`machine ready in ${(performance.now() - started).toFixed(0)} ms, bundle ${machine.bundleDigest}`);

const plain: BuiltinContract = {
  name: 'plain',
  methods: {
    put(host, args) {
      host.put('k', args);
      return args;
    },
  },
  queries: {},
};
const chain = new Chain({ machine, builtins: [plain] });
const gate = chain.deploy(readFileSync('devnet/contracts/quality-gate.js', 'utf8'));
const record = {
  ...{ id: 'rec-000123', owner: 'ann@acme', kind: 'invoice', title: 'Quarterly settlement', amount: 12_300, currency: 'EUR' },
  ...{ issuedAt: '2025-01-01T00:00:00Z', region: 'eu-west', status: 'open', ref: 'PO-2025-1' },
};
const recorder = chain.deploy(`contract({ events: { Recorded: {} }, methods: {
  put(ctx, a) {
    for (const name of ${JSON.stringify(Object.keys(record))}) {
      const value = a[name];
      if (value === undefined) ctx.fail('MISSING', name);
      if (typeof value === 'string' && value.length > 256) ctx.fail('LONG', name);
    }
    if (!/^[a-z0-9-]{4,40}$/.test(a.id)) ctx.fail('BAD_ID', a.id);
    const row = ctx.get('rec/' + a.id) ?? { v: 0 };
    ctx.put('rec/' + a.id, { ...a, v: row.v + 1 });
    ctx.emit('Recorded', { id: a.id, v: row.v + 1 });
    return row.v + 1;
  },
  nothing() {},
  loop(ctx, n) { let s = 0; for (let i = 0; i < n; i++) s = (s * 31 + i) % 1000003; return s; },
} });`);
const others = Array.from({ length: 100 }, (_, i) => chain.deploy(`contract({ methods: { m() { return ${i}; } } });`));

function row(name: string, work: (turn: number) => Execution): void {
  let gas = 0;
  for (let i = 0; i < WARM_CALLS; i++) {
    const execution = work(i);
    if (execution.status !== 'ok') throw new Error(`${name}: ${execution.code} ${new TextDecoder().decode(execution.detail)}`);
    gas = execution.gasUsed;
  }
  const start = performance.now();
  const cpu = process.cpuUsage();
  let turns = WARM_CALLS;
  while (performance.now() - start < ROW_MS) work(turns++);
  const { user, system } = process.cpuUsage(cpu);
  const us = (user + system) / (turns - WARM_CALLS); // of processor time: a shared machine does not count
  const figures = [`${Math.round(1e6 / us)} calls/s`, `${us.toFixed(1)} us`, `${gas} gas`, `${((us * 1e6) / gas).toFixed(1)} ps/gas`];
  console.log(name.padEnd(44), ...figures.map((figure) => figure.padStart(16)));
}

const one = (contract: string, method: string, ...args: readonly Json[]) => [call(contract, method, ...args)];
const putCalls = [{ contract: 'plain', method: 'put', args: encodeJson(record) }];
row('built-in: one put of 250 bytes', () => chain.execute(putCalls));
row('deployed: a method that does nothing', () => chain.execute(one(recorder, 'nothing')));
row('deployed: record, 10 checks, get, put, event', () => chain.execute(one(recorder, 'put', record)));
row('deployed: quality gate', (turn) => chain.execute(one(gate, 'judge', `P-${turn % 500}`, 'pass')));
row('deployed: loop of 100,000 turns', () => chain.execute(one(recorder, 'loop', 100_000)));
row('deployed: 100 contracts in turn (no image kept)', (turn) => chain.execute(one(others[turn % 100]!, 'm')));
row('deploy', (turn) => chain.execute(one('contracts', 'deploy', deployArgs(turn))));

function deployArgs(turn: number): Json {
  return { language: 'javascript', code: `contract({ methods: { m() { return ${turn + 1000}; } } });`, sourceDigest: '0'.repeat(64) };
}
