/**
 * The part of a submission that asks the chain: whether it would take each prepared record now, so that every bad row is named at once and
 * nothing is signed in vain. On the thread that holds the state, a row a step and a large row in several.
 */
import {
  Asked,
  builtinClass,
  type ClassDefinition,
  CONTRACT,
  ContractFailure,
  currentVersion,
  keyConflict,
  loadClass,
  mappingFaults,
  ownershipFaults,
  type Reading,
  readVersion,
  seesRecord,
  stateKey,
  timePath,
  twinConflict,
} from '../../contracts/index.ts';
import { ChainError } from '../errors/index.ts';
import { type ByteText, equalBytes, type RecordPath, type RecordVersion, toByteText } from '../format/index.ts';
import type { PreparedRecord } from './prepare.ts';
import { reseal, type Resealed, withSeals } from './reseal.ts';
import type { NodeService } from '../service.ts';
import { BODY_FAULTS_MAX } from './formats/index.ts';
import type { Caller } from './types.ts';
import { normalDigestSteps, sameAsStoredSteps } from './same-content.ts';
import { type StandingRecord, standingRecord } from './standing.ts';
import type { Pause } from '../pace/index.ts';
import type { PreparedRows } from './prepare-rows.ts';
import { type PlacedText, refusePlaced } from './refusal.ts';
import type { CheckedRow, SubmitDependencies } from './submit.ts';

export type CheckDependencies = Pick<SubmitDependencies, 'node' | 'crypto' | 'sealed' | 'sealingKeys' | 'guesses'>;

/** Record id -> what stands under the key of a prepared row. */
export type StandingRecords = ReadonlyMap<ByteText, StandingRecord>;

/** Read before the rows are judged, which takes no pause for the disk. A record that is committed meanwhile is found by the contract. */
export function standingRecords(
  deps: Pick<SubmitDependencies, 'source' | 'bodies'>,
  definition: ClassDefinition,
  prepared: PreparedRows,
  pause: () => Pause,
): StandingRecords | Promise<StandingRecords> {
  const [only] = prepared.rows;
  // Under most keys of single records nothing stands.
  if (prepared.rows.length === 1 && !deps.source.version(only!.prepared.recordId, 1)) return NONE_STANDING;
  return readStanding(deps, definition, prepared, pause());
}

const NONE_STANDING: StandingRecords = new Map();

async function readStanding(
  { source, bodies: { inSlices } }: Pick<SubmitDependencies, 'source' | 'bodies'>,
  definition: ClassDefinition,
  { rows }: PreparedRows,
  pause: Pause,
): Promise<StandingRecords> {
  const standing = new Map<ByteText, StandingRecord>();
  for (const { prepared } of rows) {
    const first = source.version(prepared.recordId, 1) && (await standingRecord({ source, inSlices }, definition, prepared));
    if (first) standing.set(toByteText(prepared.recordId), first);
    if (rows.length > 1) await pause();
  }
  return standing;
}

/** @throws ChainError KEY_UNKNOWN when this node holds no sealing key */
export function newestKey({ sealingKeys }: Pick<CheckDependencies, 'sealingKeys'>): Uint8Array {
  const key = sealingKeys().at(-1);
  if (!key) throw new ChainError('KEY_UNKNOWN', { kind: 'sealing' });
  return key;
}

/** @throws ChainError KEY_NOT_HELD: the seals of this node would not be those of the caller's */
export function checkSigns(node: NodeService, { account }: Pick<Caller, 'account'>): void {
  if (!node.signsFor(account)) throw new ChainError('KEY_NOT_HELD', { account });
}

/** The class as the next block will find it. @throws ChainError RECORD_CLASS_UNKNOWN */
export function classOf(node: NodeService, name: string): ClassDefinition {
  const builtin = builtinClass(name);
  if (builtin) return builtin;
  const reading = readingOf(node);
  for (let version = 1; ; ) {
    try {
      return loadClass(reading, name, version, 0);
    } catch (error) {
      const current = error instanceof ContractFailure && error.code === 'RECORD_CLASS_VERSION' ? Number(error.detail.current) : Number.NaN;
      if (!Number.isSafeInteger(current) || current === version) throw new ChainError('RECORD_CLASS_UNKNOWN', { class: name });
      version = current;
    }
  }
}

