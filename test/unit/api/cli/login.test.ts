/** Logging in by the profile of a devnet, against the real login of the interface. */
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { totpCode, totpLeftMs } from '../../../../api/cli/one-time-code.ts';
import { findProfile, type Profile } from '../../../../api/cli/profile.ts';
import { runCli } from '../../../../api/cli/program.ts';
import type { Terminal } from '../../../../api/cli/terminal.ts';
import { createRig, type Rig, testTls } from '../stand-ins.ts';

const PASSWORD = 'correct horse battery';
const directory = mkdtempSync(join(tmpdir(), 'login-'));
let rig: Rig;
let profile: Profile;
before(async () => {
  rig = await createRig();
  const url = `https://127.0.0.1:${await rig.server.listen({ host: '127.0.0.1', port: 0 })}`;
  const { credentials } = rig.server.context;
  await credentials.setPassword('ada@acme', PASSWORD);
  const { secret } = await credentials.setOtp('ada@acme');
  writeFileSync(join(directory, 'ca.pem'), (await testTls()).ca);
  profile = {
    version: 1,
    name: 'test',
    genesis: join(directory, 'genesis.json'),
    genesisHash: '',
    ca: join(directory, 'ca.pem'),
    nodes: [{ node: 'node-a', organisation: 'acme', url, config: '' }],
    accounts: [{ account: 'ada@acme', node: 'node-a', roles: ['admin'], password: PASSWORD, totpSecret: secret }],
    account: 'ada@acme',
  };
});
after(async () => {
  await rig.close();
  rmSync(directory, { recursive: true });
});

/** The clock of the rig stands elsewhere than the machine's. */
async function run(args: readonly string[]): Promise<{ exitCode: number; out: string; err: string }> {
  let out = '';
  let err = '';
  const terminal: Terminal = {
    out: (text) => {
      out += text;
    },
    err: (text) => {
      err += text;
    },
    interactive: false,
    env: {},
    cwd: directory,
    programPath: '/nowhere/dist/api/cli/main.js',
    nodePath: process.execPath,
    nodeVersion: '20.0.0',
    now: () => rig.world.clock.now(),
    sleep: async (ms) => rig.world.advance(ms),
    stdin: async function* () {},
    askSecret: async () => undefined,
    onStop: () => () => undefined,
  };
  const exitCode = await runCli(args, terminal, '9.9.9');
  return { exitCode, out, err };
}
const save = (changed: Partial<Profile['accounts'][number]> = {}): void =>
  writeFileSync(join(directory, 'profile.json'), JSON.stringify({ ...profile, accounts: [{ ...profile.accounts[0], ...changed }] }));

test('codes are those of RFC 6238 and the time left of one is told', async () => {
  const secret = 'GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ'; // appendix B: 12345678901234567890
  assert.deepEqual(await Promise.all([59_000, 1_111_111_109_000, 20_000_000_000_000].map((ms) => totpCode(secret, ms))), [
    '287082',
    '081804',
    '353130',
  ]);
  assert.equal(totpLeftMs(59_000), 1_000);
});

test('a command beside a profile logs in by itself, and once for several commands', async () => {
  save();
  const first = await run(['--json', 'trace', 'P-1']);
  assert.equal(first.exitCode, 0, first.out + first.err);
  const cached = readFileSync(join(directory, 'tokens.json'), 'utf8');
  const second = await run(['admin', 'token']);
  assert.equal(second.exitCode, 0);
  assert.equal(JSON.parse(cached)['ada@acme'].token, second.out.trim());
  assert.equal(readFileSync(join(directory, 'tokens.json'), 'utf8'), cached);
});

test('a code used a moment ago is waited out', async () => {
  save();
  rmSync(join(directory, 'tokens.json'), { force: true });
  const before = rig.world.clock.now();
  const { exitCode, err } = await run(['trace', 'P-1']);
  assert.equal(exitCode, 0, err);
  assert.ok(rig.world.clock.now() - before <= 61_000);
});

test('a token of the profile that the node does not know is replaced by a login', async () => {
  rmSync(join(directory, 'tokens.json'), { force: true });
  rig.world.advance(90_000);
  const foreign = rig.token('ada@acme', {}, rig.keys['node-b']);
  save({ token: foreign, tokenExpiresAtMs: rig.world.clock.now() + 3_600_000 });
  const { exitCode, out, err } = await run(['--json', 'trace', 'P-1']);
  assert.equal(exitCode, 0, out + err);
  assert.ok(JSON.parse(readFileSync(join(directory, 'tokens.json'), 'utf8'))['ada@acme'].token !== foreign);
});

test('a route with step-up gets its code from the profile', async () => {
  rig.world.advance(3_600_000); // the code of the login is no longer fresh
  save({ token: rig.token('ada@acme', { kind: 'api', steppedUpAt: 0 }), tokenExpiresAtMs: rig.world.clock.now() + 3_600_000 });
  const { exitCode, out, err } = await run([
    '--json',
    'governance',
    'propose',
    '{"kind":"setParameter","name":"viewTimeoutMs","value":3000}',
  ]);
  assert.equal(exitCode, 0, out + err);
});

test('the profile is found from a directory below, and admin otp prints the current code', async () => {
  save();
  assert.equal(findProfile(join(directory, 'x', 'y'), undefined)?.directory, directory);
  const { out } = await run(['admin', 'otp']);
  assert.equal(out.trim(), await totpCode(profile.accounts[0]!.totpSecret, rig.world.clock.now()));
});
