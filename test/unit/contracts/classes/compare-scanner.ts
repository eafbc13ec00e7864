/**
 * The scanner against reader and checker, on contents made by chance and on mutants of their bytes:
 * `node dist/test/unit/contracts/classes/compare-scanner.js --seed 1 --mutants 60000`. A disagreement prints seed and text.
 */
import assert from 'node:assert/strict';
import { pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import {
  builtinClasses,
  checkContent,
  type ClassDefinition,
  type ContentForm,
  factsOf,
  foldSingles,
  judgeByReading,
  judgeContent,
  keyOf,
  scanContent,
  sealContent,
} from '../../../../contracts/index.ts';
import {
  canonicalJson,
  decodeContent,
  dottedPath,
  encodeContent,
  equalBytes,
  type TextStruct,
  toHex,
  utf8,
} from '../../../../node/format/index.ts';
import { SeededRandom } from '../../../simulation/random.ts';
import { ContentMaker } from './content-maker.ts';
import { encoded, mutated } from './mutants.ts';
import { wideClass } from './wide-class.ts';

export const comparedClasses: readonly ClassDefinition[] = [...Object.values(builtinClasses), wideClass];
const FORMS: readonly ContentForm[] = ['sealed', 'clear'];

/** Instead of a digest, what it would be over. */
const TELLING = { hash: (data: Uint8Array) => data.slice() };

/** Contents of each seed are mutated this often. */
const MUTANTS_PER_CONTENT = 5;

export interface Compared {
  readonly texts: number;
  readonly accepted: number;
}

/** Compares on about `mutants` texts. @throws AssertionError naming seed and text */
export function compareFromSeed(seed: number, mutants: number): Compared {
  let texts = 0;
  let accepted = 0;
  for (let round = 0; texts < mutants; round++) {
    const own = (seed + Math.imul(round, 0x9e3779b1)) >>> 0;
    const random = new SeededRandom(own);
    const form = random.pick(FORMS);
    const definition = random.pick(comparedClasses);
    const bytes = encoded(new ContentMaker(random, form).content(definition));
    if (bytes === undefined) continue;
    const compare = (text: Uint8Array): void => {
      texts++;
      try {
        if (compareOn(definition, text, form)) accepted++;
      } catch (error) {
        throw new assert.AssertionError({
          message: `seed ${seed}, round ${round}: ${error instanceof Error ? error.message : String(error)}`,
        });
      }
    };
    compare(bytes);
    for (let i = 0; i < MUTANTS_PER_CONTENT; i++) compare(mutated(random, bytes));
  }
  return { texts, accepted };
}

/** Whether both take the text. @throws AssertionError when they do not agree */
export function compareOn(definition: ClassDefinition, bytes: Uint8Array, form: ContentForm): boolean {
  const scanned = scanContent(definition, bytes, form);
  const expected = form === 'sealed' ? sealedReference(definition, bytes) : clearReference(definition, bytes);
  const place = `${definition.name}, ${form}: ${Buffer.from(bytes).toString('utf8')}\nhex ${toHex(bytes)}\n`;
  assert.equal(
    scanned !== undefined,
    expected !== undefined,
    `${scanned ? 'only the scanner takes' : 'only reader and checker take'} ${place}`,
  );
  if (scanned === undefined || expected === undefined) return false;
  assert.deepEqual(scanned.facts, expected.facts, `facts of ${place}`);
  const key = keyOf(definition, decodeContent(bytes));
  assert.equal(Buffer.from(scanned.keyText).toString(), canonicalJson(key), `text of the key of ${place}`);
  assert.equal(scanned.hasKey, Object.keys(key).length > 0, `key of ${place}`);
  if (form === 'sealed') {
    const judged = judgeContent(definition, bytes);
    assert.deepEqual(judged.ok && judged.content.normalDigest(TELLING), expected.normalDigest(TELLING), `normal spelling of ${place}`);
  }
  if (form === 'clear') compareSealing(definition, bytes, scanned.clear, place);
  else assert.deepEqual(scanned.clear, [], place);
  return true;
}

function sealedReference(definition: ClassDefinition, bytes: Uint8Array) {
  const judged = judgeByReading(definition, bytes);
  return judged.ok ? judged.content : undefined;
}

/** In clear, with every list of one folded: the scanner takes no other spelling. */
function clearReference(definition: ClassDefinition, bytes: Uint8Array) {
  let content: TextStruct;
  try {
    content = decodeContent(bytes);
  } catch {
    return undefined;
  }
  if (checkContent(definition, content, 'clear', 1).length > 0) return undefined;
  if (!equalBytes(encodeContent(foldSingles(definition, content)), bytes)) return undefined;
  return { facts: factsOf(definition, content), normalDigest: () => undefined };
}

/** The clear fields are those that sealContent seals, and replaced where they stand they give what it gives. */
function compareSealing(
  definition: ClassDefinition,
  bytes: Uint8Array,
  clear: NonNullable<ReturnType<typeof scanContent>>['clear'],
  place: string,
): void {
  const named = new Map<string, string>();
  const sealed = sealContent(definition, decodeContent(bytes), (path, value) => {
    named.set(path, value);
    return { sealed: path };
  });
  assert.deepEqual(new Map(clear.map(({ path, value }) => [dottedPath(path), value])), named, `clear fields of ${place}`);
  let text = new Uint8Array(0);
  let at = 0;
  for (const { path, from, to } of clear) {
    text = Buffer.concat([text, bytes.subarray(at, from), utf8(`{"sealed":${JSON.stringify(dottedPath(path))}}`)]);
    at = to;
  }
  assert.equal(
    Buffer.concat([text, bytes.subarray(at)]).toString(),
    Buffer.from(encodeContent(sealed)).toString(),
    `sealed form of ${place}`,
  );
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) {
  const { values } = parseArgs({ options: { seed: { type: 'string', default: '1' }, mutants: { type: 'string', default: '60000' } } });
  const { texts, accepted } = compareFromSeed(Number(values.seed), Number(values.mutants));
  console.log(`scanner, reader and checker agree on ${texts} texts, ${accepted} of them accepted`);
}