/** Asks about each row as the contract will. @throws ChainError with the faults of all rows, those found before included */
export function* judgeRows(
  deps: CheckDependencies,
  definition: ClassDefinition,
  { records, checked, unreadable, faults: placed, rows: prepared }: PreparedRows,
  standing: StandingRecords,
  { account, organisation }: Pick<Caller, 'account' | 'organisation'>,
): Generator<void, CheckedRow[], void> {
  const { node, crypto } = deps;
  const reading = readingOf(node);
  const stored = { get: (key: ByteText) => reading.read(CONTRACT.records, key) };
  const { recordTimeAheadMaxMs } = node.parameters();
  const latestUs = BigInt(node.head().timestampMs + recordTimeAheadMaxMs) * 1_000n;
  const faults: PlacedText[] = [];
  const rows: CheckedRow[] = [];
  const asked = new Asked();
  const keys = new Map<string, readonly [record: number, content: Uint8Array]>();
  let told = 0; // of those found before
  let admitted = false; // to what others wrote
  let walked = checked;
  const full = (): boolean => faults.length + unreadable.length >= BODY_FAULTS_MAX; // the answer tells no more
  /** Reports the earlier faults of the records before this one; false when the answer has no room for its own. */
  const tellBefore = (record: number): boolean => {
    for (let last = -1; told < placed.length && placed[told]!.record < record; last = placed[told++]!.record) {
      if (full() && placed[told]!.record !== last) {
        walked = placed[told]!.record;
        return false;
      }
      faults.push(placed[told]!);
    }
    if (full() && record < records) walked = record;
    return !full();
  };
  for (const { record, prepared: own, facts, locate } of prepared) {
    if (!tellBefore(record)) break;
    if (rows.length > 0) yield;
    const fault = (code: string, path: RecordPath, data: PlacedText['data']): void => {
      faults.push({ code, place: locate(path, code), data });
    };
    if (facts.timeUs !== undefined && facts.timeUs > latestUs)
      fault('RECORD_TIME_AHEAD', timePath(definition), { aheadMaxMs: `${recordTimeAheadMaxMs}` });
    const refuse = ({ code, detail: { path, record: _record, ...data } }: ContractFailure): void => fault(code, path as string[], data);
    ownershipFaults(reading, organisation, definition, facts, record, asked, refuse);
    mappingFaults(reading, definition, facts, record, asked, refuse);
    const id = toByteText(own.recordId);
    const first = standing.get(id);
    const current = first ? currentVersion(stored, id) : 0;
    const visible = first === undefined || seesRecord(reading.read, account, first);
    if (!visible && !admitted) {
      deps.guesses.admit(account);
      admitted = true;
    }
    const resealed = yield* resealRow(deps, own, first);
    const { prepared: row } = resealed;
    const { content } = row.submission;
    if (first && !(yield* sameAsStoredSteps(crypto, definition, content, first))) {
      if (!visible) deps.guesses.charge(account);
      const held = { first, latest: readVersion(stored, id, current)!, current };
      if (visible && (yield* sealsAlone(deps, definition, resealed, first))) fault('SEALED_KEYS_DIFFER', [], {});
      else fault('RECORD_KEY_CONFLICT', [], { ...keyConflict(row.recordId, held, visible) });
    }
    const twin = keys.get(id);
    if (twin && !(yield* alikeSteps(deps, definition, content, twin[1])))
      fault('RECORD_KEY_CONFLICT', [], { ...twinConflict(row.recordId, twin[0]) });
    keys.set(id, [record, content]);
    rows.push({ prepared: row, materials: facts.materials, first, currentVersion: current, definition, locate });
  }
  if (walked === checked) tellBefore(checked);
  if (faults.length + unreadable.length > 0) throw refusePlaced(faults, unreadable, records - walked);
  return rows;
}

/** Whether two contents say the same. */
function* alikeSteps({ crypto }: Pick<CheckDependencies, 'crypto'>, definition: ClassDefinition, content: Uint8Array, other: Uint8Array) {
  if (equalBytes(content, other)) return true;
  return equalBytes(yield* normalDigestSteps(crypto, definition, content), yield* normalDigestSteps(crypto, definition, other));
}

/** The record as this organisation sealed it before, where it did. */
export function* resealRow(
  { crypto, sealed, sealingKeys }: Pick<CheckDependencies, 'crypto' | 'sealed' | 'sealingKeys'>,
  prepared: PreparedRecord,
  first: StandingRecord | undefined,
): Generator<void, Resealed, void> {
  if (prepared.sealed.length === 0) return { prepared, unopened: new Map() };
  const held = yield* sealed.getSteps(prepared.recordId);
  return yield* reseal(crypto, { keys: sealingKeys(), held, seals: first?.seals }, prepared);
}

/**
 * Whether nothing but seals that this node cannot open tells the record from the stored one: the same values under a key not held here, or
 * others.
 */
export function* sealsAlone(
  { sealed, crypto }: Pick<CheckDependencies, 'sealed' | 'crypto'>,
  definition: ClassDefinition,
  { prepared, unopened }: Resealed,
  first: RecordVersion,
): Generator<void, boolean, void> {
  if (unopened.size === 0 || sealed.isErased(prepared.recordId)) return false;
  return yield* sameAsStoredSteps(crypto, definition, yield* withSeals(prepared.submission.content, unopened), first);
}

/** Chain state as the next block will find it. */
export function readingOf(node: NodeService): Reading {
  const head = node.head();
  return {
    read: (contract, key) => node.state.get(stateKey(contract, key)),
    block: {
      chainId: node.info.chainId,
      height: head.height + 1,
      timestampMs: head.timestampMs,
      era: head.era,
      parameters: node.parameters(),
    },
  };
}
