/** Mutants of the bytes of a content: what the scanner is compared with reader and checker on. */
import { encodeContent, type TextStruct, utf8 } from '../../../../node/format/index.ts';
import type { SeededRandom } from '../../../simulation/random.ts';
import { NUMBERS, PATHS, TEXTS, TIMES } from './sample-texts.ts';

const MARKS = utf8('ab0129.-+"{}[],:\\nrtu/ZTeUzE \u0000\u007f');
/** Characters and halves of them that UTF-8 or the formats refuse, and neighbours that they take. */
const SEQUENCES = [
  [0xc0, 0x80],
  [0xc1, 0xbf],
  [0xc2, 0x80],
  [0xdf, 0xbf],
  [0xe0, 0x9f, 0xbf],
  [0xe0, 0xa0, 0x80],
  [0xed, 0x9f, 0xbf],
  [0xed, 0xa0, 0x80],
  [0xee, 0x80, 0x80],
  [0xef, 0xbf, 0xbd],
  [0xef, 0xbf, 0xbe],
  [0xef, 0xbf, 0xbf],
  [0xef, 0xbb, 0xbf],
  [0xf0, 0x8f, 0xbf, 0xbf],
  [0xf0, 0x90, 0x80, 0x80],
  [0xf4, 0x8f, 0xbf, 0xbf],
  [0xf4, 0x90, 0x80, 0x80],
  [0xf5, 0x80, 0x80, 0x80],
  [0x80],
  [0xbf],
  [0xe2, 0x82],
  [0xf0, 0x9f, 0x98],
  [0xc2],
  [0xff],
  [0xf0, 0x9f, 0xbf, 0xbe],
  [0x5c, 0x75, 0x30, 0x30, 0x34, 0x31],
  [0x5c, 0x2f],
  [0x5c, 0x62],
  [0x5c, 0x6e],
];

/** Bytes of which some are still content: what encodeContent cannot write is undefined. */
export function encoded(content: TextStruct): Uint8Array | undefined {
  try {
    return encodeContent(content);
  } catch {
    return undefined;
  }
}

/** One change of the bytes. */
export function mutated(random: SeededRandom, bytes: Uint8Array): Uint8Array {
  const at = random.integer(0, bytes.length);
  const end = Math.min(bytes.length, at + random.integer(0, 12));
  switch (random.integer(0, 13)) {
    case 0:
      return spliced(bytes, at, at + 1, Uint8Array.of(random.u32() & 255));
    case 1:
      return spliced(bytes, at, at + 1, Uint8Array.of(random.pick([...MARKS])));
    case 2:
      return spliced(bytes, at, end, new Uint8Array(0));
    case 3: {
      const from = random.integer(0, bytes.length);
      return spliced(bytes, at, at, bytes.subarray(from, from + random.integer(1, 20)));
    }
    case 4:
      return spliced(bytes, at, random.chance(0.5) ? at : end, Uint8Array.from(random.pick(SEQUENCES)));
    case 5:
      return bytes.subarray(0, at);
    case 6:
      return spliced(bytes, bytes.length, bytes.length, Uint8Array.of(random.pick([...MARKS])));
    case 7:
      return mutated(random, mutated(random, bytes));
    default:
      return reworded(random, bytes);
  }
}

const QUOTE = 0x22;

/** One text, most often a value, lengthened, shortened or replaced. */
function reworded(random: SeededRandom, bytes: Uint8Array): Uint8Array {
  const quotes = [...bytes.keys()].filter((at) => bytes[at] === QUOTE);
  const open = quotes.length < 2 ? 0 : random.integer(0, (quotes.length >>> 1) - 1) * 2;
  const from = (quotes[open] ?? 0) + 1;
  const to = quotes[open + 1] ?? bytes.length;
  const at = random.integer(from, Math.max(from, to));
  switch (random.integer(0, 4)) {
    case 0:
      return spliced(bytes, at, at, Uint8Array.from(random.pick(SEQUENCES)));
    case 1:
      return spliced(bytes, at, at + 1, new Uint8Array(0));
    case 2:
      return spliced(bytes, at, at, Uint8Array.of(random.pick([...MARKS])));
    case 3:
      return spliced(bytes, at, Math.min(to, at + 1), Uint8Array.of(0x30 + random.integer(0, 9)));
    default:
      return spliced(bytes, from, to, utf8(JSON.stringify(random.pick([...TEXTS, ...NUMBERS, ...TIMES, ...PATHS])).slice(1, -1)));
  }
}

function spliced(bytes: Uint8Array, from: number, to: number, put: Uint8Array): Uint8Array {
  const tail = bytes.subarray(Math.min(to, bytes.length));
  const out = new Uint8Array(Math.min(from, bytes.length) + put.length + tail.length);
  out.set(bytes.subarray(0, from));
  out.set(put, Math.min(from, bytes.length));
  out.set(tail, Math.min(from, bytes.length) + put.length);
  return out;
}
