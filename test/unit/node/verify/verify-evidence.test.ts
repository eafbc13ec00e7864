import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';
import { fileURLToPath } from 'node:url';
import fc from 'fast-check';
import { judgeFinality } from '../../../../consensus/finality.ts';
import { toHex, verifyEvidence } from '../../../../node/format/index.ts';
import { buildEvidence, certify, fixtureMap, genesisText, headerAt, longParts, opened, plainParts } from '../format/evidence-fixture.ts';
import { crypto } from '../format/genesis-fixture.ts';

const LINES_MAX = 150;
const script = new URL('../../../../../node/verify/verify-evidence.mjs', import.meta.url); // stands outside the build
const { verifyBundle } = (await import(script.href)) as { verifyBundle(bundle: string, genesis: string): string[] };

const map = fixtureMap(2_000);
const bundles = { plain: buildEvidence(plainParts(map)), long: buildEvidence(longParts(map)) };
const trust = { kind: 'genesis', text: genesisText } as const;

/** Both verdicts; they must be one. */
function accepted(bundle: string, genesis = genesisText): boolean {
  const ours = verifyEvidence(crypto, judgeFinality, bundle, { kind: 'genesis', text: genesis }).ok;
  let alone = true;
  try {
    verifyBundle(bundle, genesis);
  } catch {
    alone = false;
  }
  assert.equal(alone, ours, 'the script and verifyEvidence disagree');
  return ours;
}

test('the script stands alone in at most 150 lines and imports node:crypto and node:fs only', () => {
  const text = readFileSync(script, 'utf8');
  assert.ok(text.trimEnd().split('\n').length <= LINES_MAX);
  const imports = [...text.matchAll(/^import .* from '(.*)';$/gm)].map((match) => match[1]);
  assert.deepEqual(imports, ['node:crypto', 'node:fs']);
  assert.doesNotMatch(text, /import\(|require\(/);
});

for (const [name, bundle] of Object.entries(bundles)) {
  test(`the script accepts the ${name} bundle and says what verifyEvidence says`, () => {
    assert.ok(accepted(bundle));
    const claims = verifyBundle(bundle, genesisText).join('\n');
    const ours = verifyEvidence(crypto, judgeFinality, bundle, trust).claims;
    assert.ok(claims.includes(toHex(crypto.hash(plainParts(map).value))));
    assert.ok(claims.includes(ours.find((claim) => claim.startsWith('Valid as of'))!));
    assert.match(claims, name === 'plain' ? /by 3 of 4 validators at height 900/ : /by 4 of 4 validators at height 900/);
  });

  test(`one changed byte anywhere in the ${name} bundle is refused by both`, () => {
    const stride = 23; // every field is longer, so every one is hit
    for (let at = 0; at < bundle.length; at += stride)
      assert.ok(!accepted(changed(bundle, at, 1)), `byte ${at}: ${bundle.slice(at - 20, at + 5)}`);
    fc.assert(
      fc.property(fc.nat(bundle.length - 1), fc.integer({ min: 1, max: 127 }), (at, bits) => !accepted(changed(bundle, at, bits))),
      { numRuns: 150 },
    );
  });

  test(`one byte more or less anywhere in the ${name} bundle is refused by both`, () => {
    fc.assert(
      fc.property(
        fc.nat(bundle.length - 1),
        fc.constantFrom('', 'A', '0', ' ', '"'),
        (at, insert) =>
          !accepted(insert === '' ? bundle.slice(0, at) + bundle.slice(at + 1) : bundle.slice(0, at) + insert + bundle.slice(at)),
      ),
      { numRuns: 60 },
    );
  });
}

test('one changed byte inside any decoded byte string is refused by both', () => {
  const parts = longParts(map);
  const { inclusion } = parts;
  const places: readonly (readonly [number, (bytes: (old: Uint8Array) => Uint8Array) => string])[] = [
    [parts.value.length, (change) => buildEvidence({ ...parts, value: change(parts.value) })],
    [parts.proof.length, (change) => buildEvidence({ ...parts, proof: change(parts.proof) })],
    [parts.state.header.length, (change) => buildEvidence({ ...parts, state: { ...parts.state, header: change(parts.state.header) } })],
    [
      parts.state.certificate.length,
      (change) => buildEvidence({ ...parts, state: { ...parts.state, certificate: change(parts.state.certificate) } }),
    ],
    [
      parts.state.configuration.length,
      (change) => buildEvidence({ ...parts, state: { ...parts.state, configuration: change(parts.state.configuration) } }),
    ],
    [inclusion!.receipt.length, (change) => buildEvidence({ ...parts, inclusion: { ...inclusion!, receipt: change(inclusion!.receipt) } })],
    [
      inclusion!.transaction.length,
      (change) => buildEvidence({ ...parts, inclusion: { ...inclusion!, transaction: change(inclusion!.transaction) } }),
    ],
  ];
  for (const [length, rebuild] of places) {
    for (let at = 0; at < length; at += 7) {
      let bundle: string;
      try {
        bundle = rebuild((old) => old.map((byte, i) => (i === at ? byte ^ (1 << (at % 8)) : byte)));
      } catch {
        continue; // a header that does not decode cannot be put into a bundle
      }
      assert.ok(!accepted(bundle), `byte ${at} of ${length}`);
    }
  }
});

test('the length in front of the signature, which no hash covers, is refused by both when it is another', () => {
  const parts = longParts(map);
  const { transaction, ...inclusion } = parts.inclusion!;
  for (let at = transaction.length - 68; at < transaction.length - 64; at++) {
    const changed = transaction.map((byte, i) => (i === at ? byte ^ 1 : byte));
    assert.ok(!accepted(buildEvidence({ ...parts, inclusion: { ...inclusion, transaction: changed } })), `byte ${at}`);
  }
});

test('both refuse another genesis file and a certificate short of a quorum', () => {
  const other = JSON.stringify({ ...(JSON.parse(genesisText) as object), timestampMs: 1 });
  assert.equal(accepted(bundles.plain, other), false);
  const two = certify(headerAt(900, { stateRoot: map.root() }), opened.configuration, ['east-1', 'west-1']);
  assert.equal(accepted(buildEvidence({ ...plainParts(map), state: two })), false);
});

test('run as a command it prints the claims and exits 0, or names the check and exits 1', () => {
  const folder = mkdtempSync(join(tmpdir(), 'evidence-'));
  try {
    const [bundle, genesis] = [join(folder, 'bundle.json'), join(folder, 'genesis.json')];
    writeFileSync(bundle, bundles.plain);
    writeFileSync(genesis, genesisText);
    assert.match(
      execFileSync(process.execPath, [fileURLToPath(script), bundle, genesis], { encoding: 'utf8' }),
      /certified by 3 of 4 validators/,
    );
    writeFileSync(bundle, changed(bundles.plain, bundles.plain.length - 40, 1));
    const bad = spawnSync(process.execPath, [fileURLToPath(script), bundle, genesis], { encoding: 'utf8' });
    assert.equal(bad.status, 1);
    assert.equal(bad.stdout, '');
  } finally {
    rmSync(folder, { recursive: true });
  }
});

function changed(text: string, at: number, bits: number): string {
  return text.slice(0, at) + String.fromCharCode(text.charCodeAt(at) ^ bits) + text.slice(at + 1);
}
