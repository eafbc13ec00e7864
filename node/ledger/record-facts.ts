/**
 * What the versions of records that a block wrote say, as a small row of bytes: handed by the executor to the query index, which keeps it until the versions
 * stand in a closed segment.
 */
import type { LinkFact, MaterialFact } from '../../contracts/classes/index.ts';
import type { NamedFacts, WrittenVersion } from '../../contracts/index.ts';
import { DecodeError, Reader, type RecordState, Writer } from '../format/index.ts';
import type { Steps } from '../pace/index.ts';

export interface BlockFacts {
  readonly timestampMs: number;
  readonly versions: readonly WrittenVersion[];
}

const ID_BYTES = 32;
const ROW_BYTES = 128; // of most versions
const LONG_NUMBER = 0xff; // a number from here on takes five bytes
const U32_BITS = 32n;

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

class FactsReader {
  readonly reader: Reader;
  readonly #texts: string[] = [];

  constructor(bytes: Uint8Array) {
    this.reader = new Reader(bytes);
  }

  number(): number {
    const short = this.reader.u8();
    return short < LONG_NUMBER ? short : this.reader.u32();
  }

  text(): string | undefined {
    const code = this.number();
    if (code === 0) return undefined;
    if (code > this.#texts.length + 1) throw new DecodeError('text that was not written before');
    if (code === this.#texts.length + 1) this.#texts.push(this.reader.text());
    return this.#texts[code - 1];
  }

  some(): string {
    const text = this.text();
    if (text === undefined) throw new DecodeError('no text where one is');
    return text;
  }

  *list<T>(read: (facts: FactsReader) => T): Steps<T[]> {
    const count = this.number();
    const out: T[] = [];
    while (out.length < count) {
      out.push(read(this));
      if (out.length % STEP_ITEMS === 0) yield;
    }
    return out;
  }

  time(): bigint | undefined {
    if (!this.reader.bool()) return undefined;
    return BigInt.asIntN(64, (BigInt(this.reader.u32()) << U32_BITS) | BigInt(this.reader.u32()));
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

/** @throws DecodeError */
export function* decodeBlockFacts(bytes: Uint8Array): Steps<BlockFacts> {
  const facts = new FactsReader(bytes);
  const timestampMs = facts.reader.u64();
  const count = facts.number();
  const versions: WrittenVersion[] = [];
  for (let i = 0; i < count; i++) {
    const id = facts.reader.fixed(ID_BYTES);
    const version = facts.number();
    const before = version > 1 ? facts.reader.u64() : 0;
    const heightBefore = before === 0 ? undefined : before; // nothing is recorded at height 0
    const [name, org, actor, state] = [facts.some(), facts.some(), facts.some(), facts.some() as RecordState];
    versions.push({ id, version, heightBefore, class: name, org, actor, state, named: yield* readNamed(facts) });
    yield;
  }
  facts.reader.end();
  return { timestampMs, versions };
}

function* readNamed(facts: FactsReader): Steps<NamedFacts | undefined> {
  if (facts.number() === 0) return undefined;
  const [product, productionBatch, factory, report, verdict] = [facts.text(), facts.text(), facts.text(), facts.text(), facts.text()];
  const timeUs = facts.time();
  const devices = yield* facts.list(readText);
  const materials = yield* facts.list(readMaterial);
  const links = yield* facts.list(readLink);
  return { product, productionBatch, factory, report, verdict, timeUs, devices, materials, links };
}

function readText(facts: FactsReader): string {
  return facts.some();
}

function readMaterial(facts: FactsReader): MaterialFact {
  return { supplier: facts.some(), batch: facts.some(), report: facts.text() };
}

function readLink(facts: FactsReader): LinkFact {
  return { rel: facts.some(), type: facts.some(), id: facts.some(), org: facts.text() };
}
