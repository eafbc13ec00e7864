/**
 * The part of a submission that asks the chain: whether it would take each prepared record now, so that every bad row is named at once and nothing is
 * signed in vain. On the thread that holds the state, a row a step.
 */
import {
  builtinClass,
  type ClassDefinition,
  CONTRACT,
  ContractFailure,
  currentVersion,
  keyConflict,
  loadClass,
  ownershipFaults,
  type Reading,
  readVersion,
  sameContent,
  stateKey,
  timePath,
  twinConflict,
} from '../../contracts/index.ts';
import { ChainError } from '../../node/errors/index.ts';
import { type ByteText, type RecordOrigin, type RecordPath, toByteText } from '../../node/format/index.ts';
import type { NodeService } from '../../node/service.ts';
import { BODY_FAULTS_MAX, type BodyFault, type ParsedRecord } from '../formats/index.ts';
import type { Caller } from '../rest/deps.ts';
import { type PreparedRows, prepareRows } from './prepare-rows.ts';
import { type PlacedText, refusePlaced } from './refusal.ts';
import type { CheckedRow, SubmitDependencies } from './submit.ts';

export type CheckDependencies = Pick<SubmitDependencies, 'node' | 'crypto' | 'sealed' | 'sealingKey'>;

/** Everything about records already parsed, on this thread. @throws ChainError with all faults of all rows */
export function* checkRows(
  deps: CheckDependencies,
  records: readonly ParsedRecord[],
  caller: Pick<Caller, 'account' | 'organisation'>,
  recordClass: string,
  statedDigest: string | undefined,
  unreadable: readonly BodyFault[] = [],
  source: RecordOrigin = {},
): Generator<void, CheckedRow[], void> {
  const definition = classFor(deps.node, caller, recordClass);
  const context = { ...contextOf(deps, caller), held: (id: Uint8Array) => deps.sealed.get(id) };
  return yield* judgeRows(deps, definition, yield* prepareRows(context, definition, records, unreadable, { source, statedDigest }), caller);
}

export function contextOf({ crypto, sealingKey }: CheckDependencies, { organisation }: Pick<Caller, 'organisation'>) {
  return { crypto, org: organisation, sealingKey: sealingKey() };
}

/** The class as the next block will find it, for a caller whom this node signs for. @throws ChainError KEY_NOT_HELD, RECORD_CLASS_UNKNOWN */
export function classFor(node: NodeService, { account }: Pick<Caller, 'account'>, name: string): ClassDefinition {
  if (!node.signsFor(account)) throw new ChainError('KEY_NOT_HELD', { account }); // its seals would not be those of the chain
  return classOf(node, name);
}

/** @throws ChainError RECORD_CLASS_UNKNOWN */
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
  { node, crypto }: Pick<CheckDependencies, 'node' | 'crypto'>,
  definition: ClassDefinition,
  { records, checked, unreadable, faults: placed, rows: prepared }: PreparedRows,
  { organisation }: Pick<Caller, 'organisation'>,
): Generator<void, CheckedRow[], void> {
  const reading = readingOf(node);
  const get = (key: ByteText) => reading.read(CONTRACT.records, key);
  const { recordTimeAheadMaxMs } = node.parameters();
  const latestUs = BigInt(node.head().timestampMs + recordTimeAheadMaxMs) * 1_000n;
  const faults: PlacedText[] = [];
  const rows: CheckedRow[] = [];
  const known = new Map<string, string | undefined>();
  const keys = new Map<string, readonly [record: number, content: Uint8Array]>();
  let told = 0; // of those found before
  let walked = checked;
  const full = (): boolean => faults.length + unreadable.length >= BODY_FAULTS_MAX; // the answer tells no more
  /** Tells what was found before of the records before one; false when there is no room for that one. */
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
  for (const { record, prepared: row, facts, locate } of prepared) {
    if (!tellBefore(record)) break;
    if (rows.length > 0) yield;
    const fault = (code: string, path: RecordPath, data: PlacedText['data']): void => {
      faults.push({ code, place: locate(path, code), data });
    };
    if (facts.timeUs !== undefined && facts.timeUs > latestUs)
      fault('RECORD_TIME_AHEAD', timePath(definition), { aheadMaxMs: `${recordTimeAheadMaxMs}` });
    for (const { code, detail } of ownershipFaults(reading, organisation, definition, facts, record, known)) {
      const { path, record: _record, ...data } = detail;
      fault(code, path as string[], data);
    }
    const id = toByteText(row.recordId);
    const { content } = row.submission;
    const first = readVersion(get, id, 1);
    const current = first ? currentVersion(get, id) : 0;
    if (first && !sameContent(definition, content, first.content))
      fault('RECORD_KEY_CONFLICT', [], { ...keyConflict(crypto, row.recordId, first, readVersion(get, id, current)!, current) });
    const twin = keys.get(id);
    if (twin && !sameContent(definition, content, twin[1])) fault('RECORD_KEY_CONFLICT', [], { ...twinConflict(row.recordId, twin[0]) });
    keys.set(id, [record, content]);
    rows.push({ prepared: row, materials: facts.materials, first, currentVersion: current, definition, locate });
  }
  if (walked === checked) tellBefore(checked);
  if (faults.length + unreadable.length > 0) throw refusePlaced(faults, unreadable, records - walked);
  return rows;
}

/** Chain state as the next block will find it. */
function readingOf(node: NodeService): Reading {
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
