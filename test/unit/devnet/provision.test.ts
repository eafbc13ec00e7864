import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { verify as verifyPassword } from '@node-rs/argon2';
import { verifyToken } from '../../../api/auth/token.ts';
import { childEnvironment } from '../../../devnet/index.ts';
import { type NodeExit, NodeProcess } from '../../../devnet/node-process.ts';
import { freePort, LOOPBACK, PORTS_DRAWN } from '../../../devnet/ports.ts';
import { type CredentialsFile, provision, type ProvisionOptions, resetFiles } from '../../../devnet/provision.ts';
import { parseGenesis, parseNodeConfig } from '../../../node/config/index.ts';
import { createCrypto } from '../../../node/crypto/index.ts';
import { encodeJson, openGenesis } from '../../../node/format/index.ts';
import { CONTRACT, registryKey, stateKey } from '../../../contracts/index.ts';

const directory = mkdtempSync(join(tmpdir(), 'devnet-'));
after(() => rmSync(directory, { recursive: true }));
const NOW_MS = Date.now();
const said: string[] = [];
const options = (dir: string, more: Partial<ProvisionOptions> = {}): ProvisionOptions => ({
  directory: join(directory, dir),
  nodes: 4,
  p2pPort: 0,
  httpsPort: 0,
  nowMs: NOW_MS,
  say: (line) => said.push(line),
  ...more,
});

test('a devnet has four organisations whose files fit together, and a second start finds them', async () => {
  const first = await provision(options('a'));
  assert.equal(first.fresh, true);
  const genesis = parseGenesis(first.genesisText);
  assert.equal(genesis.organisations.length, 4);
  assert.deepEqual(
    genesis.nodes.map((node) => node.id),
    first.nodes.map((node) => node.id),
  );
  for (const node of first.nodes) {
    const config = parseNodeConfig(readFileSync(node.configPath, 'utf8'), {});
    assert.equal(config.node, node.id);
    assert.equal(config.https.port, node.httpsPort);
    assert.equal(config.bootstrap.length, 3);
    assert.match(config.bootstrap[0]!, /^\/ip4\/127\.0\.0\.1\/tcp\/\d+\/p2p\/12D3KooW/);
    for (const name of ['keystore.json', 'passphrase', 'credentials.json', 'tls-key.pem']) {
      assert.equal(statSync(join(node.directory, name)).mode & 0o077, 0, name);
    }
  }
  const second = await provision(options('a'));
  assert.equal(second.fresh, false);
  assert.equal(second.genesisText, first.genesisText);
  assert.deepEqual(second.nodes, first.nodes);
  assert.deepEqual(
    second.accounts.map((account) => account.password),
    first.accounts.map((account) => account.password),
  );
});

test('passwords of the profile are those of the credentials each node imports, and no node gets those of another organisation', async () => {
  const files = await provision(options('b'));
  for (const node of files.nodes) {
    const { credentials } = JSON.parse(readFileSync(join(node.directory, 'credentials.json'), 'utf8')) as CredentialsFile;
    assert.ok(credentials.length >= 4);
    assert.ok(credentials.every((row) => row.account.endsWith(`@${node.organisation}`)));
  }
  const account = files.accounts.find((row) => row.account === 'operator@machining')!;
  const text = readFileSync(join(directory, 'b', account.node, 'credentials.json'), 'utf8');
  const row = (JSON.parse(text) as CredentialsFile).credentials.find((candidate) => candidate.account === account.account)!;
  assert.equal(await verifyPassword(row.passwordHash, account.password), true);
  assert.equal(row.totpSecret, account.totpSecret);
  assert.equal(text.includes(account.password), false);
});

