/**
 * Every part of a bundle speaks of the others by hash: whatever is exchanged with the part of another valid bundle of the same chain (another record,
 * version, transaction, block or head), both verifiers refuse the outcome, unless it is itself one of the valid bundles, byte for byte.
 */
import assert from 'node:assert/strict';
import test from 'node:test';
import {
  type ByteText,
  canonicalJson,
  consensusHashOf,
  type ConsensusConfiguration,
  encodeContent,
  encodeReceipt,
  encodeRecordVersion,
  type EvidenceParts,
  type Json,
  merkleRoot,
  recordDigest,
  recordIdOf,
  signTransaction,
  stateValueHash,
  sourceDigest,
  type RecordVersion,
  type TextStruct,
  toByteText,
  utf8,
  verifyEvidence,
} from '../../../../node/format/index.ts';
import { judgeFinality } from '../../../../consensus/finality.ts';
import { CONTRACT, recordKey, stateKey } from '../../../../contracts/index.ts';
import { mapOf } from '../state/map-of.ts';
import { buildEvidence, certify, genesisText, headerAt, opened } from './evidence-fixture.ts';
import { crypto, testKey } from './genesis-fixture.ts';
import { merklePath } from './merkle-path.ts';

const script = new URL('../../../../../node/verify/verify-evidence.mjs', import.meta.url); // stands outside the build
const { verifyBundle } = (await import(script.href)) as { verifyBundle(bundle: string, genesis: string): string[] };
const { chainId, genesisHash, configuration } = opened;
const THREE = ['north-1', 'east-1', 'west-1'];
const PER_BLOCK = 3; // transactions of a block: the last is carried up alone

const grown: ConsensusConfiguration = {
  ...configuration,
  validators: [
    ...configuration.validators.filter(({ node }) => node !== 'south-1'),
    { node: 'zeta-1', publicKey: testKey('zeta-1 validator').publicKey, suite: 1, weight: 1 },
  ],
};
const before = consensusHashOf(crypto, configuration);
const after = consensusHashOf(crypto, grown);

interface Written {
  readonly key: ByteText;
  readonly value: Uint8Array;
  readonly record?: TextStruct;
  readonly source?: TextStruct;
  readonly inclusion: NonNullable<EvidenceParts['inclusion']>;
}

/** `record` undefined is a tombstone. */
type Draft = Partial<RecordVersion> & {
  readonly key: { readonly [name: string]: string };
  readonly record: TextStruct | undefined;
  readonly source?: TextStruct;
};

/** A block whose transactions write the given versions, one each. */
function blockOf(height: number, drafts: readonly Draft[]): Written[] {
  const transactions = drafts.map((_, i) =>
    signTransaction(
      crypto,
      {
        ...{ chainId, sender: 'mes@north', keyId: 'k1', salt: new Uint8Array(16).fill(i), expiryHeight: height + 9 },
        ...{ calls: [{ contract: 'records', method: 'submit', args: utf8(`${i}`) }], gasLimit: 1_000_000, suite: 1 },
      },
      testKey('mes').sign,
    ),
  );
  const receipts = transactions.map(({ id }, index) =>
    encodeReceipt({
      ...{ transactionId: id, height, index, status: 'ok', code: 'OK', detail: new Uint8Array(0), failedCall: 0, gasUsed: 1 },
      ...{ keyKind: 'custodial', results: [], events: [] },
    }),
  );
  const hashes = transactions.map(({ hash }) => hash);
  const under = height < 100 ? before : after;
  const header = headerAt(height, {
    ...{ txRoot: merkleRoot(crypto.hash, hashes), receiptsRoot: merkleRoot(crypto.hash, receipts) },
    ...{ consensusHash: under, nextConsensusHash: under },
  });
  const certified = certify(header, height < 100 ? configuration : grown, THREE);
  return drafts.map((draft, index) => {
    const { key, record, source, ...more } = draft;
    const content = record === undefined ? new Uint8Array(0) : encodeContent(record);
    const version: RecordVersion = {
      ...{ class: 'production', classVersion: 1, org: 'north', actor: 'mes@north', version: 1, state: record ? 'current' : 'deleted' },
      ...{ recordDigest: recordDigest(crypto, content), normalDigest: undefined, sourceDigest: sourceDigest(crypto, source ?? {}) },
      ...{ height, index, call: 0, item: 0, transactionId: transactions[index]!.id, change: undefined, ...more },
    };
    const id = toByteText(recordIdOf(crypto, version.class, version.org, key));
    return {
      key: stateKey(CONTRACT.records, recordKey.version(id, version.version)),
      value: encodeRecordVersion(version),
      ...(record && { record }),
      ...(source && { source }),
      inclusion: {
        header: certified.header,
        certificate: certified.certificate,
        transaction: transactions[index]!.bytes,
        receipt: receipts[index]!,
        index,
        count: PER_BLOCK,
        transactionPath: merklePath(crypto.hash, hashes, index),
        receiptPath: merklePath(crypto.hash, receipts, index),
      },
    };
  });
}

