import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { type Fault, parseNodeConfig, settings, settingsTable } from '../../../../node/config/index.ts';
import { apiSettingsDefault } from '../../../../api/rest/deps.ts';
import { ChainError } from '../../../../node/errors/index.ts';

const faultsOf = (text: string, env: Record<string, string> = {}): readonly Fault[] => {
  try {
    parseNodeConfig(text, env);
  } catch (error) {
    assert.ok(error instanceof ChainError && error.code === 'CONFIG_INVALID');
    return error.data.faults as readonly Fault[];
  }
  return [];
};
const least = '{"node": "n1", "organisation": "o1"}';

test('node and organisation are enough: everything else has its default', () => {
  const config = parseNodeConfig(least, {});
  assert.equal(config.https.port, 26_700);
  assert.equal(config.p2p.host, '127.0.0.1');
  assert.equal(config.mempoolCountMax, 50_000);
  assert.deepEqual(config.bootstrap, []);
});

test('the environment wins over the file', () => {
  const config = parseNodeConfig('{"node": "n1", "organisation": "o1", "https": {"port": 1}, "logLevel": "warn"}', {
    TRACEMILL_HTTPS_PORT: '2',
    TRACEMILL_LOG_LEVEL: 'debug',
    TRACEMILL_BOOTSTRAP: '/ip4/127.0.0.1/tcp/1, /ip4/127.0.0.1/tcp/2',
    UNRELATED: 'x',
  });
  assert.equal(config.https.port, 2);
  assert.equal(config.logLevel, 'debug');
  assert.deepEqual(config.bootstrap, ['/ip4/127.0.0.1/tcp/1', '/ip4/127.0.0.1/tcp/2']);
});

test('all faults are named at once, each by its pointer', () => {
  const faults = faultsOf(
    '{"node": "Bad Name", "p2p": {"port": 70000, "prot": 1}, "mempoolCountMax": "many", "logLevel": "loud", "mempolBytesMax": 1}',
    { TRACEMILL_VERIFY_WORKERS: 'two' },
  );
  assert.deepEqual(faults.map((fault) => fault.pointer).sort(), [
    '/logLevel',
    '/mempolBytesMax',
    '/mempoolCountMax',
    '/node',
    '/organisation',
    '/p2p/port',
    '/p2p/prot',
    '/verifyWorkers',
  ]);
  const message = (pointer: string) => faults.find((fault) => fault.pointer === pointer)!.message;
  assert.match(message('/mempolBytesMax'), /did you mean mempoolBytesMax/);
  assert.match(message('/p2p/prot'), /did you mean port/);
  assert.match(message('/logLevel'), /debug, info, warn, error/);
  assert.equal(message('/organisation'), 'is missing');
});

test('text that is not JSON and JSON that is not an object are faults of the whole', () => {
  assert.equal(faultsOf('{')[0]!.pointer, '');
  assert.equal(faultsOf('[]')[0]!.pointer, '');
  assert.equal(faultsOf('{"node": "n1", "organisation": "o1", "https": 5}')[0]!.pointer, '/https');
});

test('every setting says what it is for, and the table of the README is the one the schema makes', () => {
  const rows = settings();
  assert.ok(rows.length > 15);
  for (const row of rows) assert.ok(row.description.length > 10, row.pointer);
  const environment = rows.map((row) => row.env).filter((name) => name !== undefined);
  assert.equal(new Set(environment).size, environment.length);
  const readme = readFileSync(join(import.meta.dirname, '../../../../../node/config/README.md'), 'utf8');
  assert.ok(readme.includes(settingsTable()), `node/config/README.md lacks the table:\n${settingsTable()}`);
});

test('no consensus time-out is a setting of a node', () => {
  for (const row of settings()) assert.doesNotMatch(row.pointer, /view|timeoutMs.*consensus|idleBlock|checkpoint/i);
});

test('the bounds of the interface have the same defaults here and there', () => {
  const config: Readonly<Record<string, unknown>> = parseNodeConfig(least, {});
  for (const [name, value] of Object.entries(apiSettingsDefault)) assert.equal(config[name], value, name);
});
