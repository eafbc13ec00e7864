/** One devnet for a file of end-to-end tests: real processes, loopback, free ports, a directory that goes away. */
import assert from 'node:assert/strict';
import { createPrivateKey, sign as signWith } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Devnet, type DevnetOptions, startDevnet } from '../../devnet/index.ts';
import { createCrypto } from '../../node/crypto/index.ts';
import type { Crypto } from '../../node/format/index.ts';
import { type Keystore, openKeystore } from '../../node/keystore/index.ts';
import { type Actor, PATIENCE_MS, ProbeContext } from '../conformance/context.ts';

export interface TestNet {
  readonly net: Devnet;
  readonly context: ProbeContext;
  stop(): Promise<void>;
}

export async function startTestNet(name: string, options: Omit<DevnetOptions, 'dir'> & { readonly dir?: string } = {}): Promise<TestNet> {
  const dir = options.dir ?? mkdtempSync(join(tmpdir(), `tracemill-${name}-`));
  try {
    const net = await startDevnet({ revive: false, ...options, dir });
    const context = new ProbeContext(net, dir);
    return {
      net,
      context,
      async stop() {
        context.close();
        await net.stop();
        rmSync(dir, { recursive: true, force: true });
      },
    };
  } catch (error) {
    rmSync(dir, { recursive: true, force: true });
    throw error;
  }
}

export function realCrypto(): Crypto {
  return createCrypto();
}

export function keystoreOf(net: Devnet, node: number): Promise<Keystore> {
  const { dir } = net.nodes[node]!;
  return openKeystore(join(dir, 'keystore.json'), readFileSync(join(dir, 'passphrase'), 'utf8').trimEnd());
}

const PKCS8_ED25519 = Buffer.from('302e020100300506032b657004220420', 'hex');

/** Signs with a seed, without any code of the project. */
export function signEd25519(seed: Uint8Array, message: Uint8Array): Uint8Array {
  const key = createPrivateKey({ key: Buffer.concat([PKCS8_ED25519, seed]), format: 'der', type: 'pkcs8' });
  return new Uint8Array(signWith(null, message, key));
}

/** Every final record, counted at the head of node 0. */
export async function recordCount(context: ProbeContext): Promise<number> {
  const height = await context.height(0);
  let count = 0;
  for (const recordClass of ['production', 'device', 'quality', 'material_consumption']) {
    const page = await context.get(0, 'records', { class: recordClass, count: 'exact', limit: 1, atLeastHeight: height, waitMs: 20_000 });
    count += page.count;
  }
  return count;
}

/** All nodes at one height with one hash, the height at least `height`. */
export async function oneHead(net: Devnet, context: ProbeContext, height: number): Promise<number> {
  await context.until(`all nodes at height ${height} or above`, PATIENCE_MS, async () => {
    const heads = await Promise.all(net.nodes.map((node) => node.head()));
    return heads.every((head) => head.height >= height);
  });
  const lowest = Math.min(...(await Promise.all(net.nodes.map((node) => node.head()))).map((head) => head.height));
  const hashes = new Set<string>();
  for (const index of net.nodes.keys()) hashes.add((await context.get(index, `blocks/${lowest}`)).hash as string);
  assert.equal(hashes.size, 1, `one block at height ${lowest}`);
  return lowest;
}

/** The operator of each organisation with the node that signs for it, in the order of the nodes. */
export function operators(context: ProbeContext): readonly Actor[] {
  const { accounts, devices, nodes } = context.genesis;
  return nodes.map(({ organisation }, node) => {
    const account = accounts.find((candidate) => candidate.organisation === organisation && candidate.roles.includes('operator'))!;
    const device = devices.find((candidate) => candidate.organisation === organisation)!;
    return { account: account.id, organisation, token: context.net.tokens[account.id]!, node, factory: device.factory, device: device.id };
  });
}