const P = { key: { product_uid: 'P' }, record: { product_uid: 'P', parts: ['a', { b: 'c' }] }, source: { system: 'mes', seq: '1' } };
const Q = { key: { product_uid: 'Q' }, record: {}, class: 'device', source: { system: 'plc' } };
const change = { reason: 'typed wrongly', digestBefore: recordDigest(crypto, utf8('{}')) };
const early = blockOf(50, [P, Q, { key: { product_uid: 'R' }, record: { product_uid: 'R' } }]);
const late = blockOf(150, [
  { ...P, version: 2, record: { product_uid: 'P', parts: 'a' }, change },
  { ...Q, version: 2, record: undefined, change },
  { key: { product_uid: 'S' }, record: { product_uid: 'S' } },
]);

/** The head over all that was written, with what was added to the state beside it, as bundles of every kind. */
function bundlesAt(height: number, written: readonly Written[], grownUp: boolean): string[] {
  const other = { key: stateKey(CONTRACT.registry, 'e'), valueHash: crypto.hash(utf8(`${height}`)) };
  const map = mapOf(crypto, [other, ...written.map(({ key, value }) => ({ key, valueHash: stateValueHash(crypto, value) }))]);
  const hash = grownUp ? after : before;
  const head = headerAt(height, { stateRoot: map.root(), consensusHash: hash, nextConsensusHash: hash, era: grownUp ? 1 : 0 });
  const state = certify(head, grownUp ? grown : configuration, THREE);
  const barriers = grownUp ? [certify(headerAt(100, { nextConsensusHash: after }), configuration, THREE)] : [];
  return written.flatMap(({ inclusion, ...own }) => {
    const { key } = own;
    const parts = { chainId, genesisHash, ...own, proof: map.prove(key), state, barriers };
    return [buildEvidence(parts), buildEvidence({ ...parts, inclusion })];
  });
}

const bundles = [
  ...bundlesAt(60, early, false),
  ...bundlesAt(160, [...early, ...late], true),
  ...bundlesAt(161, [...early, ...late], true),
];
const valid = new Set(bundles);

type Path = readonly (string | number)[];
type Tree = Json | undefined;

/** Every path to a part: members and lists, whole, and what is in them. */
function pathsOf(value: Tree, at: Path = []): Path[] {
  if (typeof value !== 'object' || value === null) return at.length === 0 ? [] : [at];
  const inner = Object.entries(value).flatMap(([name, member]) => pathsOf(member as Json, [...at, name]));
  return at.length === 0 ? inner : [at, ...inner];
}

const partAt = (tree: Tree, path: Path): Tree =>
  path.reduce<Tree>((value, name) => (value as { [name: string]: Json } | undefined)?.[String(name)], tree);

