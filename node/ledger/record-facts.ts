/**
 * What the versions of records that a block wrote say, as a small row of bytes: handed by the executor to the query index, which keeps it until the versions
 * stand in a closed segment.
 */
import type { NamedFacts, WrittenVersion } from '../../contracts/index.ts';
import { DecodeError, Reader, Writer } from '../format/index.ts';
import type { Steps } from '../pace/index.ts';

export interface BlockFacts {
  readonly timestampMs: number;
  readonly versions: readonly WrittenVersion[];
}

const ID_BYTES = 32;
const ROW_BYTES = 128; // of most versions
const LONG_NUMBER = 0xff; // a number from here on takes five bytes
const U32_BITS = 32n;
const NO_BYTES = new Uint8Array(0);

/** Numbers and texts of a block: a text is written where it comes first, and is a number from then on. */
class FactsWriter {
  readonly #writer: Writer;
  readonly #codes = new Map<string, number>();

  constructor(bytesExpected: number) {
    this.#writer = new Writer(bytesExpected);
  }

  fixed(bytes: Uint8Array, length: number): void {
    this.#writer.fixed(bytes, length);
  }

  u64(value: number): void {
    this.#writer.u64(value);
  }

  number(value: number): void {
    if (value < LONG_NUMBER) this.#writer.u8(value);
    else this.#writer.u8(LONG_NUMBER).u32(value);
  }

  text(text: string | undefined): void {
    const known = text === undefined ? 0 : this.#codes.get(text);
    this.number(known ?? this.#codes.size + 1);
    if (text === undefined || known !== undefined) return;
    this.#codes.set(text, this.#codes.size + 1);
    this.#writer.text(text);
  }

  time(us: bigint | undefined): void {
    this.#writer.bool(us !== undefined);
    if (us === undefined) return;
    this.#writer.u32(Number(BigInt.asUintN(32, us >> U32_BITS))).u32(Number(BigInt.asUintN(32, us)));
  }

  finish(): Uint8Array {
    return this.#writer.finish();
  }
}

export function* encodeBlockFacts({ timestampMs, versions }: BlockFacts): Steps<Uint8Array> {
  const writer = new FactsWriter(16 + ROW_BYTES * versions.length);
  writer.u64(timestampMs);
  writer.number(versions.length);
  for (const facts of versions) {
    writer.fixed(facts.id, ID_BYTES);
    writer.number(facts.version);
    if (facts.version > 1) writer.u64(facts.heightBefore ?? 0);
    for (const text of [facts.class, facts.org, facts.actor, facts.state]) writer.text(text);
    yield* writeNamed(writer, facts.named);
    yield;
  }
  return writer.finish();
}

const STEP_ITEMS = 256; // materials or links written or read between two pauses

function* writeNamed(writer: FactsWriter, named: NamedFacts | undefined): Steps<void> {
  writer.number(named ? 1 : 0);
  if (!named) return;
  const { product, productionBatch, factory, report, verdict, devices, materials, links } = named;
  for (const text of [product, productionBatch, factory, report, verdict]) writer.text(text);
  writer.time(named.timeUs);
  writer.number(devices.length);
  for (const device of devices) writer.text(device);
  let written = 0;
  writer.number(materials.length);
  for (const material of materials) {
    writer.text(material.supplier);
    writer.text(material.batch);
    writer.text(material.report);
    if (++written % STEP_ITEMS === 0) yield;
  }
  writer.number(links.length);
  for (const link of links) {
    for (const text of [link.rel, link.type, link.id, link.org]) writer.text(text);
    if (++written % STEP_ITEMS === 0) yield;
  }
}

/** The same at once, for a thread that does nothing else. */
export function blockFactsOf(facts: BlockFacts): Uint8Array {
  for (const steps = encodeBlockFacts(facts); ; ) {
    const step = steps.next();
    if (step.done === true) return step.value;
  }
}

/**
 * Reads what encodeBlockFacts wrote, in its order, and makes nothing of it: a text is its number in `texts`, from 1, and 0 where there is none. After `next`
 * the fields say what the version is, and of a version that names anything the items of its devices, materials and links follow: how many, then the
 * numbers of their texts. Every method throws DecodeError.
 */
export class BlockFactsReader {
  readonly timestampMs: number;
  /** Versions of the block. */
  readonly count: number;
  readonly texts: string[] = [];
  id: Uint8Array = NO_BYTES;
  version = 0;
  heightBefore: number | undefined;
  class = 0;
  org = 0;
  actor = 0;
  state = 0;
  isNamed = false;
  product = 0;
  productionBatch = 0;
  factory = 0;
  report = 0;
  verdict = 0;
  hasTime = false;
  /** Halves of the time in us, two's complement. */
  timeHigh = 0;
  timeLow = 0;
  readonly #reader: Reader;
  #read = 0;

  constructor(bytes: Uint8Array) {
    const reader = new Reader(bytes);
    this.#reader = reader;
    this.timestampMs = reader.u64();
    this.count = this.number();
  }

  /** False behind the last version. The items of the one before must have been read. */
  next(): boolean {
    const reader = this.#reader;
    if (this.#read === this.count) {
      reader.end();
      return false;
    }
    this.#read++;
    this.id = reader.fixed(ID_BYTES);
    this.version = this.number();
    const before = this.version > 1 ? reader.u64() : 0;
    this.heightBefore = before === 0 ? undefined : before; // nothing is recorded at height 0
    this.class = this.some();
    this.org = this.some();
    this.actor = this.some();
    this.state = this.some();
    this.isNamed = this.number() !== 0;
    if (this.isNamed) this.#named();
    return true;
  }

  #named(): void {
    const reader = this.#reader;
    this.product = this.text();
    this.productionBatch = this.text();
    this.factory = this.text();
    this.report = this.text();
    this.verdict = this.text();
    this.hasTime = reader.bool();
    this.timeHigh = this.hasTime ? reader.u32() : 0;
    this.timeLow = this.hasTime ? reader.u32() : 0;
  }

  /** Items of a list, or how many. */
  number(): number {
    const short = this.#reader.u8();
    return short < LONG_NUMBER ? short : this.#reader.u32();
  }

  /** Number of a text, or 0. */
  text(): number {
    const { texts } = this;
    const code = this.number();
    if (code <= texts.length) return code;
    if (code > texts.length + 1) throw new DecodeError('text that was not written before');
    return texts.push(this.#reader.text());
  }

  some(): number {
    const code = this.text();
    if (code === 0) throw new DecodeError('no text where one is');
    return code;
  }
}
