/**
 * A node whose disk is full: it says so, stops voting without dying, the other three go on; when there is room again it recovers by itself, in the
 * same process. Its files lie on a small file system in memory, which only root may make.
 */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { appendFileSync, cpSync, mkdtempSync, renameSync, rmSync, statfsSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { PATIENCE_MS, type ProbeContext } from '../conformance/context.ts';
import { type Fields, production, trySubmit } from '../conformance/records.ts';
import { oneHead, startTestNet } from './net.ts';

const DISK_BYTES = 201_326_592;
/** Left free when the disk is filled: less than one LevelDB log. */
const LEFT_BYTES = 1_048_576;
const FULL = 1; // index of the node with the small disk
const REPORT_CHARACTERS = 100_000;
const CODES_WHILE_FULL = ['STORE_FULL', 'SERVER_BUSY', 'CALL_TIMEOUT'];

function mountMemory(path: string): boolean {
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${DISK_BYTES}`, 'tmpfs', path], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

function fill(path: string): void {
  const step = Buffer.alloc(262_144, 1);
  writeFileSync(path, '');
  for (;;) {
    const { bavail, bsize } = statfsSync(path);
    if (bavail * bsize <= LEFT_BYTES) return;
    appendFileSync(path, step);
  }
}

const heavy = (context: ProbeContext): Fields => {
  const record = production(context);
  return {
    ...record,
    ext: { ...(record.ext as Fields), parameters: { report: { value: context.random('x').repeat(REPORT_CHARACTERS / 14) } } },
  };
};

test('a node with a full disk says so and waits, the others go on, and with room again it is back at the same head', async (t) => {
  const scratch = mkdtempSync(join(tmpdir(), 'tracemill-full-disk-mount-'));
  if (!mountMemory(scratch)) {
    rmSync(scratch, { recursive: true });
    return t.skip('mounting a file system in memory is not permitted here');
  }
  execFileSync('umount', [scratch]);
  rmSync(scratch, { recursive: true });

  const { net, context, stop } = await startTestNet('full-disk');
  const node = net.nodes[FULL]!;
  let mounted = false;
  try {
    await node.kill('SIGKILL');
    const aside = `${node.dir}.aside`;
    renameSync(node.dir, aside);
    execFileSync('mkdir', [node.dir]);
    mounted = mountMemory(node.dir);
    assert.equal(mounted, true);
    cpSync(aside, node.dir, { recursive: true });
    await node.restart();
    await oneHead(net, context, 1);
    const { pid } = node;
    const ballast = join(node.dir, 'ballast');
    fill(ballast);

    const actor = context.actorWith('operator', context.actor.organisation);
    assert.equal(actor.node, FULL);
    const receipts: { id: string; height: number }[] = [];
    const seen = new Set<string>();
    // Load through a healthy node; what the full node is asked meanwhile it refuses with a code, or answers as pending.
    await context.until('the node to say that its disk is full', PATIENCE_MS, async () => {
      const answer = await trySubmit(context, heavy(context));
      assert.equal(answer.status, 200, answer.text.slice(0, 300));
      receipts.push({ id: answer.json.data.records[0].id, height: answer.json.data.height });
      const asked = await trySubmit(context, production(context, actor), { actor, query: { timeoutMs: 1_000 } });
      seen.add(asked.json.code);
      return asked.json.code === 'STORE_FULL';
    });
    for (const code of seen) assert.equal(['OK', ...CODES_WHILE_FULL].includes(code), true, code);
    const chainIsFull = (alarm: { kind: string; detail: { store?: string } }) =>
      alarm.kind === 'STORE_FULL' && (alarm.detail.store === 'chain' || alarm.detail.store === 'blocks');
    const shown = async () => (await context.get(FULL, 'alarms')).items.find(chainIsFull);
    await context.until('the alarm that the ledger has no room', PATIENCE_MS, async () => {
      const answer = await trySubmit(context, heavy(context));
      assert.equal(answer.status, 200, answer.text.slice(0, 300));
      return (await shown()) !== undefined;
    });
    const before = await context.height(0);
    for (let i = 0; i < 10; i++) {
      const answer = await trySubmit(context, heavy(context));
      assert.equal(answer.status, 200, `the other three go on: ${answer.text.slice(0, 300)}`);
      receipts.push({ id: answer.json.data.records[0].id, height: answer.json.data.height });
    }
    const height = await context.height(0);
    assert.equal(height > before, true);
    await sleep(2_000);
    assert.equal(node.running && node.pid === pid, true, 'the full node lives');
    assert.equal((await context.call(FULL, 'GET', '/healthz', { token: null })).status, 200);
    assert.equal((await node.head()).height < height, true, 'what it could not store it does not claim to hold');

    rmSync(ballast);
    await oneHead(net, context, height);
    assert.equal(node.pid, pid, 'by itself, in the same process');
    for (const { id } of receipts.slice(-5)) assert.equal((await context.call(FULL, 'GET', `records/${id}`)).status, 200);
    await context.until('a record through the recovered node', PATIENCE_MS, async () => {
      const answer = await trySubmit(context, production(context, actor), { actor });
      return answer.status === 200 && answer.json.data.status === 'confirmed';
    });
    const alarm = await shown();
    await sleep(3_000); // what memory held is on disk by now
    await node.kill('SIGKILL');
    await node.restart();
    assert.deepEqual(await shown(), alarm, 'the alarm outlives a crash');
    const admin = context.actorWith('admin', context.actor.organisation);
    const acknowledged = await context.post(FULL, `alarms/${alarm.id}/acknowledge`, {}, { token: admin.token });
    assert.equal(acknowledged.status, 200, acknowledged.text);
    assert.equal((await shown()).acknowledgedBy, admin.account);
    await oneHead(net, context, height);
  } finally {
    await net.stop();
    if (mounted) execFileSync('umount', ['-l', node.dir]);
    await stop();
  }
});
