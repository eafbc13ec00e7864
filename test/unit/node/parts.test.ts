import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Part, Parts } from '../../../node/parts.ts';

function recorded(log: string[], failing: readonly string[] = []): Parts {
  const parts = new Parts();
  const part = (name: string): Part => ({
    name,
    async start() {
      log.push(`start ${name}`);
      if (failing.includes(`start ${name}`)) throw new Error(name);
    },
    async stop() {
      log.push(`stop ${name}`);
      if (failing.includes(`stop ${name}`)) throw new Error(name);
    },
  });
  parts.add(part('store'), { name: 'without life' });
  parts.add(part('chain'), part('server'));
  return parts;
}

test('parts start in the order they were added and stop in reverse, once', async () => {
  const log: string[] = [];
  const parts = recorded(log);
  await parts.start();
  await Promise.all([parts.stop(), parts.stop()]);
  assert.deepEqual(log, ['start store', 'start chain', 'start server', 'stop server', 'stop chain', 'stop store']);
});

test('a part that cannot start keeps those above it from starting, and all are stopped', async () => {
  const log: string[] = [];
  const parts = recorded(log, ['start chain']);
  await assert.rejects(parts.start(), /chain/);
  await parts.stop();
  assert.deepEqual(log, ['start store', 'start chain', 'stop server', 'stop chain', 'stop store']);
});

test('a part that cannot stop keeps no other one running, and its error is told', async () => {
  const log: string[] = [];
  const parts = recorded(log, ['stop server', 'stop chain']);
  await assert.rejects(parts.stop(), /server/);
  assert.deepEqual(log, ['stop server', 'stop chain', 'stop store']);
});
