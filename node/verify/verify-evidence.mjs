// Verifies a Tracemill evidence bundle (evidence/v1) against a genesis file, alone: node:crypto and node:fs, nothing of Tracemill.
//   node verify-evidence.mjs BUNDLE.json GENESIS.json        exit code 0 only if every check held
// Byte layouts: integers big-endian, byte strings and lists behind a u32 count. Every hash is SHA-256 behind "tracemill/<kind>/v1\n".
import { createHash, createPublicKey, verify } from 'node:crypto';
import { readFileSync } from 'node:fs';
const fail = (what) => { throw new Error(what) };
const need = (held, what) => held || fail(what);
const sha = (...parts) => parts.reduce((hash, part) => hash.update(part), createHash('sha256')).digest();
const tagged = (kind, ...parts) => sha(`tracemill/${kind}/v1\n`, ...parts);
const uint = (value, size) => Buffer.from(BigInt(value).toString(16).padStart(2 * size, '0'), 'hex');
const canonical = (value) => {
  if (Array.isArray(value)) return `[${value.map(canonical).join(',')}]`;
  need(typeof value !== 'number' || Number.isSafeInteger(value), 'form: a number is no safe integer');
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  return `{${Object.keys(value).sort().map((name) => `${JSON.stringify(name)}:${canonical(value[name])}`).join(',')}}`;
};
const bytes = (text, out = Buffer.from(text, 'base64url')) => (out.toString('base64url') === text ? out : fail('form: not base64url'));
const named = (object, names) => need(Object.keys(object).join() === names, 'form: other members than evidence/v1 has');
/** Reads a whole byte string; every read fails past its end, and nothing may be left. */
const read = (data, run) => {
  let at = 0;
  const take = (count) => (count <= data.length - at ? data.subarray(at, (at += count)) : fail('form: input ends early'));
  const u = (size) => Number(BigInt(`0x${take(size).toString('hex')}`));
  const blob = () => take(u(4));
  const list = (item) => Array.from({ length: Math.min(u(4), data.length) }, item);
  const value = run({ take, u, blob, text: () => blob().toString(), list, maybe: (item) => (u(1) ? item() : undefined) });
  need(at === data.length, 'form: bytes left over');
  return value;
};
const readHeader = (data) => read(data, ({ take, u, blob }) => {
  const front = { hash: tagged('header', data), version: u(4), chainId: take(32), era: u(8), height: u(8), parentHash: take(32), time: u(8) };
  const middle = { proposer: blob(), engine: blob(), engineData: blob(), txRoot: take(32), receiptsRoot: take(32) };
  return { ...front, ...middle, stateRoot: take(32), consensusHash: take(32), nextConsensusHash: take(32) };
});
const readConfiguration = (data) => read(data, ({ u, blob, text, list }) => {
  const start = { hash: tagged('consensus', data), engine: text(), executionVersion: u(4), parameters: list(() => [text(), u(8)]) };
  return { ...start, validators: list(() => ({ id: text(), validatorKey: blob().toString('hex'), suite: u(1), weight: u(8) })) };
});
/** What a record's version names: digests of content and source, the transaction that wrote it, and where that stands. */
const readVersion = (data) => read(data, ({ take, u, blob, maybe }) => {
  const front = { digest: take(32), normal: maybe(() => take(32)), class: [blob(), u(4)], writer: [blob(), blob()], state: u(1) };
  const names = { source: maybe(() => take(32)), change: maybe(() => [blob(), take(32)]) };
  return { ...front, ...names, height: u(8), index: u(4), call: u(4), id: take(32) };
});
/** Parameters the file does not name are defaults of the release; the validators it names have signed them. */
function checkGenesis(configuration, genesis) {
  const spell = (list) => list.map(({ id, validatorKey, weight }) => [id, validatorKey, weight].join()).join('\n');
  const validators = genesis.nodes.filter(({ role }) => role === 'validator');
  need(spell(configuration.validators) === spell(validators.sort((a, b) => (a.id < b.id ? -1 : 1))), 'genesis: other validators');
  need(configuration.engine === genesis.engine && configuration.executionVersion === genesis.executionVersion, 'genesis: other engine');
  const values = Object.fromEntries(configuration.parameters);
  need(Object.keys(genesis.parameters).every((name) => values[name] === genesis.parameters[name]), 'genesis: other parameters');
}
function checkCertificate(data, header, { validators }) {
  const [view, height, digest, votes] = read(data, ({ take, u, text, blob, list }) => [u(8), u(8), take(32), list(() => [text(), blob()])]);
  need(height === header.height && digest.equals(header.hash), 'certificate: for another header');
  const vote = Buffer.concat([Buffer.from('tracemill/vote/v1\n'), header.chainId, uint(2, 1), uint(view, 8), uint(height, 8), digest]);
  votes.forEach(([node, signature], i) => {
    need(i === 0 || votes[i - 1][0] < node, 'certificate: votes out of order');
    const validator = validators.find(({ id, suite }) => id === node && suite === 1) ?? fail(`certificate: ${node} is no validator of this height`);
    const spki = Buffer.from(`302a300506032b6570032100${validator.validatorKey}`, 'hex');
    need(verify(null, vote, createPublicKey({ key: spki, format: 'der', type: 'spki' }), signature), `certificate: signature of ${node}`);
  });
  const quorum = Math.ceil((validators.length + Math.floor((validators.length - 1) / 3) + 1) / 2);
  return votes.length >= quorum ? `${votes.length} of ${validators.length} validators` : fail('certificate: no quorum');
}
/** Root of a state proof, whose form node/format/state-proof.ts tells; `seen` gets every entry it opens. Paths are hex, one digit a nibble. */
const mapRoot = (data, seen) => read(data, ({ take, u }) => {
  const ref = ({ count, hash }) => Buffer.concat([uint(count, 4), hash]);
  const closed = () => ({ count: u(4), hash: take(32) });
  const whole = (slot) => Buffer.from(slot.slice(0, slot.length & ~1), 'hex');
  const entry = (slot, length = u(2), tail = take(length), valueHash = take(32)) =>
    seen(Buffer.concat([whole(slot), tail]), valueHash) ?? [uint(length, 2), tail, valueHash];
  const bucket = (slot, count = u(1), entries = Array.from({ length: count }, () => entry(slot)).flat()) =>
    ({ count, hash: tagged('map-bucket', uint(count, 1), ...entries) });
  const quad = (members, child) => {
    if (members.length < 2) return members.map(child);
    if ([true, false][u(1)] ?? fail('map proof: flag')) return [closed()];
    const children = members.map(child);
    return [{ count: children.reduce((sum, { count }) => sum + count, 0), hash: tagged('map-branch', uint(1, 1), ...children.map(ref)) }];
  };
  const item = (slot, kind = u(1)) => {
    if (kind < 2) return kind === 0 ? closed() : bucket(slot);
    const depth = u(2);
    const packed = Buffer.concat([whole(slot), take(((depth + 1) >> 1) - (slot.length >> 1))]);
    const path = packed.toString('hex').slice(0, depth);
    const [end, mask] = [u(1), u(2)];
    need(kind === 2 && end <= 1 && depth >= slot.length && path.startsWith(slot), 'map proof: item of another form or place');
    const own = end === 0 ? [] : [take(32)].map((valueHash) => seen(packed, valueHash) ?? valueHash);
    const members = (first) => [0, 1, 2, 3].map((i) => first + i).filter((nibble) => (mask >> nibble) & 1);
    const refs = [0, 4, 8, 12].flatMap((first) => quad(members(first), (nibble) => item(path + nibble.toString(16))));
    const header = [uint(2, 1), uint(depth, 2), packed, uint(end, 1), uint(mask, 2), ...own, ...refs.map(ref)];
    return { count: refs.reduce((sum, { count }) => sum + count, end), hash: tagged('map-branch', ...header) };
  };
  return item('', u(1) || fail('map proof: empty or closed')).hash;
});
const fold = (leaf, path) => path.reduce((digest, step) => {
  const sibling = /^[LR][0-9a-f]{64}$/.test(step) ? Buffer.from(step.slice(1), 'hex') : fail('form: no step of a path');
  return step[0] === 'L' ? sha('\x01', sibling, digest) : sha('\x01', digest, sibling);
}, sha('\0', leaf));
/** What the bundle proves, in words. Throws with the name of the check that failed. */
export function verifyBundle(text, genesisText) {
  const { inclusion, record, source, ...bundle } = JSON.parse(text);
  need(canonical(JSON.parse(text)) === text, 'form: not canonical JSON');
  named(bundle, 'barriers,chainId,digestAlg,era,format,genesisHash,key,proof,state,value');
  need(bundle.format === 'tracemill/evidence/v1' && bundle.digestAlg === 'sha-256', 'form: unknown format');
  const [genesis, genesisHash] = [JSON.parse(genesisText), tagged('genesis', canonical(JSON.parse(genesisText)))];
  const chainId = tagged('chain', genesisHash);
  need(genesisHash.toString('hex') === bundle.genesisHash && chainId.toString('hex') === bundle.chainId, 'genesis: another chain');
  const stages = []; // configurations, each with the first height it judges
  const certified = (header, part) => {
    const stage = stages.findLast(({ from }) => from <= header.height);
    need(header.chainId.equals(chainId) && stage?.hash.equals(header.consensusHash), 'header: of another chain or configuration');
    return checkCertificate(bytes(part.certificate), header, stage);
  };
  let [before, state, words] = [];
  for (const part of [...bundle.barriers, bundle.state]) {
    named(part, 'certificate,configuration,header');
    [before, state] = [state, readHeader(bytes(part.header))];
    const configuration = readConfiguration(bytes(part.configuration));
    if (!before) checkGenesis(configuration, genesis);
    else need(before.nextConsensusHash.equals(state.consensusHash) && before.height < state.height, 'barrier: not the next');
    need(!before?.nextConsensusHash.equals(before.consensusHash), 'barrier: changes nothing');
    stages.push({ ...configuration, from: before ? before.height + 1 : 0 });
    words = certified(state, part);
  }
  need(state.era === bundle.era, 'era: not that of the header');
  const [key, value, found] = [bytes(bundle.key), bytes(bundle.value), []];
  need(mapRoot(bytes(bundle.proof), (entry, hash) => void (entry.equals(key) && found.push(hash))).equals(state.stateRoot), 'map proof: leads to another root');
  need(found.length === 1 && found[0].equals(sha(value)), 'value: the state holds another, or none');
  const version = key.length === 45 && key.toString('latin1').startsWith('\x07recordsv') ? readVersion(value) : undefined;
  const digestOf = (part, none) => (part === undefined ? none : sha(canonical(part)))?.toString('hex');
  need(digestOf(record, version && sha('')) === version?.digest.toString('hex'), 'record: not the content that the value names');
  need(digestOf(source) === version?.source?.toString('hex'), 'source: not the one that the value names');
  const what = `State key ${key.toString('hex')}, digest ${sha(value).toString('hex')} (SHA-256 of the stored bytes)`;
  const until = `Valid as of height ${state.height}; a later recovery order cannot be excluded without a newer header`;
  const claims = [`${what}, is in the state certified by ${words} at height ${state.height}`, until];
  if (!inclusion) return claims;
  named(inclusion, 'certificate,header,receipt,receiptPath,transaction,transactionPath');
  const [header, transaction, receipt] = [readHeader(bytes(inclusion.header)), bytes(inclusion.transaction), bytes(inclusion.receipt)];
  const [id, length, signature] = [tagged('transaction', transaction.subarray(0, -68)), transaction.subarray(-68, -64), transaction.subarray(-64)];
  need(length.equals(uint(64, 4)), 'transaction: signature of another length');
  need(fold(tagged('transaction-full', id, signature), inclusion.transactionPath).equals(header.txRoot), 'transaction: path');
  need(fold(receipt, inclusion.receiptPath).equals(header.receiptsRoot), 'receipt: path');
  need(receipt.subarray(0, 32).equals(id) && receipt.subarray(32, 40).equals(uint(header.height, 8)), 'receipt: of another transaction');
  need(version?.id.equals(id) && [version.height, version.index].join() === [header.height, receipt.readUInt32BE(40)].join(), 'record: of another transaction');
  return [...claims, `Transaction ${id.toString('hex')} ended as receipt ${receipt.toString('base64url')} says: ${certified(header, inclusion)}, height ${header.height}`];
}
// As a command: a fault is thrown, so its name is printed and the exit code is 1.
if (process.argv[1]?.endsWith('verify-evidence.mjs')) console.log(verifyBundle(...process.argv.slice(2).map((path) => readFileSync(path, 'utf8'))).join('\n'));
