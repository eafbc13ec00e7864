/** Every alarm that the source raises, against the table of node/README.md: each has somebody who takes it back, or a reason why it stays. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readText, sourceFiles } from '../../../tools/source.ts';

/** What stands at a call that raises or takes back in place of a code. */
const NAMED: Readonly<Record<string, readonly string[]>> = {
  DAMAGE: ['STORE_DAMAGED'],
  LOST: ['STORE_LOST'],
  EXPELLED: ['NODE_EXPELLED'],
  VIEW_CHANGE: ['VIEW_CHANGE_LASTS'],
  PEER_CUT_OFF: ['PEER_CUT_OFF'],
  TRANSACTION_LEFT_OUT: ['TRANSACTION_LEFT_OUT'],
  'fault.code': ['STORE_DAMAGED', 'STORE_FULL', 'STORE_IO'], // node/real/assemble.ts, ALARMING
  'String(fields.fault)': ['VOTE_LOG_UNWRITABLE', 'BLOCK_NOT_STORED'], // node/chain/driver.ts, #untilDone
  'kind,': [], // handed on by a function that is read itself
  'kind:': [],
};
const RAISES = /\b(?:raise|raiseAlarm|raiseOnce)\(\s*('[A-Z_]+'|[A-Z_]+\b|fault\.code|String\(fields\.fault\)|[^)\s]+)/g;
const RESOLVES = /\b(?:resolve|resolveAll|resolveAlarm|resolveAlarms)\(\s*('[A-Z_]+'|[A-Z_]+\b|fault\.code|String\(fields\.fault\))/g;
const CONDITION = /\{ kind: ('[A-Z_]+'|VIEW_CHANGE), severity/g; // node/feeds/health.ts raises and takes back each of its conditions
const DAMAGE_LOOP = /for \(const kind of \[DAMAGE, LOST\]\) void resolve\(kind/;

const sources = sourceFiles('api', 'devnet', 'node').map(({ text }) => text);

function codesAt(pattern: RegExp): ReadonlySet<string> {
  const codes = new Set<string>();
  for (const source of sources) {
    for (const [, expression] of source.matchAll(pattern)) {
      const named = /^'/.test(expression!) ? [expression!.slice(1, -1)] : NAMED[expression!];
      assert.ok(named ?? pattern === RESOLVES, `an alarm is raised by ${expression}: say in this test which codes that are`);
      for (const code of named ?? []) codes.add(code);
    }
  }
  return codes;
}

test('every alarm that the source raises is taken back by somebody, or stays for a stated reason', () => {
  const table = new Map<string, string>();
  const { 1: section } = /## Alarms\n([\s\S]*?)\n## /.exec(readText('node/README.md'))!;
  for (const [, code, over] of section!.matchAll(/^\| `([A-Z_]+)` \| (.+) \|$/gm)) table.set(code!, over!);
  const conditions = codesAt(CONDITION);
  assert.deepEqual([...table.keys()], [...new Set([...codesAt(RAISES), ...conditions])].sort());
  const resolved = new Set([
    ...codesAt(RESOLVES),
    ...conditions,
    ...(sources.some((source) => DAMAGE_LOOP.test(source)) ? ['STORE_LOST'] : []),
  ]);
  for (const [code, over] of table) assert.equal(resolved.has(code), !/^stays: \S/.test(over), code);
});