/** `into` with the parts at `paths` taken from `from`; undefined where they do not fit into one another. */
function exchanged(into: string, from: string, paths: readonly Path[]): string | undefined {
  const tree = JSON.parse(into) as { [name: string]: Json };
  const source = JSON.parse(from) as Json;
  for (const path of paths) {
    const parent = partAt(tree, path.slice(0, -1)) as { [name: string]: Json } | undefined;
    const part = partAt(source, path);
    if (parent === undefined) return undefined;
    if (part === undefined && Array.isArray(parent)) parent.splice(Number(path.at(-1)), 1);
    else if (part === undefined) delete parent[String(path.at(-1))];
    else parent[String(path.at(-1))] = part;
  }
  return canonicalJson(tree);
}

function accepts(bundle: string): readonly [boolean, boolean] {
  let alone = true;
  try {
    verifyBundle(bundle, genesisText);
  } catch {
    alone = false;
  }
  return [verifyEvidence(crypto, judgeFinality, bundle, { kind: 'genesis', text: genesisText }).ok, alone];
}

/** Sets of paths that are exchanged at once: each alone, and every choice of the members of a bundle and of an inclusion. */
function choicesOf(bundle: string): Path[][] {
  const tree = JSON.parse(bundle) as Json;
  const subsets = (names: readonly string[], above: Path): Path[][] =>
    Array.from({ length: 2 ** names.length - 1 }, (_, i) => names.filter((_, bit) => ((i + 1) >> bit) & 1).map((name) => [...above, name]));
  const said: Path[] = [['record'], ['source']];
  const parts = subsets(['key', 'value', 'proof', 'state', 'barriers', 'inclusion'], []);
  const top = [said, ...parts, ...parts.map((paths) => [...paths, ...said])];
  const inclusion = subsets(['header', 'certificate', 'transaction', 'transactionPath', 'receipt', 'receiptPath'], ['inclusion']);
  return [...pathsOf(tree).map((path) => [path]), ...top, ...(partAt(tree, ['inclusion']) ? inclusion : [])];
}

test('the bundles that exchange their parts are valid, say so alike, and differ', () => {
  assert.equal(valid.size, bundles.length);
  for (const bundle of bundles) assert.deepEqual(accepts(bundle), [true, true]);
});

test('a part of another record, version, transaction, block or head is refused by both verifiers', () => {
  const tried = new Set<string>();
  // Every part alone between all pairs; choices of several between pairs of every kind: before and after the change of validators, both versions, the
  // tombstone, with and without transaction, the next head.
  const into = new Set([1, 7, 13]);
  const others = new Set([0, 1, 3, 7, 9, 11, 13, 15, 17, 19, 25]);
  for (const [i, bundle] of bundles.entries()) {
    const alone = pathsOf(JSON.parse(bundle) as Json).map((path) => [path]);
    for (const [j, from] of bundles.entries()) {
      for (const paths of into.has(i) && others.has(j) ? choicesOf(bundle) : alone) {
        const text = exchanged(bundle, from, paths);
        if (text === undefined || valid.has(text) || tried.has(text)) continue;
        tried.add(text);
        assert.deepEqual(accepts(text), [false, false], `${paths.map((path) => path.join('.')).join(', ')} exchanged`);
      }
    }
  }
  assert.ok(tried.size > 2_000, `${tried.size} exchanges tried`);
});

test('a transaction, content or source beside a value that names none is refused', () => {
  const bundle = JSON.parse(bundles[1]!) as { [name: string]: Json };
  const key = stateKey(CONTRACT.registry, 'e');
  const map = mapOf(crypto, [{ key, valueHash: stateValueHash(crypto, utf8('x')) }]);
  const state = certify(headerAt(60, { stateRoot: map.root() }), configuration, THREE);
  const plain = buildEvidence({ chainId, genesisHash, key, value: utf8('x'), proof: map.prove(key), state, barriers: [] });
  assert.deepEqual(accepts(plain), [true, true]);
  const beside = canonicalJson({ ...(JSON.parse(plain) as { [name: string]: Json }), inclusion: bundle.inclusion! });
  assert.deepEqual(accepts(beside), [false, false]);
  for (const said of [{ record: {} }, { source: {} }])
    assert.deepEqual(accepts(canonicalJson({ ...(JSON.parse(plain) as { [name: string]: Json }), ...said })), [false, false]);
});
