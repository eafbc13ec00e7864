/** Commands against the real server of the interface, over HTTPS, with stand-ins behind it. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:https';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { ChainError } from '../../../../node/errors/index.ts';
import { openAlarms } from '../../../../node/feeds/alarms.ts';
import { auditKey, CONTRACT, deployedKey, governanceKey, registryKey, stateKey } from '../../../../contracts/index.ts';
import { openExchangeLog } from '../../../../node/feeds/exchange-log.ts';
import { encodeJson, toHex } from '../../../../node/format/index.ts';
import { ledgerKey } from '../../../../node/ledger/keys.ts';
import { inlineRow } from '../../../../node/ledger/state-rows.ts';
import { keyspace, openLevelStore, openVoteLog } from '../../../../node/store/index.ts';
import { openKeystore, validatorKeyId } from '../../../../node/keystore/index.ts';
import { commandLine, openCommandRig } from './command-line.ts';
import { confirmed } from '../stand-in-node.ts';
import { createTestWorld } from '../stand-in-world.ts';

const { rig, url, directory, close } = await openCommandRig();
after(close);

const run = commandLine(directory);
const as = (account: string, ...args: string[]) =>
  run(['--json', ...args], { TRACEMILL_URL: url, TRACEMILL_CA: 'ca.pem', TRACEMILL_TOKEN: rig.token(account) });
const file = (name: string, text: string): string => {
  writeFileSync(join(directory, name), text);
  return name;
};

test('an environment variable or a typed passphrase that is not UTF-8 is refused, unseen, before anything is done', async () => {
  const unread = 'secret \ufffd\ufffd';
  for (const name of ['URL', 'CA', 'TOKEN', 'LANG', 'PASSPHRASE', 'PASSPHRASE_FILE', 'DATA_DIR'].map((end) => `TRACEMILL_${end}`)) {
    for (const command of [
      ['record', 'query'],
      ['keys', 'create', 'mes@acme', 'unread.json', '--kind', 'account'],
    ]) {
      const { answer, out, err } = await run(['--json', ...command], { TRACEMILL_URL: url, [name]: unread });
      assert.deepEqual([answer.code, answer.data.reason], ['CLI_USAGE', `environment variable ${name} is not UTF-8`]);
      assert.ok(!(out + err).includes('secret'));
    }
  }
  const create = (typed: string) =>
    run(['--json', 'keys', 'create', 'mes@acme', 'typed.json', '--kind', 'account'], { OTHER: unread }, '', typed);
  const { answer } = await create(unread);
  assert.deepEqual([answer.code, answer.data.reason], ['CLI_USAGE', 'the passphrase was not typed in UTF-8']);
  assert.deepEqual(
    ['unread.json', 'typed.json'].map((name) => existsSync(join(directory, name))),
    [false, false],
  );
  assert.equal((await create('long enough 口令')).exitCode, 0);
});

test('an argument or a file that is not UTF-8 is refused before anything is asked or sent', async () => {
  const [searches, submissions] = [rig.records.searches.length, rig.records.submissions.length];
  const asked = await as('olga@acme', 'record', 'query', '--product', '\ufffd\ufffd\ufffd');
  assert.deepEqual([asked.answer.code, asked.answer.data.reason.startsWith('argument 5 is not UTF-8')], ['CLI_USAGE', true]);
  const gb18030 = Buffer.from([0xc0, 0xa5, 0xc3, 0xf7]); // Kunming
  const write = (name: string, ...parts: (string | Buffer)[]): string => {
    writeFileSync(join(directory, name), Buffer.concat(parts.map((part) => Buffer.from(part as string))));
    return name;
  };
  const code = write('gb.js', 'export const methods = {} // ', gb18030);
  const csv = write('gb.csv', 'product_uid,x\r\nP-1,', gb18030, '\r\n');
  for (const command of [
    ['contract', 'deploy', code],
    ['contract', 'call', `0x${'1'.repeat(40)}`, 'add', `@${code}`],
    ['record', 'import', csv],
    ['record', 'canonical', csv],
  ]) {
    const { answer } = await as('olga@acme', ...command);
    assert.equal(answer.code, 'CLI_FILE_MALFORMED', command.join(' '));
    assert.match(JSON.stringify(answer.data), /UTF-?8/, command.join(' '));
  }
  for (const [name, text, found] of [
    ['cr.csv', 'product_uid,x\rP-1,a\r', 'CR'],
    ['semicolon.csv', '"product_uid";"x"\nP-1;a\n', 'semicolon'],
  ] as const) {
    const { answer } = await as('olga@acme', 'record', 'import', write(name, text));
    assert.deepEqual([answer.code, answer.data.reason.includes(found)], ['CLI_FILE_MALFORMED', true], name);
  }
  assert.deepEqual([rig.records.searches.length, rig.records.submissions.length, rig.node.submitted.length], [searches, submissions, 0]);
});

test('a record file is sent as it stands, with its type and stated digest', async () => {
  const name = file('one.csv', 'product_uid,x\r\nP-1,"a"\r\n');
  const { exitCode, answer } = await as('olga@acme', 'record', 'submit', name, '--digest', 'a'.repeat(64));
  assert.equal(exitCode, 0);
  assert.equal(answer.status, 'confirmed');
  assert.deepEqual(rig.records.submissions.at(-1), {
    text: 'product_uid,x\r\nP-1,"a"\r\n',
    mediaType: 'text/csv',
    account: 'olga@acme',
    statedDigest: 'a'.repeat(64),
    source: {},
  });
});

test('query flags become parameters of the search', async () => {
  const { exitCode, answer } = await as(
    'olga@acme',
    'record',
    'query',
    '--product',
    'P-1',
    '--batch',
    'B',
    '--from',
    '2025-01-01T00:00:00Z',
    '--limit',
    '5',
  );
  assert.equal(exitCode, 0);
  assert.equal(answer.items.length, 1);
  const search = rig.records.searches.at(-1)!;
  assert.deepEqual({ ...search.filter }, { product: 'P-1', batch: 'B', from: '2025-01-01T00:00:00Z' });
  assert.equal(search.limit, 5);
});

test('a refusal shows code, every detail, remedy and requestId, and ends with exit code 1', async () => {
  const name = file('bad.json', '{"broken": 1}');
  const text = await run(['record', 'submit', name, '--url', url, '--ca', 'ca.pem', '--token', rig.token('olga@acme')]);
  assert.equal(text.exitCode, 1);
  assert.equal(text.out, '');
  assert.match(text.err, /^REQUEST_INVALID: /);
  assert.match(text.err, /\/product_uid FIELD_MISSING/);
  assert.match(text.err, /row 2, column propara FIELD_RANGE/);
  assert.match(text.err, /\n {2}-> /);
  assert.match(text.err, /requestId \S+/);
  const json = await as('olga@acme', 'record', 'submit', name);
  assert.equal(json.answer.code, 'REQUEST_INVALID');
  assert.equal(json.answer.details.length, 2);
});

test('a list that does not show everything says so, and goes on where it stopped', async () => {
  const rows = Array.from({ length: 5 }, (_, i) => `0x${String(i + 1).repeat(40)}`);
  for (const [i, address] of rows.entries()) {
    rig.state.rows.set(stateKey(CONTRACT.deployed, deployedKey.contract(address)), encodeJson({ address, state: 'active' }));
    rig.state.rows.set(stateKey(CONTRACT.governance, governanceKey.proposal(`0000000${i + 1}`)), encodeJson({ id: `${i + 1}`, votes: [] }));
    const entry = { kind: 'factory', id: `F-${i}`, owner: 'acme', version: 1, state: 'active' };
    rig.state.rows.set(stateKey(CONTRACT.registry, registryKey.entry('factory', `F-${i}`)), encodeJson(entry));
    rig.state.rows.set(stateKey(CONTRACT.registry, registryKey.version('factory', 'F-0', i + 1)), encodeJson({ ...entry, version: i + 1 }));
  }
  const text = (...args: string[]) => run([...args, '--url', url, '--ca', 'ca.pem', '--token', rig.token('ada@acme')]);
  for (const list of [
    ['contract', 'list'],
    ['governance', 'list'],
    ['registry', 'list', 'factory'],
    ['registry', 'history', 'factory', 'F-0'],
  ]) {
    const first = await text(...list, '--limit', '3');
    assert.equal(first.exitCode, 0, first.err);
    const [, cursor] = /^3 shown, 2 more; go on with --after (\S+)\n$/.exec(first.err) ?? [];
    const rest = await text(...list, '--after', cursor!);
    assert.equal(rest.err, '');
    assert.equal((await as('ada@acme', ...list, '--limit', '3')).answer.next, cursor);
  }
  for (const address of rows) rig.state.rows.delete(stateKey(CONTRACT.deployed, deployedKey.contract(address)));
});

test('what a contract refuses is shown in its own words', async () => {
  const { statuses } = rig.node;
  const address = `0x${'1'.repeat(40)}`;
  rig.state.rows.set(stateKey(CONTRACT.deployed, deployedKey.contract(address)), encodeJson({ address, state: 'active' }));
  const detail = encodeJson({ contract: address, code: 'TOO_LATE', message: 'come earlier', at: 'contract.js:3:13' });
  rig.node.statuses = (hex) => confirmed(Buffer.from(hex, 'hex'), { status: 'failed', code: 'CONTRACT_REFUSED', detail });
  const { exitCode, err } = await run([
    'contract',
    'call',
    address,
    'no',
    '--url',
    url,
    '--ca',
    'ca.pem',
    '--token',
    rig.token('ada@acme'),
  ]);
  assert.equal(exitCode, 1);
  assert.match(err, /^CONTRACT_REFUSED: /);
  assert.match(err, /TOO_LATE: come earlier/);
  assert.deepEqual(rig.node.signed.at(-1)!.args, []);
  rig.node.statuses = statuses;
});

test('a file is imported in batches; a broken import goes on where it stood and stores nothing twice', async () => {
  const before = rig.records.submissions.length;
  const name = file('many.jsonl', Array.from({ length: 7 }, (_, i) => `{"product_uid":"M-${i}"}`).join('\n'));
  const submit = rig.records.submit;
  let calls = 0;
  rig.records.submit = (...args) => {
    if (++calls === 3) throw new ChainError('FORBIDDEN' as never);
    return submit.apply(rig.records, args);
  };
  const broken = await as('olga@acme', 'record', 'import', name, '--batch', '2', '--parallel', '1');
  rig.records.submit = submit;
  assert.notEqual(broken.exitCode, 0);
  assert.ok(existsSync(join(directory, 'many.jsonl.import')));
  const again = await as('olga@acme', 'record', 'import', name, '--batch', '2', '--parallel', '1');
  assert.equal(again.exitCode, 0, again.out + again.err);
  const sent = rig.records.submissions.slice(before).map((row) => row.text);
  assert.deepEqual(sent, [
    '[{"product_uid":"M-0"},{"product_uid":"M-1"}]',
    '[{"product_uid":"M-2"},{"product_uid":"M-3"}]',
    '[{"product_uid":"M-4"},{"product_uid":"M-5"}]',
    '[{"product_uid":"M-6"}]',
  ]);
  assert.equal(existsSync(join(directory, 'many.jsonl.import')), false);
});

test('a node that does not answer is exit code 3, a wrong authority too', async () => {
  const closed = await run(['tx', 'get', 'a'.repeat(64), '--url', 'https://127.0.0.1:1', '--ca', 'ca.pem', '--token', 'x', '--json']);
  assert.equal(closed.exitCode, 3);
  assert.equal(closed.answer.code, 'CLI_NODE_UNREACHABLE');
});

test('what is not understood is exit code 2 and says what was meant', async () => {
  const wrong = await run(['recrod']);
  assert.equal(wrong.exitCode, 2);
  assert.match(wrong.err, /Did you mean record/);
  assert.equal((await run(['record', 'query', '--limit', '0'])).exitCode, 2);
  assert.equal((await run(['tx', 'get', 'x'])).exitCode, 2); // no node named
  assert.equal((await run(['record', 'submit', 'x.txt', '--url', url])).exitCode, 1); // no such file
  assert.equal((await run([])).exitCode, 2);
  const version = await run(['--version']);
  assert.deepEqual([version.exitCode, version.out], [0, '9.9.9\n']);
});

test('messages come in the language asked', async () => {
  const { err } = await run(['tx', 'get', 'x', '--lang', 'zh']);
  assert.match(err, /未指定要连接的节点/);
});

test('canonical text of one record is the same from JSON, XML and CSV, and leaves the token out', async () => {
  const json = file('c.json', '{"token": "t", "product_uid": "P", "propara": {"pro_pressure": 40.0}}');
  const xml = file('c.xml', '<record><propara><pro_pressure>40.0</pro_pressure></propara><product_uid>P</product_uid></record>');
  const csv = file('c.csv', 'product_uid,propara.pro_pressure\r\nP,40.0\r\n');
  for (const name of [json, xml, csv]) {
    assert.equal((await run(['record', 'canonical', name])).out, '{"product_uid":"P","propara":{"pro_pressure":"40.0"}}', name);
  }
  const digestOf = (text: string): string => createHash('sha256').update(text).digest('hex');
  const single = file('d.json', '{"pro_raw_material": [{"pro_supplier": "S"}], "measurements": ["x"]}');
  const folded = await run(['record', 'canonical', single]);
  assert.equal(folded.out, '{"measurements":["x"],"pro_raw_material":{"pro_supplier":"S"}}'); // a list of one is its item where the class has a list
  assert.equal((await run(['record', 'canonical', '--digest', single])).out, `${digestOf(folded.out)}\n`);
  const other = await run(['record', 'canonical', '--class', 'device', single]);
  assert.equal(other.out, '{"measurements":"x","pro_raw_material":[{"pro_supplier":"S"}]}');
  assert.equal((await run(['--json', 'record', 'canonical', '--class', 'divice', single])).answer.code, 'RECORD_CLASS_UNKNOWN');
  const fromInput = await run(['record', 'canonical', '-', '--format', 'csv', '--digest'], {}, readFileSync(join(directory, csv), 'utf8'));
  assert.match(fromInput.out, /^[0-9a-f]{64}\n$/);
});

const NO_EXCHANGE = {
  timeMs: 0,
  requestId: '',
  interfaceId: 'unknown',
  caller: '',
  organisation: '',
  address: '',
  parametersDigest: '',
  code: 'OK',
  rows: 0,
  answerDigest: '',
  durationMs: 0,
};

test('two nodes of one organisation are in one genesis: its accounts sign at both, and what others say of them is refused', async () => {
  const env = { TRACEMILL_PASSPHRASE: 'a passphrase for tests' };
  const parts: string[] = [];
  for (const [i, node] of ['two-1', 'two-2', 'org5-1', 'org6-1'].entries()) {
    const organisation = node.slice(0, node.lastIndexOf('-'));
    const flags = ['--organisation', organisation, '--node', node, '--directory', node, '--p2p-port', `${26_610 + i}`];
    assert.equal((await run(['init', ...flags], env)).exitCode, 0);
    parts.push(`${node}/genesis-part.json`);
  }
  const { exitCode, out } = await run(['init', '--assemble', ...parts, '--out', 'two-1/genesis.json']);
  assert.equal(exitCode, 0);
  assert.match(out, /before two-1, two-2 start they need the same sealing keys/);
  const { accounts, nodes } = JSON.parse(readFileSync(join(directory, 'two-1/genesis.json'), 'utf8')) as {
    accounts: { id: string; keys: { node: string; publicKey: string }[] }[];
    nodes: { id: string; custodialKey: string }[];
  };
  const admins = accounts.filter(({ id }) => id === 'admin@two');
  assert.deepEqual(
    admins.map(({ keys }) => keys.map(({ node, publicKey }) => [node, publicKey])),
    [nodes.slice(0, 2).map(({ id, custodialKey }) => [id, custodialKey])],
  );
  const part = JSON.parse(readFileSync(join(directory, parts[3]!), 'utf8'));
  const own = JSON.parse(readFileSync(join(directory, parts[0]!), 'utf8')).accounts[0];
  const key = { ...own.keys[0], keyId: 'own', kind: 'own', node: null, publicKey: part.node.validatorKey };
  for (const named of [
    { ...own, keys: [key] },
    { ...part.accounts[0], roles: ['operator'] },
  ]) {
    const odd = file('odd-part.json', JSON.stringify({ ...part, accounts: [...part.accounts, named] }));
    const refusal = await run(['--json', 'init', '--assemble', ...parts.slice(0, 3), odd, '--out', 'odd-two.json']);
    assert.equal(refusal.answer.code, 'GENESIS_INVALID');
  }
});
interface Told {
  readonly subject: string;
  readonly state: string;
}

test('the files of four members become one genesis that every member can check', async () => {
  const env = { TRACEMILL_PASSPHRASE: 'a passphrase for tests' };
  for (const i of [1, 2, 3, 4]) {
    const { exitCode, err } = await run(['init', '--organisation', `org${i}`, '--directory', `m${i}`, '--p2p-port', `${26_600 + i}`], env);
    assert.equal(exitCode, 0, err);
  }
  const parts = [1, 2, 3, 4].map((i) => `m${i}/genesis-part.json`);
  const made = await run(['--json', 'init', '--assemble', ...parts, '--out', 'm1/genesis.json']);
  assert.match(made.answer.genesisHash, /^[0-9a-f]{64}$/);
  const doctor = await run(['--json', 'doctor', '--config', 'm1/node.json'], env);
  assert.deepEqual(
    doctor.answer.filter((row: { state: string }) => row.state === 'problem'),
    [],
  );
  assert.equal(doctor.exitCode, 0);
  assert.equal((await run(['init', '--organisation', 'org1', '--directory', 'm1'], env)).exitCode, 2); // never overwrites
  const odd = JSON.parse(readFileSync(join(directory, parts[3]!), 'utf8'));
  odd.accounts[0].roles = ['no-such-role'];
  const refusal = await run([
    '--json',
    'init',
    '--assemble',
    ...parts.slice(0, 3),
    file('odd.json', JSON.stringify(odd)),
    '--out',
    'odd-genesis.json',
  ]);
  assert.deepEqual([refusal.answer.code, existsSync(join(directory, 'odd-genesis.json'))], ['GENESIS_INVALID', false]);
  const whole = readFileSync(join(directory, 'm1/genesis.json'), 'utf8');
  const genesis = JSON.parse(whole);
  genesis.factories = [{ id: 'F-1', organisation: 'org1', name: 'Hall' }];
  genesis.devices = [{ id: 'D-1', organisation: 'org2', factory: 'F-1' }];
  writeFileSync(join(directory, 'm1/genesis.json'), JSON.stringify(genesis));
  const examined = (await run(['--json', 'doctor', '--config', 'm1/node.json'], env)).answer;
  assert.match(
    examined.find(({ subject }: { subject: string }) => subject.endsWith(' genesis')).what,
    /GENESIS_INVALID \/devices\/0\/factory/,
  );
  assert.equal((await run(['--json', 'start', '--config', 'm1/node.json'], env)).answer.code, 'GENESIS_INVALID');
  writeFileSync(join(directory, 'm1/genesis.json'), whole);
  const standing = async () => {
    const { answer } = await run(['--json', 'doctor', '--config', 'm1/node.json'], env);
    const row = answer.find(({ subject }: { subject: string }) => subject.endsWith(' standing'));
    return [row.state, /NODE_EXPELLED/.test(row.what)];
  };
  const local = JSON.parse(readFileSync(join(directory, 'm1/node.json'), 'utf8')).dataDir ?? 'data';
  const store = await openLevelStore({ path: join(directory, 'm1', local, 'local') });
  const log = { debug() {}, info() {}, warn() {}, error() {}, child: () => log };
  const clock = { now: () => 0, monotonic: () => 0 };
  const alarms = await openAlarms({ store, prefix: keyspace.alarm, clock, log });
  await alarms.raise('NODE_EXPELLED', 'critical', { node: 'n1' });
  assert.deepEqual(await standing(), ['problem', false], 'somebody holds the store, and no node answers');
  const { https } = JSON.parse(readFileSync(join(directory, 'm1/node.json'), 'utf8'));
  const checks = [{ check: 'finality', passed: false, detail: 'NO_FINAL_BLOCK: a block has been due for 70000 ms' }];
  const tls = (member: string) => {
    const read = (name: string) => readFileSync(join(directory, member, name));
    return { cert: read('tls-cert.pem'), key: read('tls-key.pem') };
  };
  for (const [member, expected] of [
    ['m1', 'finality: NO_FINAL_BLOCK: a block has been due for 70000 ms'],
    ['m2', 'the node holds its data and does not answer: another program answers on the port'],
  ] as const) {
    const running = createServer(tls(member), (_, answer) => void answer.end(JSON.stringify({ data: { checks } })));
    await new Promise<void>((resolve) => void running.listen(https.port, https.host, resolve));
    const { answer } = await run(['--json', 'doctor', '--config', 'm1/node.json'], env);
    assert.equal(answer.find(({ subject }: { subject: string }) => subject.endsWith(' standing')).what, expected);
    await new Promise((resolve) => running.close(resolve));
  }
  await store.close();
  assert.deepEqual(await standing(), ['problem', true]);
  const voteLog = async () => {
    const { answer } = await run(['--json', 'doctor', '--config', 'm1/node.json'], env);
    const row = answer.find(({ subject }: { subject: string }) => subject.endsWith(' vote log'));
    return [row.state, row.what.split(' ')[0]];
  };
  assert.deepEqual(await voteLog(), ['ok', 'none']);
  const votes = join(directory, 'm1', local, 'votes.log');
  writeFileSync(votes, 'not a vote log');
  assert.deepEqual(await voteLog(), ['problem', 'VOTE_LOG_DAMAGED']);
  await (await openVoteLog(votes)).close();
  assert.deepEqual(await voteLog(), ['ok', '1']);
  rmSync(votes);
  mkdirSync(join(directory, 'm1', local, 'chain'));
  assert.deepEqual(await voteLog(), ['problem', 'VOTE_LOG_LOST']);
  const exchangeLog = async () => {
    const { answer } = await run(['--json', 'doctor', '--config', 'm1/node.json'], env);
    return answer.filter(({ subject }: { subject: string }) => subject.endsWith(' exchange log')).map(({ what }: { what: string }) => what);
  };
  const [localStore, chainStore] = await Promise.all(
    ['local', 'chain'].map((name) => openLevelStore({ path: join(directory, 'm1', local, name) })),
  );
  const exchanges = await openExchangeLog({ store: localStore!, world: createTestWorld() });
  for (let n = 0; n < 3; n++) exchanges.append({ ...NO_EXCHANGE, requestId: `r${n}` });
  await exchanges.flush();
  const anchorAt = (head: string) => ({
    key: ledgerKey.state(stateKey('audit', auditKey.anchor('org1-1', 3))),
    value: inlineRow(encodeJson({ node: 'org1-1', head, count: 3, height: 9, timestampMs: 0 })),
  });
  await chainStore!.batch([anchorAt(exchanges.head().link)], { sync: true });
  await exchanges.stop();
  assert.deepEqual(await exchangeLog(), ['held by the running node, which examines it again and again and raises an alarm']);
  await Promise.all([localStore!.close(), chainStore!.close()]);
  assert.deepEqual(await exchangeLog(), ['3 entries, every link right, 1 as anchored on chain']);
  const forged = await openLevelStore({ path: join(directory, 'm1', local, 'chain') });
  await forged.batch([anchorAt('ab'.repeat(32))], { sync: true });
  await forged.close();
  assert.deepEqual(await exchangeLog(), ['EXCHANGE_LOG_REWRITTEN entry 3: anchor']);
  const locked = await run(['--json', 'start', '--config', 'm1/node.json'], { TRACEMILL_PASSPHRASE: 'another passphrase' });
  assert.deepEqual([locked.exitCode, locked.answer.code], [1, 'KEYSTORE_LOCKED']);
  // Of a chain that may run nobody can change the genesis.
  writeFileSync(join(directory, 'm1/genesis.json'), JSON.stringify({ ...JSON.parse(whole), parameters: { viewTimeoutMs: 1_000 } }));
  const begun = await run(['--json', 'start', '--config', 'm1/node.json'], { TRACEMILL_PASSPHRASE: 'another passphrase' });
  assert.equal(begun.answer.code, 'KEYSTORE_LOCKED', 'past the genesis');
  const { answer: told } = await run(['--json', 'doctor', '--config', 'm1/node.json'], env);
  const slow = told.find(({ subject, state }: Told) => subject.endsWith(' genesis') && state === 'problem');
  assert.match(slow.remedy, /tracemill governance propose '{"kind":"setParameter","name":"viewTimeoutMs","value":2000}'/);
  writeFileSync(join(directory, 'm1/genesis.json'), '{}');
  assert.equal((await run(['--json', 'doctor', '--config', 'm1/node.json'], env)).exitCode, 4);
});

test('the sealing keys of one node are carried to another in a file with a passphrase of its own, and nothing else is', async () => {
  const [first, second, carry] = ['first', 'second', 'carry'].map((name) => file(`${name}.pass`, `passphrase of ${name}\n`));
  const keys = (...args: string[]) => run(['--json', 'keys', ...args]);
  for (const [keystore, pass] of [
    ['first.json', first!],
    ['second.json', second!],
  ] as const)
    for (const [id, kind] of [
      ['sealing-1', 'sealing'],
      ['storage', 'storage'],
    ] as const)
      assert.equal((await keys('create', id, keystore, '--kind', kind, '--passphrase-file', pass)).exitCode, 0);
  await keys('rotate', 'first.json', '--passphrase-file', first!);
  const exported = await keys('export-sealing', 'carried.json', 'first.json', '--passphrase-file', first!, '--out-passphrase-file', carry!);
  assert.deepEqual(exported.answer, { ids: ['sealing-1', 'sealing-2'] }, exported.err);
  const take = () => keys('import-sealing', 'carried.json', 'second.json', '--passphrase-file', second!, '--from-passphrase-file', carry!);
  assert.deepEqual((await take()).answer, { ids: ['sealing-1', 'sealing-2'] });
  assert.deepEqual((await take()).answer, { ids: [] }, 'what is held already stays');
  const opened = await Promise.all(
    [
      ['first.json', 'first'],
      ['second.json', 'second'],
      ['carried.json', 'carry'],
    ].map(([name, of]) => openKeystore(join(directory, name!), `passphrase of ${of}`)),
  );
  for (const id of ['sealing-1', 'sealing-2'])
    assert.deepEqual(
      opened.map((keystore) => toHex(keystore.secret(id))),
      Array(3).fill(toHex(opened[0]!.secret(id))),
    );
  assert.notDeepEqual(opened[0]!.secret('storage'), opened[1]!.secret('storage'));
  assert.equal(opened[2]!.has('storage'), false);
});

test('a validator key that is to follow is made beside the present one, with the proposal that names it', async () => {
  const pass = file('validator.pass', 'passphrase of the validator\n');
  const keys = (...args: string[]) => run(['--json', 'keys', ...args, 'validator.json', '--passphrase-file', pass]);
  assert.equal((await keys('create', 'validator', '--kind', 'validator')).exitCode, 0);
  for (const id of ['validator-2', 'validator-3']) {
    const { answer, err } = await keys('new-validator', 'mill-1');
    assert.equal(answer.id, id, err);
    const keystore = await openKeystore(join(directory, 'validator.json'), 'passphrase of the validator');
    const validatorKey = toHex(keystore.publicKey(id));
    assert.deepEqual(answer.proposal, { kind: 'replaceValidatorKey', id: 'mill-1', validatorKey });
    assert.equal(validatorKeyId(keystore, validatorKey), id, 'the chain names it');
    assert.equal(validatorKeyId(keystore, 'ab'.repeat(32)), 'validator', 'the chain names one that is not held');
    assert.equal(validatorKeyId(keystore, undefined), 'validator');
  }
});
