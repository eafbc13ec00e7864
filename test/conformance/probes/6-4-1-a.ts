/** A node with no registered identity cannot join; after registration by governance it can. */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { freePort } from '../../../devnet/ports.ts';
import type { Probe } from '../clause.ts';
import { PATIENCE_MS, type ProbeContext } from '../context.ts';
import { passProposal } from '../governance.ts';
import { ROOT } from '../../tools/source.ts';

/** How long a node that may not join is watched for not joining, in ms: several times what a registered one takes. */
const WATCH_MS = 6_000;
const PROGRAM = join(ROOT, 'dist/api/cli/main.js');

interface Newcomer {
  readonly id: string;
  /** What governance must register. */
  readonly part: { readonly id: string; readonly organisation: string; readonly [name: string]: unknown };
  readonly at: { readonly url: string; readonly ca: string };
  stop(): Promise<void>;
}

/** Makes the files of a node of an organisation of the chain, and starts it. */
async function newcomer(context: ProbeContext): Promise<Newcomer> {
  const id = context.random('node');
  const { organisation } = context.actor;
  const directory = context.scratch(id);
  const p2p = await freePort(0);
  const https = await freePort(0, new Set([p2p]));
  const passphrase = context.file(`${id}.passphrase`, `${context.random('open')}-sesame`);
  const genesis = context.file('genesis.json', context.net.genesisText);
  const init = [
    'init',
    '--organisation',
    organisation,
    '--node',
    id,
    '--directory',
    directory,
    '--genesis',
    genesis,
    '--passphrase-file',
    passphrase,
    '--p2p-port',
    `${p2p}`,
    '--https-port',
    `${https}`,
  ];
  const made = await context.cli(0, init);
  assert.equal(made.exitCode, 0, made.stderr);
  const { node: part } = JSON.parse(readFileSync(join(directory, 'genesis-part.json'), 'utf8')) as { node: Newcomer['part'] };
  const child: ChildProcess = spawn(
    process.execPath,
    [PROGRAM, 'start', '--json', '--config', join(directory, 'node.json'), '--passphrase-file', passphrase],
    {
      cwd: directory,
      stdio: 'ignore',
    },
  );
  return {
    id,
    part,
    at: { url: `https://127.0.0.1:${https}`, ca: readFileSync(join(directory, 'tls-ca.pem'), 'utf8') },
    async stop() {
      if (child.exitCode !== null || child.signalCode !== null) return;
      const gone = once(child, 'exit');
      child.kill('SIGKILL');
      await gone;
    },
  };
}

/** Nodes of the devnet that say they are connected to it. */
async function connectedTo(context: ProbeContext, id: string): Promise<number> {
  let count = 0;
  for (const node of context.net.nodes.keys()) {
    const { items } = await context.get(node, 'peers');
    if (items.some((peer: { node: string; connected: boolean }) => peer.node === id && peer.connected)) count++;
  }
  return count;
}

async function heightOf(context: ProbeContext, node: Newcomer): Promise<number> {
  const answer = await context.call(0, 'GET', 'consensus', { at: node.at });
  assert.equal(answer.status, 200, answer.text.slice(0, 200));
  return answer.json.data.head.height;
}

async function register(context: ProbeContext, { part }: Newcomer): Promise<void> {
  const { id, organisation, ...node } = part;
  await passProposal(context, { kind: 'addNode', id, organisation, node: { ...node, role: 'observer' } });
}

export const probe: Probe = {
  id: '6.4.1.a',
  async prove(context) {
    const node = await newcomer(context);
    try {
      await sleep(WATCH_MS);
      assert.equal(await connectedTo(context, node.id), 0, 'unregistered, it is let in nowhere');
      await register(context, node);
      const height = await context.height(0);
      await context.until('the registered node to be connected', PATIENCE_MS, async () => (await connectedTo(context, node.id)) > 0);
      await context.until('the registered node to reach the head', PATIENCE_MS, async () => (await heightOf(context, node)) >= height);
    } finally {
      await node.stop();
    }
  },
  async twin(context) {
    const node = await newcomer(context);
    try {
      await context.until(
        'the unregistered node to serve',
        PATIENCE_MS,
        async () => (await context.call(0, 'GET', '/healthz', { token: null, at: node.at })).status === 200,
      );
      await sleep(WATCH_MS);
      assert.equal(await connectedTo(context, node.id), 0);
      assert.equal(await heightOf(context, node), 0, 'it holds no block of the chain');
    } finally {
      await node.stop();
    }
  },
};
