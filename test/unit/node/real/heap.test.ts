import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

const HEAP = fileURLToPath(new URL('../../../../node/real/heap.js', import.meta.url));
const ASSEMBLE = fileURLToPath(new URL('../../../../node/real/assemble.js', import.meta.url));

/** Full collections of a program that keeps 40 MB and lets objects go after two scavenges, half a gigabyte in all. */
const PROGRAM = `
import { PerformanceObserver } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
const FULL = 4;
let full = 0;
const { collectLessOften } = await import(process.argv[1]);
if (process.argv[2] === 'less') collectLessOften();
const observer = new PerformanceObserver((list) => { for (const { detail } of list.getEntries()) if (detail.kind === FULL) full++; });
observer.observe({ entryTypes: ['gc'] });
const kept = Array.from({ length: 400_000 }, (_, i) => ({ i, next: { i } }));
const ring = new Array(100_000);
for (let i = 0; i < 6_000_000; i++) {
  ring[i % ring.length] = { i, next: { i } };
  if (i % 200_000 === 0) await sleep(1);
}
await sleep(20);
console.log(full, kept.length);
`;

/** Of an engine that was told to let heaps grow by a tenth. */
function fullCollections(how: 'less' | 'plain'): number {
  const argv = ['--input-type=module', '--heap-growing-percent=10', '-e', PROGRAM, HEAP, how];
  return Number(execFileSync(process.execPath, argv, { encoding: 'utf8' }).split(' ')[0]);
}

test('a heap is collected less often, though the engine has begun already', () => {
  const [plain, less] = [fullCollections('plain'), fullCollections('less')];
  assert.ok(less * 2 < plain, `${less} full collections where ${plain} were`);
});

/** Calls of a function until its optimised code is at hand, compiled at once and not beside it. */
const CALLS_PROGRAM = `
const { optimiseLaterWhileNew } = await import(process.argv[1]);
const OPTIMISED = 1 << 4; // of V8's OptimizationStatus
const sum = (count) => { let all = 0; for (let i = 0; i < count; i++) all += i % 7; return all; };
let grow;
const timers = { after: (ms, run) => { grow = run; return () => { grow = () => { throw new Error('cancelled'); }; }; } };
const stop = process.argv[2] === 'plain' ? undefined : optimiseLaterWhileNew(timers);
if (process.argv[2].startsWith('no longer new')) grow();
if (process.argv[2].endsWith('stopped')) stop();
let calls = 0;
while ((%GetOptimizationStatus(sum) & OPTIMISED) === 0) calls += sum(100) > 0;
console.log(calls);
`;

function callsUntilOptimised(how: 'plain' | 'new' | 'no longer new' | 'stopped' | 'no longer new, stopped'): number {
  const argv = ['--input-type=module', '--allow-natives-syntax', '--no-concurrent-recompilation', '-e', CALLS_PROGRAM, HEAP, how];
  return Number(execFileSync(process.execPath, argv, { encoding: 'utf8' }));
}

test('while a node is new a function is optimised later, though the engine has begun already, sooner from then on, and as usual when it stops', () => {
  const plain = callsUntilOptimised('plain');
  assert.ok(callsUntilOptimised('new') > 2 * plain);
  assert.ok(callsUntilOptimised('no longer new') < plain / 2);
  for (const how of ['stopped', 'no longer new, stopped'] as const) {
    const calls = callsUntilOptimised(how);
    assert.ok(calls > plain / 1.5 && calls < plain * 1.5, how);
  }
});

/** The same calls: before a node is assembled, when its first thread is about to start, and after it could not be. */
const ASSEMBLED_PROGRAM = `
const { assembleNode } = await import(process.argv[1]);
const OPTIMISED = 1 << 4; // of V8's OptimizationStatus
const callsUntilOptimised = (sum) => {
  let calls = 0;
  while ((%GetOptimizationStatus(sum) & OPTIMISED) === 0) calls += sum(100) > 0;
  return calls;
};
const found = [callsUntilOptimised((count) => { let all = 0; for (let i = 0; i < count; i++) all += i % 7; return all; })];
const config = {
  get verifyWorkers() {
    found.push(callsUntilOptimised((count) => { let all = 1; for (let i = 0; i < count; i++) all += i % 7; return all; }));
    throw new Error('assembled no further');
  },
};
await assembleNode({ config }).catch(() => undefined);
found.push(callsUntilOptimised((count) => { let all = 2; for (let i = 0; i < count; i++) all += i % 7; return all; }));
console.log(JSON.stringify(found));
`;

test('a node is new from before its first thread starts until it ends', () => {
  const argv = ['--input-type=module', '--allow-natives-syntax', '--no-concurrent-recompilation', '-e', ASSEMBLED_PROGRAM, ASSEMBLE];
  const [before, during, ended] = JSON.parse(execFileSync(process.execPath, argv, { encoding: 'utf8' })) as [number, number, number];
  assert.ok(during > 2 * before, `${before}, then ${during}`);
  assert.ok(ended > before / 1.5 && ended < before * 1.5, `${before}, then ${ended}`);
});
