/** Logging in by the profile of a devnet, against the real login of the interface. */
import assert from 'node:assert/strict';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { totpCode, totpLeftMs } from '../../../../api/cli/one-time-code.ts';
import { commandLine, openCommandRig } from './command-line.ts';
import { findProfile, type Profile } from '../../../../api/cli/profile.ts';

const PASSWORD = 'correct horse battery';
const { rig, url, directory, close } = await openCommandRig();
after(close);
const { credentials } = rig.server.context;
await credentials.setPassword('ada@acme', PASSWORD);
const { secret } = await credentials.setOtp('ada@acme');
const profile: Profile = {
  version: 1,
  name: 'test',
  genesis: join(directory, 'genesis.json'),
  genesisHash: '',
  ca: join(directory, 'ca.pem'),
  nodes: [{ node: 'node-a', organisation: 'acme', url, config: '' }],
  accounts: [{ account: 'ada@acme', node: 'node-a', roles: ['admin'], password: PASSWORD, totpSecret: secret }],
  account: 'ada@acme',
};
/** The clock of the rig stands elsewhere than the machine's. */
const run = commandLine(directory, { now: () => rig.world.clock.now(), sleep: async (ms) => rig.world.advance(ms) });
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
