/**
 * What the versions of records that a block wrote say, as some hundred bytes a version: handed by the executor to the query index, which keeps them until the
 * versions stand in a closed segment.
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
    halves.setBigInt64(0, us);
    this.#writer.u32(halves.getUint32(0)).u32(halves.getUint32(4));
  }

  finish(): Uint8Array {
    return this.#writer.finish();
  }
}

const halves = new DataView(new ArrayBuffer(8));

export function* encodeBlockFacts({ timestampMs, versions }: BlockFacts): Steps<Uint8Array> {
  const writer = new FactsWriter(16 + ROW_BYTES * versions.length);
  writer.u64(timestampMs);
  writer.number(versions.length);
  let written = 0;
  for (const facts of versions) {
    writer.fixed(facts.id, ID_BYTES);
    writer.number(facts.version);
    if (facts.version > 1) writer.u64(facts.heightBefore ?? 0);
    writer.text(facts.class);
    writer.text(facts.org);
    writer.text(facts.actor);
    writer.text(facts.state);
    const { named } = facts;
    writer.number(named ? 1 : 0);
    if (named) {
      writeNamed(writer, named);
      if (named.materials.length + named.links.length <= STEP_ITEMS) writeLists(writer, named);
      else yield* writeLongLists(writer, named);
    }
    if (++written % STEP_VERSIONS === 0) yield;
  }
  return writer.finish();
}

const STEP_VERSIONS = 16; // versions written between two pauses
const STEP_ITEMS = 256; // materials or links written between two pauses

function writeNamed(writer: FactsWriter, { product, productionBatch, factory, report, verdict, timeUs, devices }: NamedFacts): void {
  writer.text(product);
  writer.text(productionBatch);
  writer.text(factory);
  writer.text(report);
  writer.text(verdict);
  writer.time(timeUs);
  writer.number(devices.length);
  for (const device of devices) writer.text(device);
}

function writeLists(writer: FactsWriter, { materials, links }: NamedFacts): void {
  writer.number(materials.length);
  for (const material of materials) writeMaterial(writer, material);
  writer.number(links.length);
  for (const link of links) writeLink(writer, link);
}

/** The same with pauses. */
function* writeLongLists(writer: FactsWriter, { materials, links }: NamedFacts): Steps<void> {
  let written = 0;
  writer.number(materials.length);
  for (const material of materials) {
    writeMaterial(writer, material);
    if (++written % STEP_ITEMS === 0) yield;
  }
  writer.number(links.length);
  for (const link of links) {
    writeLink(writer, link);
    if (++written % STEP_ITEMS === 0) yield;
  }
}

function writeMaterial(writer: FactsWriter, { supplier, batch, report }: NamedFacts['materials'][number]): void {
  writer.text(supplier);
  writer.text(batch);
  writer.text(report);
}

function writeLink(writer: FactsWriter, { rel, type, id, org }: NamedFacts['links'][number]): void {
  writer.text(rel);
  writer.text(type);
  writer.text(id);
  writer.text(org);
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
