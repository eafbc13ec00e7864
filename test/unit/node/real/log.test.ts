import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ChainError } from '../../../../node/errors/index.ts';
import { createLog, SECRET_FIELD_NAMES } from '../../../../node/real/log.ts';

function capture() {
  const lines: string[] = [];
  return { lines, destination: { write: (line: string) => void lines.push(line) } };
}

test('a line holds the event and its fields', () => {
  const { lines, destination } = capture();
  const log = createLog({ destination }).child({ node: 'n1' });
  log.info({ height: 7, hash: Uint8Array.of(1, 255) }, 'block committed');
  const line = JSON.parse(lines[0]!) as Record<string, unknown>;
  assert.deepEqual([line.event, line.height, line.hash, line.node, line.level], ['block committed', 7, '01ff', 'n1', 30]);
});

test('no secret reaches a line, whatever its letter case, depth, list or child', () => {
  const { lines, destination } = capture();
  const log = createLog({ destination, level: 'debug' });
  for (const name of SECRET_FIELD_NAMES) {
    for (const spelling of [name, name.toUpperCase(), name.toLowerCase()]) {
      const fields = { [spelling]: 'hunter2', a: { b: [{ [spelling]: 'hunter2' }] } };
      log.debug(fields, 'e');
      log.info(fields, 'e');
      log.warn(fields, 'e');
      log.error(fields, 'e');
      log.child(fields).info({}, 'e');
    }
  }
  assert.equal(lines.length, SECRET_FIELD_NAMES.length * 3 * 5);
  for (const line of lines) assert.ok(!line.includes('hunter2') && line.includes('[redacted]'), line);
});

test('an error is logged by message and code, and levels below the chosen one are silent', () => {
  const { lines, destination } = capture();
  const log = createLog({ destination, level: 'warn' });
  log.info({}, 'quiet');
  log.debug({}, 'quiet');
  log.error({ cause: new ChainError('STORE_FULL') }, 'commit failed');
  assert.equal(lines.length, 1);
  const { cause } = JSON.parse(lines[0]!) as { cause: { code: string; message: string } };
  assert.equal(cause.code, 'STORE_FULL');
});
