/** A whole node as `tracemill start` puts it together, in this process, so that the test can hold the thread that votes. It has no peers and stands at genesis. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { StartedLine } from '../../../../api/cli/start.ts';
import { runCli } from '../../../../api/cli/program.ts';
import type { Terminal } from '../../../../api/cli/terminal.ts';
import { ApiError, type Client, createClient } from '../../../../api/client/index.ts';
import { provision } from '../../../../devnet/provision.ts';
import { QUERIES_PER_CALLER_MAX } from '../../../../node/ledger/query-queue.ts';
import { HEADROOM_LOOK_MS, HEADROOM_PART_MIN } from '../../../../node/pace/headroom.ts';

/** The loop is held so long in each turn, ms: what another thread is asked takes a turn at least, as this one measures it. */
const HELD_MS = 25; // more than twice what the meter itself waits between two looks, so that each of them comes late
/** The rest that belongs to HELD_MS while the part is the least. */
const REST_MS = HELD_MS / HEADROOM_PART_MIN - HELD_MS;
/**
 * What is saved up during one rest shortens the next: a short one and a long one take turns, and the longer of two has REST_MS / 2. Without headroom
 * an answer follows in two or three turns.
 */
const RESTED_MS = REST_MS / 3;
/** Calls at once: two rests lie between their answers. */
const CALLS = 3;
const LEAST_WITHIN_MS = 30_000;

const directory = mkdtempSync(join(tmpdir(), 'start-'));
let auditor: Client;
let operator: Client;
let stop: () => void;
let ended: Promise<number>;
let holding = true;

before(async () => {
  const files = await provision({ directory, nodes: 4, p2pPort: 0, httpsPort: 0, nowMs: Date.now(), say: () => undefined });
  const [node] = files.nodes;
  const log: string[] = [];
  const started = new Promise<StartedLine>((resolve) => {
    const terminal: Terminal = {
      out: (text) => resolve(JSON.parse(text) as StartedLine),
      err: (text) => void log.push(text),
      interactive: false,
      env: {},
      cwd: directory,
      nodePath: process.execPath,
      nodeVersion: process.versions.node,
      now: () => Date.now(),
      sleep: (ms, signal) => sleep(ms, undefined, signal && { signal }).catch(() => undefined),
      stdin: async function* () {},
      askSecret: async () => undefined,
      onStop: (handler) => {
        stop = () => handler('SIGTERM');
        return () => undefined;
      },
    };
    ended = runCli(['--json', 'start', '--config', node!.configPath, '--passphrase-file', node!.passphrasePath], terminal, '0.0.0');
  });
  const { url } = await Promise.race([started, ended.then((code) => assert.fail(`exit code ${code}: ${log.join('')}`))]);
  const clientOf = (role: string): Client => {
    const { token } = files.accounts.find(({ account }) => account === `${role}@${node!.organisation}`)!;
    return createClient({ url, ca: files.ca, token, retries: 0 });
  };
  [auditor, operator] = [clientOf('auditor'), clientOf('operator')];
  hold();
  for (const untilMs = Date.now() + LEAST_WITHIN_MS; (await headroom()) > HEADROOM_PART_MIN; await sleep(HEADROOM_LOOK_MS))
    assert.ok(Date.now() < untilMs, 'the headroom does not fall');
});
after(async () => {
  holding = false;
  auditor?.close();
  operator?.close();
  stop?.();
  assert.equal(await ended, 0);
  rmSync(directory, { recursive: true });
});

function hold(): void {
  for (const untilMs = performance.now() + HELD_MS; performance.now() < untilMs; );
  if (holding) setImmediate(hold);
}

async function headroom(): Promise<number> {
  const text = Buffer.from(await auditor.getBytes('/metrics', {}, 'text/plain')).toString();
  return Number(/^chain_application_headroom_ratio (\S+)$/m.exec(text)?.[1] ?? assert.fail('no metric says how much headroom there is'));
}

/** The longest time between two answers to calls made at once, ms; a refusal is an answer. */
async function longestBetween(call: () => Promise<unknown>): Promise<number> {
  const answeredMs = await Promise.all(
    Array.from({ length: CALLS }, async () => {
      try {
        await call();
      } catch (error) {
        if (!(error instanceof ApiError) || error.status === 0) throw error;
      }
      return performance.now();
    }),
  );
  answeredMs.sort((a, b) => a - b);
  return Math.max(...answeredMs.slice(1).map((ms, i) => ms - answeredMs[i]!));
}

/** Fails unless calls rest once what was saved up is used. */
async function assertRests(call: () => Promise<unknown>): Promise<void> {
  const untilMs = Date.now() + LEAST_WITHIN_MS;
  let restedMs = 0;
  while (restedMs <= RESTED_MS && Date.now() < untilMs) restedMs = await longestBetween(call);
  assert.ok(restedMs > RESTED_MS, `${restedMs} ms`);
}

test('queries rest while the voting thread of a running node comes late, once what was saved up is used', async () => {
  const query = () => auditor.get('contracts/registry/query', { method: 'get', args: '{"kind":"node","id":"x"}' });
  await Promise.all(Array.from({ length: QUERIES_PER_CALLER_MAX }, () => query().catch(() => undefined)));
  await assertRests(query);
});

test('bodies of records rest while the voting thread of a running node comes late, once what was saved up is used', async () => {
  const parameters = Object.fromEntries(Array.from({ length: 20 }, (_, i) => [`p${i}`, { value: '1' }]));
  const body = JSON.stringify(Array.from({ length: 5_000 }, () => ({ product_uid: 'x', ext: { parameters } }))); // tens of ms of the processor
  await assertRests(() => operator.post('records/validate', body, { contentType: 'application/json' }));
});
