import assert from 'node:assert/strict';
import { test } from 'node:test';
import { anchoredHead, auditKey } from '../../../../contracts/index.ts';
import { decodeJson } from '../../../../node/format/index.ts';
import { refusal } from '../memory-host.ts';
import { key, testChain } from './chain.ts';

test('a node’s organisation anchors its log with a growing count, and no anchor is ever replaced', () => {
  const chain = testChain();
  const anchor =
    (sender: string, count: number, head = key(1)) =>
    () =>
      chain.call(sender, 'audit', 'anchor', { node: 'n-acme', head, count });
  anchor('operator@acme', 5)();
  chain.height = 2;
  assert.equal(refusal(anchor('operator@acme', 5, key(2))).code, 'AUDIT_ANCHOR_BEHIND');
  assert.equal(refusal(anchor('operator@acme', 4)).code, 'AUDIT_ANCHOR_BEHIND');
  assert.equal(refusal(anchor('operator@bolt', 9)).code, 'AUDIT_NODE_FOREIGN');
  assert.equal(refusal(anchor('operator@acme', 9, 'beef')).code, 'BUILTIN_ARGUMENTS_INVALID');
  anchor('operator@acme', 9, key(3))();
  const expected = { node: 'n-acme', head: key(3), count: 9, height: 2, timestampMs: chain.timestampMs };
  assert.deepEqual(chain.query('operator@acme', 'audit', 'last', { node: 'n-acme' }), expected);
  assert.deepEqual(anchoredHead(chain.read('audit', auditKey.anchor('n-acme', 9))!), { sequence: 9, link: key(3) });
  assert.ok(auditKey.anchor('n-acme', 5).startsWith(auditKey.anchorsOf('n-acme')));
  assert.equal((decodeJson(chain.read('audit', auditKey.anchor('n-acme', 5))!) as { head: string }).head, key(1));
  assert.equal(refusal(() => chain.query('operator@acme', 'audit', 'last', { node: 'n-bolt' })).code, 'AUDIT_ANCHOR_UNKNOWN');
});
