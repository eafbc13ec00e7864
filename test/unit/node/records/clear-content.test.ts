import assert from 'node:assert/strict';
import { test } from 'node:test';
import { checkContent, type ClassDefinition, factsOf, foldSingles, keyOf, sealContent } from '../../../../contracts/index.ts';
import { canonicalJson, contentDigest, encodeContent, type TextStruct } from '../../../../node/format/index.ts';
import { readClear } from '../../../../node/records/clear-content.ts';
import { SeededRandom } from '../../../simulation/random.ts';
import { comparedClasses } from '../../contracts/classes/compare-scanner.ts';
import { ContentMaker } from '../../contracts/classes/content-maker.ts';
import { encoded } from '../../contracts/classes/mutants.ts';
import { crypto } from './sample.ts';

const SEED = 1_407_2025;
const CONTENTS = 3_000;
const commitmentOf = (path: string, value: string): string => Buffer.from(crypto.hash(Buffer.from(`${path} ${value}`))).toString('hex');

/** What a door has to find, by checker and tree. */
function expected(definition: ClassDefinition, tree: TextStruct) {
  const faults = checkContent(definition, tree, 'clear');
  if (faults.length > 0) return { faults };
  const clear = foldSingles(definition, tree);
  const asked: string[] = [];
  const sealed = sealContent(definition, clear, (path, value) => {
    asked.push(path);
    return { sealed: commitmentOf(path, value) };
  });
  return {
    facts: factsOf(definition, clear),
    key: canonicalJson(keyOf(definition, clear)),
    digest: contentDigest(crypto, clear),
    sealed: Buffer.from(encodeContent(sealed)).toString(),
    asked,
  };
}

function found(definition: ClassDefinition, tree: TextStruct) {
  const reading = readClear(crypto, definition, tree);
  if (!reading.ok) return { faults: reading.faults };
  const { facts, keyText, hasKey, contentDigest: digest, seal } = reading.content;
  const asked: string[] = [];
  const sealed = seal((path, value) => {
    asked.push(path);
    return commitmentOf(path, value);
  });
  const key = Buffer.from(keyText).toString();
  assert.equal(hasKey, key !== '{}');
  return { facts, key, digest, sealed: Buffer.from(sealed).toString(), asked };
}

test('a record in clear is read, sealed and refused as checker and tree have it, however its lists and names are written', () => {
  let taken = 0;
  for (let i = 0; i < CONTENTS; i++) {
    const random = new SeededRandom(SEED + i);
    const definition = random.pick(comparedClasses);
    const content = new ContentMaker(random, 'clear').content(definition);
    if (encoded(content) === undefined) continue; // no reader lets such characters through
    const names = Object.keys(content);
    const tree = Object.fromEntries((random.chance(0.5) ? names : names.reverse()).map((name) => [name, content[name]!]));
    const want = expected(definition, tree);
    assert.deepEqual(found(definition, tree), want, `seed ${SEED + i}: ${definition.name} ${JSON.stringify(tree)}`);
    if (want.faults === undefined) taken++;
  }
  assert.ok(taken > CONTENTS / 4, `${taken}`);
});