test('the tokens are accepted by the rule of the interface, under the chain of the genesis', async () => {
  const files = await provision(options('c'));
  const genesis = parseGenesis(files.genesisText);
  const rows = new Map<string, Uint8Array>();
  const put = (kind: 'organisation' | 'node' | 'account', id: string, owner: string, data: object): void => {
    const entry = { kind, id, owner, version: 1, state: 'active', validFrom: null, validTo: null, documentDigest: null, data };
    rows.set(stateKey(CONTRACT.registry, registryKey.entry(kind, id)), encodeJson(entry as never));
  };
  for (const { id, name } of genesis.organisations) put('organisation', id, id, { name });
  for (const { id, organisation, ...data } of genesis.nodes) put('node', id, organisation, data);
  for (const { id, organisation, ...data } of genesis.accounts) put('account', id, organisation, { ...data, sessionEpoch: 1 });
  const crypto = createCrypto();
  const { chainId } = openGenesis({ hash: (data) => new Uint8Array(createHash('sha256').update(data).digest()) }, files.genesisText);
  for (const account of files.accounts) {
    const read = ((...key: string[]) => rows.get(key.length === 2 ? stateKey(key[0]!, key[1]!) : key[0]!)) as never;
    const caller = verifyToken(account.token!, { chainId, crypto, read, nowMs: NOW_MS });
    assert.equal(caller.account, account.account);
    assert.deepEqual(caller.roles, account.roles);
  }
});

test('a busy port is replaced and said', async (t) => {
  const files = await provision(options('d'));
  const busy = files.nodes[2]!.httpsPort;
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(busy, LOOPBACK, resolve));
  t.after(() => server.close());
  said.length = 0;
  const moved = await provision(options('d'));
  assert.notEqual(moved.nodes[2]!.httpsPort, busy);
  assert.equal(moved.nodes[1]!.httpsPort, files.nodes[1]!.httpsPort);
  assert.deepEqual(said, [`port ${busy} is busy: ${files.nodes[2]!.id} takes ${moved.nodes[2]!.httpsPort} for https`]);
  assert.equal(parseNodeConfig(readFileSync(moved.nodes[2]!.configPath, 'utf8'), {}).https.port, moved.nodes[2]!.httpsPort);
});

test('a port nobody asked for by number is drawn outside those of outgoing connections, and none twice', async () => {
  const taken = new Set<number>();
  for (let i = 0; i < 200; i++) taken.add(await freePort(0, taken));
  assert.equal(taken.size, 200);
  for (const port of taken) assert.ok(port >= PORTS_DRAWN.from && port < PORTS_DRAWN.to && port < 32_768, `${port}`);
});

test('a reset removes what a devnet made and makes a new chain', async () => {
  const first = await provision(options('e'));
  await resetFiles(join(directory, 'e'));
  assert.equal(existsSync(first.nodes[0]!.directory), false);
  const second = await provision(options('e'));
  assert.notEqual(second.genesisHash, first.genesisHash);
});

test('more nodes than organisations are further nodes of these, with the sealing key of their organisation', async () => {
  const files = await provision(options('f', { nodes: 5 }));
  assert.deepEqual(
    files.nodes.map((node) => node.id),
    ['machining-1', 'supplier-1', 'inspection-1', 'regulator-1', 'machining-2'],
  );
  const { openKeystore } = await import('../../../node/keystore/index.ts');
  const secrets = await Promise.all(
    ['machining-1', 'machining-2'].map(async (id) => {
      const home = join(directory, 'f', id);
      return (await openKeystore(join(home, 'keystore.json'), readFileSync(join(home, 'passphrase'), 'utf8').trimEnd())).secret(
        'sealing-1',
      );
    }),
  );
  assert.deepEqual(secrets[0], secrets[1]);
});

test('a node that cannot open its keystore ends, says so in its log, and its end is reported', async () => {
  const files = await provision(options('g'));
  const node = files.nodes[0]!;
  const exit = await new Promise<NodeExit>((resolve) => {
    const env = childEnvironment({ ...process.env, TRACEMILL_GENESIS: '/nowhere', TRACEMILL_LOG_LEVEL: 'error' });
    const passphrasePath = files.nodes[1]!.passphrasePath;
    new NodeProcess({ ...node, passphrasePath, nodePath: process.execPath, env, onExit: resolve }).start();
  });
  assert.deepEqual(exit, { code: 1, signal: null, unexpected: true });
  assert.match(readFileSync(join(node.directory, 'node.log'), 'utf8'), /KEYSTORE_LOCKED/);
});
